r""":math:`x = (y - a) / s`, data in units in which their second moment is 1, and back."""

import math

from torch import Tensor, nn

from dpm_lib import doors

__all__ = ["Scaler"]


class Scaler(nn.Module):
    r"""One shift and one scale, that of the data it is made from.

    .. math:: a = \text{mean}(y), \qquad s^2 = \text{mean}\big((y - a)^2\big), \qquad
       x = (y - a) / s, \qquad \log p(y) = \log p(x) - d \log s

    A model that was made with one keeps it: it is saved with the model, and ``evaluate`` gives K in
    the units of y too.

    Args:
        y: data in their own units, ``(N, *event)``, N at least 2.

    Attributes:
        shift: a, a scalar, float64.
        scale: s, a scalar, float64.

    Raises:
        TypeError: no tensor.
        ValueError: a value that is not finite, or all values are the same.

    >>> import torch
    >>> scaler = Scaler(torch.tensor([[1.0], [5.0]]))
    >>> scaler(torch.tensor([[5.0], [7.0]]))
    tensor([[1.],
            [2.]])
    >>> scaler.inverse(torch.tensor([[2.0]]))
    tensor([[7.]])
    """

    shift: Tensor
    scale: Tensor

    def __init__(self, y: Tensor) -> None:
        super().__init__()
        y = doors.tensor("y", y, "(N, *event)").double()
        shift = y.mean()
        scale = (y - shift).square().mean().sqrt()
        if scale == 0:
            raise ValueError(f"y must not be one number throughout, got {shift.item()}")
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)

    def forward(self, y: Tensor) -> Tensor:
        """Data in the units of the model, in the dtype of y."""
        return ((y - self.shift) / self.scale).to(y.dtype)

    def inverse(self, x: Tensor) -> Tensor:
        """Data or samples of the model in their own units, in the dtype of x."""
        return (x * self.scale + self.shift).to(x.dtype)

    def log_scale(self) -> float:
        r""":math:`\log s`, by which log densities differ for each dimension, nats."""
        return math.log(self.scale.item())

    def _apply(self, move, recurse=True):  # type: ignore[no-untyped-def]
        """Follow to another device, and stay in float64."""
        wide = {"shift": self.shift, "scale": self.scale}
        super()._apply(move, recurse)
        for name, value in wide.items():
            setattr(self, name, value.to(getattr(self, name).device))
        return self
