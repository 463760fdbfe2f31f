r""":math:`(\phi\cos\phi,\ \phi\sin\phi)` with :math:`\phi \sim U[1.2\pi, 3.8\pi]`, plus noise."""

import math

import torch
from numpy.polynomial.legendre import leggauss

from dpm_lib.exact import MixtureLaw

__all__ = ["swiss_roll"]


def swiss_roll(
    noise: float = 0.05,
    nodes: int = 400,
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
) -> MixtureLaw:
    r"""The swiss roll as a law whose density, entropies and best bound are known.

    The roll is centred and divided by one constant, so that the second moment is exactly 1.  The
    angle sits on Gauss-Legendre nodes; where their spacing is below the noise, the mixture cannot
    be told from the continuous roll.

    Args:
        noise: standard deviation of the isotropic noise, in final units; the bound depends on it.
        nodes: number of mixture components along the roll.
        dtype: of the law.
        device: of the law.

    Raises:
        ValueError: noise is not in (0, 1), or nodes is not positive.

    Source: paper section 3.1.1 (generator and noise are not given there).

    >>> law = swiss_roll()
    >>> second_moment = (law.weights[:, None] * (law.means**2 + law.variance[:, None])).sum() / 2
    >>> round(second_moment.item(), 12)
    1.0
    """
    if not 0 < noise < 1:
        raise ValueError(f"noise must lie in (0, 1), got {noise}")
    if nodes < 1:
        raise ValueError(f"nodes must be positive, got {nodes}")
    u, w = (torch.from_numpy(a) for a in leggauss(nodes))
    weights = w / w.sum()
    phi = math.pi * (2.5 + 1.3 * u)
    roll = torch.stack([phi * phi.cos(), phi * phi.sin()], 1)
    roll = roll - weights @ roll
    scale = ((weights @ roll.square()).mean() / (1 - noise**2)).sqrt()
    means = (roll / scale).to(device, dtype)
    return MixtureLaw(weights.to(device, dtype), means, means.new_tensor(noise**2))
