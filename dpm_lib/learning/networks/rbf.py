r""":math:`\phi_h(x) = e^{-\frac12 \Vert (x - c_h)/s_h \Vert^2} / \sum_k (\cdot)`: radial units.

One hidden layer of normalised radial basis functions, shared by all steps and both functions, and
a readout of its own for each step and function.
"""

import math

import torch
from torch import Tensor, nn
from torch.distributions import Independent

from dpm_lib.kernels import GaussianKernel, Steps
from dpm_lib.kernels.draws import check_generator
from dpm_lib.learning.networks.heads import gaussian_head

__all__ = ["RBFNetwork"]

WIDTH = 0.5


class RBFNetwork(nn.Module):
    r"""The network of the paper's swiss roll: T readouts of shared radial units.

    .. math:: z^\mu = W^\mu_t \phi(x^{(t)}) + b^\mu_t, \qquad
       z^\Sigma = W^\Sigma_t \phi(x^{(t)}) + b^\Sigma_t

    Centres and widths are learned; centres start as draws of the prior, readouts at 0, so that the
    untrained network is the identity model.

    Args:
        kernel: Gaussian kernel that is reversed.
        event_shape: ``(d,)``.
        units: number of radial units.
        generator: source of the centres, on the kernel's device.

    Raises:
        ValueError: the kernel is not Gaussian, or the generator is on another device.

    Source: paper section 3.1.1 and appendix D.1.1.
    """

    def __init__(
        self,
        kernel: GaussianKernel,
        event_shape: tuple[int, ...] = (2,),
        units: int = 16,
        *,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        if not isinstance(kernel, GaussianKernel):
            raise ValueError(f"kernel must be a GaussianKernel, got {type(kernel).__name__}")
        check_generator(generator, kernel.beta.device)
        self.kernel, self.event_shape = kernel, torch.Size(event_shape)
        d, new = self.event_shape.numel(), kernel.beta.detach().new_zeros
        self.centres = nn.Parameter(new(units, d).normal_(generator=generator))
        self.log_widths = nn.Parameter(new(units) + math.log(WIDTH))
        self.weight = nn.Parameter(new(kernel.T, units, 2 * d))
        self.bias = nn.Parameter(new(kernel.T, 2 * d))

    def forward(self, xt: Tensor, t: Steps) -> Independent:
        """Law of the state before xt, ``(B, d)``, for t = 2 … T, an int or ``(B,)``."""
        away = (xt.flatten(1)[:, None] - self.centres) / self.log_widths.exp()[:, None]
        unit = torch.softmax(-away.square().sum(-1) / 2, -1)
        readout, bias = self.weight[t - 1], self.bias[t - 1]
        z = (unit[:, None] @ readout).squeeze(1) + bias
        z_mu, z_sigma = z.view(len(xt), 2, *self.event_shape).unbind(1)
        return gaussian_head(self.kernel, xt, t, z_mu, z_sigma)
