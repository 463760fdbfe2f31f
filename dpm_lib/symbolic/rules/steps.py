"""What is known about steps: which of two comes first, for every T.

Indices are linear in T and in steps that run through ranges, so their order is decided at the ends
of the ranges.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Any

import sympy as sp
from sympy import Expr, Tuple

from dpm_lib.symbolic import entry
from dpm_lib.symbolic import language as lang

__all__ = ["Steps", "density", "ends", "free", "joined", "substituted"]


@dataclass(frozen=True)
class Steps:
    """The ranges of the steps in sight, outermost first, and the least value of T (or n)."""

    ranges: tuple[tuple[Any, Any, Any], ...] = ()
    least: int = 1

    def bound(self, step: Any, first: Any, last: Any) -> "Steps":
        """The same, with one more step that runs from the first to the last."""
        least = self.least
        if last in (lang.T, lang.n) and first.is_Integer:
            least = max(least, int(first))  # where the step exists, its range is not empty
        return Steps((*self.ranges, (step, first, last)), least)

    def never_negative(self, index: Any) -> bool:
        """Whether a linear expression in steps is at least 0 all over their ranges."""
        return _never_negative(sp.sympify(index), self.ranges, self.least)

    def before(self, first: Any, second: Any) -> bool:
        """Whether one index is smaller than another."""
        return self.never_negative(second - first - 1)

    def apart(self, one: Any, other: Any) -> bool:
        """Whether two states (spans) have no state in common."""
        chain = lang.State | lang.Span
        if not (isinstance(one, chain) and isinstance(other, chain)):
            return bool(one != other)
        (a, b), (c, e) = ends(one), ends(other)
        return self.before(b, c) or self.before(e, a)

    def inside(self, one: Any, span: Any) -> bool:
        """Whether a state (span) lies in a span."""
        (a, b), (c, e) = ends(one), ends(span)
        return self.never_negative(a - c) and self.never_negative(e - b)

    def in_order(self, states: Iterable[Any]) -> list[Any] | None:
        """The states from first to last, neighbouring ones as one span; None if undecided."""
        line: list[Any] = []
        for state in states:
            if not isinstance(state, lang.State | lang.Span):
                return None
            place = 0
            while place < len(line) and self.before(ends(line[place])[1], ends(state)[0]):
                place += 1
            if place < len(line) and not self.before(ends(state)[1], ends(line[place])[0]):
                return None
            line.insert(place, state)
        return line

    def exist(self, expr: Any) -> bool:
        """Whether every state lies on the chain and every rate has a value."""
        if isinstance(expr, lang.State | lang.Span):
            first, last = ends(expr)
            on = [first, lang.T - last] if not last.has(lang.n) else [first]
            return all(map(self.never_negative, on))
        if isinstance(expr, lang.Rate):
            index, least = expr.args[1], 1 if expr.args[0].name in (r"\alpha", r"\beta") else 0
            on = [index - least, lang.T - index] if not index.has(lang.n) else [index - least]
            return all(map(self.never_negative, on))
        if isinstance(expr, lang.Slope):
            return self.exist(expr.rate) and self.exist(expr.args[0])
        if isinstance(expr, sp.Sum | sp.Product):
            ((step, first, last),) = expr.limits
            return self.bound(step, first, last).exist(expr.function)
        return all(map(self.exist, expr.args))


@lru_cache(maxsize=100_000)
def _never_negative(index: Expr, ranges: tuple[tuple[Any, Any, Any], ...], least: int) -> bool:
    try:
        index = entry.step(index)
    except ValueError:
        return False  # it is not linear, so its ends say nothing
    for step, first, last in reversed(ranges):
        index = sp.expand(index.subs(step, first if index.coeff(step) > 0 else last))
    symbols = index.free_symbols & {lang.T, lang.n}
    if len(symbols) > 1:
        return False
    (end,) = symbols or {lang.T}
    slope = index.coeff(end)
    rest = sp.expand(index - slope * end)
    return bool(rest.is_Integer and slope >= 0 and slope * least + rest >= 0)


def ends(state: Any) -> tuple[Any, Any]:
    """First and last index of a state or span."""
    return state.args[0], state.args[-1]


def density(
    law: str, targets: Iterable[Any], given: Iterable[Any] = (), runs: bool = False
) -> lang.Density:
    """A density whose states stand in one order on each side of its bar, joined as below."""
    sides = (Tuple(*joined(side, runs)) for side in (targets, given))
    return lang.Density(sp.Symbol(law), *sides)


def joined(states: Iterable[Any], runs: bool = False) -> list[Any]:
    """The states in one order: neighbours of a span join it, with ``runs`` all neighbours do."""
    line = [lang.State(s.args[0]) if _is_single(s) else s for s in states]
    while pair := next((pair for pair in permutations(line, 2) if _join(*pair, runs)), None):
        first, last = ends(pair[0])[0], ends(pair[1])[1]
        line = [*(s for s in line if s not in pair), lang.Span(first, last)]
    return sorted(line, key=sp.default_sort_key)


def _is_single(state: Any) -> bool:
    return isinstance(state, lang.Span) and sp.expand(state.args[0] - state.args[1]) == 0


def _join(one: Any, other: Any, runs: bool) -> bool:
    """Whether the other begins where the one ends, and one of them is a span."""
    if not all(isinstance(s, lang.State | lang.Span) for s in (one, other)):
        return False
    wanted = runs or isinstance(one, lang.Span) or isinstance(other, lang.Span)
    return wanted and bool(sp.expand(ends(one)[1] + 1 - ends(other)[0]) == 0)


def free(expr: Any) -> frozenset[Any]:
    """The states (spans) that an expression depends on."""
    if isinstance(expr, lang.Entropy):
        return frozenset()
    if isinstance(expr, lang.Variable):
        return frozenset({expr})
    if isinstance(expr, lang.Int):
        return free(expr.args[0]) - set(expr.args[1])
    found = frozenset(state for part in expr.args for state in free(part))
    if isinstance(expr, lang.Expect | lang.KL):
        return found - set(lang.targets(expr.args[0]))
    return found


def substituted(expr: Expr, step: Any, value: Any) -> Expr | None:
    """The expression at a value of a step; None if two different states would become one."""
    new = expr.subs(step, value)
    kept = len(new.atoms(lang.State)) == len(expr.atoms(lang.State))
    return new if kept else None
