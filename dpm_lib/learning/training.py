r""":math:`\hat p(x^{(t-1)} \mid x^{(t)}) = \arg\max_p K`, by gradient ascent on sampled steps."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from dpm_lib import doors
from dpm_lib.bounds import one_step_bound
from dpm_lib.doors import name_of
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
        TypeError: no model, data, generator or number where one is expected.
        ValueError: data do not fit the kernel (NaN, not 0/1, second moment not 1), steps, batch or
            learning rate are not positive, the model has no parameters, or K is NaN or infinite at
            some step; then the parameters are those that led to it.

    Source: :eq:`optimal-reversal`, paper eq. 15.
    """
    kernel = doors.instance("model", model, ReverseProcess).kernel
    doors.generator_on(kernel.beta.device, generator)
    doors.integer("steps", steps)
    doors.integer("batch", batch)
    doors.number("learning_rate", learning_rate, above=0)
    if not any(p.requires_grad for p in model.parameters()):
        raise ValueError("model must have parameters to train, got none")
    if not isinstance(x0, Tensor) and not callable(x0):
        raise TypeError(f"x0 must be a tensor or a function that draws one, got {name_of(x0)}")
    data = x0 if isinstance(x0, Tensor) else _drawn(model, x0, 4096, generator)
    kernel.check_moments(model.check_data(data))
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
    model.train()
    for step in range(1, steps + 1):
        K = one_step_bound(model, _batch(model, x0, batch, generator), generator).mean()
        if not K.isfinite():
            raise ValueError(
                f"network must return laws that lead to a finite K, it is {K.item()} at step {step}"
                f" of the training: lower learning_rate, now {learning_rate} at first"
            )
        adam.zero_grad()
        (-K / d).backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        adam.step()
        fall.step()
        yield step, K.item()


def _batch(
    model: ReverseProcess, x0: Tensor | Source, n: int, generator: torch.Generator
) -> Tensor:
    if not isinstance(x0, Tensor):
        return model.check_data(_drawn(model, x0, n, generator))
    return x0[torch.randint(len(x0), (n,), generator=generator, device=x0.device)]


def _drawn(model: ReverseProcess, source: Source, n: int, generator: torch.Generator) -> Tensor:
    """What a source draws, if it is n examples."""
    x0 = source(n, generator)
    if not isinstance(x0, Tensor) or x0.shape != (n, *model.event_shape):
        raise ValueError(
            f"x0 must draw a tensor {(n, *model.event_shape)} when asked for {n} examples, "
            f"it drew {name_of(x0)}"
        )
    return x0
