"""Evidence counted twice: what three rules make of Gaussian data and a noisy look at them."""

import torch
from torch import Tensor

from dpm_lib import schedules
from dpm_lib.conditioning import Noisy, moments_given, paper_rule, tempered_rule
from dpm_lib.exact import GaussianLaw
from dpm_lib.explore.touch import Control, Curve, Panel, Point, Touch, line, one
from dpm_lib.kernels import GaussianKernel
from dpm_lib.reverse import ReverseProcess

__all__ = ["evidence_twice"]


def bell(mean: Tensor, variance: Tensor, x: Tensor) -> Tensor:
    """Density of a Gaussian on the line."""
    return (-((x - mean) ** 2) / (2 * variance)).exp() / (2 * torch.pi * variance).sqrt()


def evidence_twice(T: int = 100) -> Touch:
    """The posterior, and where chains end that follow the paper's rule and the tempered one.

    Source: :eq:`normalised-rule`, :eq:`evidence-twice`, :eq:`exact-conditioning`.
    """
    kernel = GaussianKernel(schedules.inverse(T))

    def moments(point: Point) -> Tensor:
        """Mean and variance by the paper's rule, by the tempered one, and of the posterior."""
        law = GaussianLaw(one(0)[0], one(point["v0"])[0])
        model, look = (
            ReverseProcess(kernel, law.reversal(kernel)),
            Noisy(one(point["y"])[0], point["s"]),
        )
        by_rules = [moments_given(model, look, rule) for rule in (paper_rule, tempered_rule)]
        kept = point["v0"] / (point["v0"] + point["s"] ** 2)
        exact = one(kept * point["y"], kept * point["s"] ** 2)[:, 0]
        found = [torch.cat([each.mean, each.covariance.diag()]) for each in by_rules]
        return torch.cat([*found, exact])

    first = {"y": 1.0, "s": 1.0, "v0": 1.0}
    now, x = moments(first), line(-4, 4)
    priors = Panel(
        (-4, 4), (0, 1.6), "before: data and look", ((-3, 0, 3), (0, 0.5, 1, 1.5)),
        [
            Curve("prior", "data", "grey", x, bell(one(0)[0], one(1)[0], x)),
            Curve("look", "look", "black dashed", x, bell(one(1)[0], one(1)[0], x)),
        ],
        handles=("y",),
    )  # fmt: skip
    after = Panel(
        (-4, 4), (0, 1.6), "after: three answers", ((-3, 0, 3), (0, 0.5, 1, 1.5)),
        [
            Curve("posterior", "posterior", "blue", x, bell(now[4], now[5], x)),
            Curve("paper", "the paper's rule", "red", x, bell(now[0], now[1], x)),
            Curve("tempered", "tempered", "grey dashed", x, bell(now[2], now[3], x)),
        ],
    )  # fmt: skip
    inputs = [{"y": a, "s": b, "v0": c} for a, b, c in ((1, 1, 1), (-1.5, 0.4, 0.25), (2, 1.6, 4))]
    return Touch(
        "evidence_twice",
        [
            Control("y", "what is seen", -3, 3, 0.05, 1),
            Control("s", "its noise", 0.3, 2, 0.05, 1),
            Control("v0", "variance of the data", 0.1, 4, 0.05, 1),
        ],
        [priors, after],
        {"beta": kernel.beta},
        inputs, [moments(point) for point in inputs],
        "Evidence counted twice: the paper's rule trusts a noisy look more than it should.",
        "Left: a bell for the data and one for the look. Right: the posterior, and a narrower bell "
        "nearer to the look for the paper's rule, with the tempered rule between them.",
    )  # fmt: skip
