r"""The kernel: a step follows from the rules that it names, for every T.

Left minus right is rewritten by the named rules and no others, and the ring asks whether anything
is left.  There is no search.  Rules fire from the inside out, in the order of their layers,
whatever the order in which a step names them, and every reason must be needed.

What is trusted: matching and substitution (here), the order of steps
(:mod:`dpm_lib.symbolic.rules.steps`), the ring (:mod:`dpm_lib.symbolic.rules.ring`), and each rule
itself, which cannot be used unless it is proved.  Of SymPy: the constructors of sums, products,
powers and logarithms, substitution, equality and the expansion of linear indices.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.steps import Steps, density, joined, substituted

# fmt: off
__all__ = [
    "CALCULUS",
    "LAW",
    "LAWS",
    "RESULT",
    "UNFOLD",
    "Group",
    "Rule",
    "Unproved",
    "algebra",
    "canonical",
    "flat",
    "follows",
    "fresh",
    "kernels_of",
    "left_over",
    "normal",
    "proof",
    "proves",
    "rule",
]
# fmt: on

LAWS = lang.Density | lang.Kernel | lang.Normal | lang.Bern
UNFOLD, LAW, CALCULUS, RESULT = range(4)
"""Layers: definitions open first, then densities change, then sums and averages."""


class Unproved(AssertionError):
    """A step of a derivation does not hold.

    Attributes:
        sides: the two expressions that are not equal, where there are two.
    """

    def __init__(self, words: str, *sides: Expr) -> None:
        super().__init__(words)
        self.sides = sides


@dataclass(frozen=True)
class Rule:
    """A reason for a step.

    Two rules are the same if they do the same, whatever words they are printed in.

    Attributes:
        name: the standard term.
        phrases: the words that it carries, the first of them usual.
        statement: what it says and under which conditions.
        layer: when it fires.
        claim: for which "d" and "kernels" it holds, "given" what; nothing if for all.
        words: what is printed for it; nothing if a reader does it without a word.
        rewrite: takes a part of an expression and the ranges of steps, gives an equal one or None.
        first: takes both sides, gives two sides that are equal only if these are, or None.
        last: takes what is left, gives expressions that all vanish only if it does, or None.
        lifts: whether it carries what holds for one coordinate to every d.
    """

    name: str
    phrases: tuple[str, ...]
    statement: str
    layer: float
    claim: Mapping[str, Any] = field(compare=False)
    words: str = field(compare=False)
    rewrite: Callable[[Expr, Steps], Expr | None] | None = None
    first: Callable[[Expr, Expr], tuple[Expr, Expr] | None] | None = None
    last: Callable[[Expr], list[Expr] | None] | None = None
    lifts: bool = False

    def __hash__(self) -> int:
        return hash(self.name)

    def say(self, words: str) -> "Rule":
        """The same rule, printed in other words that it carries.

        Raises:
            ValueError: these words do not belong to the rule.
        """
        if words not in self.phrases:
            raise ValueError(f"words must be of {self.name}: {self.phrases}, got {words!r}")
        return replace(self, words=words)


Group = tuple[Rule, ...]
"""Rules that go together: in a step that names the group one of them must be needed."""


def rule(
    *phrases: str,
    layer: float,
    at: str = "rewrite",
    also: Any = None,
    quiet: bool = False,
    lifts: bool = False,
    **claim: Any,
) -> Callable[[Any], Rule]:
    """Make a rule of a function whose docstring states it; a quiet one is printed if asked."""

    def made(function: Any) -> Rule:
        said = " ".join((function.__doc__ or "").split())
        parts = {"rewrite": also, at: function}
        words = "" if quiet else phrases[0]
        return Rule(phrases[0], phrases, said, layer, claim, words, **parts, lifts=lifts)

    return made


algebra = Rule("algebra", ("algebra", "collect", "expand"), "The ring.", RESULT, {}, "algebra")
"""The reason of a step that needs no rule: an identity of the ring."""

_proofs: dict[Rule, Callable[[], Any]] = {}
_proved: dict[Rule, Any] = {}
_OPEN = object()


def proves(*rules: Rule) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Give rules their proof: a function that raises :class:`Unproved` unless they hold."""

    def given(proof: Callable[[], Any]) -> Callable[[], Any]:
        _proofs.update(dict.fromkeys(rules, proof))
        return proof

    return given


def proof(one: Rule) -> Any:
    """What the proof of a rule gives; it is run when it is first asked for.

    Raises:
        Unproved: the rule has no proof, the proof fails, or it uses the rule itself.
    """
    if one not in _proofs:
        raise Unproved(f"{one.name} is not proved, so nothing follows by it")
    if one not in _proved:
        _proved[one] = _OPEN
        try:
            _proved[one] = _proofs[one]()
        finally:
            if _proved[one] is _OPEN:
                del _proved[one]
    if _proved[one] is _OPEN:
        raise Unproved(f"the proof of {one.name} uses it")
    return _proved[one]


