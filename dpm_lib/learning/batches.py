r""":math:`x^{(0)}_1 \dots x^{(0)}_n`, batches of examples, wherever a user has them."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from dpm_lib import doors
from dpm_lib.reverse import ReverseProcess

__all__ = ["LOOKED_AT", "Source", "batches_of"]

Source = Callable[[int, torch.Generator], Tensor]
"""A function ``(n, generator)`` that draws n examples, ``(n, *event)``."""

LOOKED_AT = 4096
"""How many examples of a source are looked at before training."""


def batches_of(model: ReverseProcess, x0: Any, generator: torch.Generator) -> tuple[Source, Tensor]:
    """Where batches come from, and examples to look at first.

    Args:
        model: that is trained.
        x0: data, as a tensor, an array, a DataLoader of either, or a function that draws examples.
        generator: of the training; draws of examples to look at leave it as it is.

    Raises:
        TypeError: x0 is none of these.
        ValueError: what x0 draws first is no data of the model.
    """
    like = model.kernel.beta
    x0 = doors.from_array("x0", x0, like.device, model.dtype)
    if isinstance(x0, Tensor):

        def rows(n: int, g: torch.Generator) -> Tensor:
            """Draw n examples, with replacement."""
            chosen = torch.randint(len(x0), (n,), generator=g, device=x0.device)
            return x0.index_select(0, chosen)

        return rows, x0
    if isinstance(x0, DataLoader):
        x0 = _Loaded(x0, like.device, model.dtype)
    if not callable(x0):
        raise TypeError(
            "x0 must be a tensor, an array, a DataLoader or a function that draws examples, got "
            f"{doors.name_of(x0)}"
        )
    doors.called("x0", x0, "n", "generator")

    def draw(n: int, g: torch.Generator) -> Tensor:
        """Draw n examples, which are looked at each time."""
        examples = x0(n, g)
        if not isinstance(examples, Tensor) or examples.shape != (n, *model.event_shape):
            raise ValueError(
                f"x0 must draw a tensor {(n, *model.event_shape)} when asked for {n} examples, "
                f"it drew {doors.name_of(examples)}"
            )
        return model.check_data(examples)

    beside = torch.Generator(generator.device).manual_seed(generator.initial_seed())
    return draw, draw(LOOKED_AT, beside)


class _Loaded:
    """Examples of a loader, epoch after epoch; of a batch with labels, its first part."""

    def __init__(self, loader: Iterable[Any], device: torch.device, dtype: torch.dtype) -> None:
        self.loader, self.device, self.dtype = loader, device, dtype
        self.batches, self.left = iter(loader), torch.empty(0)

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        parts, found = [self.left] if len(self.left) else [], len(self.left)
        while found < n:
            parts.append(self._next())
            found += len(parts[-1])
        examples = torch.cat(parts)
        self.left = examples[n:]
        return examples[:n]

    def _next(self) -> Tensor:
        batch = next(self.batches, None)
        if batch is None:
            self.batches = iter(self.loader)
            batch = next(self.batches, None)
        if batch is None:
            raise ValueError("x0 must load examples, it loaded none")
        examples = batch[0] if isinstance(batch, list | tuple) else batch
        examples = doors.from_array("x0", examples, self.device, self.dtype)
        if not isinstance(examples, Tensor):
            raise TypeError(f"x0 must load tensors or arrays, it loaded {doors.name_of(examples)}")
        return examples.to(self.device, self.dtype)
