"""Independent laws of one family, and whether their arguments are known to be right."""

import weakref
from collections.abc import Callable

from torch import Tensor
from torch.distributions import Distribution, Independent

__all__ = ["independent", "is_sound", "sound"]

SOUND: weakref.WeakSet[Distribution] = weakref.WeakSet()
"""Laws whose arguments satisfy their constraints by construction."""


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


def sound(law: Independent) -> Independent:
    """Return a law that a head has made so that its arguments are right: nobody looks at them."""
    SOUND.add(law)
    return law


def is_sound(law: Distribution) -> bool:
    """Whether the law was made by a head that answers for its arguments."""
    return law in SOUND