def left_over(left: Expr, right: Expr, rules: Iterable[Rule], steps: Steps) -> Expr | None:
    """What is left of the difference of two sides under some rules; None if they are equal."""
    if not (sensible(left, steps) and sensible(right, steps)):
        return left - right
    ordered = sorted(set(rules) - {algebra}, key=lambda one: (one.layer, one.name))
    for one in ordered:
        if one.first is not None:
            sides = one.first(left, right)
            if sides is None:
                return left - right
            left, right = sides
    rests = iter([normal(distinct(left) - distinct(right), ordered, steps)])
    for one in ordered:
        if one.last is not None:
            rests = _parted(rests, one.last, ordered, steps)
    return next((rest for rest in map(canonical, rests) if not ring.is_zero(rest)), None)


def _parted(
    rests: Iterator[Expr], last: Callable[[Expr], Any], rules: Sequence[Rule], steps: Steps
) -> Iterator[Expr]:
    """What a last rule makes of each rest."""
    for rest in rests:
        for part in last(rest) or [rest]:
            yield normal(part, rules, steps)


def flat(reasons: Iterable[Rule | Group]) -> list[Rule]:
    """The rules of some reasons, each of which is a rule or a group of rules."""
    groups = [one if isinstance(one, tuple) else (one,) for one in reasons]
    return list(dict.fromkeys(rule for group in groups for rule in group))


def kernels_of(rules: Iterable[Rule]) -> set[str]:
    """For which kernels all of these rules hold; nothing if none of them says."""
    said = [set(one.claim["kernels"]) for one in rules if "kernels" in one.claim]
    return set.intersection(*said) if said else set()


def follows(
    left: Expr,
    right: Expr,
    reasons: Sequence[Rule | Group],
    steps: Steps,
    supposed: Sequence[Rule] = (),
) -> None:
    """Make sure that two sides are equal by the rules, and by no fewer.

    Args:
        left: one side.
        right: the other.
        reasons: rules, or groups of them, each rule proved or supposed.
        steps: the ranges of the steps in sight.
        supposed: the hypothesis of an induction.

    Raises:
        Unproved: something is left, or a reason is not needed, or a rule is not proved.
    """
    rules = flat(reasons)
    for one in rules:
        if one != algebra and one not in supposed:
            proof(one)
    names = " and ".join(one.name for one in rules)
    try:
        rest = left_over(left, right, rules, steps)
    except RecursionError as error:
        raise Unproved(f"{names} undo one another in {left} = {right}") from error
    if rest is not None:
        raise Unproved(f"{left} = {right} does not follow by {names}: {rest} is left", left, right)
    for spare in reasons:
        others = flat(one for one in reasons if one != spare)
        name = " and ".join(one.name for one in flat([spare]))
        if not _alone(spare, others) and left_over(left, right, others, steps) is None:
            raise Unproved(f"{left} = {right}: {name} is not needed")


def _alone(spare: Rule | Group, others: Sequence[Rule]) -> bool:
    """Whether a reason says what nothing else says: that there is no other, or for which d."""
    if isinstance(spare, tuple):
        return False
    return (spare == algebra and not others) or (
        spare.lifts and any("d" in one.claim for one in others)
    )


@lru_cache(maxsize=200_000)
def sensible(expr: Any, steps: Steps) -> bool:
    """Whether states, rates and bound steps exist, and no density holds a state on both sides."""
    if isinstance(expr, lang.Kernel | lang.Normal | lang.Bern):
        to, *others = expr.args
        if any(part.has(to) for part in others):
            return False
    if isinstance(expr, lang.Density) and expr.law != "pi":
        states = [*expr.targets, *expr.given]
        if any(isinstance(s, lang.State | lang.Span) for s in states):
            return steps.exist(expr) and steps.in_order(states) is not None
    if isinstance(expr, sp.Sum | sp.Product):
        if len(expr.limits) != 1 or len(expr.limits[0]) != 3:
            return False
        ((step, first, last),) = expr.limits
        if any(step == other for other, *_ in steps.ranges) or step in (lang.T, lang.n):
            return False
        return sensible(expr.function, steps.bound(step, first, last))
    if isinstance(expr, lang.State | lang.Span | lang.Rate | lang.Slope):
        return steps.exist(expr)
    return all(sensible(part, steps) for part in expr.args)


def normal(expr: Expr, rules: Sequence[Rule], steps: Steps) -> Expr:
    """The expression after all rewriting: by the lowest layer, then by two, and so on."""
    firing = [one for one in rules if one.rewrite]
    for layer in sorted({int(one.layer) for one in firing}) or [UNFOLD]:
        expr = rewritten(expr, tuple(one for one in firing if one.layer < layer + 1), steps)
    return expr


