"""The one table of symbols: paper letter, LaTeX, name in the code, shape, meaning.

Pages use no letter in a formula that is not declared here; the notation page is this table.
"""

from dataclasses import dataclass, replace
from typing import Any

__all__ = ["SYMBOLS", "Symbol", "table"]


@dataclass(frozen=True)
class Symbol:
    """One symbol: how it is printed, what it is called in the code, its shape, its meaning.

    Attributes:
        latex: how it is printed.
        code: what it is called in the code; empty if it has no name.
        shape: its shape or type there.
        meaning: what it is.
        paper: whether the paper uses the same letter.
        kind: ``"chosen"`` by whoever builds a model, ``"defined"`` as a name for something, or
            ``"follows"`` from the others, as a page proves.
    """

    latex: str
    code: str
    shape: str
    meaning: str
    paper: bool = True
    kind: str = "chosen"


_CHOSEN: list[tuple[Any, ...]] = [
    (r"x^{(0)}", "x0", "(B, *event)", "a data point, in R^d or {0, 1}^d"),
    (r"d", "d", "int", "number of dimensions of a state"),
    (r"N", "n", "int", "number of examples in a data set", False),
    (r"B", "x.shape[0]", "int", "number of examples in a batch", False),
    (r"T", "kernel.T", "int", "number of steps of the chain"),
    (r"\beta_t", "beta[t - 1]", "(T,)", "rate of step t, in (0, 1]"),
    (r"\pi(\cdot)", "kernel.prior", "", "the prior, which every forward step leaves unchanged"),
    (r"\rho", "rate", "float", "base rate of the binomial prior, P(x = 1) under π", False),
    (r"T_\pi(y\mid y';\beta)", "kernel.step", "", "diffusion kernel of rate β, from y' to y"),
    (r"\mu_0", "mean", "(*event)", "mean of Gaussian data", False),
    (r"v_0", "variance", "float", "variance of Gaussian data", False),
    (r"\theta", "model.parameters()", "", "the trained parameters of the reverse chain", False),
    (r"f_\mu", "network", "(B, *event)", "mean of a learned Gaussian reverse step"),
    (r"f_\Sigma", "network", "(B, *event)", "variance of a learned Gaussian reverse step"),
    (r"r(x^{(t)})", "likelihood", "(B,)", "positive factor that multiplies the law of a state"),
    (r"f_b", "network", "(B, *event)", "rate P(x = 1) of a learned binomial reverse step"),
]
_DEFINED: list[tuple[Any, ...]] = [
    (r"x^{(t)}", "xt", "(B, *event)", "the state after t forward steps, t = 1 … T"),
    (r"x_i", "x[..., i]", "(B,)", "coordinate i of a state"),
    (r"t,\ s,\ n", "t", "int or (B,)", "step, counted 1 … T as in the paper"),
    (r"q(\cdot)", "forward", "", "law of the forward chain; the data law is q(x0)"),
    (r"p(\cdot)", "reverse", "", "law of the reverse chain, the model"),
    (r"\mathcal N(u;\mu,\Sigma)", "Normal", "", "Gaussian density with mean μ and covariance Σ"),
    (r"\mathcal B(u;r)", "Bernoulli", "", "probability of a bit u that is 1 with probability r"),
    (r"I", "", "(d, d)", "identity matrix: each coordinate has noise of its own, of one variance"),
    (r"e", "math.e", "float", "Euler's number, 2.718…"),
    (r"\alpha_t", "1 - beta", "(T,)", "signal kept by step t, 1 − β", False),
    (r"\bar\alpha_t", "alpha_bar", "(T + 1,)", "signal kept by steps 1 … t together", False),
    (r"\bar\beta_t", "beta_bar", "(T + 1,)", "noise after t steps, 1 minus the signal kept", False),
    (r"E_r", "-log_r", "(B,)", "energy of r, −log r, nats"),
    (r"g", "", "(B, *event)", "slope of log r at the mean of a step (the paper's has a minus)"),
    (r"g_j(t)", "temporal_bumps", "(B, J)", "bump j over time, one of J that sum to 1"),
    (r"\tau_j,\ w", "", "float", "centre and width of a bump over time"),
    (r"z^\mu,\ z^\Sigma", "outputs", "(B, *event)", "what a network gives for mean and variance"),
    (r"\epsilon", "noise", "(B, *event)", "standard normal noise", False),
    (r"m_2", "second_moment", "float", "second moment of the data per dimension", False),
    (r"w", "log_weights", "(B,)", "importance weight of a trajectory", False),
    (r"\sigma(u)", "u.sigmoid()", "", "1 / (1 + exp(−u)), a probability from log-odds u", False),
    (r"E_q[\cdot]", "mean", "", "expectation under q"),
    (r"H_q(X^{(t)}\mid X^{(0)})", "marginal_entropy", "(B,)", "conditional entropy, nats"),
    (r"H_q(X^{(t)})", "entropy", "scalar", "entropy of the state after t steps, nats"),
    (r"H_p(X^{(T)})", "prior_entropy", "scalar", "entropy of the prior, nats"),
    (r"\kappa_n", "", "(B,)", "cumulant number n: mean, variance, third central moment, …", False),
    (r"\ell", "marginal(...).log_prob", "(B,)", "log q of a noised state, ′ its derivative", False),
    (r"R_{ik}", "", "", "how far two bits are from independent, 1 where they are", False),
    (r"h(r)", "Bernoulli(r).entropy()", "", "entropy of a bit that is 1 with probability r, nats"),
    (r"D_{KL}(q\,\Vert\,p)", "kl", "(B, T - 1)", "Kullback–Leibler divergence, nats"),
    (r"\tilde p(x^{(t)})", "sample_given", "", "law of a state times its factor r, normalised"),
    (r"\tilde Z_t", "log_evidence", "scalar", "mass of p times r at step t"),
    (r"L", "log_likelihood", "(B,)", "expected log likelihood of the data, nats"),
    (r"L_{null}", "null_log_likelihood", "(B,)", "log likelihood of the data under the prior"),
    (r"u,\ y,\ z,\ r,\ a,\ b,\ c,\ k", "", "", "placeholders, introduced where used", False),
]
_FOLLOWS: list[tuple[Any, ...]] = [
    (r"\tilde\mu_t", "posterior(...).mean", "(B, *event)", "mean of a forward posterior", False),
    (
        r"\tilde\beta_t", "posterior(...).variance", "(B, *event)",
        "variance of a forward posterior", False,
    ),
    (r"\hat x^{(0)}", "", "(B, *event)", "the data point that a reverse step expects", False),
    (r"v_t", "variance", "float", "variance of the state at step t for Gaussian data", False),
    (r"K", "K", "(B,)", "lower bound of L, nats"),
    (r"K_1,\ K_2", "", "(B,)", "the two parts of K: the steps, and the end of the chain"),
    (r"K^{*}", "optimum", "float", "the largest K over all reverse chains, nats", False),
]  # fmt: skip

SYMBOLS = (
    *(Symbol(*row) for row in _CHOSEN),
    *(replace(Symbol(*row), kind="defined") for row in _DEFINED),
    *(replace(Symbol(*row), kind="follows") for row in _FOLLOWS),
)


def table(kind: str) -> str:
    """The symbols of one kind as a table in Markdown.

    Raises:
        ValueError: kind is none of ``"chosen"``, ``"defined"`` and ``"follows"``.

    >>> print(table("chosen").splitlines()[0])
    | symbol | meaning | in the code | shape | in the paper |
    """
    kinds = sorted({s.kind for s in SYMBOLS})
    if kind not in kinds:
        raise ValueError(f"kind must be one of {', '.join(kinds)}, got {kind!r}")
    lines = ["| symbol | meaning | in the code | shape | in the paper |", "|---|---|---|---|---|"]
    for s in (s for s in SYMBOLS if s.kind == kind):
        latex = s.latex.replace("|", r"\vert ")
        code = f"`{s.code}`" if s.code else ""
        shape = f"`{s.shape}`" if s.shape else ""
        lines.append(
            f"| ${latex}$ | {s.meaning} | {code} | {shape} | {'yes' if s.paper else 'no'} |"
        )
    return "\n".join(lines)
