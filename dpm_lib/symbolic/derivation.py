r"""Derivations: chains of expressions, each step with its reason, each step checked when made.

A :class:`Derivation` evaluates both sides of every step in one or more worlds and raises
:class:`Unproved` unless they are equal there as exact expressions.  An inequality must exhibit its
gap, and the gap must be a Kullback-Leibler divergence, an r - 1 - log r, or an average of them.
An :class:`Induction` proves a statement about a product or a sum for every number of steps.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp
from sympy import Expr, Product, Sum, Symbol

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.printing import aligned
from dpm_lib.symbolic.worlds import World
from dpm_lib.symbolic.worlds.base import Env

__all__ = ["Derivation", "Induction", "Step", "Unproved", "at_least", "equals"]


class Unproved(AssertionError):
    """A step of a derivation does not hold."""


@dataclass(frozen=True)
class Step:
    """One line of a derivation: its relation to the line before, and why."""

    expression: Expr
    reason: str
    gap: Expr | None = None

    @property
    def relation(self) -> str:
        """The sign in front of the line."""
        return "=" if self.gap is None else r"\geq"


def equals(expression: Any, reason: str) -> Step:
    """The line before equals this expression."""
    return Step(sp.sympify(expression), reason)


def at_least(expression: Any, reason: str, *, gap: Expr) -> Step:
    """The line before is at least this expression; the difference is the gap, never negative."""
    if not _never_negative(gap):
        raise Unproved(f"the gap {gap} is not a KL divergence, r - 1 - log r or an average of them")
    return Step(sp.sympify(expression), reason, gap)


class Derivation:
    """Expressions that follow from one another, checked in every world given.

    Args:
        start: the first expression.
        steps: the lines that follow, made by :func:`equals` and :func:`at_least`.
        worlds: where each step is checked.
        steps_from: if the free step t occurs, it runs from here to T.

    Raises:
        Unproved: a step does not hold in some world.
    """

    def __init__(
        self, start: Any, *steps: Step, worlds: Sequence[World], steps_from: int = 1
    ) -> None:
        self.start, self.steps, self._worlds = sp.sympify(start), steps, worlds
        self.steps_from = steps_from
        self._known: dict[Any, Any] = {}
        lines = [self.start, *(step.expression for step in steps)]
        for world in worlds:
            for before, step in zip(lines, steps, strict=False):
                right = _with_gap(step)
                if self._difference(world, before, right) is not None:
                    raise Unproved(f"in a {world.name}: {before} is not {step.relation} {right}")

    @property
    def worlds(self) -> list[str]:
        """Names of the worlds."""
        return [world.name for world in self._worlds]

    @property
    def count(self) -> int:
        """Number of steps checked."""
        return len(self.steps)

    def refuses(self, mutant: Any) -> float | None:
        """By how much a damaged last line differs from the proved one; None if it does not.

        A mutant of an inequality may be a :class:`Step` with a damaged gap.
        """
        final, damaged = self.steps[-1].expression, mutant
        if isinstance(mutant, Step):
            final, damaged = _with_gap(self.steps[-1]), _with_gap(mutant)
        found = [self._difference(w, final, sp.sympify(damaged)) for w in self._worlds]
        told = [damage for damage in found if damage is not None]
        return min(told) if len(told) == len(found) else None

    def _difference(self, world: World, left: Expr, right: Expr) -> float | None:
        worst = None
        for pair in _instances((left, right), world.T, self.steps_from):
            states = sorted({v for side in pair for v in lang.free_states(side)}, key=str)
            for env in world.assignments(states):
                a, b = (self._value(world, side, env) for side in pair)
                if not world.same(a, b):
                    gap = abs(a.at(world.point) - b.at(world.point))
                    worst = gap if worst is None else max(gap, worst)
        return worst

    def _value(self, world: World, side: Expr, env: Env) -> Any:
        key = (id(world), side, frozenset(env.items()))
        if key not in self._known:  # a line is compared with both its neighbours and with mutants
            self._known[key] = world.value(side, env)
        return self._known[key]

    def latex(self) -> str:
        """The derivation as one aligned block."""
        rows = [(step.relation, step.expression, step.reason) for step in self.steps]
        return aligned(self.start, rows)

    def _repr_latex_(self) -> str:
        return f"$$\\displaystyle {self.latex()}$$"


class Induction:
    """A product or a sum over steps has a closed form, for every number of steps.

    Base: the closed form holds for the shortest product (sum).  Step: multiplying (adding) one
    more term carries the closed form for n to the closed form for n + 1.

    Args:
        left: a :class:`sympy.Product` or :class:`sympy.Sum` over steps, up to a symbol.
        right: its closed form.
        reason: what happens in one step of the induction.

    Raises:
        Unproved: the base or the step fails.
    """

    def __init__(self, left: Product | Sum, right: Any, reason: str) -> None:
        self.left, self.right, self.reason = left, sp.sympify(right), reason
        if not self._holds(self.right):
            raise Unproved(f"{left} is not {right}")

    worlds = ("every chain, by induction",)
    count = 2

    def _holds(self, right: Expr) -> bool:
        return all(sp.cancel(sp.together(side)) == 0 for side in self._residues(right))

    def _residues(self, right: Expr) -> list[Expr]:
        (index, first, last) = self.left.limits[0]
        term = self.left.function
        grown = right * term.subs(index, last + 1)
        if isinstance(self.left, Sum):
            grown = right + term.subs(index, last + 1)
        base = right.subs(last, first) - term.subs(index, first)
        return [base, grown - right.subs(last, last + 1)]

    def refuses(self, expression: Any) -> float | None:
        """By how much a damaged closed form fails the base or the step; None if it holds."""
        right = sp.sympify(expression)
        if self._holds(right):
            return None
        (_, _, last) = self.left.limits[0]
        total = 0.0
        for residue in self._residues(right):
            residue = residue.subs(last, 5)
            atoms = sorted(residue.atoms(lang.Density) | residue.free_symbols, key=str)
            point = {atom: 7.3 + 0.61 * k for k, atom in enumerate(atoms)}
            total += abs(float(residue.subs(point)))
        return total

    def latex(self) -> str:
        """The statement as one aligned block."""
        return aligned(self.left, [("=", self.right, self.reason)])

    def _repr_latex_(self) -> str:
        return f"$$\\displaystyle {self.latex()}$$"


def _instances(pair: tuple[Expr, Expr], T: int, first: int) -> Iterator[tuple[Expr, Expr]]:
    fixed = [side.subs(lang.T, T) for side in pair]
    loose: set[Symbol] = {s for side in fixed for s in side.free_symbols if s == lang.t}
    for t in range(first, T + 1) if loose else [None]:
        chosen = fixed if t is None else [side.subs(lang.t, t) for side in fixed]
        left, right = (side.doit() for side in chosen)
        yield left, right


def _with_gap(step: Step) -> Expr:
    return step.expression if step.gap is None else step.expression + step.gap


def _never_negative(expr: Expr) -> bool:
    if isinstance(expr, lang.KL) or any(expr == f.args[0] - 1 - f for f in expr.atoms(lang.log)):
        return True  # a divergence, or r - 1 - log r with a positive r
    if isinstance(expr, lang.Expect):
        return _never_negative(expr.args[1])
    if isinstance(expr, lang.Int | Sum):
        return all(
            isinstance(f, lang.Density) or _never_negative(f)
            for f in sp.Mul.make_args(expr.args[0])
        )
    return isinstance(expr, sp.Add) and all(map(_never_negative, expr.args))
