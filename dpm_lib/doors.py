"""What may enter: one check for each kind of argument, in the words in which it is refused.

A public function calls these on what it was handed; the rooms behind it trust each other.
"""

import inspect
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "STATE_DTYPES", "all_finite", "called", "device_like", "event", "from_array", "generator_on",
    "instance", "integer", "name_of", "number", "one_of", "positive", "state_dtype", "tensor",
]  # fmt: skip

Of = TypeVar("Of")

STATE_DTYPES = (torch.float32, torch.float64)
"""The dtypes of states, rates and laws; a network may compute in another."""


def name_of(value: Any) -> str:
    """What came, in a word or two: a tensor by dtype and shape, another object by its type.

    >>> name_of(torch.zeros(2)), name_of(True), name_of(None)
    ('a torch.float32 tensor of shape (2,)', 'True', 'None')
    """
    if isinstance(value, Tensor):
        return f"a {value.dtype} tensor of shape {tuple(value.shape)}"
    if value is None or isinstance(value, bool | int | float | str):
        return repr(value)
    if type(value).__name__ == "ndarray":
        return f"an array of shape {value.shape}, of which torch.from_numpy makes a tensor"
    return f"a {type(value).__name__}"


def instance(name: str, value: Any, of: type[Of]) -> Of:
    """Return the value if it is of a class of the library.

    Raises:
        TypeError: it is not.
    """
    if not isinstance(value, of):
        raise TypeError(f"{name} must be a dpm.{of.__name__}, got {name_of(value)}")
    return value


def integer(name: str, value: Any, least: int = 1) -> int:
    """Return the value if it is an int of at least ``least``.

    Raises:
        TypeError: it is no int (a bool is none).
        ValueError: it is smaller.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be an integer >= {least}, got {name_of(value)}")
    if value < least:
        raise ValueError(f"{name} must be an integer >= {least}, got {value}")
    return value


def number(name: str, value: Any, above: float, up_to: float = math.inf) -> float:
    """Return the value if it is a finite number in (above, up_to].

    Raises:
        TypeError: it is no number.
        ValueError: it lies outside, or is NaN or infinite.
    """
    end = f"up to {up_to}" if up_to < math.inf else "and finite"
    wanted = f"{name} must be a number above {above} {end}, got {name_of(value)}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(wanted)
    if not (above < value <= up_to and math.isfinite(value)):
        raise ValueError(wanted)
    return value


def one_of(name: str, value: Any, known: Mapping[str, Of]) -> Of:
    """Return what a table has under a name.

    Raises:
        ValueError: the table does not have it.
    """
    if not isinstance(value, str) or value not in known:
        raise ValueError(f"{name} must be one of {sorted(known)}, got {name_of(value)}")
    return known[value]


def tensor(name: str, value: Any, shape: str, ndim: int | None = None) -> Tensor:
    """Return the value if it is a float32 or float64 tensor with numbers in it, all finite.

    Args:
        name: of the argument.
        value: what came.
        shape: the shape in words, for the message.
        ndim: how many axes it must have, if that is known.

    Raises:
        TypeError: it is no tensor.
        ValueError: another dtype, a wrong number of axes, empty, or a value that is not finite.
    """
    if not isinstance(value, Tensor):
        raise TypeError(f"{name} must be a tensor {shape}, got {name_of(value)}")
    if value.dtype not in STATE_DTYPES:
        raise ValueError(f"{name} must be of float32 or float64, got {name_of(value)}")
    if (ndim is not None and value.ndim != ndim) or not value.numel():
        raise ValueError(f"{name} must have shape {shape}, got {tuple(value.shape)}")
    return all_finite(name, value)


def all_finite(name: str, value: Tensor) -> Tensor:
    """Return the tensor if all its values are finite.

    Raises:
        ValueError: one is not.
    """
    right = value.isfinite()
    if not right.all():
        raise ValueError(f"{name} must be finite, got {value[~right][0].item()}")
    return value


def positive(name: str, value: Tensor) -> Tensor:
    """Return the tensor if all its values are above 0.

    Raises:
        ValueError: one is not.
    """
    if not (value > 0).all():
        raise ValueError(f"{name} must be positive, got {value.min().item()}")
    return value


def event(name: str, value: Any) -> torch.Size:
    """Return the shape of one state, without the batch: positive ints, or none for a scalar state.

    Raises:
        TypeError: it is no sequence of ints.
        ValueError: a side is not positive.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise TypeError(f"{name} must be a tuple of integers, got {name_of(value)}")
    return torch.Size([integer(f"each side of {name}", side) for side in value])


def state_dtype(dtype: Any) -> torch.dtype:
    """Return the dtype if states may have it.

    Raises:
        TypeError: it is no dtype.
        ValueError: it is neither float32 nor float64.
    """
    if not isinstance(dtype, torch.dtype):
        raise TypeError(f"dtype must be torch.float32 or torch.float64, got {name_of(dtype)}")
    if dtype not in STATE_DTYPES:
        raise ValueError(
            f"dtype must be torch.float32 or torch.float64, got {dtype} (a network may compute in "
            "half precision; rates, states and laws do not)"
        )
    return dtype


def device_like(device: Any) -> torch.device:
    """Return the device, None for the CPU, if this machine has it.

    Raises:
        TypeError: it is no device and no name of one.
        ValueError: the name is unknown, or the machine has no such device.
    """
    if not isinstance(device, torch.device | str | None):
        raise TypeError(f"device must be a torch.device or its name, got {name_of(device)}")
    try:
        place = torch.empty(0, device=device).device
        if place.type == "meta":
            raise RuntimeError("it holds no numbers")
        return place
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        why = str(error).splitlines()[0]
        raise ValueError(
            f"device must be one of this machine, got {str(device)!r}: {why}"
        ) from None


def generator_on(device: torch.device, generator: Any) -> torch.Generator:
    """Return the generator if it can draw on the device.

    Raises:
        TypeError: it is no generator.
        ValueError: it is on another device.
    """
    if not isinstance(generator, torch.Generator):
        raise TypeError(
            f"generator must be a torch.Generator, got {name_of(generator)}: make one with "
            "torch.Generator(device).manual_seed(seed)"
        )
    if generator.device.type != device.type:
        raise ValueError(f"generator must be on {device}, got one on {generator.device}")
    return generator


def from_array(name: str, value: Any, device: torch.device, dtype: torch.dtype) -> Any:
    """An array of numpy as a tensor; anything else as it came.

    Raises:
        TypeError: the array is not one of real numbers, or has a mask.
    """
    if not isinstance(value, np.ndarray):
        return value
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must be an array without a mask, got a MaskedArray")
    if value.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be an array of real numbers, got one of {value.dtype}")
    wanted = str(dtype).removeprefix("torch.")
    return torch.from_numpy(np.require(value, wanted, ["C", "W"])).to(device)


def called(name: str, function: Any, *arguments: str) -> None:
    """Refuse what cannot be called with so many arguments.

    Raises:
        TypeError: it is not callable, or with others.
    """
    how = f"{name}({', '.join(arguments)})"
    forward = getattr(function, "forward", None)
    if not callable(function) or getattr(forward, "__func__", None) is nn.Module.forward:
        raise TypeError(f"{name} must be callable as {how}, got {name_of(function)}")
    inner = function.forward if isinstance(function, nn.Module) else function
    try:
        signature = inspect.signature(inner)
    except (TypeError, ValueError):
        return  # of what is not written in Python nothing is known
    try:
        signature.bind(*arguments)
    except TypeError:
        raise TypeError(
            f"{name} must be callable as {how}, got one that takes {signature}"
        ) from None
