r""":math:`r(x^{(0)})`: what is known of an example, by a noisy look or exactly."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Normal

from dpm_lib import doors
from dpm_lib.reverse import ReverseProcess

__all__ = ["Flipped", "Known", "Likelihood", "Noisy", "check_likelihood", "observed"]


@dataclass(frozen=True)
class Noisy:
    r"""An example seen through Gaussian noise.

    .. math:: r(x^{(0)}) = \mathcal N(y;\, x^{(0)},\, s^2 I)

    Args:
        y: what was seen, of the event's shape, or ``(n, *event)`` for one of each sample.
        s: standard deviation of the noise, positive, a number or a tensor that broadcasts to y.

    Raises:
        TypeError: y is no tensor, or s no number.
        ValueError: y is not finite, s is not positive and finite, or of another dtype or device.

    Source: :eq:`gaussian-product`.

    >>> Noisy(torch.zeros(2), 1.0).log_prob(torch.zeros(1, 2)).exp()
    tensor([0.1592])
    """

    y: Tensor
    s: float | Tensor

    family = Normal

    def __post_init__(self) -> None:
        doors.tensor("y", self.y, "of the event")
        if isinstance(self.s, Tensor):
            doors.positive("s", doors.tensor("s", self.s, "that broadcasts to y"))
            _broadcast("s", self.s, self.y)
            if (self.s.dtype, self.s.device) != (self.y.dtype, self.y.device):
                raise ValueError(
                    f"s must be of {self.y.dtype} on {self.y.device}, as y is, got {self.s.dtype} "
                    f"on {self.s.device}"
                )
        else:
            doors.number("s", self.s, above=0)

    def log_prob(self, x0: Tensor) -> Tensor:
        """Log density of what was seen, given each example, ``(B,)``, nats."""
        return _of_event(Normal(x0, self.s, validate_args=False).log_prob(self.y), x0)


@dataclass(frozen=True)
class Known:
    r"""Some coordinates of an example, known exactly, as in inpainting.

    .. math:: r(x^{(0)}) = \delta\big(x^{(0)}_{known} - y_{known}\big)

    Args:
        values: the example, of the event's shape, or ``(n, *event)`` for one of each sample; what
            stands at unknown coordinates is not looked at.
        mask: true where the values are known, bool, a shape that broadcasts to that of values.

    Raises:
        TypeError: values is no tensor, or mask no tensor of bool.
        ValueError: a known value is not finite, the shapes differ, or nothing is known.

    >>> Known(torch.tensor([1.0, 7.0]), torch.tensor([True, False])).values
    tensor([1., 0.])
    """

    values: Tensor
    mask: Tensor

    family = None

    def __post_init__(self) -> None:
        if not isinstance(self.values, Tensor):
            raise TypeError(
                f"values must be a tensor of the event, got {doors.name_of(self.values)}"
            )
        if not isinstance(self.mask, Tensor) or self.mask.dtype != torch.bool:
            raise TypeError(f"mask must be a tensor of bool, got {doors.name_of(self.mask)}")
        mask = _broadcast("mask", self.mask, self.values)
        values = self.values.where(mask, torch.zeros_like(self.values))
        doors.tensor("values", values, "of the event")
        if not mask.any():
            raise ValueError("mask must be true where a value is known, got one that is nowhere")
        object.__setattr__(self, "mask", mask)
        object.__setattr__(self, "values", values)

    def log_prob(self, x0: Tensor) -> Tensor:
        """0 where the known coordinates are right, minus infinity elsewhere, ``(B,)``."""
        right = ((x0 == self.values) | ~self.mask)[..., None].flatten(1).all(1)
        return torch.where(right, 0.0, -torch.inf).to(x0)

    def settle(self, x: Tensor) -> Tensor:
        """States with the known coordinates put in."""
        return torch.where(self.mask, self.values, x)


@dataclass(frozen=True)
class Flipped:
    r"""Bits of an example, each seen through a channel that turns it round now and then.

    .. math:: r(x^{(0)}) = \prod_i \mathcal B\big(y_i;\, (1 - c)\, x^{(0)}_i
       + c\, (1 - x^{(0)}_i)\big)

    Args:
        y: the bits that were seen, of the event's shape, or ``(n, *event)``.
        c: probability that a bit is turned round, in (0, 1).

    Raises:
        TypeError: y is no tensor, or c no number.
        ValueError: y is not 0 or 1 everywhere, or c does not lie in (0, 1).

    >>> Flipped(torch.ones(2), 0.2).log_prob(torch.tensor([[1.0, 0.0]])).exp()
    tensor([0.1600])
    """

    y: Tensor
    c: float

    family = Bernoulli

    def __post_init__(self) -> None:
        doors.tensor("y", self.y, "of the event")
        wrong = (self.y != 0) & (self.y != 1)
        if wrong.any():
            raise ValueError(f"y must be 0 or 1 everywhere, got {self.y[wrong][0].item()}")
        if doors.number("c", self.c, above=0, up_to=1) == 1:
            raise ValueError("c must be a number above 0 and below 1, got 1")

    def log_prob(self, x0: Tensor) -> Tensor:
        """Log probability of the bits that were seen, given each example, ``(B,)``, nats."""
        kept, turned = x0.new_tensor([math.log1p(-self.c), math.log(self.c)])
        return _of_event(torch.where(x0 == self.y, kept, turned), x0)


Likelihood: TypeAlias = Noisy | Known | Flipped | Callable[[Tensor], Tensor]
"""What is known: one of these, or log r as a function of examples ``(B, *event)``, ``(B,)``."""


def observed(r: Noisy | Known) -> tuple[Tensor, Tensor | float, Tensor | bool]:
    """What was seen, the variance of its noise, and where it was seen."""
    if isinstance(r, Noisy):
        return r.y, r.s**2, True
    return r.values, 0.0, r.mask


def check_likelihood(r: Likelihood, model: ReverseProcess, n: int | None) -> None:
    """Refuse a likelihood that is none of states of this model, for n samples or for one.

    Raises:
        TypeError: it is no likelihood.
        ValueError: what was seen is of another family, shape, dtype or device, or no data.
    """
    if not isinstance(r, Noisy | Known | Flipped):
        if not callable(r):
            raise TypeError(
                "likelihood must be a dpm.Noisy, dpm.Known, dpm.Flipped or a function of examples, "
                f"got {doors.name_of(r)}"
            )
        return
    kernel, event = model.kernel, model.event_shape
    if r.family not in (None, kernel.family):
        raise ValueError(
            f"likelihood must be of states of the family {kernel.family.__name__}, as "
            f"{type(kernel).__name__} has, got {type(r).__name__}"
        )
    y = r.values if isinstance(r, Known) else r.y
    shapes = [tuple(event)] + ([] if n is None else [(n, *event)])
    if tuple(y.shape) not in shapes:
        wanted = " or ".join(map(str, shapes))
        raise ValueError(f"likelihood must be of shape {wanted}, got {tuple(y.shape)}")
    if y.dtype != model.dtype:
        raise ValueError(
            f"likelihood must be of {model.dtype}, as the model's states are, got {y.dtype}"
        )
    kernel.check_data(y if y.shape != event else y[None], "likelihood")


def _of_event(each: Tensor, x0: Tensor) -> Tensor:
    return each.expand(x0.shape)[..., None].flatten(1).sum(1)


def _broadcast(name: str, given: Tensor, y: Tensor) -> Tensor:
    try:
        return given.expand(y.shape)
    except RuntimeError:
        raise ValueError(
            f"{name} must have a shape that broadcasts to {tuple(y.shape)}, "
            f"got {tuple(given.shape)}"
        ) from None
