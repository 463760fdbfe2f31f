"""The two chains in the plane: a cloud loses its form; its exact reversal and a model find it."""

import math

import torch
from torch import Tensor
from torch.distributions import MixtureSameFamily

from dpm_lib.exact import MixtureLaw
from dpm_lib.explore.mulberry import normals
from dpm_lib.explore.shapes import THIN, forty_steps, known_laws
from dpm_lib.explore.touch import Control, Curve, Panel, Point, Touch
from dpm_lib.explore.trained import UNIT, numbers, taught
from dpm_lib.reverse import ReverseProcess

__all__ = ["chains"]

POINTS, FIRST = 300, 16
GRID, APART = (7, 4), 0.45
"""Places of arrows to each side of the middle, and from one to the next."""

SEEN, LONGEST = 6.0, 0.42
"""By how much the log density is lower, at most, where arrows stand; length of the longest."""

CHOICES = ("the roll", "two moons", "a three", "draw your own")

BITS = ("K", "best_gaussian_steps", "optimum")
"""What a record says of a model, of the best of its kind, and of the best of all."""

INPUTS: list[Point] = [
    {"law": a, "t": n, "x": x, "y": y}
    for a, n, x, y in (
        (0, 16, 0.3, -0.8), (1, 3, 1.1, 0.2), (2, 40, -0.6, 1.4), (0, 2, 0.9, 0.9),
        (1, 25, -1.7, -0.4), (2, 9, 0.1, 0.0),
    )
]  # fmt: skip

GAP = torch.full((1, 2), math.nan, dtype=torch.float64)


def chains() -> Touch:
    """Draws of the forward chain at step t, of the exact reversal, and of a trained model.

    Arrows lead from a state towards the mean of the step back from it, all longer by one factor;
    ellipses are two standard deviations around the mean.

    Source: :eq:`forward-marginal`, :eq:`exact-reversal`, :eq:`reverse-trajectory`.
    """
    laws, kernel, g = known_laws(), forty_steps(), torch.Generator().manual_seed(0)
    kept = {name: taught(name) for name in laws}
    exact = {name: ReverseProcess(kernel, law.reversal(kernel)) for name, law in laws.items()}
    forward = kernel.alpha_bar[FIRST].sqrt() * cloud_of(laws["roll"])
    forward = forward + kernel.beta_bar[FIRST].sqrt() * normals(8, 2 * POINTS).view(POINTS, 2)

    def of_library(point: Point) -> Tensor:
        """Log density, then mean and covariance of the exact step and of the model's."""
        name, n = [*laws][int(point["law"])], int(point["t"])
        at = torch.tensor([[point["x"], point["y"]]], dtype=torch.float64)
        steps = [moments(model, at, n) for model in (exact[name], kept[name].model)]
        both = [torch.cat([mean[0], covariance[0]]) for mean, covariance in steps]
        return torch.cat([laws[name].marginal(kernel, n).log_prob(at), *both])

    return Touch(
        "chains",
        [
            Control("law", "data", 0, len(laws), 1, 0, CHOICES),
            Control("t", "step t", 0, kernel.T, 1, FIRST, play=True),
        ],
        [
            _plane("forward: form is lost", [Curve("forward", "", "blue dots", *forward.T)]),
            *_ways_back(laws["roll"], exact["roll"], kept["roll"].model, g),
        ],
        {
            "alpha_bar": kernel.alpha_bar, "beta": kernel.beta, "points": POINTS, "grid": GRID,
            "apart": APART, "seen": SEEN, "thin": THIN, "unit": UNIT,
            "laws": [
                {"means": law.means, "weights": law.weights / law.weights.max(),
                 "variance": law.variance[0].item(), "network": numbers(kept[name].model),
                 "bits": [kept[name].notes[key] for key in BITS]}
                for name, law in laws.items()
            ],
        },
        INPUTS, [of_library(point) for point in INPUTS],
        "Data lose their form step by step. The exact reversal finds it again from noise, and so "
        "does a network that was trained.",
        "First plane: points of a roll that begins to blur. Second: points that come from noise "
        "and gather along the same roll, with arrows towards it. Third: points and arrows of a "
        "trained model, nearly the same.",
    )  # fmt: skip


