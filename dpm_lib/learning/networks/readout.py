r""":math:`z = W_t h + b_t`, what a kernel's head is given, from what a network computes."""

import torch
from torch import Tensor

from dpm_lib.kernels import BinomialKernel
from dpm_lib.protocol import once

__all__ = ["grouped", "of_data", "read_out"]


def grouped(t: Tensor) -> Tensor:
    """The step of each group of rows: of as many rows of one step that stand in a row, or of one.

    Args:
        t: steps, ``(B,)``.

    >>> grouped(torch.tensor([2, 2, 3, 3])), grouped(torch.tensor([2, 3, 3]))
    (tensor([2, 3]), tensor([2, 3, 3]))
    """
    steps = once(t)
    if len(steps) < len(t):
        return steps
    steps, counts = t.unique_consecutive(return_counts=True)
    return steps if (counts == counts[0]).all() else t


def read_out(h: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Read each row out by the weights of its group, ``(B, outputs)``.

    Rows of a group are multiplied together: of all rows of a bound, or a sample, no weights are
    copied.

    Args:
        h: hidden units, ``(B, units)``.
        weight: of the steps of :func:`grouped`, ``(G, units, outputs)``.
        bias: of these steps, ``(G, outputs)``.

    >>> weight = torch.tensor([2.0, 1.0, 2.0])[:, None, None]
    >>> read_out(torch.ones(3, 1), weight, torch.zeros(3, 1)).flatten()
    tensor([2., 1., 2.])
    """
    groups = h.view(len(weight), -1, h.shape[1])
    return torch.baddbmm(bias[:, None], groups, weight).flatten(0, 1)


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
    zero_of_one, one_of_one, one_of_zero, zero_of_zero = kernel.rows_of("_given_data", t, c)
    one, zero = c.sigmoid(), (-c).sigmoid()
    above = torch.addcmul(zero_of_one * zero, one_of_one, one)
    below = torch.addcmul(one_of_zero * one, zero_of_zero, zero)
    return (above / below).log()
