r""":math:`\hat p(x^{(t-1)} \mid x^{(t)}) = \arg\max_p K`, by gradient ascent on sampled steps."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from dpm_lib.bounds import sampled_bound
from dpm_lib.kernels.draws import check_generator
from dpm_lib.reverse import ReverseProcess

__all__ = ["Source", "fit"]

CLIP = 10.0
"""Largest norm of the gradient of K per dimension."""

Source = Callable[[int, torch.Generator], Tensor]
"""A function ``(n, generator)`` that draws n examples, ``(n, *event)``."""


def fit(
    model: ReverseProcess,
    x0: Tensor | Source,
    *,
    steps: int,
    generator: torch.Generator,
    batch: int = 256,
    learning_rate: float = 1e-3,
) -> Iterator[tuple[int, float]]:
    r"""Train a model, yielding after each step its number and the K of its batch.

    Each step draws a batch and one t for each example, and follows the gradient of the sampled
    bound with Adam; the learning rate falls to 0 like a cosine.  Nothing is trained until the
    iterator is used; the model is left trained.

    Args:
        model: the reverse process; its parameters are changed.
        x0: data, ``(N, *event)``, or a function ``(n, generator)`` that draws them.
        steps: number of updates.
        generator: source of batches, steps t and noise.
        batch: examples in a batch.
        learning_rate: of the first step.

    Yields:
        step 1 … steps, and the estimate of K, nats per example.

    Raises:
        ValueError: data do not fit the kernel (NaN, not 0/1, second moment not 1), or the model
            has no parameters.

    Source: :eq:`optimal-reversal`, paper eq. 15.
    """
    check_generator(generator, model.kernel.beta.device)
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model must have parameters to train, got none")
    data = x0 if isinstance(x0, Tensor) else x0(4096, generator)
    model.kernel.check_moments(model.kernel.check_data(data))
    return _updates(model, x0, steps, generator, batch, learning_rate)


def _updates(
    model: ReverseProcess,
    x0: Tensor | Source,
    steps: int,
    generator: torch.Generator,
    batch: int,
    learning_rate: float,
) -> Iterator[tuple[int, float]]:
    """The updates of :func:`fit`, which has checked its arguments before the first of them.

    The gradient is that of K per dimension, so that one learning rate and one clip serve data of
    any size.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    adam = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
    fall = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    d = model.event_shape.numel()
    for step in range(1, steps + 1):
        K = sampled_bound(model, _batch(x0, batch, generator), generator=generator).mean()
        adam.zero_grad()
        (-K / d).backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        adam.step()
        fall.step()
        yield step, K.item()


def _batch(x0: Tensor | Source, n: int, generator: torch.Generator) -> Tensor:
    if not isinstance(x0, Tensor):
        return x0(n, generator)
    return x0[torch.randint(len(x0), (n,), generator=generator, device=x0.device)]
