r"""Results that pages share: what steps of the kernels do over many steps, proved here by rules.

Each is a rule that any derivation may name; the page *The rules* prints the derivations.
"""

from dpm_lib.symbolic.derivation import Derivation, cases, equals, hypothesis
from dpm_lib.symbolic.language import (
    KL,
    Bern,
    Entropy,
    Expect,
    Int,
    Kernel,
    Normal,
    Product,
    Sum,
    T,
    Variable,
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
from dpm_lib.symbolic.rules import kernels as k
from dpm_lib.symbolic.rules import probability as r
from dpm_lib.symbolic.worlds import BinomialChain, FiniteChain, GaussianChain

# fmt: off
__all__ = [
    "PROOFS", "binomial_marginal", "data_marginal", "entropy_forward", "entropy_forward_binomial",
    "forward_marginal", "mean_score", "middle_steps", "prior_entropy", "prior_entropy_binomial",
    "prior_score", "surplus_fades",
]
# fmt: on

GAUSSIAN = [GaussianChain(T=2, dimension=2), GaussianChain(T=3)]
BITS = [BinomialChain(T=2, dimension=2), BinomialChain(T=3)]
BOTH = [*GAUSSIAN, *BITS]
ANY = [FiniteChain(T=3), FiniteChain(T=2, states=3)]
H = Entropy(p(x[T]))

gaussian_log = (k.gaussian, k.log_gaussian, r.log_product)

# marginals of the forward chain ------------------------------------------------------------------

through = Int(q(x[t - 1] | x[0]) * q(x[t] | x[t - 1]), x[t - 1])
marginal_proof = Derivation(
    q(x[t] | x[0]),
    equals(through, r.chapman_kolmogorov),
    equals(
        Normal(x[t], sqrt(alpha_bar[t]) * x[0], 1 - alpha_bar[t]),
        hypothesis, k.step, k.gaussian, k.gaussian_integral, k.rates,
    ),
    worlds=GAUSSIAN, steps_from=2, base=[k.step, k.gaussian, k.rates],
)  # fmt: skip
forward_marginal = marginal_proof.result("forward marginal", "the marginal")

binomial_proof = Derivation(
    q(x[t] | x[0]),
    equals(through, r.chapman_kolmogorov),
    equals(
        Bern(x[t], alpha_bar[t] * x[0] + rho * (1 - alpha_bar[t])),
        hypothesis, k.step, k.binomial, k.both_values, k.coordinates, k.rates,
    ),
    worlds=BITS, steps_from=2, base=[k.step, k.binomial, k.rates],
)  # fmt: skip
binomial_marginal = binomial_proof.result("forward marginal of bits", "the marginal")

data_proof = Derivation(
    q(x[t]),
    equals(Int(q(x[0]) * q(x[t] | x[0]), x[0]), r.bayes, r.marginal),
    equals(
        Normal(x[t], mu_0 * sqrt(alpha_bar[t]), v[t]),
        k.gaussian_data, forward_marginal, k.gaussian_integral, k.rates,
    ),
    worlds=GAUSSIAN,
)  # fmt: skip
data_marginal = data_proof.result("marginal of Gaussian data", "Gaussian data")

# the prior ---------------------------------------------------------------------------------------

prior_entropy_proof = Derivation(
    H,
    equals(-Expect(pi(x[T]), log(pi(x[T]))), r.entropy, r.model_prior),
    equals(
        d / 2 * log(2 * pi_number * e),
        k.coordinates, *gaussian_log, r.linearity, k.gaussian_mean, r.marginal,
    ),
    worlds=GAUSSIAN,
)  # fmt: skip
prior_entropy = prior_entropy_proof.result("entropy of the Gaussian prior", "entropy of the prior")
bits_entropy_proof = Derivation(
    H,
    equals(-Expect(pi(x[T]), log(pi(x[T]))), r.entropy, r.model_prior),
    equals(d * h(rho), k.coordinates, k.binomial, k.both_values, k.binary_entropy),
    worlds=BITS,
)
prior_entropy_binomial = bits_entropy_proof.result("entropy of the prior of bits", "entropy")

mean_score_proof = Derivation(
    Expect(q(x[0]), log(pi(x[0]))),
    equals(
        -H + d / 2 * (1 - m_2),
        prior_entropy, k.second_moment, k.coordinates, *gaussian_log, r.linearity, r.marginal,
    ),
    worlds=GAUSSIAN,
)  # fmt: skip
mean_score = mean_score_proof.result("mean score of the data", "mean surplus of the data")

# the surplus fades like signal -------------------------------------------------------------------

one_step_proof = Derivation(
    Expect(q(x[t] | x[t - 1]), log(pi(x[t]))),
    equals(
        -H + alpha[t] * (log(pi(x[t - 1])) + H),
        cases(
            [prior_entropy, k.step, k.coordinates, *gaussian_log, k.gaussian_mean, r.linearity,
             r.marginal, k.rates],
            [prior_entropy_binomial, k.step, k.coordinates, k.binomial, k.both_values,
             k.binary_entropy, k.rates],
        ),
    ),
    worlds=BOTH,
)  # fmt: skip
one_step = one_step_proof.result("surplus of one step", "one step")

fading_proof = Derivation(
    Expect(q(x[t] | x[0]), log(pi(x[t]))),
    equals(
        Expect(q(x[t - 1] | x[0]), Expect(q(x[t] | x[t - 1]), log(pi(x[t])))),
        r.chapman_kolmogorov,
    ),
    equals(
        -H + alpha_bar[t] * (log(pi(x[0])) + H),
        one_step, r.linearity, r.marginal, hypothesis, k.rates,
    ),
    worlds=BOTH, steps_from=2, base=[one_step, k.rates],
)  # fmt: skip
surplus_fades = fading_proof.result("the surplus fades")

score_proof = Derivation(
    Expect(q(x[t]), log(pi(x[t]))),
    equals(Expect(q(x[0]), Expect(q(x[t] | x[0]), log(pi(x[t])))), r.tower, r.marginal),
    equals(
        -H + alpha_bar[t] * (Expect(q(x[0]), log(pi(x[0]))) + H),
        surplus_fades, r.linearity, r.marginal,
    ),
    worlds=BOTH,
)  # fmt: skip
prior_score = score_proof.result("the mean surplus fades", "the surplus fades")

# entropies of the forward chain --------------------------------------------------------------------

start_then = -Expect(q(x[0]), Expect(q(x[t] | x[0]), log(q(x[t] | x[0]))))
entropy_proof = Derivation(
    Entropy(q(x[t] | x[0])),
    equals(start_then, r.entropy, r.tower),
    equals(
        d / 2 * log(2 * pi_number * e * beta_bar[t]),
        forward_marginal, k.coordinates, k.log_gaussian, r.log_product, k.gaussian_mean,
        r.linearity, r.marginal, k.rates,
    ),
    worlds=GAUSSIAN,
)  # fmt: skip
entropy_forward = entropy_proof.result("entropy of the forward marginal", "entropies")
