r""":math:`(\phi\cos\phi,\ \phi\sin\phi)` plus noise, and binary patterns: the paper's toy data."""

import math

import torch
from numpy.polynomial.legendre import leggauss

from dpm_lib import doors
from dpm_lib.exact import MixtureLaw, PatternLaw

__all__ = ["heartbeat", "swiss_roll"]

PERIOD = 5
"""A heartbeat has a 1 in every fifth place."""


def heartbeat(
    length: int = 20,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> PatternLaw:
    r"""The binary heartbeat: a 1 in every fifth place, in one of five phases of equal weight.

    .. math:: x_i = [\, i \equiv k \bmod 5 \,], \qquad k \sim U\{0 \dots 4\}

    Args:
        length: number of bits, at least 5.
        dtype: of the law.
        device: of the law.

    Raises:
        TypeError: no integer, or no dtype or device.
        ValueError: length is below 5.

    Source: paper section 3.1.2 (there of 20 bits).

    >>> heartbeat(10).patterns[0].tolist()
    [1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    """
    doors.integer("length", length, PERIOD)
    device, dtype = doors.device_like(device), doors.state_dtype(dtype)
    place, phase = torch.arange(length, device=device), torch.arange(PERIOD, device=device)
    patterns = (place % PERIOD == phase[:, None]).to(dtype)
    return PatternLaw(patterns, patterns.new_ones(PERIOD))


def swiss_roll(
    noise: float = 0.05,
    nodes: int = 400,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> MixtureLaw:
    r"""The swiss roll as a law whose density, entropies and best bound are known.

    .. math:: x \propto (\phi\cos\phi,\ \phi\sin\phi) + \text{noise}, \qquad
       \phi \sim U[1.2\pi, 3.8\pi]

    The roll is centred and divided by one constant, so that the second moment is exactly 1.  The
    angle sits on Gauss-Legendre nodes; where their spacing is below the noise, the mixture cannot
    be told from the continuous roll.

    Args:
        noise: standard deviation of the isotropic noise, in final units; the bound depends on it.
        nodes: number of mixture components along the roll.
        dtype: of the law.
        device: of the law.

    Raises:
        TypeError: no number, no integer, or no dtype or device.
        ValueError: noise is not in (0, 1), or nodes is below 2.

    Source: paper section 3.1.1 (generator and noise are not given there).

    >>> law = swiss_roll()
    >>> second_moment = (law.weights[:, None] * (law.means**2 + law.variance[:, None])).sum() / 2
    >>> round(second_moment.item(), 12)
    1.0
    """
    doors.integer("nodes", nodes, 2)
    device, dtype = doors.device_like(device), doors.state_dtype(dtype)
    if not 0 < doors.number("noise", noise, above=0) < 1:
        raise ValueError(f"noise must lie in (0, 1), got {noise}")
    u, w = (torch.from_numpy(a) for a in leggauss(nodes))
    weights = w / w.sum()
    phi = math.pi * (2.5 + 1.3 * u)
    roll = torch.stack([phi * phi.cos(), phi * phi.sin()], 1)
    roll = roll - weights @ roll
    scale = ((weights @ roll.square()).mean() / (1 - noise**2)).sqrt()
    means = (roll / scale).to(device, dtype)
    return MixtureLaw(weights.to(device, dtype), means, means.new_tensor(noise**2))
