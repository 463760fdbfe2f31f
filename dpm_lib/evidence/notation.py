"""The one table of symbols: paper letter, LaTeX, name in the code, shape, meaning.

Pages use no letter in a formula that is not declared here; the notation page is this table.
"""

from dataclasses import dataclass

__all__ = ["SYMBOLS", "Symbol", "table"]


@dataclass(frozen=True)
class Symbol:
    """One symbol: how it is printed, what it is called in the code, its shape, its meaning."""

    latex: str
    code: str
    shape: str
    meaning: str
    paper: bool = True


_ROWS = [
    # states and laws
    (r"x^{(0)}", "x0", "(B, *event)", "a data point, in R^d or {0, 1}^d"),
    (r"x^{(t)}", "xt", "(B, *event)", "the state after t forward steps, t = 1 … T"),
    (r"x_i", "x[..., i]", "(B,)", "coordinate i of a state"),
    (r"T", "kernel.T", "int", "number of steps of the chain"),
    (r"t,\ s,\ n", "t", "int or (B,)", "step, counted 1 … T as in the paper"),
    (r"d", "d", "int", "number of dimensions of a state"),
    (r"q(\cdot)", "forward", "", "law of the forward chain; the data law is q(x0)"),
    (r"p(\cdot)", "reverse", "", "law of the reverse chain, the model"),
    (r"\pi(\cdot)", "kernel.prior", "", "the prior, which every forward step leaves unchanged"),
    (r"T_\pi(y\mid y';\beta)", "kernel.step", "", "diffusion kernel of rate β, from y' to y"),
    (r"\mathcal N(u;\mu,\Sigma)", "Normal", "", "Gaussian density with mean μ and covariance Σ"),
    (r"\mathcal B(u;r)", "Bernoulli", "", "probability of a bit u that is 1 with probability r"),
    (r"I", "", "(d, d)", "identity matrix: each coordinate has noise of its own, of one variance"),
    (r"e", "math.e", "float", "Euler's number, 2.718…"),
    # rates
    (r"\beta_t", "beta[t - 1]", "(T,)", "rate of step t, in (0, 1]"),
]
_OURS = [
    (r"\alpha_t", "1 - beta", "(T,)", "signal kept by step t, 1 − β"),
    (r"\bar\alpha_t", "alpha_bar", "(T + 1,)", "signal kept by steps 1 … t together"),
    (r"\bar\beta_t", "beta_bar", "(T + 1,)", "noise after t steps, 1 minus the signal kept"),
    (r"\tilde\beta_t", "posterior(...).variance", "(B, *event)", "variance of a forward posterior"),
    (r"\tilde\mu_t", "posterior(...).mean", "(B, *event)", "mean of a forward posterior"),
    (r"\rho", "rate", "float", "base rate of the binomial prior, P(x = 1) under π"),
    (r"m_2", "second_moment", "float", "second moment of the data per dimension"),
    (r"\epsilon", "noise", "(B, *event)", "standard normal noise"),
    (r"v_0", "variance", "float", "variance of Gaussian data"),
    (r"v_t", "variance", "float", "variance of the state at step t for Gaussian data"),
    (r"\theta", "model.parameters()", "", "the trained parameters of the reverse chain"),
    (r"K^{*}", "optimum", "float", "the largest K over all reverse chains, nats"),
    (r"B", "x.shape[0]", "int", "number of examples in a batch"),
    (r"N", "n", "int", "number of examples in a data set"),
    (r"w", "log_weights", "(B,)", "importance weight of a trajectory"),
    (r"\sigma(u)", "u.sigmoid()", "", "1 / (1 + exp(−u)), a probability from its log-odds u"),
    (r"u,\ y,\ z,\ r,\ a,\ b,\ c,\ k", "", "", "placeholders, introduced where they are used"),
]
_OBJECTIVE = [
    (r"f_\mu", "network", "(B, *event)", "mean of a learned Gaussian reverse step"),
    (r"f_\Sigma", "network", "(B, *event)", "variance of a learned Gaussian reverse step"),
    (r"f_b", "network", "(B, *event)", "rate P(x = 1) of a learned binomial reverse step"),
    (r"H_q(X^{(t)}\mid X^{(0)})", "marginal_entropy", "(B,)", "conditional entropy, nats"),
    (r"H_p(X^{(T)})", "prior_entropy", "scalar", "entropy of the prior, nats"),
    (r"h(r)", "Bernoulli(r).entropy()", "", "entropy of a bit that is 1 with probability r, nats"),
    (r"D_{KL}(q\,\Vert\,p)", "kl", "(B, T - 1)", "Kullback–Leibler divergence, nats"),
    (r"E_q[\cdot]", "mean", "", "expectation under q"),
    (r"L", "log_likelihood", "(B,)", "expected log likelihood of the data, nats"),
    (r"K", "K", "(B,)", "lower bound of L, nats"),
    (r"K_1,\ K_2", "", "(B,)", "the two parts of K: the steps, and the end of the chain"),
    (r"L_{null}", "null_log_likelihood", "(B,)", "log likelihood of the data under the prior"),
]

SYMBOLS = (
    *(Symbol(*row) for row in _ROWS),
    *(Symbol(*row, paper=False) for row in _OURS),
    *(Symbol(*row) for row in _OBJECTIVE),
)


def table() -> str:
    """The table of symbols as Markdown.

    >>> print(table().splitlines()[0])
    | symbol | meaning | in the code | shape | in the paper |
    """
    lines = ["| symbol | meaning | in the code | shape | in the paper |", "|---|---|---|---|---|"]
    for s in SYMBOLS:
        latex = s.latex.replace("|", r"\vert ")
        code = f"`{s.code}`" if s.code else ""
        shape = f"`{s.shape}`" if s.shape else ""
        lines.append(
            f"| ${latex}$ | {s.meaning} | {code} | {shape} | {'yes' if s.paper else 'no'} |"
        )
    return "\n".join(lines)
