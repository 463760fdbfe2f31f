"""The proofs of the rules of the chain, its kernels and rates, Gaussians, bits and tilted laws."""

from collections.abc import Sequence

import sympy as sp
from sympy import Expr

from dpm_lib.symbolic.derivation import Derivation
from dpm_lib.symbolic.language import (
    KL,
    Bern,
    Dot,
    Entropy,
    Expect,
    Factor,
    Int,
    Kernel,
    Logistic,
    Normal,
    Slope,
    Square,
    T,
    Tilted,
    Z,
    alpha,
    alpha_bar,
    beta,
    beta_bar,
    d,
    exp,
    h,
    log,
    m_2,
    p,
    pi,
    q,
    t,
    v,
    x,
)
from dpm_lib.symbolic.proofs.trials import (
    BIT,
    BITS,
    CHAINS,
    LINE,
    PLANE,
    a,
    b,
    in_worlds,
    m,
    other,
    rate,
    shown,
    spread,
    u,
    variance,
    y,
    z,
)
from dpm_lib.symbolic.reasons import cases, equals, in_chains
from dpm_lib.symbolic.rules import book as r
from dpm_lib.symbolic.rules.kernel import proves
from dpm_lib.symbolic.worlds import BinomialChain, FiniteChain, GaussianChain, World

__all__: list[str] = []

EDGE = [GaussianChain(T=2, edge=True), BinomialChain(T=2, edge=True)]

# the chain, its kernels and their rates -----------------------------------------------------------

in_worlds(r.step, q(x[t] | x[t - 1]), worlds=[*PLANE, *BITS, GaussianChain(3), BinomialChain(3)])
in_worlds(r.read_step, Kernel(x[t], x[t - 1], beta[t]),
           worlds=[*PLANE, *BITS, GaussianChain(3), BinomialChain(3)])  # fmt: skip
in_worlds(r.edge, p(x[0] | x[1]), worlds=EDGE)
in_worlds(r.gaussian_kernel, Kernel(y, z, beta[1]), pi(y), worlds=PLANE)
in_worlds(r.binomial_kernel, Kernel(y, z, beta[1]), pi(y), worlds=BITS)
in_worlds(r.gaussian_data, q(x[0]), worlds=PLANE)


@proves(r.detailed_balance)
def _detailed_balance() -> list[Derivation]:
    """For each kernel, in one coordinate and so in all."""
    gaussian = [r.gaussian_kernel, r.log_gaussian, r.log_product, r.by_logarithms, r.coordinates]
    bits = [r.binomial_kernel, r.both_values, r.coordinates]
    both = Kernel(y, z, beta[t]) * pi(z)
    worlds = [*PLANE, *BITS, GaussianChain(3), BinomialChain(3)]
    return [
        Derivation(
            both, equals(Kernel(z, y, beta[t]) * pi(y), cases(gaussian, bits)), worlds=worlds
        ),
        *shown(r.detailed_balance, both, worlds=worlds),
    ]


@proves(r.rates)
def _rates() -> list[Derivation]:
    """They are defined so: the worlds have their own definition."""
    pairs = [
        (beta[t], 1 - alpha[t]), (beta_bar[t], 1 - alpha_bar[t]),
        (alpha_bar[t], alpha[t] * alpha_bar[t - 1]), (v[t], alpha[t] * v[t - 1] + beta[t]),
        (v[t], alpha_bar[t] * v[0] + beta_bar[t]),
    ]  # fmt: skip
    worlds = [GaussianChain(T=2), GaussianChain(T=3)]
    reason = in_chains("definition of the rates")
    return [Derivation(left, equals(right, reason), worlds=worlds) for left, right in pairs]


@proves(r.differentiate)
def _differentiate() -> list[Derivation]:
    """Three steps have all roles: that of the rate, those before it, and those after it.

    Many steps in a row leave what one leaves whose alpha is their product, whatever it is.
    """
    worlds = [GaussianChain(T=3), GaussianChain(T=4), GaussianChain(T=2)]
    of_t = [beta[t] ** 2 / alpha[t], alpha_bar[t - 1] * log(alpha_bar[t]), v[t] + beta_bar[T]]
    of_t += [log(v[T] / v[t - 1]), sp.sqrt(alpha_bar[T]) + alpha_bar[0] * v[0]]
    of_one = [log(beta_bar[T] / beta[1]) + alpha[2] * v[2], beta_bar[1] ** 2 * v[T]]
    return [
        *shown(r.differentiate, *(Slope(e, beta[t]) for e in of_t), worlds=worlds),
        *shown(r.differentiate, *(Slope(e, beta[1]) for e in of_one), worlds=worlds),
    ]