def _ways_back(
    law: MixtureLaw, exact: ReverseProcess, model: ReverseProcess, g: torch.Generator
) -> list[Panel]:
    """Cloud, arrows and ellipses of both; the arrows stand where noised data come."""
    grid = APART * torch.cartesian_prod(*(torch.arange(-n, n + 1).double() for n in GRID))
    log = law.marginal(exact.kernel, FIRST).log_prob(grid)
    tails, places = grid[log > log.max() - SEEN], law.means[_nodes(len(law.means))]
    scale = LONGEST / (moments(exact, tails, FIRST)[0] - tails).norm(dim=1).max()
    planes = []
    for label, cloud, colour, way in (
        ("exact reversal: form is found", "reverse", "blue", exact),
        ("trained model: form is found", "model", "red", model),
    ):
        points = way.trajectory(POINTS, generator=g)[FIRST]
        tips = tails + scale * (moments(way, tails, FIRST)[0] - tails)
        planes.append(_plane(label, [
            Curve(cloud, "", f"{colour} dots", *points.T),
            Curve(f"{cloud}_drift", "", "black", *arrows(tails, tips).T),
            Curve(f"{cloud}_spread", "", "black", *ellipses(*moments(way, places, FIRST)).T),
        ]))  # fmt: skip
    return planes


def cloud_of(law: MixtureLaw) -> Tensor:
    """Draws of a law of narrow bells, of each as many as its weight says, ``(POINTS, 2)``."""
    shares = (torch.arange(POINTS) + 0.5) / POINTS
    bells = torch.searchsorted(law.weights.cumsum(0), shares.double())
    return law.means[bells] + THIN * normals(9, 2 * POINTS).view(POINTS, 2)


def moments(model: ReverseProcess, x: Tensor, t: int) -> tuple[Tensor, Tensor]:
    """Mean of a step, ``(n, 2)``, and its covariance as xx, xy, yy, ``(n, 3)``."""
    law = model.step(x, t)
    variance, mixed = law.variance, torch.zeros(len(x), dtype=x.dtype)
    if isinstance(law, MixtureSameFamily):
        apart = law.component_distribution.mean - law.mean[:, None]
        mixed = (law.mixture_distribution.probs * apart.prod(2)).sum(1)
    return law.mean, torch.stack([variance[:, 0], mixed, variance[:, 1]], 1)


def arrows(tails: Tensor, tips: Tensor) -> Tensor:
    """Lines from tails to tips with two short strokes at the tip, gaps between them, ``(m, 2)``."""
    parts = []
    for tail, tip in zip(tails, tips, strict=True):
        back = 0.3 * (tail - tip)
        side = 0.5 * torch.stack([-back[1], back[0]])
        parts += [torch.stack([tail, tip]), GAP, torch.stack([tip + back + side, tip]),
                  (tip + back - side)[None], GAP]  # fmt: skip
    return torch.cat(parts)


def ellipses(means: Tensor, covariances: Tensor, nodes: int = 24) -> Tensor:
    """Two standard deviations around means, as closed lines with gaps between them, ``(m, 2)``."""
    angle = torch.linspace(0, 2 * math.pi, nodes + 1, dtype=torch.float64)
    circle = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    parts = []
    for mean, (xx, xy, yy) in zip(means, covariances, strict=True):
        zero, across = torch.zeros_like(xx), xx.sqrt()
        root = torch.stack([across, zero, xy / across, (yy - xy**2 / xx).sqrt()]).view(2, 2)
        parts += [mean + circle @ root.T, GAP]
    return torch.cat(parts)


def _plane(label: str, curves: list[Curve]) -> Panel:
    return Panel((-3.6, 3.6), (-2.25, 2.25), label, ((-2, 0, 2), (-1, 0, 1)), curves)


def _nodes(count: int, places: int = 4) -> list[int]:
    """Places in even distances along a curve of so many bells."""
    return [int(count * (k + 0.5) / places) for k in range(places)]
