"""Steps t of a chain, an int or one for each row; what a tensor of them holds is looked up once."""

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

__all__ = ["Steps", "extent", "steps_within", "version"]

Steps = int | Tensor
"""A step t: an int, or an int64 or int32 tensor ``(B,)`` with one step for each row."""

EXTENTS: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""Smallest and largest entry of tensors of steps, with the version that was looked at."""


def steps_within(t: Tensor, low: int, high: int) -> Tensor:
    """Return steps that are known to lie in low … high, so that no door looks at them again."""
    EXTENTS[t] = (version(t), low, high)
    return t


def extent(t: Tensor) -> tuple[int, int]:
    """Smallest and largest entry, looked up once for each tensor as long as it is not changed."""
    known = EXTENTS.get(t)
    if known is None or known[0] != version(t):
        low, high = t.aminmax()
        steps_within(t, int(low), int(high))
    _, low, high = EXTENTS[t]
    return low, high


def version(x: Tensor) -> int:
    """How often a tensor was changed in place; of an inference tensor nobody counts."""
    return 0 if x.is_inference() else x._version
