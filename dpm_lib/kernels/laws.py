"""Independent laws of one family, and whether their arguments are known to be right."""

import weakref
from collections.abc import Callable

from torch import Tensor
from torch.distributions import Distribution, Independent

from dpm_lib.kernels.steps import version

__all__ = ["independent", "is_sound", "sound"]

SOUND: weakref.WeakKeyDictionary[Distribution, list[tuple[str, Tensor, int]]]
SOUND = weakref.WeakKeyDictionary()
"""Laws whose arguments satisfy their constraints by construction, and these as they were made."""


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
    SOUND[law] = [
        (name, value, version(value))
        for name, value in law.base_dist.__dict__.items()
        if isinstance(value, Tensor)
    ]
    return law


def is_sound(law: Distribution) -> bool:
    """Whether a head that answers for its arguments made the law, and nobody changed it since."""
    if not isinstance(law, Independent) or law not in SOUND:
        return False
    return all(
        law.base_dist.__dict__.get(name) is value and version(value) == seen
        for name, value, seen in SOUND[law]
    )
