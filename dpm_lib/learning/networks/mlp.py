r""":math:`h \leftarrow \mathrm{silu}(W h + V g(t) + b)`: a network for vectors that knows the time.

Unlike a readout for each step, it shares all weights over time, so its size does not grow with T.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from dpm_lib.kernels import Kernel
from dpm_lib.learning.networks.base import Clock, ReverseNetwork, initial
from dpm_lib.protocol import once

__all__ = ["MLPNetwork"]


class MLPNetwork(ReverseNetwork):
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

    def __init__(
        self,
        kernel: Kernel,
        event_shape: tuple[int, ...],
        hidden: int = 128,
        layers: int = 3,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(kernel, event_shape, generator, hidden=hidden, layers=layers)
        d, like = self.event_shape.numel(), self.empty()
        sizes = [d, *[hidden] * layers, kernel.outputs * d]
        self.weights = nn.ParameterList(initial(a, b, like, generator) for a, b in pairwise(sizes))
        self.clock = Clock(kernel.T, sum(sizes[1:]), like, generator)
        for last in (self.weights[-1], self.clock.weight[:, -sizes[-1] :]):
            nn.init.zeros_(last)

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """Outputs z for the kernel's head, ``(B, k * d)``; t = 2 … T, ``(B,)``."""
        widths = [w.shape[1] for w in self.weights]
        times = self.clock(once(t)).split(widths, 1)
        h = xt[..., None].flatten(1).to(self.clock.bias.dtype)
        for time, weight in zip(times[:-1], self.weights[:-1], strict=True):
            h = nn.functional.silu(torch.addmm(time, h, weight))
        return torch.addmm(times[-1], h, self.weights[-1])
