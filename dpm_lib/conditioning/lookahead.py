r""":math:`r(x^{(t)}) = E_p[r(X^{(0)}) \mid X^{(t)} = x^{(t)}]`: the exact rule."""

from typing import cast

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, Normal

from dpm_lib import doors
from dpm_lib.conditioning.likelihoods import Flipped, Known, Likelihood, Noisy, observed
from dpm_lib.conditioning.rules import Guide, Look, Rule, bit_odds, times
from dpm_lib.exact import GaussianLaw, MixtureLaw, PatternLaw
from dpm_lib.exact.gaussian import normal, reversed_step
from dpm_lib.exact.law import Law, mix
from dpm_lib.kernels import Kernel, independent
from dpm_lib.kernels.gaussian import root
from dpm_lib.reverse import ReverseProcess

__all__ = ["exact_rule"]


def exact_rule(law: Law) -> Rule:
    r"""The rule that samples the posterior, for models that reverse a known law exactly.

    .. math:: r(x^{(t)}) = E_p\big[r(X^{(0)}) \mid X^{(t)} = x^{(t)}\big], \qquad
       \tilde p(x^{(t-1)} \mid x^{(t)}) = p(x^{(t-1)} \mid x^{(t)})\,
       \frac{r(x^{(t-1)})}{r(x^{(t)})}

    With this factor the step is normalised as it stands.  A law is a mixture of components, of one
    for Gaussian data; given the component all coordinates are independent, so each integral is a
    closed form.  The model's own edge step is taken into account.

    The start is exact for Gaussian data, and where the last rate is 1; for mixtures and patterns
    it is the prior, which is off by what signal survives the chain.

    Args:
        law: a :class:`dpm_lib.GaussianLaw`, :class:`dpm_lib.MixtureLaw` or
            :class:`dpm_lib.PatternLaw`, whose :meth:`reversal` the model has.

    Raises:
        TypeError: law is none of these.
        ValueError: used with a model that does not reverse the law, or with a function.

    Source: :eq:`look-ahead`, :eq:`exact-conditioning`, :eq:`tilted-kernel`, paper eq. 21.
    """
    if not isinstance(law, GaussianLaw | MixtureLaw | PatternLaw):
        raise TypeError(
            "law must be a dpm.GaussianLaw, dpm.MixtureLaw or dpm.PatternLaw, "
            f"got {doors.name_of(law)}"
        )

    def rule(model: ReverseProcess, likelihood: Likelihood, n: int) -> Guide:
        """The guide of the exact rule for this law."""
        _check(law, model, likelihood)
        prior = model.kernel.prior((n, *model.event_shape), model.dtype)
        if isinstance(law, PatternLaw):
            return Guide(prior, _Patterns(law, model.kernel, likelihood).look)
        parts = _Components(law, model.kernel, cast("Noisy | Known", likelihood))
        return Guide(parts.start(prior), parts.look)

    return rule


def _check(law: Law, model: ReverseProcess, likelihood: Likelihood) -> None:
    if not isinstance(likelihood, Noisy | Known | Flipped):
        raise ValueError(
            "likelihood must be a dpm.Noisy, dpm.Known or dpm.Flipped for the exact rule, got a "
            "function: no integral of it is known"
        )
    kernel, T = model.kernel, model.kernel.T
    if law.event_shape != model.event_shape or kernel.family is not law.family:
        raise ValueError(
            f"law must be of the model's events {tuple(model.event_shape)} and of the family "
            f"{kernel.family.__name__}, got {tuple(law.event_shape)} and {law.family.__name__}"
        )
    x = law.like.new_ones(2, *law.event_shape)
    x[0] = 0
    t = torch.arange(2, T + 1, device=x.device).repeat_interleave(len(x))
    x = x.repeat(T - 1, *[1] * len(law.event_shape))
    if T > 1:
        mine, theirs = law.reversal(kernel)(x, t), model.learned_step(x, t)
        pairs = ((mine.mean, theirs.mean), (mine.variance, theirs.variance))
        if not all(torch.allclose(*pair) for pair in pairs):
            raise ValueError("law must be the one that the model reverses exactly, got another")


