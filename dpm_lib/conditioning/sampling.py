r""":math:`x^{(0)} \sim p(x^{(0)})\, r(x^{(0)}) / \tilde Z_0`: samples, and weighted ones."""

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from dpm_lib import doors
from dpm_lib.conditioning.likelihoods import Known, Likelihood, check_likelihood
from dpm_lib.conditioning.rules import Guide, Look, Rule, log_r, predicted_rule
from dpm_lib.kernels import draw
from dpm_lib.protocol import check_result, measuring
from dpm_lib.reverse import ReverseProcess

__all__ = ["Moments", "Particles", "moments_given", "particles", "sample_given"]

FEW = 10
"""An effective sample size below which there is a warning."""


class Moments(NamedTuple):
    """Mean ``(d,)`` and covariance ``(d, d)`` of a flattened example."""

    mean: Tensor
    covariance: Tensor


@dataclass(frozen=True)
class Particles:
    """Samples with weights.

    Attributes:
        samples: ``(n, *event)``.
        log_weights: up to one constant, ``(n,)``, nats.
        effective_sample_size: samples' worth of equal weights, 1 … n, a scalar; samples that were
            drawn from one and the same first state count as one.
        log_evidence: log of the estimate of :math:`E_p[r(X^{(0)})]`, a scalar, nats; without its
            log the estimate is unbiased.
    """

    samples: Tensor
    log_weights: Tensor
    effective_sample_size: Tensor
    log_evidence: Tensor

    @property
    def weights(self) -> Tensor:
        """They sum to 1, ``(n,)``."""
        return self.log_weights.softmax(0)

    def mean(self, f: Callable[[Tensor], Tensor] = lambda x: x) -> Tensor:
        """Weighted mean of a function of the samples, which gives a row for each."""
        return torch.tensordot(self.weights, f(self.samples).to(self.weights), dims=1)


@torch.no_grad()
def sample_given(
    model: ReverseProcess,
    likelihood: Likelihood,
    n: int,
    *,
    generator: torch.Generator,
    rule: Rule = predicted_rule,
) -> Tensor:
    r"""Draw n examples that agree with what is known of them, ``(n, *event)``.

    .. math:: x^{(t-1)} \sim \tilde p(x^{(t-1)} \mid x^{(t)}), \qquad t = T \dots 1

    How well they follow :math:`p(x^{(0)})\, r(x^{(0)})` is up to the rule; :func:`particles` gives
    weights that correct it.

    Args:
        model: the reverse process.
        likelihood: what is known: a :class:`dpm_lib.Noisy`, :class:`dpm_lib.Known` or
            :class:`dpm_lib.Flipped`, or log r as a function of examples.
        n: number of samples.
        generator: source of all noise, on the kernel's device.
        rule: how each step heeds what is known.

    Raises:
        TypeError: no model, likelihood, rule or generator, or n is no integer.
        ValueError: the likelihood does not fit the model or the rule, n is not positive, or the
            steps lead to NaN.

    Source: :eq:`tilted-marginal`, :eq:`tilted-consistency`, :eq:`normalised-rule`,
    paper eqs. 16, 18 to 20 and 22.
    """
    guide = _guide(model, likelihood, n, generator, rule)
    with measuring(model):
        x = _settled(draw(guide.start, generator), likelihood, guide.clamps)
        for t in range(model.kernel.T, 0, -1):
            x = draw(guide.look(x, t).proposal, generator)
            x = _settled(x, likelihood, guide.clamps or t == 1)
    return check_result("samples", x)


