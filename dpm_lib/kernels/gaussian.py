r""":math:`T_\pi(y \mid y'; \beta) = \mathcal N(y; \sqrt{1-\beta}\, y', \beta I)`: Gaussian noise.

The kernel leaves :math:`\pi = \mathcal N(0, I)` unchanged and is differentiable in beta.
The square root of the signal has an infinite slope where a rate of 1 erases it; its derivative is
taken to be 0 there, so that all other gradients stay right.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from dpm_lib import doors
from dpm_lib.kernels.base import Kernel
from dpm_lib.kernels.laws import independent, sound
from dpm_lib.kernels.steps import Steps

__all__ = ["GaussianKernel", "root"]


class GaussianKernel(Kernel):
    r"""Gaussian diffusion with rates beta.

    Args:
        beta: rates, ``(T,)``, in (0, 1].

    Raises:
        ValueError: beta is not a vector of rates in (0, 1].

    Source: :eq:`gaussian-kernel`, :eq:`diffusion-kernel`, paper Table App.1.

    >>> kernel = GaussianKernel(torch.tensor([0.36, 1.0]))
    >>> kernel.marginal(torch.ones(1, 2), 1).mean
    tensor([[0.8000, 0.8000]])
    """

    family = Normal
    arguments = ("loc", "scale")
    outputs = 2
    _keep: Tensor
    _scale: Tensor
    _keep_bar: Tensor
    _scale_bar: Tensor
    _from_x0: Tensor
    _from_xt: Tensor
    _scale_back: Tensor
    _push: Tensor

    def __init__(self, beta: Tensor) -> None:
        super().__init__(beta)
        beta, bar = self.beta, self.beta_bar
        self.table("_keep", root(1 - beta))
        self.table("_scale", beta.sqrt())
        self.table("_keep_bar", root(self.alpha_bar))
        self.table("_scale_bar", root(bar))
        self.table("_from_x0", self._keep_bar[:-1] * beta / bar[1:])
        self.table("_from_xt", self._keep * bar[:-1] / bar[1:])
        self.table("_scale_back", root(bar[:-1] / bar[1:] * beta))
        self.table("_push", beta / self._scale_bar[1:])

    def prior(self, shape: Sequence[int], dtype: torch.dtype | None = None) -> Independent:
        r"""Prior :math:`\pi = \mathcal N(0, I)` on states of a shape that includes the batch.

        Source: :eq:`stationarity`, :eq:`reverse-prior`, paper eqs. 1 and 4.
        """
        self.check_rates()
        mean = self.beta.new_zeros(doors.event("shape", shape), dtype=dtype or self.dtype)
        return _normal(mean, mean.new_ones(()))

    def step(self, x_prev: Tensor, t: Steps) -> Independent:
        r"""One forward step.

        .. math:: q(x^{(t)} \mid x^{(t-1)})
           = \mathcal N(x^{(t)}; \sqrt{1-\beta_t}\, x^{(t-1)}, \beta_t I)

        Args:
            x_prev: states, ``(B, *event)``.
            t: step, 1 … T, an int or ``(B,)``.

        Raises:
            ValueError: t is not in 1 … T, or the state does not fit the kernel.

        Source: :eq:`gaussian-kernel`, :eq:`stationarity`, :eq:`detailed-balance`,
        paper eq. 2 and Table App.1.
        """
        self.check(t, x_prev=x_prev)
        mean = self.coefficient(self._keep, t - 1, x_prev) * x_prev
        return _normal(mean, self.coefficient(self._scale, t - 1, x_prev))

    def marginal(self, x0: Tensor, t: Steps) -> Independent:
        r"""Many forward steps in one.

        .. math:: q(x^{(t)} \mid x^{(0)})
           = \mathcal N(x^{(t)}; \sqrt{\bar\alpha_t}\, x^{(0)}, \bar\beta_t I)

        Args:
            x0: data, ``(B, *event)``.
            t: step, 1 … T, an int or ``(B,)``.

        Raises:
            ValueError: t is not in 1 … T, or x0 does not fit the kernel.

        Source: :eq:`forward-marginal`.
        """
        self.check(t, x0=x0)
        mean = self.coefficient(self._keep_bar, t, x0) * x0
        return _normal(mean, self.coefficient(self._scale_bar, t, x0))

    def posterior(self, x0: Tensor, xt: Tensor, t: Steps) -> Independent:
        r"""One step back given the start, in a form that stays finite at a rate of 1.

        .. math::
           q(x^{(t-1)} \mid x^{(t)}, x^{(0)}) &= \mathcal N(\tilde\mu_t, \tilde\beta_t I), \qquad
           \tilde\beta_t = \frac{\bar\beta_{t-1}}{\bar\beta_t} \beta_t, \\
           \tilde\mu_t &= \frac{\sqrt{\bar\alpha_{t-1}}\, \beta_t}{\bar\beta_t} x^{(0)}
             + \frac{\sqrt{1-\beta_t}\, \bar\beta_{t-1}}{\bar\beta_t} x^{(t)}

        Args:
            x0: data, ``(B, *event)``.
            xt: states after t steps, same shape.
            t: step, 2 … T, an int or ``(B,)``.

        Raises:
            ValueError: t is not in 2 … T, or a state does not fit the kernel.

        Source: :eq:`forward-posterior`, :eq:`bayes-step`, paper eq. 48.
        """
        self.check(t, first=2, x0=x0, xt=xt)
        mean = self.coefficient(self._from_x0, t - 1, x0) * x0
        mean = mean + self.coefficient(self._from_xt, t - 1, xt) * xt
        return _normal(mean, self.coefficient(self._scale_back, t - 1, xt))

    def head(self, xt: Tensor, t: Steps, *outputs: Tensor) -> Independent:
        r"""Gaussian reverse step from two outputs of the shape of xt.

        .. math:: f_\mu = \sqrt{1-\beta_t}\, x^{(t)}
           + \frac{\beta_t}{\sqrt{\bar\beta_t}} z^\mu, \qquad
           f_\Sigma = \sigma\big(z^\Sigma + \sigma^{-1}(\beta_t)\big)
           = \frac{\beta_t}{\beta_t + (1-\beta_t)\, e^{-z^\Sigma}}

        The exact conditional mean has :math:`z^\mu = \sqrt{\bar\beta_t / (1-\beta_t)}\, \nabla
        \log (q / \pi)(x^{(t)})`, of order 1 at every t.  (The paper's mean, eq. 65, is no
        perturbation of the forward step.)

        Raises:
            ValueError: t is not in 2 … T, xt does not fit the kernel, or there are not two outputs
                of its shape.

        Source: paper eq. 64.
        """
        self.check(t, first=2, xt=xt)
        z_mu, z_sigma = self._check_outputs(xt, outputs)
        mean = self.coefficient(self._keep, t - 1, xt) * xt
        mean = mean + self.coefficient(self._push, t - 1, xt) * z_mu
        beta = self.coefficient(self.beta, t - 1, xt)
        variance = beta / (beta + (1 - beta) * torch.exp(-z_sigma))
        return sound(_normal(mean, variance.sqrt()))

    def marginal_entropy(self, x0: Tensor, t: Steps) -> Tensor:
        r"""Entropy of many steps, ``(B,)``, nats, which does not depend on the data.

        .. math:: H_q(X^{(t)} \mid X^{(0)} = x^{(0)}) = \tfrac d2 \log(2\pi e\,\bar\beta_t)

        Raises:
            ValueError: t is not in 1 … T, or x0 does not fit the kernel.

        Source: :eq:`entropy-forward`.
        """
        self.check(t, x0=x0)
        entropy = x0[0].numel() / 2 * torch.log(2 * math.pi * math.e * self.beta_bar[t])
        return entropy.to(x0.dtype).expand(len(x0))

    def check_moments(self, x0: Tensor) -> Tensor:
        r"""Return x0 if its second moment per dimension, :math:`m_2`, is 1.

        The tolerance is 2 % and, because a small sample has its own noise, 4 standard errors, at
        most those of a normal sample whose coordinates are all one: outliers must not widen it.

        Raises:
            ValueError: the second moment is not 1.

        Source: :eq:`bound-correction`.
        """
        each = x0.double().square().flatten(1).mean(1)
        m2 = each.mean().item()
        error = min(each.std(correction=0).item(), math.sqrt(2)) / math.sqrt(len(x0))
        if not abs(m2 - 1) <= 0.02 + 4 * error:
            raise ValueError(
                f"x0 must have second moment 1 per dimension (divide it by {math.sqrt(m2):.4g}), "
                f"got {m2:.4g}"
            )
        return x0


def _normal(mean: Tensor, scale: Tensor) -> Independent:
    """Normals with the event over every axis but the first, in the dtype of the mean."""
    return independent(Normal, mean.ndim - 1, loc=mean, scale=scale.to(mean.dtype))


def root(x: Tensor) -> Tensor:
    """Square root, with derivative 0 at 0.

    >>> root(torch.tensor([0.0, 4.0]))
    tensor([0., 2.])
    """
    zero = x == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, x).sqrt())
