"""Rules that carry what holds for one coordinate to every d, and compare logarithms."""

from typing import Any

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import (
    Bern,
    Density,
    Dot,
    Entropy,
    Expect,
    Int,
    Kernel,
    Normal,
    Square,
    d,
    log,
    x,
)
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import UNFOLD, rule
from dpm_lib.symbolic.rules.probability import read_average
from dpm_lib.symbolic.rules.steps import Steps, free
from dpm_lib.symbolic.rules.sums import positive

__all__ = ["by_logarithms", "coordinates", "one_dimension"]


@rule("compare the logarithms", layer=UNFOLD, at="first", quiet=True)
def by_logarithms(left: Expr, right: Expr) -> tuple[Expr, Expr] | None:
    """Two positive expressions are equal if their logarithms are."""
    return (log(left), log(right)) if positive(left) and positive(right) else None


def _one_coordinate(e: Expr, steps: Steps) -> Expr | None:
    if isinstance(e, Square | Dot):
        return e.args[0] * e.args[-1]
    return sp.S.One if e == d else None


def _coordinates(left: Expr, right: Expr) -> tuple[Expr, Expr] | None:
    """Both sides are products of one factor, or sums of one term, for each coordinate.

    Then it is enough to compare one coordinate, where d is 1.  Kernels, Gaussians, bits, the prior,
    forward densities given an earlier state, and exponentials of such sums are such products; their
    logarithms, divergences and entropies, squares, inner products, d, and averages of these are
    such sums.
    """
    shapes = {_shape(left), _shape(right)} - {"none"}
    return (left, right) if len(shapes) == 1 and None not in shapes else None


coordinates = rule(
    "coordinate by coordinate", "one term for each coordinate", "independent bits",
    layer=UNFOLD, at="first", also=_one_coordinate, lifts=True, quiet=True,
    kernels=["Gaussian", "binomial"],
)(_coordinates)  # fmt: skip


@rule("one dimension", "one bit", layer=UNFOLD, d=[1])
def one_dimension(e: Expr, steps: Steps) -> Expr | None:
    """With one coordinate d is 1, and squares and inner products are products of numbers."""
    return _one_coordinate(e, steps)


def _shape(e: Expr) -> str | None:
    terms = ring.polynomial(e)
    if not terms:
        return "none"
    if len(terms) == 1:
        ((powers, c),) = terms.items()
        if c == 1 and all(
            (k.is_Integer or isinstance(a, sp.exp)) and _is_factor(a) for a, k in powers
        ):
            return "factors"
    return "terms" if all(_is_sum(powers) for powers in terms) else None


def _is_sum(powers: Any) -> bool:
    """Whether a monomial is a sum over coordinates, times numbers that have none."""
    sums = [a for a, k in powers if _is_term(a) and k == 1]
    rest = [a for a, k in powers if a not in sums]
    return len(sums) == 1 and all(map(_is_number, rest))


def _is_number(a: Expr) -> bool:
    return not free(a) and not a.has(*_NO_NUMBERS)


_NO_NUMBERS = (d, Square, Dot, Entropy, Expect, Int, lang.KL)


def _by_coordinate(a: Expr) -> bool:
    """Whether a law or a vector reads other states coordinate by coordinate alone."""
    return not any(part.has(*_NO_NUMBERS) for part in a.args)


def _is_factor(a: Expr) -> bool:
    if isinstance(a, Kernel | Normal | Bern):
        return _by_coordinate(a)
    if isinstance(a, Density):
        if a.law == "pi" or a == lang.p(x[lang.T]):
            return True
        early = Steps(((lang.t, sp.Integer(2), lang.T),)).in_order([*a.targets, *a.given])
        return a.law == "q" and early is not None and early[0] in a.given
    if isinstance(a, Int):
        return _shape(a.args[0]) == "factors"
    if isinstance(a, sp.exp):
        return _shape(a.args[0]) == "terms"
    power = a.exp if isinstance(a, sp.Pow) else sp.S.Zero
    return bool(power.has(d) and (power / d).is_Rational and _is_number(a.base))


def _is_forward(law: Any) -> bool:
    """Whether the law of a coordinate depends on other coordinates through the data alone."""
    return _is_factor(law) or (isinstance(law, Density) and law.law == "q" and not law.given)


def _is_term(a: Expr) -> bool:
    if isinstance(a, Square | Dot):
        return _by_coordinate(a)
    if a == d:
        return True
    if isinstance(a, sp.log):
        return _shape(a.args[0]) == "factors"
    if isinstance(a, Int):
        a = read_average(a) or a
    if isinstance(a, Expect):
        return _shape(a.args[1]) == "terms" and _is_forward(a.args[0])
    if isinstance(a, lang.KL):
        return all(map(_is_factor, a.args))
    if isinstance(a, Entropy):
        return _is_factor(a.args[0])
    return False
