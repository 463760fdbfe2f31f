r""":math:`\sum_t w_t\, D_{KL}(t)`, what a training lowers: how t is drawn, what each t counts.

With all :math:`w_t = 1` it is the ceiling minus K, whatever way the steps are drawn.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dpm_lib.kernels import GaussianKernel, Kernel

__all__ = ["OBJECTIVES", "Objective"]

Rows = tuple[Tensor, Tensor]
"""Examples and a step t for each."""


@dataclass(frozen=True)
class Objective:
    """What a training lowers, from a batch.

    Attributes:
        rows: makes examples with steps t = 2 … T of a batch, the length of the chain and a
            generator; their mean divergence times T - 1 estimates the sum of all.
        weights: what step t counts, ``(T + 1,)``; None if all count 1.
    """

    rows: Callable[[Tensor, int, torch.Generator], Rows]
    weights: Callable[[Kernel], Tensor | None]


def one_each(x0: Tensor, T: int, generator: torch.Generator) -> Rows:
    """Each example at one step, drawn for itself."""
    return x0, torch.randint(2, T + 1, (len(x0),), generator=generator, device=x0.device)


def stratified(x0: Tensor, T: int, generator: torch.Generator) -> Rows:
    r"""Each example at one step, the k-th of B from the k-th of B equal parts of 2 … T.

    .. math:: t_k = 2 + \big\lfloor (T - 1) (k + u_k) / B \big\rfloor, \qquad u_k \sim U[0, 1)

    Of a multiple of T - 1 examples each step has as many, and they stand in a row.
    """
    B = len(x0)
    u = torch.rand(B, generator=generator, dtype=torch.float64, device=x0.device)
    t = 2 + ((T - 1) * (torch.arange(B, device=x0.device) + u) / B).long()
    return x0, t.clamp_(max=T)


def every_step(x0: Tensor, T: int, generator: torch.Generator) -> Rows:
    """Each example at every step: T - 1 rows for each, those of one step together."""
    t = torch.arange(2, T + 1, device=x0.device).repeat_interleave(len(x0))
    return x0.repeat(T - 1, *[1] * (x0.ndim - 1)), t


def even(kernel: Kernel) -> None:
    """Every step counts 1."""


def noise_weights(kernel: Kernel) -> Tensor:
    r"""Weights that make a divergence of fixed variance the squared error of predicted noise.

    .. math:: w_t = \frac{2}{T-1} \frac{\bar\beta_t (1 - \beta_t)}{\beta_t}, \qquad
       (T - 1)\, w_t\, D_{KL}(t) = \Vert \epsilon - \hat\epsilon \Vert^2 + \text{const}

    with the noise of :math:`x^{(t)} = \sqrt{\bar\alpha_t}\, x^{(0)} + \sqrt{\bar\beta_t}\,
    \epsilon` and :math:`\hat\epsilon = \sqrt{\bar\beta_t}\, x^{(t)} - \sqrt{1-\beta_t}\, z^\mu`.

    Raises:
        ValueError: the kernel is not Gaussian.
    """
    if not isinstance(kernel, GaussianKernel):
        raise ValueError(
            "objective must be another one than 'noise' without a GaussianKernel, got a "
            f"{type(kernel).__name__}"
        )
    beta = kernel.beta
    weights = 2 / max(1, kernel.T - 1) * kernel.beta_bar[1:] * (1 - beta) / beta
    return torch.nn.functional.pad(weights, (1, 0)).to(kernel.dtype)


OBJECTIVES = {
    "bound": Objective(one_each, even),
    "stratified": Objective(stratified, even),
    "full": Objective(every_step, even),
    "noise": Objective(one_each, noise_weights),
}
"""Name to objective."""