class _Components:
    """Gaussian components; tensors have the axes (B, M, \\*event)."""

    def __init__(self, law: GaussianLaw | MixtureLaw, kernel: Kernel, r: Noisy | Known) -> None:
        self.kernel, self.r = kernel, r
        if isinstance(law, GaussianLaw):
            self.means, self.variances = law.mean[None], law.variance[None]
            self.weights = law.mean.new_ones(1)
        else:
            self.means, self.weights = law.means, law.weights
            self.variances = law.variance[:, None].expand_as(law.means)
        self.events = self.means.ndim - 1
        y, noise, where = observed(r)
        noise = torch.as_tensor(noise, dtype=y.dtype, device=y.device).expand(y.shape)
        where = torch.as_tensor(where, device=y.device).expand(y.shape)
        self.y, self.noise, self.where = (
            u[None, None] if u.ndim == self.events else u[:, None] for u in (y, noise, where)
        )

    def data(self, t: int) -> tuple[Tensor, Tensor, Tensor]:
        """The mean of an example, given the state: gain and shift; and its variance."""
        kernel = self.kernel
        kept, lost, first = kernel.alpha_bar[t], kernel.beta_bar[t], kernel.beta[0]
        keep = root((1 - kernel.beta[1:t]).prod())
        variance = (1 - first) * self.variances + first
        spread = kept * self.variances + lost
        gain = keep * variance / spread
        shift = (root(1 - first) - gain * root(kept)) * self.means
        rest = variance * (1 - keep**2) / spread
        edge = root(1 - first)
        return edge * gain, edge * shift, (1 - first) * rest + first

    def log_factors(self, x: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """Of each component, given the state: its log probability, and the log factor."""
        kept, lost = self.kernel.alpha_bar[t], self.kernel.beta_bar[t]
        here = normal(root(kept) * self.means, kept * self.variances + lost, self.events)
        logits = (self.weights.log() + here.log_prob(x[:, None])).log_softmax(1)
        gain, shift, spread = self.data(t)
        mean, scale = gain * x[:, None] + shift, (spread + self.noise).sqrt()
        each = Normal(mean, scale, validate_args=False).log_prob(self.y)
        each = each.where(self.where, 0.0)
        return logits, each[..., None].flatten(2).sum(2)

    def look(self, x: Tensor, t: int) -> Look:
        """The step of the chain that looks ahead."""
        logits, factors = self.log_factors(x, t)
        both = logits + factors
        factor = both.logsumexp(1)
        if t == 1:
            edge = self.kernel.step(x, 1)
            return Look(edge, times(edge, self.r, 1.0), factor)
        gain, shift, spread = reversed_step(self.kernel, x[:, None], t, self.means, self.variances)
        mean = gain * x[:, None] + shift
        law = self.mixed(logits, mean, spread.expand_as(mean))
        return Look(law, self.mixed(both, *self.tilted(mean, spread, t - 1)), factor)

    def tilted(self, mean: Tensor, variance: Tensor, t: int) -> tuple[Tensor, Tensor]:
        """A Gaussian of the state after t steps times the factor of its component there."""
        gain, shift, spread = self.data(t)
        pull = variance * gain / (gain**2 * variance + spread + self.noise)
        pull = pull.where(self.where, 0.0)
        moved = mean + pull * (self.y - shift - gain * mean)
        return moved, variance * (1 - pull * gain)

    def mixed(self, logits: Tensor, mean: Tensor, variance: Tensor) -> Distribution:
        """The mixture of Gaussians, or the one there is."""
        if len(self.weights) == 1:
            return normal(mean[:, 0], variance[:, 0], self.events)
        return mix(logits, normal(mean, variance, self.events))

    def start(self, prior: Independent) -> Distribution:
        """The prior times the factor of the last state, for one component."""
        if len(self.weights) > 1:
            return prior
        mean, variance = prior.mean[:, None], prior.variance[:, None]
        moved, spread = self.tilted(mean, variance, self.kernel.T)
        return normal(moved[:, 0], spread[:, 0], self.events)


class _Patterns:
    """Binary patterns; tensors have the axes (B, M, d)."""

    def __init__(self, law: PatternLaw, kernel: Kernel, r: Likelihood) -> None:
        self.law, self.kernel, self.r = law, kernel, r
        one, zero = (u.expand(1, *u.shape) if u.ndim == 1 else u for u in bit_odds(r, law.patterns))
        self.one, self.zero = one[:, None], zero[:, None]

    def factor(self, bit: Tensor, t: int) -> Tensor:
        """The factor of one bit of the state after t steps, given its pattern."""
        kernel, patterns = self.kernel, self.law.patterns
        rho, keep = kernel.prior((1,)).base_dist.probs.to(patterns), 1 - kernel.beta[0].item()
        kept = (1 - kernel.beta[1:t]).prod().item()
        first = keep * patterns + rho * (1 - keep)
        fresh = (1 - kept) * (rho * bit + (1 - rho) * (1 - bit))
        on, off = first * (kept * bit + fresh), (1 - first) * (kept * (1 - bit) + fresh)
        data = keep * on / (on + off) + rho * (1 - keep)
        return data * self.one + (1 - data) * self.zero

    def look(self, x: Tensor, t: int) -> Look:
        """The step of the chain that looks ahead."""
        law, kernel = self.law, self.kernel
        B, M = len(x), len(law.weights)
        patterns, rows = law.patterns.repeat(B, 1), x.repeat_interleave(M, 0)
        logits = law.weights.log() + kernel.marginal(patterns, t).log_prob(rows).view(B, M)
        logits = logits.log_softmax(1)
        both = logits + self.factor(x[:, None], t).log().sum(2)
        factor = both.logsumexp(1)
        if t == 1:
            edge = kernel.step(x, 1)
            return Look(edge, times(edge, self.r, 1.0), factor)
        rate = kernel.posterior(patterns, rows, t).base_dist.probs.view(B, M, -1)
        on, off = (self.factor(torch.full_like(x[:, None], b), t - 1) for b in (1.0, 0.0))
        tilted = rate * on / (rate * on + (1 - rate) * off)
        step, instead = (independent(Bernoulli, 1, probs=u) for u in (rate, tilted))
        return Look(mix(logits, step), mix(both, instead), factor)
