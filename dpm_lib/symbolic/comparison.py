"""Whether two expressions agree in worlds, at every step and for all values of their states."""

from collections.abc import Iterable, Iterator
from typing import Any

from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.forms import only_in_indices
from dpm_lib.symbolic.worlds import World

__all__ = ["INFINITY", "difference", "free", "instances"]

INFINITY = float("inf")


def difference(worlds: Iterable[World], left: Expr, right: Expr, first: int) -> float | None:
    """By how much two expressions differ in one of the worlds; None if they agree in all.

    Where the second has no value it is infinitely far, if no world tells a finite difference.
    """
    valueless = False
    for world in worlds:
        worst = None
        try:
            only_in_indices(right)
            for a, b in instances((left, right), world.T, first):
                for env in world.assignments(free(a, b)):
                    x, y = world.value(a, env), world.value(b, env)
                    if x != y:
                        worst = max(worst or 0.0, abs(x.at(0) - y.at(0)))
        except (ValueError, TypeError):
            valueless = True
            continue
        if worst is not None:
            return worst
    return INFINITY if valueless else None


def instances(
    sides: tuple[Expr, ...], T: int, first: int, only: int | None = None
) -> Iterator[tuple[Expr, ...]]:
    """The sides in a chain of T steps, for each step t from the first on if t is free in one."""
    fixed = tuple(side.subs(lang.T, T) for side in sides)
    if not any(lang.t in side.free_symbols for side in fixed):
        yield fixed
        return
    for t in range(first, T + 1) if only is None else [only]:
        yield tuple(side.subs(lang.t, t) for side in fixed)


def free(*sides: Expr) -> list[Any]:
    """The states that some expressions depend on."""
    return sorted({state for side in sides for state in lang.free_states(side)}, key=str)
