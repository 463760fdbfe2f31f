r""":math:`z \mapsto p(x^{(t-1)} \mid x^{(t)})`: outputs of a network as a small change of identity.

With z = 0 a head gives the forward step, so an untrained network is exactly the identity model.
"""

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent, Normal

from dpm_lib.kernels import BinomialKernel, GaussianKernel, Steps
from dpm_lib.kernels.gaussian import root

__all__ = ["binomial_head", "gaussian_head", "linear"]


def gaussian_head(
    kernel: GaussianKernel, xt: Tensor, t: Steps, z_mu: Tensor, z_sigma: Tensor
) -> Independent:
    r"""Gaussian reverse step from two outputs of the shape of xt.

    .. math:: f_\mu = \sqrt{1-\beta_t}\, x^{(t)} + \frac{\beta_t}{\sqrt{\bar\beta_t}} z^\mu, \qquad
       f_\Sigma = \sigma\big(z^\Sigma + \sigma^{-1}(\beta_t)\big)
       = \frac{\beta_t}{\beta_t + (1-\beta_t)\, e^{-z^\Sigma}}

    The exact conditional mean has :math:`z^\mu = \sqrt{\bar\beta_t / (1-\beta_t)}\, \nabla
    \log (q / \pi)(x^{(t)})`, of order 1 at every t.  (The paper's mean, eq. 65, is no perturbation
    of the forward step.)

    Source: paper eq. 64.
    """
    beta = kernel.at(kernel.beta, t - 1, xt)
    bar = kernel.at(kernel.beta_bar, t, xt)
    mean = root(1 - beta) * xt + beta / bar.sqrt() * z_mu
    variance = beta / (beta + (1 - beta) * torch.exp(-z_sigma))
    normals = Normal(mean, variance.sqrt(), validate_args=False)
    return Independent(normals, xt.ndim - 1, validate_args=False)


def binomial_head(kernel: BinomialKernel, xt: Tensor, t: Steps, z: Tensor) -> Independent:
    r"""Binomial reverse step from one output of the shape of xt.

    .. math:: f_b = \sigma\big(z + \sigma^{-1}((1-\beta_t)\, x^{(t)} + \rho\beta_t)\big)

    Source: paper Table App.1.
    """
    logits = z + kernel.step(xt, t).base_dist.logits
    bits = Bernoulli(logits=logits, validate_args=False)
    return Independent(bits, xt.ndim - 1, validate_args=False)


def linear(inputs: int, outputs: int, like: Tensor, generator: torch.Generator) -> nn.Linear:
    r"""Linear layer with weights :math:`U(\pm\sqrt{3/\text{inputs}})` from the generator, bias 0.

    The layer has the dtype and device of ``like``.
    """
    layer = nn.utils.skip_init(nn.Linear, inputs, outputs, device=like.device, dtype=like.dtype)
    reach = (3 / inputs) ** 0.5
    with torch.no_grad():
        layer.weight.uniform_(-reach, reach, generator=generator)
        layer.bias.zero_()
    return layer
