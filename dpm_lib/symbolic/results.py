r"""Results that pages share: what steps of the kernels do over many steps, proved here by rules.

Each function gives a rule that any derivation may name; its ``proof`` gives the derivation, which
is checked when it is first asked for.
"""

from collections.abc import Callable
from functools import cache, wraps
from typing import Any

from dpm_lib.symbolic.derivation import Derivation
from dpm_lib.symbolic.language import (
    KL,
    Bern,
    Entropy,
    Expect,
    Int,
    Normal,
    Product,
    Square,
    Sum,
    T,
    alpha,
    alpha_bar,
    beta,
    beta_bar,
    d,
    e,
    h,
    log,
    m_2,
    mu_0,
    p,
    pi,
    pi_number,
    q,
    rho,
    sqrt,
    t,
    v,
    x,
)
from dpm_lib.symbolic.reasons import cases, equals, hypothesis
from dpm_lib.symbolic.rules import book as r
from dpm_lib.symbolic.rules.kernel import Rule
from dpm_lib.symbolic.worlds import BinomialChain, FiniteChain, GaussianChain

# fmt: off
__all__ = [
    "binomial_marginal", "data_marginal", "edge_term", "entropy_data", "entropy_forward",
    "forward_marginal", "mean_score", "middle_steps", "one_step", "prior_entropy",
    "prior_entropy_binomial", "prior_score", "scaled_data", "surplus_fades",
]
# fmt: on

GAUSSIAN = [GaussianChain(T=2, dimension=2), GaussianChain(T=3)]
BITS = [BinomialChain(T=2, dimension=2), BinomialChain(T=3)]
BOTH = [*GAUSSIAN, *BITS]
EDGE = [GaussianChain(T=2, edge=True), GaussianChain(T=3, edge=True), BinomialChain(2, edge=True)]
ANY = [FiniteChain(T=3), FiniteChain(T=2, states=3)]

H = Entropy(p(x[T]))
path = q(x[0:T])
through = Int(q(x[t - 1] | x[0]) * q(x[t] | x[t - 1]), x[t - 1])
gaussian_log = (r.gaussian_kernel, r.log_gaussian, r.log_product)
gaussian_average = (r.coordinates, r.log_gaussian, r.log_product, r.gaussian_mean, r.linearity,
                    r.marginal)  # fmt: skip


def result(*phrases: str) -> Callable[[Callable[[], Derivation]], Any]:
    """Make a rule of a function that proves it; both are made when they are asked for."""

    def made(function: Callable[[], Derivation]) -> Any:
        proof = cache(function)

        @cache
        @wraps(function)
        def rule() -> Rule:
            return proof().result(*phrases)

        rule.proof = proof  # type: ignore[attr-defined]
        return rule

    return made


# marginals of the forward chain ------------------------------------------------------------------


@result("forward marginal", "the marginal")
def forward_marginal() -> Derivation:
    """After t steps of Gaussian noise the start is left with the root of alpha-bar."""
    return Derivation(
        q(x[t] | x[0]),
        equals(through, r.chapman_kolmogorov),
        equals(
            Normal(x[t], sqrt(alpha_bar[t]) * x[0], 1 - alpha_bar[t]),
            hypothesis, r.step, r.gaussian_kernel, r.gaussian_integral, r.rates,
        ),
        worlds=GAUSSIAN, steps_from=2, base=[r.step, r.gaussian_kernel, r.rates],
    )  # fmt: skip


@result("forward marginal of bits", "the marginal")
def binomial_marginal() -> Derivation:
    """After t steps a bit is kept with probability alpha-bar, or drawn anew."""
    return Derivation(
        q(x[t] | x[0]),
        equals(through, r.chapman_kolmogorov),
        equals(
            Bern(x[t], alpha_bar[t] * x[0] + rho * (1 - alpha_bar[t])),
            hypothesis, r.step, r.binomial_kernel, r.both_values, r.coordinates, r.rates,
        ),
        worlds=BITS, steps_from=2, base=[r.step, r.binomial_kernel, r.rates],
    )  # fmt: skip


