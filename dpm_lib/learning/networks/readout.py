r""":math:`z = W_t h + b_t`, what a kernel's head is given, from what a network computes."""

import torch
from torch import Tensor

from dpm_lib.kernels import BinomialKernel
from dpm_lib.protocol import once

__all__ = ["of_data", "read_out"]


def read_out(h: Tensor, weight: Tensor, bias: Tensor, t: Tensor, gain: float = 1.0) -> Tensor:
    r"""Read each row out by the weights of its step, ``(B, outputs)``.

    Rows of one step that stand in a row, as many for each, are multiplied together: of all rows of
    a bound, or a sample, no weights are copied.

    Args:
        h: hidden units, ``(B, units)``.
        weight: of steps 1 … T, ``(T, units, outputs)``.
        bias: of steps 1 … T, ``(T, outputs)``.
        t: steps, ``(B,)``.
        gain: factor of the weights.

    >>> h, weight, bias = torch.ones(3, 1), torch.tensor([[[1.0]], [[2.0]]]), torch.zeros(2, 1)
    >>> read_out(h, weight, bias, torch.tensor([2, 1, 2])).flatten()
    tensor([2., 1., 2.])
    """
    steps = once(t)
    if len(steps) == len(t):
        steps, counts = t.unique_consecutive(return_counts=True)
        steps = steps if (counts == counts[0]).all() else t
    groups, row = h.view(len(steps), -1, h.shape[1]), steps - 1
    return torch.baddbmm(bias[row][:, None], groups, weight[row], alpha=gain).flatten(0, 1)


def of_data(kernel: BinomialKernel, c: Tensor, t: Tensor) -> Tensor:
    r"""Outputs for the head of a binomial kernel, from log-odds c of each bit of the data.

    .. math:: z = \sigma^{-1}(m) - \sigma^{-1}(\rho), \qquad
       m = \bar\alpha_{t-1}\, \sigma\big(c + \sigma^{-1}(\rho)\big) + \rho \bar\beta_{t-1}

    If :math:`\sigma(c + \sigma^{-1}(\rho))` is the chance of a 1 in this place of
    :math:`x^{(0)}` given all *other* bits of :math:`x^{(t)}`, the head's law is the marginal of
    this bit of :math:`q(x^{(t-1)} \mid x^{(t)})`: the best that a product of bits can be.  Such
    log-odds are of order 1 at every t; those of the head are not.  The difference is one logarithm,
    of a fraction without a difference of nearly equal numbers: with :math:`p = \sigma(c)` and
    :math:`q = q(x^{(t-1)} \mid x^{(0)})`

    .. math:: z = \log\frac{q(1 \mid 1)\, p + q(0 \mid 1)\, (1-p)}
       {q(1 \mid 0)\, p + q(0 \mid 0)\, (1-p)}

    Args:
        kernel: whose head is given the outputs.
        c: log-odds beyond those of the base rate, ``(B, *event)``.
        t: steps, 2 … T, ``(B,)``.

    Source: :eq:`forward-posterior-binomial`.
    """
    zero_of_one, more, one_of_zero, less = kernel.rows_of("_given_data", t, c)
    above = torch.addcmul(zero_of_one, more, c.sigmoid())
    below = torch.addcmul(one_of_zero, less, (-c).sigmoid())
    return (above / below).log()
