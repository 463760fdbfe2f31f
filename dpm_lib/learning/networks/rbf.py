r""":math:`\phi_h(x) = e^{-\frac12 \Vert (x - c_h)/s_h \Vert^2} / \sum_k (\cdot)`: radial units.

One hidden layer of normalised radial basis functions, shared by all steps and outputs, and a
readout of its own for each step and output.
"""

import math

import torch
from torch import Tensor, nn

from dpm_lib.kernels import Kernel, draw
from dpm_lib.learning.networks.base import ReverseNetwork
from dpm_lib.learning.networks.readout import grouped, read_out

__all__ = ["RBFNetwork"]

WIDTH = 0.5
"""Width of the radial units before training, in the unit of the data."""


class RBFNetwork(ReverseNetwork):
    r"""The network of the paper's swiss roll: T readouts of shared radial units.

    .. math:: z = W_t\, \phi(x^{(t)}) + b_t

    Centres and widths are learned; centres start as draws of the prior, readouts at 0, so that the
    untrained network is the identity model.

    Args:
        kernel: kernel that is reversed; its head makes a law of the outputs.
        event_shape: shape of one state; it is flattened.
        units: number of radial units.
        generator: source of the centres, on the kernel's device.

    Raises:
        TypeError: no kernel, shape, number or generator where one is expected.
        ValueError: a number is not positive, or the generator is on another device.

    Source: paper section 3.1.1 and appendix D.1.1.
    """

    def __init__(
        self,
        kernel: Kernel,
        event_shape: tuple[int, ...] = (2,),
        units: int = 16,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__(kernel, event_shape, generator, units=units)
        outputs = kernel.outputs * self.event_shape.numel()
        centres = draw(kernel.prior((units, *self.event_shape)), generator)
        new = centres.new_zeros
        self.centres = nn.Parameter(centres[..., None].flatten(1))
        self.log_widths = nn.Parameter(new(units) + math.log(WIDTH))
        self.weight = nn.Parameter(new(kernel.T, units, outputs))
        self.bias = nn.Parameter(new(kernel.T, outputs))

    def forward(self, xt: Tensor, t: Tensor) -> Tensor:
        """Outputs z for the kernel's head, ``(B, k * d)``; t = 2 … T, ``(B,)``."""
        x = xt[..., None].flatten(1).to(self.centres.dtype)
        distance = (x[:, None] - self.centres).square().sum(-1)
        unit = torch.softmax(distance * (-2 * self.log_widths).exp() / -2, -1)
        row = grouped(t) - 1
        return read_out(unit, self.weight[row], self.bias[row])
