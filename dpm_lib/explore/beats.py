"""Heartbeats of 20 bits: what is erased, and what the exact reversal makes of the rest."""

import torch
from torch import Tensor

from dpm_lib import schedules
from dpm_lib.explore.touch import Control, Curve, Panel, Point, Touch
from dpm_lib.kernels import BinomialKernel
from dpm_lib.learning import data

__all__ = ["heartbeat"]


def heartbeat(T: int = 50, draws: int = 8) -> Touch:
    """Heartbeats of 20 bits: what is erased, and what the exact reversal makes of the rest.

    Source: :eq:`binomial-kernel`, :eq:`exact-reversal`.
    """
    law, kernel = data.heartbeat(), BinomialKernel(schedules.erase_evenly(T), 0.2)
    g = torch.Generator().manual_seed(0)
    when, anew = torch.rand(2, draws, 20, generator=g, dtype=torch.float64)
    tossed = (anew < 0.2).double()

    def state(point: Point) -> Tensor:
        """Each bit is lost when the signal falls below a number of its own."""
        pattern, draw = law.patterns[int(point["phase"])], int(point["draw"])
        lost = when[draw] > kernel.alpha_bar[int(point["t"])]
        return torch.where(lost, tossed[draw], pattern)[None]

    def before(point: Point) -> Tensor:
        """Rates of the best step with independent bits."""
        return law.factorised(kernel)(state(point), int(point["t"])).mean[0]

    first = {"phase": 1, "t": 30, "draw": 0}
    places = torch.arange(20.0)
    beats = Panel(
        (-1, 20), (0, 1.5), "place in the sequence", ((0, 5, 10, 15), (0, 0.5, 1)),
        [
            Curve("state", "noised bits", "grey bars", places, state(first)[0]),
            Curve("clean", "the data", "black dots", places, law.patterns[1] * 1.08),
        ],
    )  # fmt: skip
    rates_before = Panel(
        (-1, 20), (0, 1.5), "place in the sequence", ((0, 5, 10, 15), (0, 0.5, 1)),
        [
            Curve("rates", "rate of a 1, one step before", "blue bars", places, before(first)),
            Curve("again", "", "black dots", places, law.patterns[1] * 1.08),
        ],
    )  # fmt: skip
    inputs = [
        {"phase": a, "t": b, "draw": c}
        for a, b, c in ((1, 30, 0), (4, 2, 3), (0, T, 7), (2, 45, 5))
    ]
    return Touch(
        "heartbeat",
        [
            Control("phase", "phase of the data", 0, 4, 1, 1),
            Control("t", "step t", 2, T, 1, 30),
            Control("draw", "draw of the noise", 0, draws - 1, 1, 0),
        ],
        [beats, rates_before],
        {"patterns": law.patterns, "when": when, "tossed": tossed, "rate": 0.2, "beta": kernel.beta,
         "alpha_bar": kernel.alpha_bar, "beta_bar": kernel.beta_bar},
        inputs, [before(point) for point in inputs],
        "Twenty bits lose their rhythm, and the exact reversal finds it again from what is left.",
        "First: noised bits as bars, and dots over the places of the data's pulses. Second: bars "
        "for the rate of a 1 one step before, high under the dots.",
    )  # fmt: skip