@lru_cache(maxsize=200_000)
def rewritten(expr: Any, rules: tuple[Rule, ...], steps: Steps) -> Any:
    """The expression after the rules have fired, from the inside out."""
    if isinstance(expr, lang.Density):
        expr = density(expr.law, expr.targets, expr.given)
    elif isinstance(expr, sp.Sum | sp.Product):
        ((step, first, last),) = expr.limits
        if sp.expand(last - first) == 0 and (only := substituted(expr.function, step, first)):
            return rewritten(only, rules, steps)
        if sp.expand(last - first) == -1:
            return sp.S.Zero if isinstance(expr, sp.Sum) else sp.S.One
        inner = rewritten(expr.function, rules, steps.bound(step, first, last))
        expr = expr.func(inner, (step, first, last))
    elif isinstance(expr, lang.Expect):
        expr = lang.Expect(
            measure(expr.args[0], rules, steps), rewritten(expr.args[1], rules, steps)
        )
    elif isinstance(expr, lang.KL | lang.Entropy):
        laws = [measure(law, rules, steps) for law in expr.args]
        expr = expr.func(*laws) if isinstance(expr, lang.KL) or _plain(laws) else expr
    elif isinstance(expr, lang.Int):
        expr = lang.Int(rewritten(expr.args[0], rules, steps), *joined(expr.args[1]))
    elif not isinstance(expr, lang.Variable | lang.Rate) and expr.args:
        parts = [rewritten(part, rules, steps) for part in expr.args]
        expr = parts_of(expr, parts)
    for one in rules:
        new = one.rewrite(expr, steps) if one.rewrite else None
        if new is not None and new != expr:
            return rewritten(new, rules, steps)
    return expr


def _plain(laws: Sequence[Any]) -> bool:
    return all(isinstance(law, lang.Density) for law in laws)


def parts_of(expr: Any, parts: Sequence[Any]) -> Any:
    """The expression with other parts, in the form of the ring where it is a sum or a product."""
    if expr.is_Mul and ring.held(expr):
        return sp.Mul(*parts, evaluate=False)
    new = expr.func(*parts)
    if new.is_Add or new.is_Mul or new.is_Pow:
        return ring.expression(ring.polynomial(new))
    return new


def measure(law: Any, rules: tuple[Rule, ...], steps: Steps) -> Any:
    """A law under an expectation, a divergence or an entropy: rules must leave a law."""
    if not isinstance(law, lang.Density):
        law = law.func(*(rewritten(part, rules, steps) for part in law.args))
    for one in rules:
        new = one.rewrite(law, steps) if one.rewrite else None
        if isinstance(new, LAWS) and new != law:
            return measure(new, rules, steps)
    return law


@lru_cache(maxsize=100_000)
def distinct(expr: Any, depth: int = 0) -> Any:
    """The expression with a name of its own for each bound step, by depth."""
    if isinstance(expr, sp.Sum | sp.Product):
        ((step, first, last),) = expr.limits
        name = sp.Symbol(f"_i{depth}", integer=True)
        inner = distinct(expr.function.xreplace({step: name}), depth + 1)
        return expr.func(inner, (name, first, last))
    if not expr.args or isinstance(expr, lang.Variable | lang.Rate):
        return expr
    if expr.is_Mul and ring.held(expr):
        return sp.Mul(*(distinct(part, depth) for part in expr.args), evaluate=False)
    return expr.func(*(distinct(part, depth) for part in expr.args))


def fresh(steps: Steps) -> Any:
    """A name for a new bound step."""
    return sp.Symbol(f"_i{len(steps.ranges)}_", integer=True)


@lru_cache(maxsize=100_000)
def canonical(expr: Any, depth: int = 0) -> Any:
    """Bound steps start at 0 and are named by depth; states stand in one order."""
    if isinstance(expr, lang.Density):
        targets, given = ([canonical(u) for u in side] for side in (expr.targets, expr.given))
        return density(expr.law, targets, given, runs=True)
    if isinstance(expr, lang.State | lang.Span):
        return expr.func(*map(sp.expand, expr.args))
    if isinstance(expr, lang.Rate):
        return lang.Rate(expr.args[0], sp.expand(expr.args[1]))
    if isinstance(expr, sp.Sum | sp.Product):
        ((step, first, last),) = expr.limits
        name = sp.Symbol(f"_k{depth}", integer=True)
        moved = substituted(expr.function, step, name + first)
        if moved is None:
            return expr
        return expr.func(canonical(moved, depth + 1), (name, 0, sp.expand(last - first)))
    if isinstance(expr, lang.Int):
        states = joined(map(canonical, expr.args[1]), runs=True)
        return lang.Int(canonical(expr.args[0], depth), *states)
    if not expr.args or isinstance(expr, lang.Variable | sp.Tuple):
        return expr
    return parts_of(expr, [canonical(part, depth) for part in expr.args])
