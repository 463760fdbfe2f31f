"""Laws in the plane with a form that one knows at a glance, and a chain that takes it from them."""

import math

import torch
from torch import Tensor

from dpm_lib import schedules
from dpm_lib.exact import MixtureLaw
from dpm_lib.kernels import GaussianKernel
from dpm_lib.learning import data

__all__ = ["THIN", "forty_steps", "known_laws", "moons", "three"]

THIN = 0.08
"""Standard deviation of the bells of which each law is made."""


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


def known_laws() -> dict[str, MixtureLaw]:
    """Name to law."""
    return {"roll": data.swiss_roll(THIN, nodes=48), "moons": moons(), "three": three()}


def forty_steps() -> GaussianKernel:
    """A chain of 40 steps whose rates grow from 0.001 to a half by one factor."""
    return GaussianKernel(schedules.geometric(40, 1e-3, 0.5))


def _scaled(places: Tensor) -> MixtureLaw:
    places = places - places.mean(0)
    places = places * ((1 - THIN**2) / places.square().mean()).sqrt()
    return MixtureLaw(places.new_ones(len(places)), places, places.new_tensor(THIN**2))
