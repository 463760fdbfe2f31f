"""Independent laws of one family."""

from collections.abc import Callable

from torch import Tensor
from torch.distributions import Distribution, Independent

__all__ = ["independent"]


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
