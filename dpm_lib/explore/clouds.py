"""The two chains in the plane: a cloud that loses its form, and the reversal that finds it."""

import math

import torch
from torch import Tensor

from dpm_lib import schedules
from dpm_lib.exact import MixtureLaw
from dpm_lib.explore.touch import Control, Curve, Panel, Point, Touch
from dpm_lib.kernels import GaussianKernel, draw
from dpm_lib.learning import data

__all__ = ["chains"]

POINTS = 300


def moons(nodes: int = 30) -> MixtureLaw:
    """Two half circles that reach into one another, second moment 1."""
    angle = torch.linspace(0, math.pi, nodes, dtype=torch.float64)
    upper = torch.stack([angle.cos(), angle.sin()], 1)
    return _scaled(torch.cat([upper, torch.tensor([1.0, 0.4]) - upper]))


def three(nodes: int = 12) -> MixtureLaw:
    """The digit 3: two open arcs, one above the other, second moment 1."""
    angle = torch.linspace(-2.4, 1.5, nodes, dtype=torch.float64)
    upper = torch.stack([0.8 * angle.cos(), 0.95 - angle.sin()], 1)
    lower = upper.flip(0) * torch.tensor([1.0, -1.0])
    return _scaled(torch.cat([upper, lower]))


def _scaled(places: Tensor, noise: float = 0.08) -> MixtureLaw:
    places = places - places.mean(0)
    places = places * ((1 - noise**2) / places.square().mean()).sqrt()
    return MixtureLaw(places.new_ones(len(places)), places, places.new_tensor(noise**2))


def chains(T: int = 40) -> Touch:
    """Draws of the forward chain at step t, and of the exact reversal that has come to step t.

    Source: :eq:`forward-marginal`, :eq:`exact-reversal`.
    """
    laws = {"roll": data.swiss_roll(0.08, nodes=48), "moons": moons(), "three": three()}
    kernel = GaussianKernel(schedules.geometric(T, 1e-3, 0.5))
    g = torch.Generator().manual_seed(0)
    starts = {name: law.sample(POINTS, g) for name, law in laws.items()}
    noise = torch.randn(POINTS, 2, generator=g, dtype=torch.float64)
    first, t = starts["roll"], 16
    forward = kernel.alpha_bar[t].sqrt() * first + kernel.beta_bar[t].sqrt() * noise
    state = draw(kernel.prior((POINTS, 2)), g)
    for step in range(T, t, -1):
        state = draw(laws["roll"].reversal(kernel)(state, step), g)

    def cloud(curve: Curve, label: str) -> Panel:
        """One of the two planes."""
        return Panel((-3.2, 3.2), (-2.0, 2.0), label, ((-2, 0, 2), (-1, 0, 1)), [curve])

    inputs = [
        {"law": a, "t": n, "x": x, "y": y}
        for a, n, x, y in (
            (0, 16, 0.3, -0.8),
            (1, 3, 1.1, 0.2),
            (2, T, -0.6, 1.4),
            (0, 2, 0.9, 0.9),
        )
    ]

    def reversed_mean(point: Point) -> Tensor:
        """Mean of the exact reversal at a point, and the log density of the cloud there."""
        law, n = [*laws.values()][int(point["law"])], int(point["t"])
        at = torch.tensor([[point["x"], point["y"]]], dtype=torch.float64)
        return torch.cat(
            [law.reversal(kernel)(at, n).mean[0], law.marginal(kernel, n).log_prob(at)]
        )

    return Touch(
        "chains",
        [
            Control("law", "data", 0, 2, 1, 0, ("the roll", "two moons", "a three")),
            Control("t", "step t", 0, T, 1, t, play=True),
        ],
        [
            cloud(Curve("forward", "q", "blue dots", *forward.T), "forward: form is lost"),
            cloud(Curve("reverse", "p", "red dots", *state.T), "reverse: form is found"),
        ],
        {
            "alpha_bar": kernel.alpha_bar, "beta": kernel.beta, "noise": noise.float(),
            "laws": [
                {"means": law.means.tolist(), "weights": law.weights.tolist(),
                 "variance": law.variance[0].item(), "starts": starts[name].float().tolist()}
                for name, law in laws.items()
            ],
        },
        inputs, [reversed_mean(point) for point in inputs],
        "The two chains: data lose their form step by step, and the exact reversal finds it again "
        "from noise.",
        "Left: points of a roll that begins to blur. Right: points that come from noise and gather "
        "along the same roll.",
    )  # fmt: skip
