"""Independent laws of one family."""

from collections.abc import Callable

from torch import Tensor
from torch.distributions import Distribution, Independent, MixtureSameFamily

__all__ = ["independent", "of_mixtures"]


def independent(
    family: Callable[..., Distribution], events: int, **parameters: Tensor
) -> Independent:
    """Independent laws of a family, with the last ``events`` axes as one event.

    >>> import torch
    >>> from torch.distributions import Normal
    >>> independent(Normal, 1, loc=torch.zeros(4, 2), scale=torch.ones(())).event_shape
    torch.Size([2])
    """
    return Independent(family(**parameters, validate_args=False), events, validate_args=False)


def of_mixtures(law: Distribution) -> bool:
    """Whether a law is a mixture, or one in each coordinate: no divergence from it is known."""
    return isinstance(law.base_dist if isinstance(law, Independent) else law, MixtureSameFamily)
