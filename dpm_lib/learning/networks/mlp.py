r""":math:`h \leftarrow \mathrm{silu}(W h + V g(t) + b)`: a network for vectors that knows the time.

Unlike a readout for each step, it shares all weights over time, so its size does not grow with T.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from dpm_lib import doors
from dpm_lib.kernels import Kernel
from dpm_lib.protocol import once

__all__ = ["MLPNetwork", "initial", "temporal_bumps"]

BUMPS = 16
"""How many bumps tell a network the time."""


def temporal_bumps(t: Tensor, T: int, count: int) -> Tensor:
    r"""Smooth bumps over time that sum to 1, ``(B, count)``.

    .. math:: g_j(t) = \frac{\exp(-(t - \tau_j)^2 / 2w^2)}{\sum_k \exp(-(t - \tau_k)^2 / 2w^2)}

    with centres :math:`\tau_j` evenly over 0 … T and their spacing as width w.

    Args:
        t: times in floating point, ``(B,)``.
        T: number of steps.
        count: number of bumps, at least 2.

    Source: paper eq. 63.

    >>> temporal_bumps(torch.tensor([0.0, 10.0]), 20, 3).sum(1)
    tensor([1., 1.])
    """
    doors.tensor("t", t, "(B,)", ndim=1)
    doors.integer("T", T)
    doors.integer("count", count, 2)
    centres = torch.linspace(0, T, count, dtype=t.dtype, device=t.device)
    width = T / (count - 1)
    return torch.softmax(-(((t[:, None] - centres) / width) ** 2) / 2, -1)


class MLPNetwork(nn.Module):
    r"""A multilayer perceptron with the time as a bias of each layer, for any kernel.

    .. math:: h_0 = x^{(t)}, \qquad h_l = \mathrm{silu}(W_l h_{l-1} + V_l g(t) + b_l), \qquad
       z = W h + V g(t) + b

    The last layer starts at 0, so that the untrained network is the identity model.

    Args:
        kernel: kernel that is reversed; its head makes a law of the outputs z.
        event_shape: shape of one state; it is flattened.
        hidden: units in each layer.
        layers: number of hidden layers.
        generator: source of the initial weights, on the kernel's device.

    Raises:
        TypeError: no kernel, shape, number or generator where one is expected.
        ValueError: a number is not positive, or the generator is on another device.
    """

    bumps: Tensor

    def __init__(
        self,
        kernel: Kernel,
        event_shape: tuple[int, ...],
        hidden: int = 128,
        layers: int = 3,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        doors.generator_on(doors.instance("kernel", kernel, Kernel).beta.device, generator)
        doors.integer("hidden", hidden)
        doors.integer("layers", layers)
        self.kernel, self.event_shape = kernel, doors.event("event_shape", event_shape)
        self.arguments = {"hidden": hidden, "layers": layers}
        d = self.event_shape.numel()
        sizes = [d, *[hidden] * layers, kernel.outputs * d]
        like = torch.empty(0, dtype=kernel.dtype, device=kernel.beta.device)
        self.weights = nn.ParameterList(initial(a, b, like, generator) for a, b in pairwise(sizes))
        self.clock = initial(BUMPS, sum(sizes[1:]), like, generator)
        self.bias = nn.Parameter(like.new_zeros(sum(sizes[1:])))
        for last in (self.weights[-1], self.clock[:, -sizes[-1] :]):
            nn.init.zeros_(last)
        steps = torch.arange(kernel.T + 1, dtype=like.dtype, device=like.device)
        self.register_buffer("bumps", temporal_bumps(steps, kernel.T, BUMPS), persistent=False)

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """Outputs z for the kernel's head, ``(B, k * d)``; t = 2 … T, ``(B,)``."""
        widths = [w.shape[1] for w in self.weights]
        times = torch.addmm(self.bias, self.bumps[once(t)], self.clock).split(widths, 1)
        h = xt.flatten(1).to(self.bias.dtype)
        for time, weight in zip(times[:-1], self.weights[:-1], strict=True):
            h = nn.functional.silu(torch.addmm(time, h, weight))
        return torch.addmm(times[-1], h, self.weights[-1])


def initial(inputs: int, outputs: int, like: Tensor, generator: torch.Generator) -> nn.Parameter:
    r"""Weights :math:`U(\pm\sqrt{3/\text{inputs}})`, ``(inputs, outputs)``, as ``like``."""
    reach = (3 / inputs) ** 0.5
    return nn.Parameter(
        like.new_empty(inputs, outputs).uniform_(-reach, reach, generator=generator)
    )
