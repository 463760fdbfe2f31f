r"""Rules of the chain and its kernels, and of their rates.

Rates are supposed to lie between 0 and 1.
"""

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Bern, Density, Kernel, Normal, Rate, rho, x
from dpm_lib.symbolic.rules.kernel import CALCULUS, LAW, RESULT, UNFOLD, rule
from dpm_lib.symbolic.rules.steps import Steps
from dpm_lib.symbolic.rules.sums import positive

# fmt: off
__all__ = [
    "binomial_kernel", "detailed_balance", "differentiate", "edge", "gaussian_kernel", "rates",
    "read_step", "step",
]
# fmt: on


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
