r""":math:`(x^{(t)}, t) \mapsto p(x^{(t-1)} \mid x^{(t)})`, what a network is asked and must return.

A network is any callable ``network(xt, t)`` for t = 2 … T, an int64 tensor ``(B,)``.  It returns
numbers, ``(B, k, *event)`` or with the k along the first axis of the event, which the kernel's head
makes a law of; or that law of :math:`x^{(t-1)}`, a torch distribution with batch ``(B,)``.  Where
all rows have one t, as in sampling, the tensor is expanded from one element, so that a network can
see it (:func:`once`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, MixtureSameFamily

from dpm_lib import doors
from dpm_lib.kernels import Kernel, Steps

__all__ = [
    "ClosedForm", "Network", "answered", "check_event", "check_result", "identity_network",
    "measuring", "once",
]  # fmt: skip


class Network(Protocol):
    """What a reverse process asks of a network: numbers, or the law, of one step."""

    def __call__(self, xt: Tensor, t: Tensor) -> Distribution | Tensor:
        """Outputs for the kernel's head, or the law of the state before xt; t = 2 … T, ``(B,)``."""


def once(t: Tensor) -> Tensor:
    """The steps that differ: the one of all rows, ``(1,)``, where they have one, or t itself.

    Raises:
        TypeError: t is no tensor ``(B,)``.

    >>> once(torch.tensor([3]).expand(1000))
    tensor([3])
    """
    if not isinstance(t, Tensor) or t.ndim != 1:
        raise TypeError(
            f"t must be an int64 tensor (B,), got {doors.name_of(t)}: a network has one step for "
            "each row; model.step takes an int too"
        )
    return t[:1] if t.stride(0) == 0 else t


@dataclass(frozen=True)
class ClosedForm:
    """A network without parameters: a formula for the law of one reverse step.

    Attributes:
        event_shape: shape of one state, without the batch.
        formula: law of the state before xt, given xt and t.
        kernel: whose reversal it is, if it is that of one kernel alone: no model has it under
            another.
    """

    event_shape: torch.Size
    formula: Callable[[Tensor, Steps], Distribution]
    kernel: Kernel | None = None

    def __call__(self, xt: Tensor, t: Steps) -> Distribution:
        """Law of the state before xt, for t = 2 … T, an int or ``(B,)``."""
        return self.formula(xt, t)


def identity_network(kernel: Kernel, event_shape: tuple[int, ...]) -> ClosedForm:
    r"""Reverse steps equal to forward steps; the model is then exactly :math:`\pi`.

    .. math:: p(x^{(t-1)} \mid x^{(t)}) = T_\pi(x^{(t-1)} \mid x^{(t)}; \beta_t)

    Raises:
        TypeError: no kernel, or a shape that is no tuple of integers.
        ValueError: a side of the shape is not positive.

    Source: :eq:`detailed-balance`.
    """
    doors.instance("kernel", kernel, Kernel)
    return ClosedForm(doors.event("event_shape", event_shape), kernel.step, kernel)


def check_event(name: str, x: Tensor, event_shape: torch.Size) -> Tensor:
    """Return states if they are of the event.

    Raises:
        ValueError: they are not.
    """
    if x.shape[1:] != event_shape:
        raise ValueError(
            f"{name} must have shape (B, *event) with event {tuple(event_shape)}, "
            f"got {tuple(x.shape)}"
        )
    return x


def check_result(name: str, values: Tensor) -> Tensor:
    """Return what a model has led to if it is finite.

    Raises:
        ValueError: a value is NaN or infinite.
    """
    if not values.isfinite().all():
        bad = values[~values.isfinite()][0].item()
        raise ValueError(
            f"network must return laws that lead to finite {name}, they led to {bad}: "
            "look at its parameters and outputs"
        )
    return values


@contextmanager
def measuring(model: nn.Module) -> Iterator[None]:
    """Evaluation mode for as long as a model is measured; then each part has its own mode again."""
    training = [part for part in model.modules() if part.training]
    if training:
        model.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


def answered(kernel: Kernel, xt: Tensor, answer: Any) -> Distribution | tuple[Tensor, ...]:
    """What a network returned: a law, or its outputs, each of the shape and dtype of xt.

    Raises:
        TypeError: it is neither.
        ValueError: it does not fit the states or the kernel.
    """
    if not isinstance(answer, Tensor):
        return _check_law(kernel, xt, answer)
    same = (answer.shape, answer.dtype, answer.device) == (xt.shape, xt.dtype, xt.device)
    if same and 1 in kernel.numbers:
        return (answer,)
    B, event = len(xt), tuple(xt.shape[1:])
    count = answer.numel() // max(1, xt.numel())
    stacked = {(B, count, *event), (B, *(count * side for side in event[:1]), *event[1:])}
    if count not in kernel.numbers or tuple(answer.shape) not in stacked:
        raise ValueError(
            f"network must return {kernel.how_many} numbers for each of the states, "
            f"{tuple(xt.shape)}, got {doors.name_of(answer)}"
        )
    if answer.device != xt.device or not answer.is_floating_point():
        raise ValueError(
            f"network must return real numbers in floating point on {xt.device}, got "
            f"{doors.name_of(answer)} on {answer.device}"
        )
    answer = answer.to(xt.dtype)
    if answer.shape == xt.shape:
        return (answer,)
    return answer.reshape(len(xt), count, *xt.shape[1:]).unbind(1)


def _check_law(kernel: Kernel, xt: Tensor, law: Any) -> Distribution:
    """What a network returned, if it is a law of the state before xt that the kernel knows."""
    if not isinstance(law, Distribution):
        raise TypeError(
            f"network must return a tensor or a torch distribution, got {doors.name_of(law)}"
        )
    wanted = (tuple(xt.shape[:1]), tuple(xt.shape[1:]))
    if (tuple(law.batch_shape), tuple(law.event_shape)) != wanted:
        raise ValueError(
            f"network must return a law with batch {wanted[0]} and event {wanted[1]}, "
            f"got {tuple(law.batch_shape)} and {tuple(law.event_shape)}"
        )
    base: Distribution = law
    while isinstance(base, Independent | MixtureSameFamily):
        base = base.base_dist if isinstance(base, Independent) else base.component_distribution
    if not isinstance(base, kernel.family):
        raise ValueError(
            f"network must return laws of the family {kernel.family.__name__} or mixtures of them, "
            f"as {type(kernel).__name__} has, got {type(base).__name__}"
        )
    for name, constraint in base.arg_constraints.items():
        value = base.__dict__.get(name)
        if value is None:
            continue
        if value.dtype not in doors.STATE_DTYPES or value.device != xt.device:
            raise ValueError(
                f"network must return a law in float32 or float64 on {xt.device}, got {name} in "
                f"{value.dtype} on {value.device}: widen its outputs, or give them to kernel.head"
            )
        right = constraint.check(value)
        if not right.all():
            raise ValueError(
                f"network must return a law whose {name} satisfies {constraint}, got "
                f"{value[~right][0].item() if right.shape == value.shape else 'others'}"
            )
    return law
