"""Steps t of a chain, an int or one for each row; tensors that the library made are known."""

from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

__all__ = ["Steps", "extent", "steps_within", "version"]

Steps = int | Tensor
"""A step t: an int, or an int64 or int32 tensor ``(B,)`` with one step for each row."""

EXTENTS: WeakIdKeyDictionary = WeakIdKeyDictionary()
"""Smallest and largest entry of the library's own tensors of steps, and their version then."""


def steps_within(t: Tensor, low: int, high: int) -> Tensor:
    """Return steps that are known to lie in low … high, so that no door looks at them again."""
    EXTENTS[t] = (version(t), low, high)
    return t


def extent(t: Tensor) -> tuple[int, int]:
    """Smallest and largest entry: looked up, unless the library made the tensor."""
    seen, low, high = EXTENTS.get(t, (-1, 0, 0))
    if seen != version(t):
        low, high = map(int, t.aminmax())
    return low, high


def version(x: Tensor) -> int:
    """How often a tensor was changed in place; of an inference tensor nobody counts."""
    return 0 if x.is_inference() else x._version