@result("marginal of Gaussian data", "Gaussian data")
def data_marginal() -> Derivation:
    """Gaussian data stay Gaussian, with mean and variance carried along."""
    return Derivation(
        q(x[t]),
        equals(Int(q(x[t - 1]) * q(x[t] | x[t - 1]), x[t - 1]), r.bayes, r.marginal),
        equals(
            Normal(x[t], mu_0 * sqrt(alpha_bar[t]), v[t]),
            hypothesis, r.step, r.gaussian_kernel, r.gaussian_integral, r.rates,
        ),
        worlds=GAUSSIAN, base=[r.gaussian_data, r.rates],
    )  # fmt: skip


# the prior ---------------------------------------------------------------------------------------


@result("entropy of the Gaussian prior", "entropy of the prior")
def prior_entropy() -> Derivation:
    """The entropy of the Gaussian prior is d/2 log(2 pi e)."""
    return Derivation(
        H,
        equals(-Expect(pi(x[T]), log(pi(x[T]))), r.entropy, r.model_prior),
        equals(d / 2 * log(2 * pi_number * e), r.gaussian_kernel, *gaussian_average),
        worlds=GAUSSIAN,
    )


@result("entropy of the prior of bits", "entropy of the prior")
def prior_entropy_binomial() -> Derivation:
    """The entropy of the prior of d bits is d times that of one."""
    return Derivation(
        H,
        equals(-Expect(pi(x[T]), log(pi(x[T]))), r.entropy, r.model_prior),
        equals(d * h(rho), r.coordinates, r.binomial_kernel, r.both_values, r.binary_entropy),
        worlds=BITS,
    )


@result("mean score of the data", "mean surplus of the data")
def mean_score() -> Derivation:
    """Data of second moment m_2 score by d/2 (1 - m_2) more than the prior itself."""
    return Derivation(
        Expect(q(x[0]), log(pi(x[0]))),
        equals(
            Expect(q(x[0]), -Square(x[0]) / 2 - d / 2 * log(2 * pi_number)),
            r.coordinates, r.gaussian_kernel, r.log_gaussian,
        ),
        equals(
            -d * m_2 / 2 - d / 2 * log(2 * pi_number), r.second_moment, r.linearity, r.marginal
        ),
        equals(-H + d / 2 * (1 - m_2), prior_entropy(), r.log_product),
        worlds=GAUSSIAN,
    )  # fmt: skip


@result("scaled data", "mean surplus 0")
def scaled_data() -> Derivation:
    """Data of second moment 1, or bits of mean activity rho, score as the prior itself."""
    return Derivation(
        Expect(q(x[0]), log(pi(x[0]))),
        equals(
            -H,
            cases(
                [mean_score(), r.unit_moment],
                [prior_entropy_binomial(), r.coordinates, r.binomial_kernel, r.log_bit,
                 r.linearity, r.marginal, r.base_rate, r.binary_entropy],
            ),
        ),
        worlds=[GaussianChain(T=2, unit=True), GaussianChain(T=1, dimension=2, unit=True),
                BinomialChain(T=2, unit=True), BinomialChain(T=1, dimension=2, unit=True)],
    )  # fmt: skip


# the surplus fades like signal -------------------------------------------------------------------


@result("surplus of one step", "one step")
def one_step() -> Derivation:
    """A step keeps alpha_t of the surplus, the score of a state over its mean under the prior."""
    return Derivation(
        Expect(q(x[t] | x[t - 1]), log(pi(x[t]))),
        equals(
            -H + alpha[t] * (log(pi(x[t - 1])) + H),
            cases(
                [prior_entropy(), r.step, r.gaussian_kernel, *gaussian_average, r.rates],
                [prior_entropy_binomial(), r.step, r.coordinates, r.binomial_kernel, r.both_values,
                 r.binary_entropy, r.rates],
            ),
        ),
        worlds=BOTH,
    )  # fmt: skip


