"""Rules of bits; those that work with one coordinate say d = 1."""

from itertools import product

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Bern, Expect, Int, log, rho, x
from dpm_lib.symbolic.rules.kernel import CALCULUS, RESULT, UNFOLD, rule
from dpm_lib.symbolic.rules.steps import Steps, free

__all__ = ["base_rate", "binary_entropy", "bit_mean", "both_values", "log_bit", "logistic"]


@rule("logarithm of a Bernoulli", "the bit is 1 or 0", layer=CALCULUS, d=[1])
def log_bit(e: Expr, steps: Steps) -> Expr | None:
    """log B(y; r) is y log r + (1 - y) log(1 - r)."""
    if not (isinstance(e, sp.log) and isinstance(e.args[0], Bern)):
        return None
    state, rate = e.args[0].args
    return state * log(rate) + (1 - state) * log(1 - rate)


@rule("mean of a bit", "mean of a step", layer=CALCULUS, d=[1])
def bit_mean(e: Expr, steps: Steps) -> Expr | None:
    """Under B(r) the mean of y is r."""
    if isinstance(e, Expect) and isinstance(e.args[0], Bern) and e.args[1] == e.args[0].args[0]:
        return e.args[0].args[1]
    return None


@rule("mean activity the base rate", layer=RESULT, d=[1],
      given=["mean activity the base rate"])  # fmt: skip
def base_rate(e: Expr, steps: Steps) -> Expr | None:
    """A bit of the data is 1 with the base rate."""
    return rho if e == Expect(lang.q(x[0]), x[0]) else None


@rule("entropy of a bit", "entropy of one bit", layer=RESULT)
def binary_entropy(e: Expr, steps: Steps) -> Expr | None:
    """h(r) is -r log r - (1 - r) log(1 - r)."""
    return e.definition() if isinstance(e, lang.h) else None


def _at_values(e: Expr, steps: Steps) -> Expr | None:
    if isinstance(e, Bern) and e.args[0] in (0, 1):
        return e.args[1] if e.args[0] == 1 else 1 - e.args[1]
    if isinstance(e, Expect) and isinstance(e.args[0], Bern):
        e = e.definition()
    if isinstance(e, Int) and len(e.args[1]) == 1:
        (state,) = e.args[1]
        try:
            return sum((e.args[0].subs(state, value) for value in (0, 1)), sp.S.Zero)
        except TypeError:
            return None
    return None


def _for_all_values(e: Expr) -> list[Expr] | None:
    """An identity of bits holds if it holds for both values of each; integrals are two terms."""
    states = sorted(free(e), key=str)
    try:
        return [e.subs(dict(zip(states, values, strict=True)))
                for values in product((0, 1), repeat=len(states))]  # fmt: skip
    except TypeError:
        return None


both_values = rule(
    "a bit is 0 or 1", "add the two values", layer=CALCULUS, at="last", also=_at_values,
    d=[1], kernels=["binomial"],
)(_for_all_values)  # fmt: skip


@rule("the logistic function", layer=UNFOLD)
def logistic(e: Expr, steps: Steps) -> Expr | None:
    """The logistic function of u is 1 / (1 + exp(-u))."""
    return e.definition() if isinstance(e, lang.Logistic) else None
