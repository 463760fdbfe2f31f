"""What a few chains can decide: formulas that are linear in T and of low degree in d."""

from collections.abc import Sequence
from typing import Any

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import entry
from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.rules.kernel import Unproved
from dpm_lib.symbolic.worlds import World

__all__ = ["check_form", "only_in_indices"]


def check_form(line: Expr, worlds: Sequence[World]) -> None:
    """Refuse a formula that the worlds could not decide, as they have too few T or d.

    Indices are linear in T and t, so chains of two lengths tell any two of them apart; a
    polynomial in d needs more dimensions than its degree.
    """
    only_in_indices(line)
    if line.has(lang.T) or lang.t in line.free_symbols:
        lengths = {world.T for world in worlds}
        if len(lengths) < 2:
            raise Unproved(f"{line} depends on T or t, so it needs worlds of more than one T")
    known = {world.claim["d"] for world in worlds if "d" in world.claim}
    if _degree(line) >= max(len(known), 1):
        raise Unproved(f"{line} depends on d, so it needs worlds of more than {len(known)} d")


def only_in_indices(expr: Any) -> None:
    """Refuse a step that is taken for a number, and limits that are not linear in it."""
    if expr in (lang.T, lang.t, lang.s, lang.n):
        raise Unproved(f"the step {expr} may stand in an index or a limit only")
    if isinstance(expr, lang.Variable | lang.Rate | lang.Factor):
        return
    parts = expr.args[:1] if isinstance(expr, lang.Slope) else expr.args
    if isinstance(expr, sp.Sum | sp.Product):
        parts = expr.args[:1]
        for limit in (limit for limits in expr.limits for limit in limits[1:]):
            entry.step(limit)
    for part in parts:
        only_in_indices(part)


def _degree(expr: Any) -> int:
    """The degree of an expression in d; what is no polynomial in d is refused."""
    if expr == lang.d:
        return 1
    parts = [_degree(a) for a in expr.args]
    if isinstance(expr, sp.Mul):
        return sum(parts)
    if isinstance(expr, sp.Pow) and expr.exp.is_Integer and expr.exp > 0:
        return parts[0] * int(expr.exp)
    if any(parts) and not isinstance(
        expr, sp.Add | sp.Sum | lang.Int | lang.Expect | lang.Slope | sp.Tuple
    ):
        raise Unproved(f"{expr} is no polynomial in d")
    return max(parts, default=0)
