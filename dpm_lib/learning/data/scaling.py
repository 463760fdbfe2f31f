r""":math:`x = (y - a) / s`, data in units in which their second moment is 1, and back."""

from torch import Tensor, nn

from dpm_lib import doors

__all__ = ["Scaler"]


class Scaler(nn.Module):
    r"""One shift and one scale, those of the data it is made from; or one of each coordinate.

    .. math::

       a = \text{mean}(y), \qquad s^2 = \text{mean}\big((y - a)^2\big)

       x = (y - a) / s

       \log p(y) = \log p(x) - \sum_i \log s_i

    A model that was made with one keeps it: it is saved with the model, and ``evaluate`` gives K in
    the units of y too.

    Args:
        y: data in their own units, ``(N, *event)``, N at least 2.
        per_coordinate: whether each coordinate has a shift and a scale of its own, as the columns
            of a table need, which have units of their own; pictures do not.

    Attributes:
        shift: a, a scalar or ``event``, float64.
        scale: s, a scalar or ``event``, float64.

    Raises:
        TypeError: no tensor, or neither True nor False.
        ValueError: a value that is not finite, or all values (of a coordinate) are the same.

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

    def __init__(self, y: Tensor, per_coordinate: bool = False) -> None:
        super().__init__()
        y = doors.tensor("y", y, "(N, *event)").detach().double()
        if not isinstance(per_coordinate, bool):
            raise TypeError(
                f"per_coordinate must be True or False, got {doors.name_of(per_coordinate)}"
            )
        axes = (0,) if per_coordinate else tuple(range(y.ndim))
        shift = y.mean(axes)
        scale = (y - shift).square().mean(axes).sqrt()
        if (flat := (y.amax(axes) == y.amin(axes)) | (scale == 0)).any():
            where = f" in coordinate {flat.nonzero()[0].tolist()}" if per_coordinate else ""
            raise ValueError(
                f"y must not be one number throughout{where}, got {shift[flat][0].item()}"
            )
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)

    def forward(self, y: Tensor) -> Tensor:
        """Data in the units of the model, in the dtype of y.

        Raises:
            TypeError: no tensor.
            ValueError: no floating point, or other coordinates than those of the scales.
        """
        self._check("y", y)
        return ((y - self.shift) / self.scale).to(y.dtype)

    def inverse(self, x: Tensor) -> Tensor:
        """Data or samples of the model in their own units, in the dtype of x.

        Raises:
            TypeError, ValueError: as in :meth:`forward`.
        """
        self._check("x", x)
        return (x * self.scale + self.shift).to(x.dtype)

    def _check(self, name: str, value: Tensor) -> None:
        """Refuse what would be rounded to whole numbers, or spread over other coordinates."""
        event = self.scale.shape
        if not isinstance(value, Tensor):
            raise TypeError(f"{name} must be a tensor (B, *event), got {doors.name_of(value)}")
        if not value.is_floating_point():
            raise ValueError(f"{name} must be of float32 or float64, got {doors.name_of(value)}")
        if value.shape[value.ndim - len(event) :] != event:
            raise ValueError(
                f"{name} must have shape (B, *event) with event {tuple(event)}, got "
                f"{tuple(value.shape)}"
            )

    def log_scale(self) -> float:
        r""":math:`\log s`, by which log densities differ for each dimension on average, nats."""
        return self.scale.log().mean().item()

    def _apply(self, move, recurse=True):  # type: ignore[no-untyped-def]
        """Follow to another device, and stay in float64."""
        wide = {"shift": self.shift, "scale": self.scale}
        super()._apply(move, recurse)
        for name, value in wide.items():
            setattr(self, name, value.to(getattr(self, name).device))
        return self
