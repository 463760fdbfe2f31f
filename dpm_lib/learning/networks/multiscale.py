r""":math:`z_i = \sum_j y_{ij}(x^{(t)})\, g_j(t)`: the paper's network for pictures."""

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, softplus

from dpm_lib import doors
from dpm_lib.kernels import Kernel
from dpm_lib.learning.networks.base import (
    ReverseNetwork,
    convolution,
    initial,
    picture,
    temporal_bumps,
)
from dpm_lib.protocol import once

__all__ = ["MultiScaleNetwork"]

DENSE = 2
"""Features of each pixel that the dense pathway gives."""


class MultiScaleNetwork(ReverseNetwork):
    r"""Multi-scale convolutions beside dense layers, read out by bumps over time.

    .. math::

       h_l = \log \tfrac12 \Big(1 + \exp \sum_s \mathrm{up}_{2^s} A_{ls}\,
       \mathrm{mean}_{2^s} h_{l-1}\Big)

       z_i = \sum_j y_{ij}\, g_j(t), \qquad y = W \tanh(V [h_L, u])

    with features u of each pixel from dense layers that see the whole picture.  The state alone
    goes in; time enters where the coefficients y of all pixels are read out.  The last layer starts
    at 0, so that the untrained network is the identity model.

    Args:
        kernel: kernel that is reversed; its head makes a law of the outputs z.
        event_shape: shape of one picture, ``(channels, height, width)``, both sides multiples of
            :math:`2^{\text{scales} - 1}`.
        width: channels of each convolution.
        layers: multi-scale convolutions.
        scales: resolutions of each, a half apart.
        hidden: units of each of two dense layers.
        bumps: number J of bumps over time, at least 2.
        generator: source of the initial weights, on the kernel's device.

    Raises:
        TypeError: no kernel, shape, number or generator where one is expected.
        ValueError: a number is not positive, a side is no such multiple, or the generator is on
            another device.

    Source: :eq:`temporal-readout`, :eq:`temporal-bumps`, paper appendix D.2.1 and eqs. 62 and 63;
    sizes are given in its code alone.
    """

    g: Tensor

    def __init__(
        self,
        kernel: Kernel,
        event_shape: tuple[int, ...],
        width: int = 20,
        layers: int = 4,
        scales: int = 3,
        hidden: int = 500,
        bumps: int = 10,
        *,
        generator: torch.Generator,
    ) -> None:
        sizes = {"width": width, "layers": layers, "scales": scales, "hidden": hidden}
        super().__init__(
            kernel, event_shape, generator, **sizes, bumps=doors.integer("bumps", bumps, 2)
        )
        channels, high, wide = picture(self.event_shape, 2 ** (scales - 1))
        like, d = self.empty(), self.event_shape.numel()
        self.layers = nn.ModuleList(
            _MultiScale(n, width, scales, like, generator)
            for n in [channels, *[width] * (layers - 1)]
        )
        dense = [d, hidden, hidden, DENSE * high * wide]
        self.dense = nn.ParameterList(initial(a, b, like, generator) for a, b in pairwise(dense))
        self.biases = nn.ParameterList(like.new_zeros(b) for b in dense[1:])
        self.pixel = convolution(width + DENSE, width, 1, like, generator)
        self.last = convolution(width, bumps * kernel.outputs * channels, 1, like, generator)
        nn.init.zeros_(self.last.weight)
        steps = torch.arange(kernel.T + 1, dtype=like.dtype, device=like.device)
        self.register_buffer("g", temporal_bumps(steps, kernel.T, bumps), persistent=False)

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """Outputs z for the kernel's head, ``(B, k * channels, …)``; t = 2 … T, ``(B,)``."""
        h = xt.to(self.g.dtype)
        u = h.flatten(1)
        for layer in self.layers:
            h = layer(h)
        for weight, bias in zip(self.dense, self.biases, strict=True):
            u = torch.addmm(bias, u, weight).tanh()
        y = torch.cat([h, u.view(len(h), DENSE, *h.shape[2:])], 1)
        y = self.last(self.pixel(y).tanh())
        g = self.g[once(t)]
        return (y.unflatten(1, (g.shape[1], -1)) * g[:, :, None, None, None]).sum(1)


class _MultiScale(nn.Module):
    """Softplus, less its value at 0, of a sum of convolutions of means of the picture."""

    def __init__(
        self, inputs: int, outputs: int, scales: int, like: Tensor, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.scales = nn.ModuleList(
            convolution(inputs, outputs, 3, like, generator) for _ in range(scales)
        )

    def forward(self, h: Tensor) -> Tensor:
        """Pictures of as many channels as outputs."""
        parts = [self.scales[0](h)]
        for s, coarse in enumerate(self.scales[1:], 1):
            parts.append(interpolate(coarse(avg_pool2d(h, 2**s)), scale_factor=2**s))
        return softplus(torch.stack(parts).sum(0)) - math.log(2)