@torch.no_grad()
def particles(
    model: ReverseProcess,
    likelihood: Likelihood,
    n: int,
    *,
    generator: torch.Generator,
    rule: Rule = predicted_rule,
    resample_below: float = 0.5,
) -> Particles:
    r"""Draw n examples by a rule, with the weights that make them right.

    .. math:: \log w = \log\frac{\pi(x^{(T)})\, r(x^{(T)})}{\tilde p(x^{(T)})}
       + \sum_{t=1}^{T} \log\frac{p(x^{(t-1)} \mid x^{(t)})\, r(x^{(t-1)})}
       {\tilde p(x^{(t-1)} \mid x^{(t)})\, r(x^{(t)})}

    A sequential Monte Carlo method: where the weights have become too unequal, the samples are
    drawn anew by their weights (systematic resampling).  Weighted means are right for n to
    infinity, whatever the rule, and the evidence is unbiased for every n.

    Args:
        model: the reverse process.
        likelihood: as in :func:`sample_given`, of one example, of the event's shape.
        n: number of samples.
        generator: source of all noise, on the kernel's device.
        rule: as in :func:`sample_given`, with a factor that is positive.
        resample_below: the part of n below which the effective sample size must fall for the
            samples to be drawn anew; 0 for never.

    Raises:
        TypeError: as :func:`sample_given`, or resample_below is no number.
        ValueError: as :func:`sample_given`, resample_below is not in 0 … 1, the factor is 0 at a
            state, or the rule clamps known coordinates at every step, which no weight can correct.

    Source: :eq:`normalised-rule`, :eq:`tilted-trajectory`, paper eq. 22.
    """
    guide = _guide(model, likelihood, n, generator, rule, batch=False)
    _check_weighted(guide, resample_below)
    with measuring(model):
        x = draw(guide.start, generator)
        prior = model.kernel.prior(x.shape, x.dtype)
        log_w, log_evidence = prior.log_prob(x) - guide.start.log_prob(x), x.new_zeros(())
        family = torch.arange(n, device=x.device)
        for t in range(model.kernel.T, 0, -1):
            look = guide.look(x, t)
            log_w = log_w + _positive(look.log_factor)
            if _size(log_w) < resample_below * n:
                log_evidence = log_evidence + _log_mean(log_w)
                chosen = _systematic(log_w, generator)
                x, family, log_w = x[chosen], family[chosen], torch.zeros_like(log_w)
                look = guide.look(x, t)
            x = _settled(draw(look.proposal, generator), likelihood, t == 1)
            log_w = log_w - look.log_factor + _log_ratio(look, x, likelihood, t)
        if not isinstance(likelihood, Known):
            log_w = log_w + log_r(likelihood, x)
    check_result("samples", x)
    log_evidence = log_evidence + _log_mean(log_w)
    if not log_evidence.isfinite():
        raise ValueError(
            "likelihood must be possible under the model, got weights that are all 0: draw more "
            "samples, or use dpm.predicted_rule"
        )
    weights = torch.zeros_like(log_w).index_add(0, family, log_w.softmax(0))
    size = 1 / weights.square().sum()
    if size < min(FEW, n / 4):
        warnings.warn(
            f"weighted means of {n} samples rest on too few of them (effective sample size "
            f"{size.item():.1f}): their error is not known; draw more samples, or use a rule that "
            "looks ahead",
            stacklevel=3,  # beyond what no_grad puts around
        )
    return Particles(x, log_w, size, log_evidence)


def _positive(log_factor: Tensor) -> Tensor:
    """The log factors of states, if none is minus infinity."""
    if log_factor.isneginf().any():
        raise ValueError(
            "likelihood must be above 0 at every state for weights to correct the rule, got a "
            "log r of -inf at one"
        )
    return log_factor


def _check_weighted(guide: Guide, resample_below: Any) -> None:
    """Refuse a rule that no weight can correct, and a threshold that is no part of n."""
    if isinstance(resample_below, bool) or not isinstance(resample_below, int | float):
        raise TypeError(
            f"resample_below must be a number in 0 … 1, got {doors.name_of(resample_below)}"
        )
    if not 0 <= resample_below <= 1:
        raise ValueError(f"resample_below must be a number in 0 … 1, got {resample_below}")
    if guide.clamps:
        raise ValueError(
            "rule must give a positive factor to be corrected by weights, it clamps known "
            "coordinates, got dpm.paper_rule for a dpm.Known: use dpm.predicted_rule"
        )


def moments_given(model: ReverseProcess, likelihood: Likelihood, rule: Rule) -> Moments:
    """Mean and covariance of what a rule draws, where steps are linear and Gaussian: no draws.

    They are carried along the chain, so this tells the bias of a rule to rounding.

    Raises:
        TypeError: no model, likelihood or rule.
        ValueError: the likelihood does not fit the model or the rule, or a step is no Gaussian with
            a mean that is linear in the state and a variance that does not depend on it.

    Source: :eq:`normalised-rule`, :eq:`gaussian-product`.
    """
    doors.instance("model", model, ReverseProcess)
    check_likelihood(likelihood, model, None)
    d = model.event_shape.numel()
    guide = _made(rule, model, likelihood, 1)
    known = likelihood if isinstance(likelihood, Known) else None
    start = _independent_normal(guide.start)
    mean, spread = start.mean.reshape(d), start.variance.reshape(d).diag()
    mean, spread = _clamped(mean, spread, known if guide.clamps else None)
    with measuring(model):
        for t in range(model.kernel.T, 0, -1):
            gain, shift, noise = _linear(guide, mean, t, model.event_shape)
            mean, spread = shift + gain @ mean, gain @ spread @ gain.T + noise.diag()
            settle = guide.clamps or t == 1
            mean, spread = _clamped(mean, spread, known if settle else None)
    return Moments(mean, spread)


