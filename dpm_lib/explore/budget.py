"""The bound of Gaussian data under their exact reversal, by rates, steps and variance."""

import math

import torch
from torch import Tensor

from dpm_lib import bounds, likelihood, schedules
from dpm_lib.exact import GaussianLaw
from dpm_lib.explore.touch import Control, Curve, Panel, Touch, one
from dpm_lib.kernels import GaussianKernel

__all__ = ["bound"]


SCHEDULES = ("erase evenly", "as the authors' program", "linear", "geometric")


def rates(choice: int, T: int) -> Tensor:
    """Rates of one of the schedules that the figure of the bound offers."""
    return (
        schedules.erase_evenly(T),
        schedules.inverse(T),
        schedules.linear(T, 0.01, 0.5),
        schedules.geometric(T, 0.01, 0.5),
    )[choice]


def _scores(choice: int, T: int, variance: float) -> Tensor:
    """L, K of equation 12, K of equation 14, ceiling, L_null: nats, one dimension."""
    kernel = GaussianKernel(rates(choice, T))
    law = GaussianLaw(
        torch.zeros(1, dtype=torch.float64), torch.full((1,), variance, dtype=torch.float64)
    )
    points = math.sqrt(variance) * one(-1, 1)
    K = law.optimum(kernel)
    return torch.stack([
        law.model_law(kernel).log_likelihood(law),
        K + bounds.correction(kernel, points).mean(),
        K,
        bounds.ceiling(kernel, points).mean(),
        likelihood.null_log_likelihood(kernel, points).mean(),
    ])  # fmt: skip


def bound() -> Touch:
    """L, K and the ceiling of Gaussian data with the exact reversal, and what each step costs.

    Source: :eq:`jensen-bound`, :eq:`bound-correction`, :eq:`bound-ceiling`, :eq:`optimal-bound`.
    """
    choice, T, variance = 0, 10, 0.25
    L, K, K_14, top, null = _scores(choice, T, variance)
    kernel = GaussianKernel(rates(choice, T))
    law = GaussianLaw(
        torch.zeros(1, dtype=torch.float64), torch.full((1,), variance, dtype=torch.float64)
    )
    step = torch.arange(2, T + 1)
    spread = torch.stack([law.reversal(kernel)(one(0), int(n)).variance[0, 0] for n in step])
    known = torch.stack([kernel.posterior(one(0), one(0), int(n)).variance[0, 0] for n in step])
    scores = Panel(
        (-0.6, 3.6), (-0.3, 2.2), "nats above the score of knowing nothing",
        ({0: "K, (12)", 1: "K, (14)", 2: "L", 3: "ceiling"}, (0, 1, 2)),
        [
            Curve("bounds", "", "blue bars", torch.arange(2.0), torch.stack([K, K_14]) - null),
            Curve("truth", "", "black bars", torch.tensor([2.0]), (L - null)[None]),
            Curve("top", "", "grey bars", torch.tensor([3.0]), (top - null)[None]),
        ],
    )  # fmt: skip
    costs = Panel(
        (0, 1), (0, 0.5), "step, from the first to the last", ((0, 0.5, 1), (0, 0.25, 0.5)),
        [Curve("costs", "divergence of a step", "red", step / T, 0.5 * (spread / known).log())],
    )  # fmt: skip
    inputs = [
        {"schedule": a, "T": b, "v0": c}
        for a, b, c in (
            (0, 10, 0.25),
            (1, 10, 4),
            (2, 77, 1),
            (3, 200, 0.05),
            (0, 2, 2.2),
            (1, 40, 0.25),
        )
    ]
    outputs = []
    for point in inputs:
        found = _scores(int(point["schedule"]), int(point["T"]), point["v0"])
        outputs.append(torch.cat([found, (found[3] - found[2])[None]]))
    return Touch(
        "bound",
        [
            Control("schedule", "rates", 0, 3, 1, choice, SCHEDULES),
            Control("T", "steps T", 2, 200, 1, T),
            Control("v0", "variance of the data", 0.05, 4, 0.05, variance),
        ],
        [scores, costs],
        {},
        inputs, outputs,
        "The bound of Gaussian data: the gap to L falls as T grows, and for a variance above 1 "
        "equation 14 may lie above L.",
        "Four bars: K of equation 12, K of equation 14, L, and the ceiling, the highest. Beside "
        "them the divergences of the steps as a falling curve.",
    )  # fmt: skip
