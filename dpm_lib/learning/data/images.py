r""":math:`x = (g + u - a) / b` with level g, :math:`u \sim U[-\frac12, \frac12]`: pictures."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from dpm_lib import doors
from dpm_lib.learning.data.fetched import cifar10_levels, mnist_levels
from dpm_lib.learning.data.scaling import Scaler

__all__ = ["Images", "cifar10", "digits", "mnist", "textbook_digits"]

TRAIN = 1500


@dataclass(frozen=True)
class Images:
    """Scaled pictures, dequantised by uniform noise one level wide.

    Attributes:
        train: training part, ``(N, *event)``, second moment 1.
        test: held-out part, ``(n, *event)``.
        levels: levels of the training part, ``(N, *event)``, uint8.
        shape: (height, width) or (channels, height, width), to draw an example.
        scaler: from dequantised levels to these units, and back.
    """

    train: Tensor
    test: Tensor
    levels: Tensor
    shape: tuple[int, ...]
    scaler: Scaler

    @property
    def shift(self) -> float:
        """What is subtracted from the dequantised levels."""
        return self.scaler.shift.item()

    @property
    def scale(self) -> float:
        """By what they are then divided; also the inverse width of a level."""
        return self.scaler.scale.item()

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw training pictures with fresh noise, ``(n, *event)``: a source for ``fit``.

        A model that sees the noise of ``train`` again and again learns it by heart.
        """
        device, dtype = self.train.device, self.train.dtype
        doors.integer("n", n)
        doors.generator_on(device, generator)
        chosen = torch.randint(len(self.levels), (n,), generator=generator, device=device)
        level = self.levels[chosen].to(dtype)
        noise = torch.rand(level.shape, generator=generator, dtype=dtype, device=device)
        dequantised: Tensor = self.scaler(level + noise - 0.5)
        return dequantised


def digits(
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    generator: torch.Generator,
) -> Images:
    r"""The 8x8 digits that scikit-learn carries, 17 grey levels, flat: 1500 and 297 held out.

    One shift and one scale, both from the training part, give it mean 0 and second moment 1 per
    dimension.  The split is fixed; the noise comes from the generator (on the CPU).

    Raises:
        ImportError: scikit-learn is missing.
    """
    doors.generator_on(torch.device("cpu"), generator)
    device, dtype = doors.device_like(device), doors.state_dtype(dtype)
    grey = _digit_levels()
    grey = grey[torch.randperm(len(grey), generator=torch.Generator().manual_seed(0))]
    return _scaled(grey, TRAIN, (8, 8), dtype, device, generator)


def textbook_digits(
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    generator: torch.Generator,
) -> Images:
    r"""The digits of :func:`digits` as a textbook splits them: first 1000 rows, last 447 held out.

    The 350 rows between are for validation there, and are not used.

    Raises:
        ImportError: scikit-learn is missing.

    Source: Tomczak, *Deep Generative Modeling* (2022), whose examples have this split.
    """
    doors.generator_on(torch.device("cpu"), generator)
    device, dtype = doors.device_like(device), doors.state_dtype(dtype)
    grey = _digit_levels()
    return _scaled(torch.cat([grey[:1000], grey[1350:]]), 1000, (8, 8), dtype, device, generator)


def _digit_levels() -> Tensor:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits needs scikit-learn: pip install scikit-learn") from error
    return torch.from_numpy(load_digits().data)


def mnist(
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
    generator: torch.Generator,
) -> Images:
    """MNIST, 256 grey levels, events ``(1, 28, 28)``: 60 000 pictures and 10 000 held out.

    Shift, scale and noise are as in :func:`digits`.

    Raises:
        ImportError, OSError, ValueError: as in
            :func:`dpm_lib.learning.data.fetched.mnist_levels`.

    Source: paper section 3.2.
    """
    return _fetched(mnist_levels, (28, 28), dtype, device, generator)


def cifar10(
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
    generator: torch.Generator,
) -> Images:
    """CIFAR-10, 256 levels of 3 colours, events ``(3, 32, 32)``: 50 000 and 10 000 held out.

    Shift, scale and noise are as in :func:`digits`.

    Raises:
        ImportError, OSError, ValueError: as in
            :func:`dpm_lib.learning.data.fetched.cifar10_levels`.

    Source: paper section 3.2.
    """
    return _fetched(cifar10_levels, (3, 32, 32), dtype, device, generator)


def _fetched(
    levels: Callable[[], tuple[Tensor, Tensor]],
    shape: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device | str | None,
    generator: torch.Generator,
) -> Images:
    """Pictures with a training and a test part of their own, fetched after the arguments stand."""
    doors.generator_on(torch.device("cpu"), generator)
    device, dtype = doors.device_like(device), doors.state_dtype(dtype)
    train, test = levels()
    return _scaled(torch.cat([train, test]).float(), len(train), shape, dtype, device, generator)


def _scaled(
    level: Tensor,
    train: int,
    shape: tuple[int, ...],
    dtype: torch.dtype,
    device: torch.device,
    generator: torch.Generator,
) -> Images:
    """Levels with noise, in units in which those of the training part have second moment 1."""
    y = level + torch.rand(level.shape, generator=generator, dtype=level.dtype) - 0.5
    scaler = Scaler(y[:train])
    x, levels = scaler(y).to(device, dtype), level[:train].to(device, torch.uint8)
    return Images(x[:train], x[train:], levels, shape, scaler.to(device))
