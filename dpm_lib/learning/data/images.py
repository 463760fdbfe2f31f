r""":math:`x = (g + u - a) / b` with grey level g, :math:`u \sim U[-\frac12, \frac12]`: 8x8 digits.

The 1797 digits that scikit-learn carries, so nothing is fetched.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dpm_lib import doors

__all__ = ["Digits", "digits"]

TRAIN = 1500


@dataclass(frozen=True)
class Digits:
    """Scaled digits.

    Attributes:
        train: training part, ``(1500, 64)``, second moment 1.
        test: held-out part, ``(297, 64)``.
        shift: subtracted from the dequantised grey levels.
        scale: they are then divided by this; also the inverse width of a grey level.
        levels: grey levels of the training part, 0 … 16, ``(1500, 64)``.
        shape: (8, 8), to draw an example.
    """

    train: Tensor
    test: Tensor
    shift: float
    scale: float
    levels: Tensor
    shape: tuple[int, int] = (8, 8)

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw training digits with fresh dequantisation noise, ``(n, 64)``: a source for ``fit``.

        A model that sees the noise of ``train`` again and again learns it by heart.
        """
        device, dtype = self.train.device, self.train.dtype
        doors.integer("n", n)
        doors.generator_on(device, generator)
        chosen = torch.randint(len(self.levels), (n,), generator=generator, device=device)
        grey = self.levels[chosen]
        noise = torch.rand(grey.shape, generator=generator, dtype=dtype, device=device)
        return (grey + noise - 0.5 - self.shift) / self.scale


def digits(
    *,
    dtype: torch.dtype = torch.float64,
    device: torch.device | str | None = None,
    generator: torch.Generator,
) -> Digits:
    r"""8x8 digits with 17 grey levels, dequantised by uniform noise one level wide.

    One shift and one scale, both from the training part, give it mean 0 and second moment 1 per
    dimension.  The split is fixed; the noise comes from the generator (on the CPU).

    Raises:
        ImportError: scikit-learn is missing.
    """
    doors.generator_on(torch.device("cpu"), generator)
    device, dtype = doors.device_like(device), doors.state_dtype(dtype)
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits needs scikit-learn: pip install scikit-learn") from error
    grey = torch.from_numpy(load_digits().data)
    grey = grey[torch.randperm(len(grey), generator=torch.Generator().manual_seed(0))]
    x = grey + torch.rand(grey.shape, generator=generator, dtype=grey.dtype) - 0.5
    shift = x[:TRAIN].mean()
    scale = (x[:TRAIN] - shift).square().mean().sqrt()
    x, levels = ((x - shift) / scale).to(device, dtype), grey[:TRAIN].to(device, dtype)
    return Digits(x[:TRAIN], x[TRAIN:], shift.item(), scale.item(), levels)
