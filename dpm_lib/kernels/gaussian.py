r""":math:`T_\pi(y \mid y'; \beta) = \mathcal N(y; \sqrt{1-\beta}\, y', \beta I)`: Gaussian noise.

The kernel leaves :math:`\pi = \mathcal N(0, I)` unchanged and is differentiable in beta.
The square root of the signal has an infinite slope where a rate of 1 erases it; its derivative is
taken to be 0 there, so that all other gradients stay right.
"""

import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from dpm_lib import doors
from dpm_lib.kernels.base import Kernel, Steps
from dpm_lib.kernels.draws import in_blocks
from dpm_lib.kernels.laws import independent

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
    outputs, fewest = 2, 1
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
        aim, variance = root(self.alpha_bar[1:-1] / bar[2:]), bar[1:-1] / bar[2:] * beta[1:]
        fixed = bar[1:-1] / bar[2:]
        self.table("_marginal", torch.stack([self._keep_bar, self._scale_bar]))
        target = aim, aim * self._keep_bar[2:]
        self.steps_table("_fixed", *target, beta[1:] / bar[2:] / 2, (fixed - 1 - fixed.log()) / 2)
        odds = variance * (1 / beta[1:] - 1)
        self.steps_table("_learned", *target, beta[1:] / bar[1:-1], variance, odds)
        logit = beta.logit().detach()
        self.steps_table("_back", *(x[1:] for x in (self._keep, self._push, self._scale, logit)))

    def prior(self, shape: Sequence[int], dtype: torch.dtype | None = None) -> Independent:
        r"""Prior :math:`\pi = \mathcal N(0, I)` on states of a shape that includes the batch.

        Source: :eq:`stationarity`, :eq:`reverse-prior`, paper eqs. 1 and 4.
        """
        self.check_tables()
        mean = self.beta.new_zeros(
            doors.event("shape", shape), dtype=doors.state_dtype(dtype or self.dtype)
        )
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
        r"""Gaussian reverse step from one or two outputs of the shape of xt.

        .. math:: f_\mu = \sqrt{1-\beta_t}\, x^{(t)}
           + \frac{\beta_t}{\sqrt{\bar\beta_t}} z^\mu, \qquad
           f_\Sigma = \sigma\big(z^\Sigma + \sigma^{-1}(\beta_t)\big)
           = \frac{\beta_t}{\beta_t + (1-\beta_t)\, e^{-z^\Sigma}}

        The exact conditional mean has :math:`z^\mu = \sqrt{\bar\beta_t / (1-\beta_t)}\, \nabla
        \log (q / \pi)(x^{(t)})`, of order 1 at every t.  Without :math:`z^\Sigma` it is 0, and the
        variance :math:`\beta_t`.  The mean is that of the paper's eq. 65 with the square root that
        is missing there, and with :math:`\beta_t` in the place of the variance:

        .. math:: f_\mu = \sqrt{1-\beta_t}\, (x^{(t)} - z) + z, \qquad
           z = \frac{1 + \sqrt{1-\beta_t}}{\sqrt{\bar\beta_t}} z^\mu

        As printed, steps of this kind would lead to the variance :math:`1 / (2 - \beta_t)` and not
        to that of the prior, :eq:`readout-equilibrium`.

        Raises:
            ValueError: t is not in 2 … T, xt does not fit the kernel, or there are not one or two
                outputs of its shape.

        Source: :eq:`covariance-readout`, :eq:`mean-readout`, paper eqs. 64 and 65.
        """
        self.check(t, first=2, xt=xt)
        z_mu, *z_sigma = self._check_outputs(xt, outputs)
        mean = self.coefficient(self._keep, t - 1, xt) * xt
        mean = mean + self.coefficient(self._push, t - 1, xt) * z_mu
        if not z_sigma:
            return _normal(mean, self.coefficient(self._scale, t - 1, xt))
        beta = self.coefficient(self.beta, t - 1, xt)
        variance = beta / (beta + (1 - beta) * _falling(z_sigma[0]))
        return _normal(mean, variance.sqrt())

    def prior_entropy(self, event_shape: Sequence[int]) -> Tensor:
        r"""Entropy of the prior on one event, a scalar in nats.

        .. math:: H_p(X^{(T)}) = \tfrac d2 \log 2\pi e

        Source: :eq:`prior-entropy`.
        """
        return self.beta.new_tensor(
            math.prod(doors.event("event_shape", event_shape)) / 2 * math.log(2 * math.pi * math.e)
        )

    def prior_surplus(self, x0: Tensor) -> Tensor:
        r"""How far the log prior of each example is above its mean, ``(B,)``, nats.

        .. math:: \log\pi(x^{(0)}) + H_p(X^{(T)}) = \tfrac12 \big(d - \Vert x^{(0)} \Vert^2\big)

        Source: :eq:`prior-cross-entropy`.
        """
        self._check_state(x0, "x0")
        return (x0.shape[1:].numel() - x0.square()[..., None].flatten(1).sum(1)) / 2

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

    def noised(self, x0: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        r"""A draw of :meth:`marginal`, ``(B, *event)``: noise is drawn, then moved by the rates.

        .. math:: x^{(t)} = \sqrt{\bar\alpha_t}\, x^{(0)} + \sqrt{\bar\beta_t}\, \epsilon

        Source: :eq:`frozen-noise`.
        """
        keep, scale = self.rows_of("_marginal", t, x0)
        return _noise(x0, x0.shape, generator).mul_(scale).addcmul_(keep, x0)

    def divergence(self, x0: Tensor, xt: Tensor, t: Tensor, outputs: Sequence[Tensor]) -> Tensor:
        r"""Divergence of :meth:`head` from :meth:`posterior`, ``(B,)``, nats; t = 2 … T.

        .. math:: D_{KL} = \tfrac12 \sum_i r_i \Big(1
           + \frac{\beta_t}{\bar\beta_{t-1}} (z^\mu_i - z^*_i)^2\Big) - \log r_i - 1, \qquad
           z^* = \sqrt{\frac{\bar\alpha_{t-1}}{\bar\beta_t}}
           \big(x^{(0)} - \sqrt{\bar\alpha_t}\, x^{(t)}\big)

        with the ratio of variances :math:`r = \tilde\beta_t / f_\Sigma
        = \tilde\beta_t (1 + e^{-z^\Sigma} (1 - \beta_t) / \beta_t)`.  At :math:`z^\mu = z^*` the
        mean is that of the posterior.  Without :math:`z^\Sigma` the ratio is a number of t alone,
        :math:`r = \bar\beta_{t-1} / \bar\beta_t`, and

        .. math:: D_{KL} = \frac{\beta_t}{2 \bar\beta_t} \Vert z^\mu - z^* \Vert^2
           + \frac d2 (r - 1 - \log r)
        """
        z_mu, *z_sigma = outputs
        name, d = "_learned" if z_sigma else "_fixed", x0.shape[1:].numel()
        aim, aim_xt, weight, *rest = self.rows_of(name, t, x0)
        target = torch.addcmul(aim * x0, aim_xt, xt, value=-1)
        square = nn.functional.mse_loss(z_mu, target, reduction="none")
        if not z_sigma:
            lost = weight.flatten() * square[..., None].flatten(1).sum(1)
            return torch.add(lost, rest[0].flatten(), alpha=d)
        variance, odds = rest
        ratio = torch.addcmul(variance, odds, _falling(z_sigma[0]))
        excess = ratio * (weight * square).add_(1) - ratio.log()
        return (excess[..., None].flatten(1).sum(1) - d) / 2

    def noises(self, x: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
        """Standard normals of the shape of x for T - 1 steps."""
        return in_blocks(lambda shape: _noise(x, shape, generator), x, self.T - 1)

    def back(self, xt: Tensor, t: int, outputs: Sequence[Tensor], noise: Tensor) -> Tensor:
        """A draw of :meth:`head`, ``(B, *event)``; t = 2 … T."""
        keep, push, scale, logit = self.numbers_of("_back", t)
        z_mu, *z_sigma = outputs
        mean = torch.add(keep * xt, z_mu, alpha=push)
        if not z_sigma:
            return mean.add_(noise, alpha=scale)
        return mean.addcmul_((z_sigma[0] + logit).sigmoid_().sqrt_(), noise)

    def check_moments(self, x0: Tensor) -> Tensor:
        r"""Return x0 if its second moment per dimension, :math:`m_2`, is 1.

        The tolerance is 2 % and, because a small sample has its own noise, 4 standard errors, at
        most those of a normal sample whose coordinates are all one: outliers must not widen it.

        Raises:
            ValueError: the second moment is not 1.

        Source: :eq:`bound-correction`.
        """
        each = x0.double().square()[..., None].flatten(1).mean(1)
        m2 = each.mean().item()
        error = min(each.std(correction=0).item(), math.sqrt(2)) / math.sqrt(len(x0))
        if not abs(m2 - 1) <= 0.02 + 4 * error:
            raise ValueError(
                "x0 must have second moment 1 per dimension, as what comes out of a dpm.Scaler, "
                f"got {m2:.4g}"
            )
        return x0


def _normal(mean: Tensor, scale: Tensor) -> Independent:
    """Normals with the event over every axis but the first, in the dtype of the mean."""
    return independent(Normal, mean.ndim - 1, loc=mean, scale=scale.to(mean.dtype))


def _falling(z: Tensor) -> Tensor:
    r""":math:`e^{-z}`, finite: at a rate of 1 it is multiplied by 0, and nothing teaches z."""
    return torch.exp(-z).clamp(max=torch.finfo(z.dtype).max)


def _noise(x: Tensor, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator, dtype=x.dtype, device=x.device)


def root(x: Tensor) -> Tensor:
    """Square root, with derivative 0 at 0.

    >>> root(torch.tensor([0.0, 4.0]))
    tensor([0., 2.])
    """
    zero = x == 0
    return torch.where(zero, 0.0, torch.where(zero, 1.0, x).sqrt())
