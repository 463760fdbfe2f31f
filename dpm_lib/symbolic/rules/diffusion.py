r"""Rules of the diffusion kernels: what a step is, and the algebra of Gaussians and bits.

Rates are supposed to lie between 0 and 1.  Rules that work with one coordinate say d = 1;
:data:`coordinates` carries what they show to every d.
"""

from itertools import product
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
    Rate,
    Square,
    d,
    log,
    rho,
    x,
)
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import CALCULUS, LAW, RESULT, UNFOLD, rule
from dpm_lib.symbolic.rules.probability import positive, read_average
from dpm_lib.symbolic.rules.steps import Steps, free

# fmt: off
__all__ = [
    "base_rate", "binary_entropy", "binomial_kernel", "bit_mean", "both_values", "by_logarithms",
    "coordinates", "detailed_balance", "differentiate", "edge", "gaussian_data",
    "gaussian_integral", "gaussian_kernel", "gaussian_mean", "log_bit", "log_gaussian", "logistic",
    "one_dimension", "other_argument", "rates", "read_step", "second_moment", "step", "unit_moment",
]
# fmt: on


# the chain and its kernel ------------------------------------------------------------------------


@rule("the chain moves by the kernel", "one forward step", layer=LAW + 0.25)
def step(e: Expr, steps: Steps) -> Expr | None:
    """The forward step from t - 1 to t is the kernel with rate beta_t."""
    if isinstance(e, Density) and e.law == "q" and len(e.targets) == len(e.given) == 1:
        (to,), (start,) = e.targets, e.given
        if to.args[0] - start.args[0] == 1:
            return Kernel(to, start, lang.beta[to.args[0]])
    return None


@rule("the kernel moves the chain", "the forward step", layer=UNFOLD)
def read_step(e: Expr, steps: Steps) -> Expr | None:
    """The kernel with rate beta_t from the state at t - 1 to that at t is the forward step."""
    if isinstance(e, Kernel):
        to, start, rate = e.args
        chain = isinstance(to, lang.State) and isinstance(start, lang.State)
        if chain and to.index - start.index == 1 and rate == lang.beta[to.index]:
            return lang.q(to | start)
    return None


@rule("fixed edge step", "our choice", layer=UNFOLD, given=["fixed edge step"])
def edge(e: Expr, steps: Steps) -> Expr | None:
    """The last reverse step of the model is the kernel with rate beta_1, by choice."""
    return Kernel(x[0], x[1], lang.beta[1]) if e == lang.p(x[0] | x[1]) else None


@rule("detailed balance", layer=UNFOLD, kernels=["Gaussian", "binomial"])
def detailed_balance(e: Expr, steps: Steps) -> Expr | None:
    """The kernel back is the kernel there times the prior of the end over that of the start.

    It is used to turn kernels forward: to the later state, or from y to y'.
    """
    if not isinstance(e, Kernel):
        return None
    to, start, rate = e.args
    if isinstance(to, lang.State) and isinstance(start, lang.State):
        backwards = steps.before(to.index, start.index)
    else:
        backwards = str(to) < str(start)
    return Kernel(start, to, rate) * lang.pi(to) / lang.pi(start) if backwards else None


@rule("Gaussian kernel", "Gaussian noise", layer=LAW + 0.5, kernels=["Gaussian"])
def gaussian_kernel(e: Expr, steps: Steps) -> Expr | None:
    """The Gaussian kernel is N(sqrt(1 - beta) y', beta I), its prior N(0, I)."""
    if isinstance(e, Kernel):
        to, start, rate = e.args
        return Normal(to, sp.sqrt(1 - rate) * start, rate)
    if isinstance(e, Density) and e.law == "pi":
        return Normal(e.targets[0], 0, 1)
    return None


@rule("binomial kernel", "keep it, or draw anew", layer=LAW + 0.5, kernels=["binomial"])
def binomial_kernel(e: Expr, steps: Steps) -> Expr | None:
    """The binomial kernel has the rate (1 - beta) y' + rho beta in each bit, its prior rho."""
    if isinstance(e, Kernel):
        to, start, rate = e.args
        return Bern(to, (1 - rate) * start + rho * rate)
    if isinstance(e, Density) and e.law == "pi":
        return Bern(e.targets[0], rho)
    return None


