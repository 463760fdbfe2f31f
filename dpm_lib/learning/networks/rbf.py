r""":math:`\phi_h(x) = e^{-\frac12 \Vert (x - c_h)/s_h \Vert^2} / \sum_k (\cdot)`: radial units.

One hidden layer of normalised radial basis functions, shared by all steps and outputs, and a
readout of its own for each step and output.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Independent

from dpm_lib import doors
from dpm_lib.kernels import Kernel, Steps, draw
from dpm_lib.reverse import check_event

__all__ = ["RBFNetwork"]

WIDTH = 0.5
"""Width of the radial units before training, in the unit of the data."""


class RBFNetwork(nn.Module):
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
        super().__init__()
        doors.generator_on(doors.instance("kernel", kernel, Kernel).beta.device, generator)
        doors.integer("units", units)
        self.kernel, self.event_shape = kernel, doors.event("event_shape", event_shape)
        outputs = kernel.outputs * self.event_shape.numel()
        centres = draw(kernel.prior((units, *self.event_shape)), generator)
        new = centres.new_zeros
        self.centres = nn.Parameter(centres.flatten(1))
        self.log_widths = nn.Parameter(new(units) + math.log(WIDTH))
        self.weight = nn.Parameter(new(kernel.T, units, outputs))
        self.bias = nn.Parameter(new(kernel.T, outputs))

    def forward(self, xt: Tensor, t: Steps) -> Independent:
        """Law of the state before xt, ``(B, *event)``, for t = 2 … T, an int or ``(B,)``."""
        self.kernel.check(t, first=2, xt=xt)
        check_event("xt", xt, self.event_shape)
        away = (
            xt.flatten(1).to(self.centres.dtype)[:, None] - self.centres
        ) / self.log_widths.exp()[:, None]
        unit = torch.softmax(-away.square().sum(-1) / 2, -1)
        readout, bias = self.weight[t - 1], self.bias[t - 1]
        z = (unit[:, None] @ readout).squeeze(1) + bias
        outputs = z.view(len(xt), self.kernel.outputs, *self.event_shape)
        return self.kernel.head(xt, t, *outputs.unbind(1))
