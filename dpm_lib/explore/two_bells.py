"""The posterior of a forward step: two bells and their product, and four rates of bits."""

import torch

from dpm_lib import schedules
from dpm_lib.explore.touch import Control, Curve, Panel, Touch, density, line, one
from dpm_lib.kernels import BinomialKernel, GaussianKernel

__all__ = ["posterior"]


def posterior(T: int = 40, rate: float = 0.2) -> Touch:
    r"""Two bells, and their product :math:`q(x^{(t-1)} \mid x^{(t)}, x^{(0)})`; the same for bits.

    Source: :eq:`forward-posterior`, :eq:`forward-posterior-binomial`.
    """
    beta = schedules.erase_evenly(T)
    kernel, flips = GaussianKernel(beta), BinomialKernel(beta, rate)
    x0, xt, t = 0.9, -0.4, 14
    x = line(-3, 3)
    alpha = 1 - beta[t - 1]
    seen = -((xt - alpha.sqrt() * x) ** 2) / (2 * beta[t - 1])
    ahead, both = kernel.marginal(one(x0), t - 1), kernel.posterior(one(x0), one(xt), t)
    starts, ends = one(0, 0, 1, 1), one(0, 1, 0, 1)
    bells = Panel(
        (-3, 3), (0, 1.25), "state x at step t − 1", ((-2, 0, 2), (0, 1)),
        [
            Curve("ahead", "from the data", "blue dashed", x, density(ahead, x)),
            Curve("seen", "from the noised state", "red dashed", x, seen.exp()),
            Curve("posterior", "both", "black", x, density(both, x)),
        ],
        handles=("x0", "xt"),
    )  # fmt: skip
    ones = flips.posterior(starts, ends, t).mean[:, 0]
    bits = Panel(
        (-0.6, 3.6), (0, 1.25), "data bit, noised bit",
        ({0: "0, 0", 1: "0, 1", 2: "1, 0", 3: "1, 1"}, (0, 0.5, 1)),
        [Curve("bits", "rate of a 1 before the step", "blue bars", torch.arange(4.0), ones)],
    )  # fmt: skip
    inputs = [
        {"x0": a, "xt": b, "t": n}
        for a, b, n in (
            (0.9, -0.4, 14),
            (-2, 2.4, 2),
            (0, 0.1, T),
            (1.7, -1.3, T - 1),
            (-0.3, -2, 25),
        )
    ]
    outputs = []
    for point in inputs:
        law = kernel.posterior(one(point["x0"]), one(point["xt"]), int(point["t"]))
        rates = flips.posterior(starts, ends, int(point["t"])).mean
        outputs.append(torch.cat([law.mean[0], law.variance[0], rates[:, 0]]))
    return Touch(
        "posterior",
        [
            Control("x0", "data point", -2.5, 2.5, 0.01, x0),
            Control("xt", "noised state", -2.5, 2.5, 0.01, xt),
            Control("t", "step t", 2, T, 1, t),
        ],
        [bells, bits],
        {"beta": beta, "alpha_bar": kernel.alpha_bar, "beta_bar": kernel.beta_bar, "rate": rate},
        inputs, outputs,
        "Two bells and their product: what the data point and the noised state say of the state "
        "before.",
        "Three bell curves of height 1: from the data around 0.7, from the noised state around "
        "−0.4, and their product, narrower than both, between them. Beside them four bars for "
        "bits.",
    )  # fmt: skip
