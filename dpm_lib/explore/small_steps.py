"""The exact reversal of one step for two clusters, and the Gaussian of its moments."""

import torch
from torch.distributions import Distribution

from dpm_lib.exact import MixtureLaw
from dpm_lib.explore.touch import Control, Curve, Panel, Point, Touch, line, one
from dpm_lib.kernels import GaussianKernel

__all__ = ["reversal"]


def reversal() -> Touch:
    """The exact reversal of one step for two clusters, and the Gaussian of its mean and variance.

    Source: :eq:`exact-reversal`, :eq:`optimal-reversal`.
    """
    variance, kept, power, xt = 0.02, 0.7, -0.3, 0.0
    law = MixtureLaw(
        torch.ones(2, dtype=torch.float64), one(-1, 1), torch.tensor(variance, dtype=torch.float64)
    )
    x = line(-2.5, 2.5)

    def two(point: Point) -> tuple[Distribution, Distribution]:
        """The exact step and its Gaussian."""
        beta = torch.tensor([1 - point["kept"], 10 ** point["power"]], dtype=torch.float64)
        kernel, at = GaussianKernel(beta), one(point["xt"])
        return law.reversal(kernel)(at, 2), law.moment_matched(kernel)(at, 2)

    first = {"kept": kept, "power": power, "xt": xt}
    exact, matched = two(first)
    highest = exact.expand((len(x),)).log_prob(x[:, None]).max()
    heights = [
        (step.expand((len(x),)).log_prob(x[:, None]) - highest).exp() for step in (exact, matched)
    ]
    powers = line(-3, -0.02, 60)
    divergences = [_divergence(*two({**first, "power": p})) for p in powers.tolist()]
    lost = one(*divergences)[:, 0].log10()
    bells = Panel(
        (-2.5, 2.5), (0, 1.5), "state before the step", ((-2, 0, 2), (0, 1)),
        [
            Curve("exact", "exact reversal", "blue", x, heights[0]),
            Curve("matched", "its Gaussian", "red dashed", x, heights[1]),
        ],
        handles=("xt",),
    )  # fmt: skip
    slope = Panel(
        (-3, 0), (-10, 3), "rate of the step, power of ten", ((-3, -2, -1, 0), (-9, -6, -3, 0)),
        [Curve("lost", "divergence in nats, power of ten", "black", powers, lost)],
        handles=("power",),
    )  # fmt: skip
    inputs = [
        {"kept": a, "power": b, "xt": c}
        for a, b, c in ((0.7, -0.3, 0), (0.95, -1, 1.2), (0.2, -2.5, -0.7), (0.5, -0.05, 2.1))
    ]
    outputs = []
    for point in inputs:
        exact, matched = two(point)
        at = exact.log_prob(one(0.3))
        outputs.append(torch.cat([matched.mean[0], matched.variance[0], at]))
    return Touch(
        "reversal",
        [
            Control("kept", "signal kept before the step", 0.05, 0.99, 0.01, kept),
            Control("power", "rate of the step", -3, -0.02, 0.02, power),
            Control("xt", "state after the step", -2.5, 2.5, 0.01, xt),
        ],
        [bells, slope],
        {"variance": variance},
        inputs, outputs,
        "The exact reversal of a step for two clusters, and the best Gaussian step: the smaller "
        "the rate, the more alike they are.",
        "First: the exact reversal has two peaks, its Gaussian one wide bell. Second: their "
        "divergence falls steeply as the rate of the step falls.",
    )  # fmt: skip


def _divergence(exact: Distribution, matched: Distribution) -> float:
    """Divergence of two laws of one coordinate, batch 1, nats, by a sum over a fine grid."""
    centre, width = matched.mean[0, 0], matched.stddev[0, 0]
    x = (centre + 10 * width * line(-1, 1, 4001))[:, None]
    a, b = (law.expand((len(x),)).log_prob(x) for law in (exact, matched))
    return torch.trapezoid(a.exp() * (a - b), x[:, 0]).item()
