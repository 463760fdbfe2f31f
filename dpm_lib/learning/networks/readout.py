r""":math:`z = W_t h + b_t`: a readout of its own for each step of the chain."""

import torch
from torch import Tensor

from dpm_lib.protocol import once

__all__ = ["read_out"]


def read_out(h: Tensor, weight: Tensor, bias: Tensor, t: Tensor) -> Tensor:
    r"""Read each row out by the weights of its step, ``(B, outputs)``.

    Rows of one step that stand in a row, as many for each, are multiplied together: of all rows of
    a bound, or a sample, no weights are copied.

    Args:
        h: hidden units, ``(B, units)``.
        weight: of steps 1 … T, ``(T, units, outputs)``.
        bias: of steps 1 … T, ``(T, outputs)``.
        t: steps, ``(B,)``.

    >>> h, weight, bias = torch.ones(3, 1), torch.tensor([[[1.0]], [[2.0]]]), torch.zeros(2, 1)
    >>> read_out(h, weight, bias, torch.tensor([2, 1, 2])).flatten()
    tensor([2., 1., 2.])
    """
    steps = once(t)
    if len(steps) == len(t):
        steps, counts = t.unique_consecutive(return_counts=True)
        steps = steps if (counts == counts[0]).all() else t
    groups, row = h.view(len(steps), -1, h.shape[1]), steps - 1
    return torch.baddbmm(bias[row][:, None], groups, weight[row]).flatten(0, 1)