# Gaussians ----------------------------------------------------------------------------------------

law = Normal(y, a * z + b, spread)
in_worlds(r.log_gaussian, log(law), worlds=LINE)
in_worlds(r.gaussian_integral, Int(law * Normal(z, m, variance), z), worlds=PLANE)
in_worlds(r.other_argument, Int(law.subs(b, 0), z), worlds=LINE)
in_worlds(r.gaussian_mean, Expect(law, y), Expect(law, y**2), worlds=LINE)
in_worlds(r.second_moment, Expect(q(x[0]), Square(x[0])), worlds=PLANE)
in_worlds(r.unit_moment, m_2, worlds=[GaussianChain(T=1, unit=True)])

# bits ---------------------------------------------------------------------------------------------

in_worlds(r.log_bit, log(Bern(y, rate)), worlds=BIT)
in_worlds(r.bit_mean, Expect(Bern(y, rate), y), worlds=BIT)
in_worlds(r.base_rate, Expect(q(x[0]), x[0]), worlds=[BinomialChain(T=1, unit=True)])
in_worlds(r.binary_entropy, h(rate), worlds=BIT)
in_worlds(r.logistic, Logistic(u), Logistic(log(a) - u),
           worlds=[GaussianChain(T=1, free=[a], exponents=[u])])  # fmt: skip
in_worlds(r.both_values, Int(Bern(y, rate) * log(Bern(y, other)), y),
           Expect(Bern(y, rate), log(Bern(y, other))), worlds=BIT)  # fmt: skip

# tilted laws --------------------------------------------------------------------------------------

TILTED = [FiniteChain(T=2, factor="any"), FiniteChain(T=3, factor="any"),
          GaussianChain(T=2, factor="any")]  # fmt: skip
AHEAD = [FiniteChain(T=2, factor="ahead"), FiniteChain(T=3, factor="ahead"),
         GaussianChain(T=2, factor="ahead")]  # fmt: skip
in_worlds(r.tilted, Tilted(x[t]), worlds=TILTED, first=0)
in_worlds(r.mass, Z[t], worlds=TILTED, first=0)
in_worlds(r.ahead, Factor(x[t]), worlds=AHEAD)

# every dimension ---------------------------------------------------------------------------------

in_worlds(r.one_dimension, Square(y), Dot(y, a * z + b), worlds=LINE)


@proves(r.by_logarithms)
def _by_logarithms() -> list[Derivation]:
    """The logarithm is injective; the worlds know what undoes it."""
    law = q(x[0] | x[1])
    reason = in_chains("the exponential undoes the logarithm")
    return [Derivation(law, equals(sp.exp(log(law)), reason), worlds=CHAINS)]


@proves(r.coordinates)
def _coordinates() -> list[Derivation]:
    """Worlds of one coordinate and of two: products multiply and sums add."""
    reason = in_chains("one factor, or one term, for each coordinate")
    back, divergence = Kernel(z, y, beta[1]) * pi(y), rate * log(rate / other)
    divergence += (1 - rate) * log((1 - rate) / (1 - other))
    pairs: list[tuple[Expr, Expr, Sequence[World]]] = [
        (Kernel(y, z, beta[1]) * pi(z), back, [*PLANE, *BITS]),
        (log(Int(Normal(y, a * z, spread), z)), -d * log(a), PLANE),
        (Entropy(q(x[1] | x[0])), d / 2 * log(2 * sp.pi * sp.E * beta[1]), PLANE),
        (KL(Bern(y, rate), Bern(y, other)), d * divergence, BITS),
        (Expect(q(x[0]), Square(x[0])), d * m_2, PLANE),
        (Square(y - a * z) + Dot(a * y, 2 * z), Square(y) + a**2 * Square(z), PLANE),
        (Normal(y, 0, 1) * exp(Dot(y, z)), exp(Square(z) / 2) * Normal(y, z, 1), PLANE),
    ]  # fmt: skip
    return [Derivation(one, equals(two, reason), worlds=worlds) for one, two, worlds in pairs]
