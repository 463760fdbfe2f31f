r""":math:`x \sim p`, drawn from a generator that the caller passes."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.distributions import (
    Bernoulli,
    Categorical,
    Distribution,
    Independent,
    MixtureSameFamily,
    Normal,
)

from dpm_lib import doors

__all__ = ["draw", "in_blocks"]

BLOCK = 2**16
"""Numbers that are drawn at once: so many stay in the cache of a processor."""


def draw(distribution: Distribution, generator: torch.Generator) -> Tensor:
    r"""One draw for each member of the batch, ``(*batch, *event)``; NaN where the law is NaN.

    A normal is drawn as :math:`\mu + \sigma\epsilon`, so gradients reach its parameters; a bit as
    :math:`[u < r]`, 0 or 1; one of K states as its number; a mixture by its component, then from
    it.  All draws are in floating point.

    Raises:
        TypeError: the law is none of these, or the generator is none.
        ValueError: the generator is on another device than the law, or the probabilities of a
            choice or a mixture are NaN.

    >>> bits = Independent(Bernoulli(torch.tensor([[0.0, 1.0]])), 1)
    >>> draw(bits, torch.Generator())
    tensor([[0., 1.]])
    """
    if isinstance(distribution, Independent):
        return draw(distribution.base_dist, generator)
    if isinstance(distribution, Normal):
        mean, scale = distribution.loc, distribution.scale
        doors.generator_on(mean.device, generator)
        return mean + scale * torch.randn(
            mean.shape, generator=generator, dtype=mean.dtype, device=mean.device
        )
    if isinstance(distribution, Bernoulli):
        rate = distribution.probs
        doors.generator_on(rate.device, generator)
        uniform = torch.rand(rate.shape, generator=generator, dtype=rate.dtype, device=rate.device)
        return torch.ceil(rate - uniform).abs()  # so that a rate of NaN gives no bit
    if isinstance(distribution, Categorical):
        return _choose(distribution, generator).to(distribution.probs.dtype)
    if isinstance(distribution, MixtureSameFamily):
        chosen = _choose(distribution.mixture_distribution, generator)
        event = distribution.event_shape
        all_draws = draw(distribution.component_distribution, generator)
        index = chosen.reshape(*chosen.shape, 1, *[1] * len(event))
        index = index.expand(*chosen.shape, 1, *event)
        return all_draws.gather(chosen.ndim, index).squeeze(chosen.ndim)
    raise TypeError(
        "distribution must be an independent Normal, Bernoulli or Categorical, or a mixture "
        f"of these, got {type(distribution).__name__}"
    )


def in_blocks(make: Callable[[tuple[int, ...]], Tensor], x: Tensor, count: int) -> Iterator[Tensor]:
    """Noise of the shape of x, count times, made for as many of them at once as are quick."""
    size = max(1, BLOCK // x.numel())
    for done in range(0, count, size):
        yield from make((min(size, count - done), *x.shape)).unbind()


def _choose(law: Categorical, generator: torch.Generator) -> Tensor:
    """Index of one state for each member of the batch."""
    doors.generator_on(law.probs.device, generator)
    doors.all_finite("probabilities of the distribution", law.probs)
    flat = law.probs.reshape(-1, law.probs.shape[-1])
    return torch.multinomial(flat, 1, generator=generator).reshape(law.batch_shape)