@rule("signal and noise", "collect the rates", layer=RESULT, at="last", quiet=True)
def rates(e: Expr) -> list[Expr] | None:
    r"""beta is 1 - alpha, with the bar too; alpha-bar_t is alpha_t alpha-bar_(t-1), 1 at 0.

    The variance v_t is alpha_t v_(t-1) + beta_t, or alpha-bar_t v_0 + beta-bar_t.
    """
    found = e.atoms(Rate)
    variances = {r.args[1] for r in found if r.args[0].name == "v"}
    for k in variances - {sp.S.Zero}:
        if sp.expand(k - 1) in variances:
            e = e.xreplace({lang.v[k]: lang.alpha[k] * lang.v[k - 1] + 1 - lang.alpha[k]})
        elif sp.S.Zero in variances:
            bar = lang.alpha_bar[k]
            e = e.xreplace({lang.v[k]: bar * lang.v[0] + 1 - bar})
    known: dict[Expr, Expr] = {lang.alpha_bar[0]: sp.S.One, lang.alpha_bar[1]: lang.alpha[1]}
    signal = {r: sp.S.One - Rate(sp.Symbol(r.args[0].name.replace("beta", "alpha")), r.args[1])
              for r in found if r.args[0].name.endswith("beta")}  # fmt: skip
    e = e.xreplace({r: one.xreplace(known) for r, one in signal.items()} | known)
    bars = {r.args[1] for r in e.atoms(Rate) if r.args[0].name == r"\bar\alpha"}
    for k in sorted(bars, key=sp.default_sort_key, reverse=True):
        if sp.expand(k - 1) in bars:
            e = e.xreplace({lang.alpha_bar[k]: lang.alpha[k] * lang.alpha_bar[k - 1]})
    return [e]


@rule("derivative by a rate", "differentiate", layer=CALCULUS)
def differentiate(e: Expr, steps: Steps) -> Expr | None:
    """The derivative by beta_t of sums, products, powers and logarithms of rates, as usual.

    Roots and logarithms are those of positive expressions.

    That of alpha-bar of a step is 0 before t, and from t on minus alpha-bar over alpha_t.
    """
    return _slope_by(e.args[0], e.args[1], steps) if isinstance(e, lang.Slope) else None


def _slope_by(e: Expr, t: Expr, steps: Steps) -> Expr | None:
    """The derivative of an expression by beta_t; None where the order of steps is undecided."""
    if isinstance(e, Rate):
        return _slope_of_rate(e, t, steps)
    if not e.atoms(Rate):
        return sp.S.Zero
    if isinstance(e, sp.Pow) and e.exp.is_Rational:
        inner, factor = e.base, e.exp * e.base ** (e.exp - 1)
    elif isinstance(e, sp.log):
        inner, factor = e.args[0], 1 / e.args[0]
    elif isinstance(e, sp.Add | sp.Mul):
        slopes = [_slope_by(part, t, steps) for part in e.args]
        if None in slopes:
            return None
        if isinstance(e, sp.Add):
            return sp.Add(*slopes)
        return sp.Add(*(s * e / part for s, part in zip(slopes, e.args, strict=True)))
    else:
        return None
    if not (positive(inner) or (e.is_Pow and e.exp.is_Integer)):
        return None
    slope = _slope_by(inner, t, steps)
    return None if slope is None else factor * slope


def _slope_of_rate(e: Rate, t: Expr, steps: Steps) -> Expr | None:
    name, k = e.args[0].name, e.args[1]
    if steps.before(k, t):
        return sp.S.Zero
    if name in (r"\alpha", r"\beta"):
        same = sp.S.One if name == r"\beta" else sp.S.NegativeOne
        return same if sp.expand(k - t) == 0 else sp.S.Zero if steps.before(t, k) else None
    if not steps.never_negative(k - t):
        return None
    lost = lang.alpha_bar[k] / lang.alpha[t]
    return {r"\bar\alpha": -lost, r"\bar\beta": lost, "v": (1 - lang.v[0]) * lost}[name]


# Gaussians ---------------------------------------------------------------------------------------


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


# bits --------------------------------------------------------------------------------------------


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


# every dimension, and comparing logarithms -------------------------------------------------------


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
