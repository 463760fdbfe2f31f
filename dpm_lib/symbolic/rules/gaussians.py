"""Rules of Gaussians; those that work with one coordinate say d = 1."""

from typing import Any

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Expect, Int, Normal, Square, d, log, x
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import CALCULUS, LAW, RESULT, rule
from dpm_lib.symbolic.rules.steps import Steps
from dpm_lib.symbolic.rules.sums import positive

# fmt: off
__all__ = [
    "gaussian_data", "gaussian_integral", "gaussian_mean", "log_gaussian", "other_argument",
    "second_moment", "unit_moment",
]
# fmt: on


@rule("Gaussian data", layer=LAW + 0.5, given=["Gaussian data"])
def gaussian_data(e: Expr, steps: Steps) -> Expr | None:
    """The data have the law N(mu_0, v_0 I)."""
    return Normal(x[0], lang.mu_0, lang.v[0]) if e == lang.q(x[0]) else None


@rule("logarithm of a Gaussian", layer=CALCULUS, d=[1])
def log_gaussian(e: Expr, steps: Steps) -> Expr | None:
    """log N(y; m, v) is minus the square of y - m over 2v, minus half of log(2 pi v)."""
    if not (isinstance(e, sp.log) and isinstance(e.args[0], Normal)):
        return None
    state, mean, variance = e.args[0].args
    return -log(2 * sp.pi * variance) / 2 - (state - mean) ** 2 / (2 * variance)


@rule("Gaussian integral", "complete the square, integrate", "complete the square", layer=CALCULUS)
def gaussian_integral(e: Expr, steps: Steps) -> Expr | None:
    """N(y; a z + b, s) averaged over z from N(k, v) is N(y; a k + b, a^2 v + s)."""
    if not (isinstance(e, Int) and len(e.args[1]) == 1 and e.args[0].is_Mul):
        return None
    (z,) = e.args[1]
    if len(e.args[0].args) != 2 or not all(isinstance(f, Normal) for f in e.args[0].args):
        return None
    for there, start in (e.args[0].args, e.args[0].args[::-1]):
        to, mean, spread = there.args
        gain = _slope(mean, z)
        fixed = not any(part.has(z) for part in (*start.args[1:], spread))
        if start.args[0] == z != to and gain is not None and fixed:
            shifted = mean.xreplace({z: start.args[1]})
            return Normal(to, shifted, gain**2 * start.args[2] + spread)
    return None


@rule("integral over the other argument", "complete the square in the other state",
      layer=CALCULUS, d=[1])  # fmt: skip
def other_argument(e: Expr, steps: Steps) -> Expr | None:
    """N(y; a z, v), read as a function of z, has the integral 1/a, for a > 0."""
    if not (isinstance(e, Int) and len(e.args[1]) == 1 and isinstance(e.args[0], Normal)):
        return None
    (z,), (to, mean, spread) = e.args[1], e.args[0].args
    gain = _slope(mean, z)
    if gain is None or to == z or spread.has(z) or not positive(gain):
        return None
    return 1 / gain


def _slope(mean: Expr, state: Any) -> Expr | None:
    """The factor of a state in a mean that is linear in it."""
    terms = ring.polynomial(mean)
    slope = ring.expression(
        {m - {(state, sp.S.One)}: c for m, c in terms.items() if (state, sp.S.One) in m}
    )
    rest = mean - slope * state
    return None if slope == 0 or slope.has(state) or sp.expand(rest).has(state) else slope


@rule("moments of a Gaussian", "average the square", "average the squares", layer=CALCULUS, d=[1])
def gaussian_mean(e: Expr, steps: Steps) -> Expr | None:
    """Under N(m, v) the mean of y is m, that of its square m^2 + v."""
    if not (isinstance(e, Expect) and isinstance(e.args[0], Normal)):
        return None
    (state, mean, variance), body = e.args[0].args, e.args[1]
    if body == state:
        return mean
    return mean**2 + variance if body == state**2 else None


@rule("second moment of the data", "definition of the second moment", layer=RESULT)
def second_moment(e: Expr, steps: Steps) -> Expr | None:
    """d times m_2 is the mean square of a data point."""
    return d * lang.m_2 if e == Expect(lang.q(x[0]), Square(x[0])) else None


@rule("second moment 1", layer=RESULT, given=["second moment 1"])
def unit_moment(e: Expr, steps: Steps) -> Expr | None:
    """The data are scaled so that the mean square of a coordinate is 1."""
    return sp.S.One if e == lang.m_2 else None