@result("the surplus fades")
def surplus_fades() -> Derivation:
    """After t steps alpha-bar of the surplus is left."""
    step = Expect(q(x[t] | x[t - 1]), log(pi(x[t])))
    return Derivation(
        Expect(q(x[t] | x[0]), log(pi(x[t]))),
        equals(Expect(q(x[t - 1] | x[0]), step), r.chapman_kolmogorov),
        equals(
            -H + alpha_bar[t] * (log(pi(x[0])) + H),
            one_step(), r.linearity, r.marginal, hypothesis, r.rates,
        ),
        worlds=BOTH, steps_from=2, base=[one_step(), r.rates],
    )  # fmt: skip


@result("the mean surplus fades", "the surplus fades")
def prior_score() -> Derivation:
    """The mean surplus of the data fades like the surplus of a point."""
    return Derivation(
        Expect(q(x[t]), log(pi(x[t]))),
        equals(Expect(q(x[0]), Expect(q(x[t] | x[0]), log(pi(x[t])))), r.tower, r.marginal),
        equals(
            -H + alpha_bar[t] * (Expect(q(x[0]), log(pi(x[0]))) + H),
            surplus_fades(), r.linearity, r.marginal,
        ),
        worlds=BOTH,
    )  # fmt: skip


# the steps of the bound --------------------------------------------------------------------------


@result("the middle steps", "the blue part")
def middle_steps() -> Derivation:
    """The steps from 2 on cost a divergence each, and two entropies in all."""
    product = Product(q(x[t - 1] | x[0]) / q(x[t] | x[0]), (t, 2, T))
    backwards = log(p(x[t - 1] | x[t]) / q(x[t - 1] | (x[t], x[0])))
    divergence = KL(q(x[t - 1] | (x[t], x[0])), p(x[t - 1] | x[t]))
    return Derivation(
        Sum(Expect(path, log(p(x[t - 1] | x[t]) / q(x[t] | x[t - 1]))), (t, 2, T)),
        equals(
            Expect(path, log(product)) + Sum(Expect(path, backwards), (t, 2, T)),
            r.markov, r.bayes, r.log_product, r.linearity,
        ),
        equals(
            Entropy(q(x[T] | x[0])) - Entropy(q(x[1] | x[0]))
            - Sum(Expect(q(x[0], x[t]), divergence), (t, 2, T)),
            r.telescoping, r.log_product, r.linearity, r.marginal, r.entropy, r.divergence, r.tower,
        ),
        worlds=ANY,
    )  # fmt: skip


@result("edge term", "the edge step")
def edge_term() -> Derivation:
    """The fixed edge step gains beta_1 times the mean surplus of the data."""
    return Derivation(
        Expect(path, log(p(x[0] | x[1]) / q(x[1] | x[0]))),
        equals(
            Expect(q(x[0]), log(pi(x[0]))) - Expect(q(x[1]), log(pi(x[1]))),
            r.edge, r.detailed_balance, r.read_step, r.log_product, r.linearity, r.marginal,
        ),
        equals(beta[1] * (Expect(q(x[0]), log(pi(x[0]))) + H), prior_score(), r.rates),
        worlds=EDGE,
    )  # fmt: skip


# entropies of the forward chain ------------------------------------------------------------------


@result("entropy of the forward marginal", "entropies")
def entropy_forward() -> Derivation:
    """The entropy of a state given the start is that of its noise."""
    return Derivation(
        Entropy(q(x[t] | x[0])),
        equals(
            -Expect(q(x[0]), Expect(q(x[t] | x[0]), log(q(x[t] | x[0])))), r.entropy, r.tower
        ),
        equals(
            d / 2 * log(2 * pi_number * e * beta_bar[t]),
            forward_marginal(), *gaussian_average, r.rates,
        ),
        worlds=GAUSSIAN,
    )  # fmt: skip


@result("entropy of Gaussian data", "entropies of Gaussians")
def entropy_data() -> Derivation:
    """The entropy of a state is that of its variance, for Gaussian data."""
    law = Normal(x[t], mu_0 * sqrt(alpha_bar[t]), v[t])
    return Derivation(
        Entropy(q(x[t])),
        equals(-Expect(law, log(law)), r.entropy, data_marginal()),
        equals(d / 2 * log(2 * pi_number * e * v[t]), *gaussian_average),
        worlds=GAUSSIAN,
    )
