r""":math:`h \leftarrow h + A\,\sigma(B\,\sigma(h) + V g(t))` at three resolutions: a U-Net."""

import math
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, silu

from dpm_lib import doors
from dpm_lib.kernels import BinomialKernel, Kernel
from dpm_lib.learning.networks.base import Clock, ReverseNetwork, convolution, picture
from dpm_lib.learning.networks.readout import of_data
from dpm_lib.protocol import once

__all__ = ["UNetNetwork"]

GROUPS = 8
"""Groups of channels that are normalised together."""


class UNetNetwork(ReverseNetwork):
    r"""Residual convolutions at three resolutions, and ways across at each, for pictures.

    .. math:: h \leftarrow h + A\, \mathrm{silu}\big(n(B\, \mathrm{silu}(n(h)) + V g(t) + b)\big)

    with 3x3 convolutions A, B and group norm n.  Half the resolution has twice the channels; each
    picture on the way down is kept for the way up.  The last layer starts at 0, so that the
    untrained network is the identity model.

    Under a binomial kernel the output is read as what the other bits say of each bit of the data
    (:func:`dpm_lib.learning.networks.readout.of_data`), which loses nothing.

    Args:
        kernel: kernel that is reversed; its head makes a law of the outputs z.
        event_shape: shape of one picture, ``(channels, height, width)``, both sides multiples of 4.
        width: channels at full resolution, a multiple of 8.
        octaves: how many sines and cosines of each value x go in beside it, of :math:`2^n \pi x`
            with n = 1, 2 …: at small t what is left to find lies within a grey level.
        generator: source of the initial weights, on the kernel's device.

    Raises:
        TypeError: no kernel, shape, number or generator where one is expected.
        ValueError: a number is not positive (octaves: is negative), width or a side is no such
            multiple, or the generator is on another device.

    Source: not the paper's network, which is
    :class:`dpm_lib.learning.networks.MultiScaleNetwork`; sines as in Kingma et al. 2021.
    """

    def __init__(
        self,
        kernel: Kernel,
        event_shape: tuple[int, ...],
        width: int = 32,
        octaves: int = 0,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(kernel, event_shape, generator, width=width)
        self.arguments["octaves"] = doors.integer("octaves", octaves, 0)
        channels, like = picture(self.event_shape, 4)[0], self.empty()
        if width % GROUPS:
            raise ValueError(f"width must be a multiple of {GROUPS}, got {width}")
        a, b = width, 2 * width
        self.first = convolution((1 + 2 * octaves) * channels, a, 3, like, generator)
        self.halve = nn.ModuleList(convolution(n, b, 3, like, generator, 2) for n in (a, b))
        sizes = [(a, a), (b, b), (b, b), (b, b), (b + b, b), (b + a, a)]
        self.residuals = nn.ModuleList(_Residual(*size, like, generator) for size in sizes)
        self.norm = nn.GroupNorm(GROUPS, a, dtype=like.dtype, device=like.device)
        self.last = convolution(a, kernel.outputs * channels, 3, like, generator)
        nn.init.zeros_(self.last.weight)
        self.widths = [outputs for _, outputs in sizes]
        self.clock = Clock(kernel.T, sum(self.widths), like, generator)

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """Outputs z for the kernel's head, ``(B, k * channels, …)``; t = 2 … T, ``(B,)``."""
        times = iter(self.clock(once(t))[:, :, None, None].split(self.widths, 1))
        down, half_down, low, again, half_up, up = self.residuals
        full = down(self.first(self._fine(xt.to(self.clock.bias.dtype))), next(times))
        half = half_down(self.halve[0](full), next(times))
        h = low(self.halve[1](half), next(times))
        h = again(h, next(times))
        h = half_up(torch.cat([_double(h), half], 1), next(times))
        h = up(torch.cat([_double(h), full], 1), next(times))
        z = self.last(silu(self.norm(h)))
        return of_data(self.kernel, z, t) if isinstance(self.kernel, BinomialKernel) else z

    def _fine(self, x: Tensor) -> Tensor:
        """Each value, and its sines and cosines."""
        angles = [2**n * math.pi * x for n in range(1, self.arguments["octaves"] + 1)]
        return torch.cat([x, *(wave(a) for a in angles for wave in (torch.sin, torch.cos))], 1)


class _Residual(nn.Module):
    """Two 3x3 convolutions, each of what is normalised before, added to what came in."""

    def __init__(self, inputs: int, outputs: int, like: Tensor, generator: torch.Generator) -> None:
        super().__init__()
        make = partial(nn.GroupNorm, GROUPS, dtype=like.dtype, device=like.device)
        self.norms = nn.ModuleList([make(inputs), make(outputs)])
        self.first = convolution(inputs, outputs, 3, like, generator)
        self.second = convolution(outputs, outputs, 3, like, generator)
        nn.init.zeros_(self.second.weight)
        same = inputs == outputs
        self.past = nn.Identity() if same else convolution(inputs, outputs, 1, like, generator)

    def forward(self, h: Tensor, time: Tensor) -> Tensor:
        """Features of as many channels as outputs; time ``(1 or B, outputs, 1, 1)``."""
        inner = self.first(silu(self.norms[0](h))) + time
        return self.past(h) + self.second(silu(self.norms[1](inner)))


def _double(h: Tensor) -> Tensor:
    """Each pixel four times."""
    return interpolate(h, scale_factor=2)
