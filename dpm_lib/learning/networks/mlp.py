r""":math:`h \leftarrow \mathrm{silu}(W h + V g(t))`: a network for vectors that knows the time.

Unlike a readout for each step, it shares all weights over time, so its size does not grow with T.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.distributions import Independent

from dpm_lib import doors
from dpm_lib.kernels import Kernel, Steps
from dpm_lib.reverse import check_event

__all__ = ["MLPNetwork", "temporal_bumps"]

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

    .. math:: h_0 = x^{(t)}, \qquad h_l = \mathrm{silu}(W_l h_{l-1} + V_l g(t)), \qquad
       z = W h + V g(t)

    The last layer starts at 0, so that the untrained network is the identity model.

    Args:
        kernel: kernel that is reversed; its head makes a law of the outputs.
        event_shape: shape of one state; it is flattened.
        hidden: units in each layer.
        layers: number of hidden layers.
        generator: source of the initial weights, on the kernel's device.

    Raises:
        TypeError: no kernel, shape, number or generator where one is expected.
        ValueError: a number is not positive, or the generator is on another device.
    """

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
        d = self.event_shape.numel()
        sizes = [d, *[hidden] * layers, kernel.outputs * d]
        like = torch.empty(0, dtype=kernel.dtype, device=kernel.beta.device)
        self.state = nn.ModuleList(_linear(a, b, like, generator) for a, b in pairwise(sizes))
        self.time = nn.ModuleList(_linear(BUMPS, b, like, generator) for b in sizes[1:])
        for name in (f"state.{layers}.weight", f"time.{layers}.weight"):
            nn.init.zeros_(self.get_parameter(name))

    def forward(self, xt: Tensor, t: Steps) -> Independent:
        """Law of the state before xt, ``(B, *event)``, for t = 2 … T, an int or ``(B,)``."""
        self.kernel.check(t, first=2, xt=xt)
        check_event("xt", xt, self.event_shape)
        time = torch.full((1,), t, device=xt.device) if isinstance(t, int) else t
        dtype = next(self.parameters()).dtype
        bumps = temporal_bumps(time.to(xt.dtype), self.kernel.T, BUMPS).to(dtype)
        h = xt.flatten(1).to(dtype)
        for i, (state, clock) in enumerate(zip(self.state, self.time, strict=True)):
            h = state(h) + clock(bumps)
            if i < len(self.state) - 1:
                h = nn.functional.silu(h)
        outputs = h.view(len(xt), self.kernel.outputs, *self.event_shape)
        return self.kernel.head(xt, t, *outputs.unbind(1))


def _linear(inputs: int, outputs: int, like: Tensor, generator: torch.Generator) -> nn.Linear:
    r"""Linear layer with weights :math:`U(\pm\sqrt{3/\text{inputs}})` from the generator, bias 0.

    The layer has the dtype and device of ``like``.
    """
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, device=like.device, dtype=like.dtype)
    reach = (3 / inputs) ** 0.5
    with torch.no_grad():
        layer.weight.uniform_(-reach, reach, generator=generator)
        layer.bias.zero_()
    return layer