def _linear(guide: Guide, like: Tensor, t: int, event: torch.Size) -> tuple[Tensor, Tensor, Tensor]:
    """The step of a rule as gain, shift and noise, by what it makes of a few states."""
    d = len(like)
    origin, other = torch.zeros_like(like), torch.full_like(like, -1.7)
    places = torch.cat([origin[None], torch.eye(d).to(like), other[None]])
    step = _independent_normal(guide.look(places.reshape(d + 2, *event), t).proposal)
    means, noise = step.mean.reshape(d + 2, d), step.variance.reshape(d + 2, d)
    gain = (means[1:-1] - means[0]).T
    pairs = ((means[0] + gain @ other, means[-1]), (noise[:1].expand_as(noise), noise))
    if not all(torch.allclose(*pair) for pair in pairs):
        raise ValueError(f"model must have linear Gaussian steps, got others at t = {t}")
    return gain, means[0], noise[0]


def _independent_normal(law: object) -> Normal:
    if not (isinstance(law, Independent) and isinstance(law.base_dist, Normal)):
        raise ValueError(f"model must have linear Gaussian steps, got {type(law).__name__}")
    return law.base_dist


def _clamped(mean: Tensor, spread: Tensor, known: Known | None) -> tuple[Tensor, Tensor]:
    """Mean and covariance of a state with known coordinates put in."""
    if known is None:
        return mean, spread
    free = (~known.mask).flatten().to(spread)
    return known.settle(mean.view_as(known.values)).flatten(), free[:, None] * spread * free


def _guide(
    model: ReverseProcess, r: Likelihood, n: int, g: torch.Generator, rule: Rule, batch: bool = True
) -> Guide:
    kernel = doors.instance("model", model, ReverseProcess).kernel
    model.check_network()
    doors.integer("n", n)
    doors.generator_on(kernel.beta.device, g)
    check_likelihood(r, model, n if batch else None)
    return _made(rule, model, r, n)


def _made(rule: Any, model: ReverseProcess, r: Likelihood, n: int) -> Guide:
    """What a rule makes, if it is one."""
    doors.called("rule", rule, "model", "likelihood", "n")
    guide = rule(model, r, n)
    if not isinstance(guide, Guide):
        raise TypeError(
            f"rule must give a guide, as dpm.exact_rule(law) does, got {doors.name_of(guide)}"
        )
    return guide


def _settled(x: Tensor, r: Likelihood, now: bool) -> Tensor:
    return r.settle(x) if now and isinstance(r, Known) else x


def _log_ratio(look: Look, x: Tensor, r: Likelihood, t: int) -> Tensor:
    """Log of the model's step over the one taken; of the last, only what is known remains."""
    if t == 1 and isinstance(r, Known):
        each = look.law.base_dist.log_prob(x)  # type: ignore[attr-defined]
        return each.where(r.mask, 0.0)[..., None].flatten(1).sum(1)
    return look.law.log_prob(x) - look.proposal.log_prob(x)


def _size(log_w: Tensor) -> Tensor:
    """Samples' worth of equal weights."""
    return (2 * log_w.logsumexp(0) - (2 * log_w).logsumexp(0)).exp()


def _log_mean(log_w: Tensor) -> Tensor:
    return log_w.logsumexp(0) - math.log(len(log_w))


def _systematic(log_w: Tensor, generator: torch.Generator) -> Tensor:
    """Indices drawn by weights: one uniform number, and equal steps from there."""
    n = len(log_w)
    first = torch.rand((), generator=generator, dtype=log_w.dtype, device=log_w.device)
    places = (torch.arange(n, device=log_w.device) + first) / n
    return torch.searchsorted(log_w.softmax(0).cumsum(0), places).clamp(max=n - 1)
