"""What the networks of the library have in common: what they are made for, and their parts."""

import torch
from torch import Tensor, nn

from dpm_lib import doors
from dpm_lib.kernels import Kernel

__all__ = ["Clock", "ReverseNetwork", "convolution", "initial", "picture", "temporal_bumps"]

BUMPS = 16
"""How many bumps tell a network the time."""


class ReverseNetwork(nn.Module):
    """A network that knows what it was made for, and the numbers that it was made of.

    Args:
        kernel: kernel that is reversed; its head makes a law of the outputs.
        event_shape: shape of one state.
        generator: source of the initial weights, on the kernel's device.
        sizes: what its class takes beside these, numbers that are positive.

    Attributes:
        arguments: the sizes by name.

    Raises:
        TypeError: no kernel, shape, number or generator where one is expected.
        ValueError: a number is not positive, or the generator is on another device.
    """

    def __init__(
        self,
        kernel: Kernel,
        event_shape: tuple[int, ...],
        generator: torch.Generator,
        **sizes: int,
    ) -> None:
        super().__init__()
        doors.generator_on(doors.instance("kernel", kernel, Kernel).beta.device, generator)
        self.arguments = {name: doors.integer(name, size) for name, size in sizes.items()}
        self.kernel, self.event_shape = kernel, doors.event("event_shape", event_shape)

    def empty(self) -> Tensor:
        """No numbers, of the dtype and on the device of the kernel."""
        return self.kernel.beta.new_empty(0, dtype=self.kernel.dtype)


class Clock(nn.Module):
    r"""The time as a bias of each of many units, :math:`V g(t) + b`, from smooth bumps g.

    Args:
        T: number of steps.
        outputs: number of units.
        like: dtype and device.
        generator: source of the weights.
    """

    bumps: Tensor

    def __init__(self, T: int, outputs: int, like: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = initial(BUMPS, outputs, like, generator)
        self.bias = nn.Parameter(like.new_zeros(outputs))
        steps = torch.arange(T + 1, dtype=like.dtype, device=like.device)
        self.register_buffer("bumps", temporal_bumps(steps, T, BUMPS), persistent=False)

    def forward(self, t: Tensor) -> Tensor:
        """Biases of each step, ``(len(t), outputs)``."""
        return torch.addmm(self.bias, self.bumps[t], self.weight)


def temporal_bumps(t: Tensor, T: int, count: int) -> Tensor:
    r"""Smooth bumps over time that sum to 1, ``(B, count)``.

    .. math:: g_j(t) = \frac{\exp(-(t - \tau_j)^2 / 2w^2)}{\sum_k \exp(-(t - \tau_k)^2 / 2w^2)}

    with centres :math:`\tau_j` evenly over 0 … T and their spacing as width w.  (In the authors'
    program the width is half of that.)

    Args:
        t: times in floating point, ``(B,)``.
        T: number of steps.
        count: number of bumps, at least 2.

    Source: :eq:`temporal-bumps`, paper eq. 63.

    >>> temporal_bumps(torch.tensor([0.0, 10.0]), 20, 3).sum(1)
    tensor([1., 1.])
    """
    doors.tensor("t", t, "(B,)", ndim=1)
    doors.integer("T", T)
    doors.integer("count", count, 2)
    centres = torch.linspace(0, T, count, dtype=t.dtype, device=t.device)
    width = T / (count - 1)
    return torch.softmax(-(((t[:, None] - centres) / width) ** 2) / 2, -1)


def initial(inputs: int, outputs: int, like: Tensor, generator: torch.Generator) -> nn.Parameter:
    r"""Weights :math:`U(\pm\sqrt{3/\text{inputs}})`, ``(inputs, outputs)``, as ``like``."""
    reach = (3 / inputs) ** 0.5
    return nn.Parameter(
        like.new_empty(inputs, outputs).uniform_(-reach, reach, generator=generator)
    )


def convolution(
    inputs: int,
    outputs: int,
    side: int,
    like: Tensor,
    generator: torch.Generator,
    stride: int = 1,
) -> nn.Conv2d:
    r"""Filters of ``side x side``, weights :math:`U(\pm\sqrt{3/\text{inputs}})`, biases 0."""
    layer: nn.Conv2d = nn.utils.skip_init(
        nn.Conv2d, inputs, outputs, side, stride=stride, padding=side // 2,
        dtype=like.dtype, device=like.device,
    )  # fmt: skip
    weight = initial(inputs * side**2, outputs, like, generator)
    layer.weight = nn.Parameter(weight.detach().T.reshape(layer.weight.shape))
    layer.bias = nn.Parameter(like.new_zeros(outputs))
    return layer


def picture(event_shape: torch.Size, multiple: int) -> tuple[int, int, int]:
    """Channels, height and width of an event that is a picture.

    Raises:
        ValueError: it is none, or a side is no multiple of what the network halves it to.
    """
    if len(event_shape) != 3 or any(side % multiple for side in event_shape[1:]):
        raise ValueError(
            "event_shape must be (channels, height, width) with sides that are multiples of "
            f"{multiple}, got {tuple(event_shape)}"
        )
    channels, height, width = event_shape
    return channels, height, width
