r""":math:`q(x^{(0)}) = \mathcal N(m, v_0)`, data for which the whole chain stays Gaussian."""

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from dpm_lib import doors
from dpm_lib.exact.law import Law
from dpm_lib.kernels import Kernel, Steps, independent
from dpm_lib.kernels.gaussian import root
from dpm_lib.protocol import ClosedForm

__all__ = ["GaussianLaw"]


class GaussianLaw(Law):
    r"""Gaussian data with a diagonal covariance.

    Args:
        mean: :math:`m`, of the event's shape.
        variance: :math:`v_0 > 0`, of the event's shape.

    Raises:
        ValueError: the shapes differ, or a variance is not positive.
    """

    family = Normal

    def __init__(self, mean: Tensor, variance: Tensor) -> None:
        doors.tensor("mean", mean, "of the event")
        doors.tensor("variance", variance, "of the event")
        if mean.shape != variance.shape or mean.dtype != variance.dtype:
            raise ValueError(
                f"variance must be as mean, {doors.name_of(mean)}, got {doors.name_of(variance)}"
            )
        doors.positive("variance", variance)
        self.like = self.mean = mean
        self.variance = variance
        self.event_shape = mean.shape

    @property
    def _centres(self) -> tuple[Tensor, Tensor]:
        return self.mean[None], self.mean.new_ones(1)

    def _sample(self, n: int, generator: torch.Generator) -> Tensor:
        noise = torch.randn(
            n, *self.event_shape, generator=generator, dtype=self.mean.dtype,
            device=self.mean.device,
        )  # fmt: skip
        return self.mean + self.variance.sqrt() * noise

    def _log_prob(self, x: Tensor) -> Tensor:
        return normal(self.mean, self.variance, len(self.event_shape)).log_prob(x)

    def marginal(self, kernel: Kernel, t: int) -> Independent:
        r"""Law after t = 1 … T steps, with no batch.

        .. math:: q(x^{(t)}) = \mathcal N(\sqrt{\bar\alpha_t}\, m, v_t), \qquad
           v_t = \bar\alpha_t v_0 + \bar\beta_t

        Source: :eq:`forward-marginal`.
        """
        self._check(kernel, t)
        kept, lost = kernel.alpha_bar[t], kernel.beta_bar[t]
        variance = kept * self.variance + lost
        return normal(root(kept) * self.mean, variance, len(self.event_shape))

    def reversal(self, kernel: Kernel) -> ClosedForm:
        r"""Network that gives the exact reversal, itself Gaussian.

        .. math:: q(x^{(t-1)} \mid x^{(t)}) = \mathcal N\Big(
           m_{t-1} + \frac{\sqrt{1-\beta_t}\, v_{t-1}}{v_t} (x^{(t)} - m_t),\
           \frac{v_{t-1}}{v_t} \beta_t \Big), \qquad m_t = \sqrt{\bar\alpha_t}\, m

        Source: :eq:`gaussian-reversal`, :eq:`exact-reversal`, :eq:`optimal-reversal`,
        paper eq. 15.
        """
        self._check(kernel)

        def formula(xt: Tensor, t: Steps) -> Independent:
            """Law of the state before xt."""
            gain, shift, spread = reversed_step(kernel, xt, t, self.mean, self.variance)
            return normal(gain * xt + shift, spread, len(self.event_shape))

        return ClosedForm(self.event_shape, formula, kernel)

    def entropy(self, kernel: Kernel, t: int) -> Tensor:
        r"""Entropy after t = 1 … T steps, :math:`\frac12 \sum \log(2\pi e\, v_t)`, nats."""
        return self.marginal(kernel, t).entropy()

    def _step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        return noise_entropy(kernel.beta[t - 1].expand(self.event_shape)[..., None].flatten())

    def _best_step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        spread = reversed_step(kernel, self.mean, t, self.mean, self.variance)[2]
        return noise_entropy(spread[..., None].flatten())

    def gap(self, kernel: Kernel) -> Tensor:
        r"""What the bound of eq. 12 is below L for exactly reversed steps, a scalar, nats.

        .. math:: L - K = D_0 - D_1 + D_T - D_{KL}\big(q(x^{(0)})\,\Vert\,p(x^{(0)})\big), \qquad
           D_t = D_{KL}\big(q(x^{(t)})\,\Vert\,\pi(x^{(t)})\big)

        The model is that of :meth:`model_law`. All four divergences have closed forms.

        Source: :eq:`gap-steps`, :eq:`edge-loss`, :eq:`gaussian-gap`.
        """
        made = self.model_law(kernel)
        prior = GaussianLaw(torch.zeros_like(self.mean), torch.ones_like(self.variance))

        def after(t: int) -> "GaussianLaw":
            """The law of the state after t steps."""
            law = self.marginal(kernel, t).base_dist
            return GaussianLaw(law.mean, law.variance)

        edge = self._divergence(prior) - after(1)._divergence(prior)
        return edge + after(kernel.T)._divergence(prior) - self._divergence(made)

    def _divergence(self, other: "GaussianLaw") -> Tensor:
        ratio = self.variance / other.variance
        shift = (self.mean - other.mean) ** 2 / other.variance
        return 0.5 * (ratio - 1 - ratio.log() + shift).sum()

    def model_law(self, kernel: Kernel) -> "GaussianLaw":
        r"""Law of the data that the model with exactly reversed steps draws, in closed form.

        The chain starts at :math:`\mathcal N(0, 1)`, takes the steps T … 2 of :meth:`reversal` and
        the fixed edge step; each is linear, so mean and variance are carried along exactly.

        Source: :eq:`model-marginal`, :eq:`reverse-trajectory`, paper eqs. 5 and 6.
        """
        self._check(kernel)
        mean, variance = torch.zeros_like(self.mean), torch.ones_like(self.variance)
        for t in range(kernel.T, 1, -1):
            gain, shift, spread = reversed_step(kernel, mean, t, self.mean, self.variance)
            mean, variance = gain * mean + shift, gain**2 * variance + spread
        keep = 1 - kernel.beta[0]
        return GaussianLaw(keep.sqrt() * mean, keep * variance + kernel.beta[0])

    def log_likelihood(self, data: "GaussianLaw") -> Tensor:
        r"""Expected log density of data from another Gaussian law, a scalar, nats.

        .. math:: L = \int q(x) \log p(x)\, dx

        No model has more than minus the entropy of the data, which the data law itself has.

        Source: :eq:`log-likelihood`, :eq:`training-optimum`, paper eq. 10.
        """
        if not isinstance(data, GaussianLaw) or data.event_shape != self.event_shape:
            raise ValueError(
                f"data must be a GaussianLaw of event {tuple(self.event_shape)}, got "
                f"{doors.name_of(getattr(data, 'mean', data))}"
            )
        square = data.variance + (data.mean - self.mean) ** 2
        terms = torch.log(2 * torch.pi * self.variance) + square / self.variance
        return -0.5 * terms.sum()


def reversed_step(
    kernel: Kernel, xt: Tensor, t: Steps, mean: Tensor, variance: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Reversal of step t for Gaussian data: gain and shift of its mean, and its variance.

    The mean is gain * xt + shift; mean and variance of the data broadcast against xt.
    """
    kept, kept_prev = (kernel.coefficient(kernel.alpha_bar, s, xt) for s in (t, t - 1))
    lost, lost_prev = (kernel.coefficient(kernel.beta_bar, s, xt) for s in (t, t - 1))
    beta = kernel.coefficient(kernel.beta, t - 1, xt)
    ratio = (kept_prev * variance + lost_prev) / (kept * variance + lost)
    gain = root(1 - beta) * ratio
    return gain, (root(kept_prev) - gain * root(kept)) * mean, beta * ratio


def noise_entropy(variance: Tensor) -> Tensor:
    """Entropy of independent normals of these variances, the event on the last axis, nats."""
    return 0.5 * torch.log(2 * torch.pi * torch.e * variance).sum(-1)


def normal(mean: Tensor, variance: Tensor, events: int) -> Independent:
    """Normals with the event over the last axes."""
    return independent(Normal, events, loc=mean, scale=variance.sqrt())
