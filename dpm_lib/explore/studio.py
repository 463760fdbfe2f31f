"""Draw data and train on them: the bound, its gradient and Adam, in the page."""

import torch
from torch import Tensor

from dpm_lib import schedules
from dpm_lib.explore.shapes import moons, three
from dpm_lib.explore.touch import Control, Curve, Panel, Touch
from dpm_lib.kernels import GaussianKernel
from dpm_lib.learning import data

__all__ = ["draw_and_train"]

T, HIDDEN, FEATURES = 30, 48, 5
SHAPES = ((FEATURES, HIDDEN), (HIDDEN,), (HIDDEN, HIDDEN), (HIDDEN,), (HIDDEN, 2), (2,))
RATE = 3e-3
PRESETS = ("two moons", "the roll", "a three", "draw your own")
LOOKED_AT = (0, 100, 1000, 2500, -1)
"""Parameters that are compared."""


def network(parameters: Tensor, xt: Tensor, level: Tensor) -> Tensor:
    """Two layers of tanh units; of the time it sees the log of signal over noise."""
    parts = parameters.split([torch.Size(shape).numel() for shape in SHAPES])
    W1, b1, W2, b2, W3, b3 = (p.view(shape) for p, shape in zip(parts, SHAPES, strict=True))
    seen = torch.cat([xt, level, (2 * level).sin(), (2 * level).cos()], 1)
    return ((seen @ W1 + b1).tanh() @ W2 + b2).tanh() @ W3 + b3


def one_step(kernel: GaussianKernel, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """Minus K without its ceiling, some of its gradient, and what Adam makes of the parameters."""
    count = sum(torch.Size(shape).numel() for shape in SHAPES)
    parameters = 0.3 * (1.7 * torch.arange(count, dtype=torch.float64)).sin()
    parameters.requires_grad_()
    kept, spread = kernel.alpha_bar[t, None], kernel.beta_bar[t, None]
    xt = kept.sqrt() * x0 + spread.sqrt() * noise
    z = network(parameters, xt, (kept / spread).log() / 4)
    loss = (kernel.T - 1) * kernel.divergence(x0, xt, t, (z,)).mean()
    adam = torch.optim.Adam([parameters], lr=RATE)
    loss.backward()
    slope = parameters.grad
    assert slope is not None
    adam.step()
    chosen = list(LOOKED_AT)
    return torch.cat([loss[None], slope[chosen], parameters[chosen]]).detach()


def draw_and_train() -> Touch:
    """A cloud that the reader draws, a small network that learns it, and K beside the optimum.

    Source: :eq:`bound-entropies`, :eq:`optimal-bound`.
    """
    kernel = GaussianKernel(schedules.geometric(T, 2e-3, 0.5))
    g = torch.Generator().manual_seed(1)
    drawn = [law.sample(120, g) for law in (moons(), data.swiss_roll(0.08, nodes=48), three())]
    x0, noise = drawn[0][:6], torch.randn(6, 2, generator=g, dtype=torch.float64)
    t = torch.tensor([2, 5, 11, 18, 25, T])
    nothing = torch.zeros(0, dtype=torch.float64)

    def plane(label: str, curve: Curve) -> Panel:
        """One of the two planes."""
        return Panel((-3.2, 3.2), (-2.0, 2.0), label, ((-2, 0, 2), (-1, 0, 1)), [curve])

    panels = [
        plane("draw here: the data", Curve("data", "", "blue dots", *drawn[0].T)),
        plane("what the model draws", Curve("samples", "", "red dots", nothing, nothing)),
        Panel((0, 4000), (-4.5, 1), "updates", ((0, 1500, 3000), (-4, -2, 0)), [
            Curve("best", "optimum", "grey dashed", nothing, nothing),
            Curve("K", "K, bits", "red", nothing, nothing),
        ]),
    ]  # fmt: skip
    return Touch(
        "draw_and_train",
        [Control("preset", "begin with", 0, 3, 1, 0, PRESETS)],
        panels,
        {"beta": kernel.beta, "alpha_bar": kernel.alpha_bar, "beta_bar": kernel.beta_bar,
         "presets": [points.float().tolist() for points in drawn], "x0": x0, "noise": noise,
         "t": t.tolist(), "shapes": SHAPES, "rate": RATE, "looked_at": LOOKED_AT},
        [{"step": 1}], [one_step(kernel, x0, noise, t)],
        "Draw a cloud of points and train a small network on the bound, here, in the page.",
        "First: points of two moons, over which one can draw. Beside it room for what the model "
        "draws, and for K as it grows.",
    )  # fmt: skip
