r""":math:`x^{(0)} \sim q`, what recipes draw to train on, and what they hold out to measure."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from dpm_lib import doors
from dpm_lib.bounds import second_moment
from dpm_lib.learning import data
from dpm_lib.learning.batches import Source
from dpm_lib.learning.data.scaling import Scaler

__all__ = [
    "DATA", "Data", "described", "digits", "heartbeat", "many_heartbeats", "mnist", "mnist_bits",
    "swiss_roll", "textbook_digits",
]  # fmt: skip


@dataclass(frozen=True)
class Data:
    """What a recipe trains on and is measured on.

    Attributes:
        source: where batches come from.
        held_out: examples that no training sees.
        seen: examples that training has seen, if it does not draw fresh ones for ever.
        picture: shape in which one example is drawn as a picture.
        scaler: what the data went through, if they have units of their own.
        steps: at how many steps each example is measured; None for all.
    """

    source: Source
    held_out: Tensor
    seen: Tensor | None = None
    picture: tuple[int, ...] | None = None
    scaler: Scaler | None = None
    steps: int | None = None


def swiss_roll(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """Fresh points of the roll of thickness 0.05 for every batch, 20 000 more held out."""
    law = data.swiss_roll(0.05, dtype=dtype, device=device)
    return Data(law.sample, law.sample(20_000, generator))


def heartbeat(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """Sequences of 20 bits with a 1 in every fifth place; 1000 more held out."""
    law = data.heartbeat(20, dtype=dtype, device=device)
    return Data(law.sample, law.sample(1000, generator), picture=(4, 5))


def many_heartbeats(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """Heartbeats with 20 000 held out: in a chain of few steps the bound of one is noisy."""
    law = data.heartbeat(20, dtype=dtype, device=device)
    return Data(law.sample, law.sample(20_000, generator), picture=(4, 5))


def digits(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """The 8x8 digits with fresh dequantisation for every batch, 297 of them held out."""
    cpu = torch.Generator().manual_seed(generator.initial_seed())
    images = data.digits(dtype=dtype, device=device, generator=cpu)
    return Data(images.draw, images.test, images.train, images.shape, images.scaler)


def textbook_digits(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """The 8x8 digits as a textbook splits them: 1000 rows, and 447 held out."""
    cpu = torch.Generator().manual_seed(generator.initial_seed())
    images = data.textbook_digits(dtype=dtype, device=device, generator=cpu)
    return Data(images.draw, images.test, images.train, images.shape, images.scaler)


def mnist(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """MNIST with fresh dequantisation for every batch, its 10 000 test pictures held out."""
    cpu = torch.Generator().manual_seed(generator.initial_seed())
    images = data.mnist(dtype=dtype, device=device, generator=cpu)
    seen = images.train[:2000]
    return Data(images.draw, images.test, seen, images.shape, images.scaler, steps=10)


def mnist_bits(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """MNIST as bits, drawn anew for every batch with a chance in proportion to the grey level."""
    grey, test = (levels.to(device) for levels in data.mnist_levels())

    def tossed(levels: Tensor, g: torch.Generator) -> Tensor:
        """Bits of these chances."""
        return torch.bernoulli(levels.to(dtype) / 255, generator=g)

    def draw(n: int, g: torch.Generator) -> Tensor:
        """Draw n training pictures."""
        return tossed(grey[torch.randint(len(grey), (n,), generator=g, device=device)], g)

    held_out = tossed(test, generator)
    seen = tossed(grey[:2000], generator)
    return Data(draw, held_out, seen, (28, 28), steps=10)


DATA = {
    "swiss-roll": swiss_roll, "heartbeat": heartbeat, "digits": digits, "mnist": mnist,
    "mnist-bits": mnist_bits, "digits-textbook": textbook_digits,
}  # fmt: skip
"""Name to data."""


def described(name: str, seed: int) -> dict[str, Any]:
    """What is in a data set, in words and numbers.

    Raises:
        ValueError: the name is unknown.
    """
    load = doors.one_of("name", name, DATA)
    generator = torch.Generator().manual_seed(doors.integer("seed", seed, 0))
    parts = load(torch.device("cpu"), torch.float32, generator)
    summary, *_ = (load.__doc__ or "").splitlines()
    return {
        "data": summary,
        "one example": tuple(parts.held_out.shape[1:]),
        "to train on": "drawn for ever" if parts.seen is None else len(parts.seen),
        "held out": len(parts.held_out),
        "second moment, held out": round(second_moment(parts.held_out).item(), 4),
    }
