r"""Reasons of steps: rules, rules case by case, or the chains alone; and what makes an inequality.

An inequality must exhibit its gap; the gap must be a Kullback-Leibler divergence, an r - 1 - log r,
or an average of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.entry import strict
from dpm_lib.symbolic.rules.kernel import RESULT, Group, Rule, Unproved, flat, kernels_of

__all__ = [
    "Step", "at_least", "cases", "equals", "gibbs", "hypothesis", "in_chains", "tangent",
]  # fmt: skip


@dataclass(frozen=True)
class in_chains:
    """The reason of a step that no rule gives: it stands in the chains of its derivation only.

    Attributes:
        words: what happens in the step.
    """

    words: str


def _sign(name: str, words: str, statement: str) -> Rule:
    return Rule(name, (words,), statement, RESULT, {}, words)


gibbs = _sign(
    "a divergence is never negative",
    "a divergence is never negative",
    "The divergence of two laws is never negative, nor is an average or a sum of divergences.",
)
tangent = _sign(
    "tangent of the logarithm",
    "since $r-1-\\log r\\geq 0$",
    "r - 1 - log r is never negative for a positive r.",
)
hypothesis = _sign(
    "induction", "induction", "The statement that is being proved holds one step earlier."
)
"""In a derivation that gives its base: the statement for t - 1 may be used for t."""


class cases:
    """The reason of a step that follows by other rules for each kernel.

    Args:
        each: for each kernel, its rules and groups of rules.
    """

    words = "for each kernel"

    def __init__(self, *each: Sequence[Rule | Group]) -> None:
        self.each = tuple(map(tuple, each))
        own = [kernels_of(flat(rules)) for rules in each]
        if len(each) < 2 or not all(own) or len(set.union(*own)) < sum(map(len, own)):
            raise TypeError(f"each case must be the rules of another kernel, got {each}")


Reason = Rule | Group | in_chains | cases


def _are_rules(reasons: Sequence[Any]) -> bool:
    """Whether all reasons are rules or groups of rules, each named once."""
    parts = [part for one in reasons for part in _parts(one)]
    return all(isinstance(p, Rule) for p in parts) and len(set(parts)) == len(parts)


def _parts(reason: Any) -> tuple[Any, ...]:
    return reason if isinstance(reason, tuple) else (reason,)


@dataclass(frozen=True)
class Step:
    """One line of a derivation: its relation to the line before, and why."""

    expression: Expr
    reasons: tuple[Reason, ...]
    gap: Expr | None = None

    def __post_init__(self) -> None:
        strict(self.expression)
        whole = len(self._reasons) == 1 and isinstance(self._reasons[0], in_chains | cases)
        if not self.reasons or not (whole or _are_rules(self.reasons)):
            raise TypeError(
                f"reasons must be rules, cases of rules or in_chains(words), got {self.reasons}"
            )
        if self.gap is not None:
            self._check_gap(strict(self.gap))

    def _check_gap(self, gap: Expr) -> None:
        if not _never_negative(gap):
            raise Unproved(
                f"the gap {gap} is not a KL divergence, r - 1 - log r or an average of them"
            )
        signs = [reason for reason in self.reasons if reason in (gibbs, tangent)]
        if signs != [gibbs if gap.atoms(lang.KL) else tangent]:
            raise Unproved(f"{self.words} is not why the gap {gap} is never negative")

    @property
    def _reasons(self) -> list[Reason]:
        """Why the line before equals this one and its gap."""
        return [one for one in self.reasons if one not in (gibbs, tangent)]

    @property
    def words(self) -> str:
        """Why it follows, in words: those of the rules that have some, or else of all."""
        parts = [part for one in self.reasons for part in _parts(one)]
        return ", ".join([p.words for p in parts if p.words] or [p.phrases[0] for p in parts])

    @property
    def alternatives(self) -> list[list[Rule | Group]]:
        """The reasons by which the equality follows, for each case; none if in chains only."""
        for one in self._reasons:
            if isinstance(one, cases):
                return [list(rules) for rules in one.each]
            if isinstance(one, in_chains):
                return []
        return [[one for one in self._reasons if isinstance(one, Rule | tuple)]]

    @property
    def relation(self) -> str:
        """The sign in front of the line."""
        return "=" if self.gap is None else r"\geq"

    @property
    def raised(self) -> Expr:
        """What equals the line before: the expression, and the gap if there is one."""
        return self.expression if self.gap is None else self.expression + self.gap


def equals(expression: Any, *reasons: Reason) -> Step:
    """The line before equals this expression, by the rules and by no fewer."""
    return Step(strict(expression), reasons)


def at_least(expression: Any, *reasons: Reason, gap: Expr) -> Step:
    """The line before is at least this expression; the difference is the gap, never negative."""
    return Step(strict(expression), reasons, gap)


def _never_negative(expr: Expr) -> bool:
    """Whether the form of an expression says that it is never negative.

    Such are a divergence of two laws, r - 1 - log r with a ratio r of densities, their averages,
    their sums over steps that run upwards, and sums of such terms.
    """
    if isinstance(expr, lang.KL):
        return True
    if any(expr == f.args[0] - 1 - f and _is_ratio(f.args[0]) for f in expr.atoms(sp.log)):
        return True
    if isinstance(expr, lang.Expect):
        return _never_negative(expr.args[1])
    if isinstance(expr, sp.Sum):
        _, first, last = expr.limits[0]
        apart = (last - first).subs(lang.T, 1000)
        return bool(apart.is_number and apart >= -1) and _never_negative(expr.function)
    if isinstance(expr, lang.Int):
        factors = sp.Mul.make_args(expr.args[0])
        return all(isinstance(f, lang.Density) or _never_negative(f) for f in factors)
    return isinstance(expr, sp.Add) and all(map(_never_negative, expr.args))


def _is_ratio(expr: Expr) -> bool:
    """Whether an expression is a product of densities and positive numbers, or their inverses."""
    if isinstance(expr, sp.Product):
        return _is_ratio(expr.function)
    if isinstance(expr, sp.Pow):
        return bool(expr.exp.is_Rational) and _is_ratio(expr.base)
    if isinstance(expr, sp.Mul):
        return all(map(_is_ratio, expr.args))
    return isinstance(expr, lang.Density) or bool(expr.is_Rational and expr > 0)
