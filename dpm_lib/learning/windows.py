r""":math:`\log \frac1m \sum_j \mathcal N(x; c_j, \sigma^2 I)`, a score of samples, and no bound.

It says how near held-out data are to a sample of a model, which is not how likely the model finds
them: see the page on MNIST.
"""

import math

import torch
from torch import Tensor

from dpm_lib import doors

__all__ = ["best_width", "parzen"]

ROWS = 1024
"""Examples whose distances from all centres are held at once."""


def parzen(x: Tensor, centres: Tensor, width: float) -> Tensor:
    r"""Log density of examples under equal Gaussians around centres, ``(n,)``, nats.

    .. math:: \log \frac1m \sum_{j=1}^m \mathcal N(x; c_j, \sigma^2 I)

    Args:
        x: examples, ``(n, *event)``.
        centres: samples of a model, ``(m, *event)``.
        width: :math:`\sigma`.

    Raises:
        TypeError: no tensor, or no number.
        ValueError: the events differ, width is not positive, or so small against the distances
            that a density is 0 in this dtype.

    Source: paper Table 2.

    >>> parzen(torch.zeros(1, 1), torch.tensor([[-1.0], [1.0]]), 1.0).exp()
    tensor([0.2420])
    """
    doors.tensor("x", x, "(n, *event)")
    doors.tensor("centres", centres, "(m, *event)")
    doors.number("width", width, above=0)
    if centres.shape[1:] != x.shape[1:] or centres.dtype != x.dtype:
        raise ValueError(
            f"centres must be {x.dtype} with events {tuple(x.shape[1:])}, as x, got "
            f"{doors.name_of(centres)}"
        )
    middle = centres.mean(0)  # far from the origin distances would lose their digits
    x, c = ((y - middle)[..., None].flatten(1) for y in (x, centres))
    norm = c.shape[1] * math.log(width * math.sqrt(2 * math.pi)) + math.log(len(c))
    found = torch.cat([
        torch.logsumexp((torch.cdist(part, c) / width).square() / -2, 1) - norm
        for part in x.split(ROWS)
    ])  # fmt: skip
    if not found.isfinite().all():
        raise ValueError(
            f"width must be large enough for a density above 0 in {x.dtype}, got {width}"
        )
    return found


def best_width(x: Tensor, centres: Tensor, widths: Tensor) -> float:
    """The width under which examples have the largest mean :func:`parzen`.

    Args:
        x: examples that are not those that are scored in the end.
        centres: as in :func:`parzen`.
        widths: to choose from, ``(w,)``.

    Raises:
        TypeError, ValueError: as in :func:`parzen`, or no widths.

    Source: paper Table 2: ten widths from 0.1 to 1, evenly in their logarithm.
    """
    tried = doors.tensor("widths", widths, "(w,)", ndim=1).tolist()
    return float(max(tried, key=lambda width: parzen(x, centres, width).mean().item()))
