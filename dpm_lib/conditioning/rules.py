r""":math:`\tilde p(x^{(t-1)} \mid x^{(t)}) \propto p(x^{(t-1)} \mid x^{(t)})\, r(x^{(t-1)})`.

A rule chooses the factor :math:`r(x^{(t)})` of each step.  It takes a model, a likelihood and the
number of samples, and gives a :class:`Guide`: where to start, and at each state the model's step,
the step to take instead, and the factor of the state.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Distribution, Independent, MixtureSameFamily, Normal

from dpm_lib import doors
from dpm_lib.conditioning.likelihoods import Flipped, Known, Likelihood, Noisy, observed
from dpm_lib.exact.law import mix
from dpm_lib.kernels import Kernel, independent
from dpm_lib.reverse import ReverseProcess

__all__ = [
    "Guide", "Look", "Rule", "bit_odds", "log_mean", "log_r", "paper_rule", "predicted_rule",
    "seen_by_each", "tempered_rule", "times",
]  # fmt: skip

LEAST, REACH = 0.1, 3.0
"""Where a network may err: the least variance of an expected example, in units of the noise, as it
is a small difference of two variances; and how far what is known may move it, in its std."""


@dataclass(frozen=True)
class Look:
    """What a rule says at states after t steps.

    Attributes:
        law: the model's step, :math:`p(x^{(t-1)} \\mid x^{(t)})`, batch ``(B,)``.
        proposal: the step that is taken instead, batch ``(B,)``.
        log_factor: :math:`\\log r(x^{(t)})`, ``(B,)``.
    """

    law: Distribution
    proposal: Distribution
    log_factor: Tensor


@dataclass(frozen=True)
class Guide:
    """A rule at work.

    Attributes:
        start: law of the first state, :math:`x^{(T)}`, batch ``(n,)``.
        look: what the rule says at states after t = T … 1 steps.
        clamps: whether known coordinates are put in after every step, not only after the last.
    """

    start: Distribution
    look: Callable[[Tensor, int], Look]
    clamps: bool = False


Rule = Callable[[ReverseProcess, Likelihood, int], Guide]


def paper_rule(model: ReverseProcess, likelihood: Likelihood, n: int) -> Guide:
    r"""The paper's rule: the same factor at every step, each step normalised by itself.

    .. math:: \tilde p(x^{(t-1)} \mid x^{(t)}) = \frac{1}{\tilde Z(x^{(t)})}\,
       p(x^{(t-1)} \mid x^{(t)})\, r(x^{(t-1)}), \qquad r(x^{(t)}) = r(x^{(0)})

    In closed form where the factor is a Gaussian, bits through a channel, or known coordinates,
    which are clamped; for another smooth factor the mean of a Gaussian step is moved by its
    variance times the slope of log r there.  It counts a noisy look about twice, and
    a known coordinate too little.

    Raises:
        ValueError: the factor is a function, and the steps are no Gaussians.

    Source: :eq:`normalised-rule`, :eq:`evidence-twice`, :eq:`tilted-mass`,
    :eq:`perturbed-gaussian`, paper eqs. 22, 23 and 61.
    """
    return _powers(model, likelihood, n, lambda t: 1.0)


def tempered_rule(model: ReverseProcess, likelihood: Likelihood, n: int) -> Guide:
    r"""The paper's other choice: a factor that grows from nothing.

    .. math:: r(x^{(t)}) = r(x^{(0)})^{(T - t) / T}

    It leaves the start as it is, and is biased as well.

    Raises:
        ValueError: the likelihood is of known coordinates, a point mass that no power tempers; or
            as for :func:`paper_rule`.

    Source: :eq:`normalised-rule`, paper eqs. 22 and 23.
    """
    if isinstance(likelihood, Known):
        raise ValueError(
            "likelihood must have a density for its powers, got a dpm.Known: use dpm.predicted_rule"
        )
    T = model.kernel.T
    return _powers(model, likelihood, n, lambda t: (T - t) / T)


def _powers(model: ReverseProcess, r: Likelihood, n: int, power: Callable[[int], float]) -> Guide:
    kernel, clamps = model.kernel, isinstance(r, Known)

    def look(x: Tensor, t: int) -> Look:
        law = model.step(x, t)
        factor = x.new_zeros(len(x)) if clamps else power(t) * log_r(r, x)
        return Look(law, times(law, r, power(t - 1)), factor)

    prior = kernel.prior((n, *model.event_shape), model.dtype)
    return Guide(times(prior, r, power(kernel.T)), look, clamps)


def predicted_rule(model: ReverseProcess, likelihood: Likelihood, n: int) -> Guide:
    r"""A factor that looks ahead, through the example that the model expects.

    .. math:: r(x^{(t)}) = \int \mathcal N\big(x;\, \hat x^{(0)}(x^{(t)}),\, a\big)\, r(x)\, dx

    The expected example :math:`\hat x^{(0)}` and its variance a in each coordinate are what the
    mean and variance of the model's step say, read through the forward posterior.  A coordinate
    that was seen is drawn from that posterior, with the expected example corrected by the look; the
    others move by their variance times the slope of log r.  Bits are drawn from the posterior whose
    rate of the example is tilted by the likelihood.  For Gaussian data this tends to the exact rule
    as steps become small.  A network errs where little signal is left: there a slope moves what it
    expects by at most 3 standard deviations.  For every model the rule is a guess, which the
    weights of :func:`dpm_lib.particles` correct.

    Raises:
        ValueError: a rate before the last is 1: then no step tells what example to expect.

    Source: :eq:`look-ahead`, :eq:`forward-posterior`, :eq:`forward-posterior-binomial`.
    """
    kernel = model.kernel
    if (kernel.alpha_bar[1:-1] == 0).any():
        raise ValueError(
            "model must have rates below 1 before the last for dpm.predicted_rule, got a rate of "
            "1: use dpm.exact_rule"
        )

    def last(x: Tensor) -> Look:
        law = kernel.step(x, 1)
        return Look(law, times(law, likelihood, 1.0), log_mean(likelihood, law))

    def bits(x: Tensor, t: int) -> Look:
        law = model.learned_step(x, t)
        off, on = (kernel.posterior(torch.full_like(x, b), x, t).mean for b in (0.0, 1.0))
        tiny = torch.finfo(x.dtype).eps
        rate = ((law.mean - off) / (on - off)).clamp(tiny, 1 - tiny)
        one, zero = bit_odds(likelihood, x)
        mass = rate * one + (1 - rate) * zero
        tilted = independent(Bernoulli, x.ndim - 1, probs=off + (on - off) * rate * one / mass)
        return Look(law, tilted, _sum(mass.log()))

    def gaussian(x: Tensor, t: int) -> Look:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            answer = model.ask(x, torch.full((1,), t, device=x.device).expand(len(x)))
            learned = isinstance(answer, tuple)
            law = kernel.head(x, t, *answer) if isinstance(answer, tuple) else answer
            guess, gain, rest = _predicted(kernel, x, t, law, LEAST if learned else 0.0)
            factor = log_mean(likelihood, guess)
            slope = _slope(factor, x)
        pull, kept = _pulled(likelihood, guess)
        by_others = kernel.alpha_bar[t].sqrt() / kernel.beta_bar[t] * pull
        cross = kept * law.variance * (slope - by_others)
        if learned:
            reach = REACH * gain * guess.stddev
            cross = cross.clamp(-reach, reach)
        spread = rest + gain.square() * kept * guess.variance
        spread = torch.where(kept < 1, spread, law.variance)
        moved = independent(
            Normal, x.ndim - 1, loc=(law.mean + gain * pull + cross).detach(),
            scale=spread.sqrt().detach(),
        )  # fmt: skip
        return Look(_detached(law), moved, factor.detach())

    def look(x: Tensor, t: int) -> Look:
        if t == 1:
            return last(x)
        return gaussian(x, t) if kernel.family is Normal else bits(x, t)

    if kernel.family is not Normal:
        bit_odds(likelihood, kernel.beta)  # refuses what is no likelihood of bits
    return Guide(kernel.prior((n, *model.event_shape), model.dtype), look)


def _predicted(
    kernel: Kernel, x: Tensor, t: int, law: Distribution, least: float
) -> tuple[Independent, Tensor, Tensor]:
    """The example that a Gaussian step expects, how the step moves with it, and its other noise."""
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    rest = kernel.posterior(zero, x, t)
    gain = kernel.posterior(one, zero, t).mean
    floor = torch.max(kernel.beta[0], least * kernel.beta_bar[t]).item()
    scale = ((law.variance - rest.variance) / gain.square()).clamp(min=floor).sqrt()
    guess = independent(Normal, x.ndim - 1, loc=(law.mean - rest.mean) / gain, scale=scale)
    return guess, gain, rest.variance


def _pulled(r: Likelihood, guess: Any) -> tuple[Tensor, Tensor]:
    """By how much a look moves each expected coordinate, and the part of its variance it leaves."""
    variance = guess.variance
    if not isinstance(r, Noisy | Known):
        return torch.zeros_like(variance), torch.ones_like(variance)
    y, noise, where = observed(r)
    gain = (variance / (variance + noise)).where(torch.as_tensor(where, device=y.device), 0.0)
    return gain * (y - guess.mean), 1 - gain


def _detached(law: Any) -> Any:
    """The law without its history."""
    if isinstance(law, Independent):
        return Independent(
            _detached(law.base_dist), law.reinterpreted_batch_ndims, validate_args=False
        )
    if isinstance(law, MixtureSameFamily):
        return mix(law.mixture_distribution.logits.detach(), _detached(law.component_distribution))
    return Normal(law.loc.detach(), law.scale.detach(), validate_args=False)


# a law times a likelihood ------------------------------------------------------------------------


def times(law: Distribution, r: Likelihood, power: float) -> Distribution:
    r"""A law times a power of the likelihood, normalised.

    .. math:: \mathcal N(x; m, v)\, \mathcal N(y; x, b) \propto \mathcal N\Big(x;\,
       \frac{b\, m + v\, y}{v + b},\, \frac{v\, b}{v + b}\Big)

    Known coordinates only choose among the components of a mixture: they are put in afterwards.

    Source: :eq:`gaussian-product`.
    """
    if power == 0:
        return law
    if isinstance(law, MixtureSameFamily):
        parts = law.component_distribution
        if not isinstance(r, Noisy | Known | Flipped):
            raise ValueError(_needs_gaussians("mixtures"))
        r = seen_by_each(r, len(law.event_shape))
        logits = law.mixture_distribution.logits + log_mean(r, parts, power)
        return mix(logits, _product(parts, r, power))
    return _product(law, r, power)


def _product(law: Any, r: Likelihood, power: float) -> Independent:
    base, events = law.base_dist, law.reinterpreted_batch_ndims
    if isinstance(r, Known):
        return law
    if isinstance(base, Bernoulli):
        one, zero = bit_odds(r, base.probs)
        return independent(Bernoulli, events, logits=base.logits + power * (one.log() - zero.log()))
    mean, variance = base.mean, base.variance
    if isinstance(r, Noisy):
        noise = r.s**2 / power
        gain = variance / (variance + noise)
        return independent(
            Normal, events, loc=mean + gain * (r.y - mean), scale=(gain * noise).sqrt()
        )
    with torch.enable_grad():
        at = mean.detach().requires_grad_()
        slope = _slope(log_r(r, at), at)
    return independent(Normal, events, loc=mean + power * variance * slope, scale=base.stddev)


def log_mean(r: Likelihood, law: Any, power: float = 1.0) -> Tensor:
    r"""Log of the mean of a power of r under independent Gaussians or bits, ``(B,)``.

    .. math:: \int \mathcal N(x; m, v)\, \mathcal N(y; x, b)\, dx = \mathcal N(y; m, v + b)

    (A function is taken at the mean instead; a power of a Gaussian is one up to a constant.)

    Source: :eq:`gaussian-product`.
    """
    base, events = law.base_dist, law.reinterpreted_batch_ndims
    if isinstance(base, Bernoulli):
        one, zero = bit_odds(r, base.probs)
        mass = base.probs * one**power + (1 - base.probs) * zero**power
        return _sum(mass.log(), events)
    if not isinstance(r, Noisy | Known):
        return log_r(r, base.mean)
    y, noise, where = observed(r)
    scale = (base.variance + noise / power).sqrt()
    each = Normal(base.mean, scale, validate_args=False).log_prob(y)
    return _sum(each.where(torch.as_tensor(where, device=each.device), 0.0), events)


def seen_by_each(r: Any, events: int) -> Any:
    """The likelihood with one axis more before the event, that of a mixture's components."""
    axis = -events - 1
    if isinstance(r, Known):
        return Known(r.values.unsqueeze(axis), r.mask.unsqueeze(axis))
    if isinstance(r, Noisy):
        s = r.s.expand(r.y.shape).unsqueeze(axis) if isinstance(r.s, Tensor) else r.s
        return Noisy(r.y.unsqueeze(axis), s)
    return Flipped(r.y.unsqueeze(axis), r.c)


def bit_odds(r: Likelihood, like: Tensor) -> tuple[Tensor, Tensor]:
    """The factor of each bit at 1 and at 0.

    Raises:
        ValueError: the likelihood is a function, which says nothing of one bit.
    """
    if isinstance(r, Known):
        one = torch.where(r.mask, r.values, 1.0).to(like)
        return one, torch.where(r.mask, 1 - r.values, 1.0).to(like)
    if isinstance(r, Flipped):
        one = (1 - r.c) * r.y + r.c * (1 - r.y)
        zero = (1 - r.c) * (1 - r.y) + r.c * r.y
        return one.to(like), zero.to(like)
    raise ValueError(_needs_gaussians("bits"))


def _needs_gaussians(came: str) -> str:
    return f"likelihood must be no function where steps are {came}, got one: use a class of dpm"


def log_r(r: Any, x: Tensor) -> Tensor:
    """Log of the factor of each state, ``(B,)``, nats.

    Raises:
        TypeError: a function gives no tensor.
        ValueError: a function gives another shape, NaN, or no slope where one is asked for.
    """
    value: Tensor = r.log_prob(x) if isinstance(r, Noisy | Known | Flipped) else r(x)
    if not isinstance(value, Tensor):
        raise TypeError(
            f"likelihood must give a tensor, log r of each state, got {doors.name_of(value)}"
        )
    if value.shape != x.shape[:1]:
        raise ValueError(
            f"likelihood must give one log r for each of {len(x)} states, "
            f"got shape {tuple(value.shape)}"
        )
    if value.isnan().any():
        raise ValueError("likelihood must give numbers, log r of each state, got nan")
    if x.requires_grad and not value.requires_grad and (value != value[:1]).any():
        raise ValueError(
            "likelihood must be differentiable in the states, got a function that is not"
        )
    return value


def _slope(value: Tensor, at: Tensor) -> Tensor:
    """The slope of each value in its state; 0 of what does not depend on it."""
    if not value.requires_grad:
        return torch.zeros_like(at)
    (found,) = torch.autograd.grad(value.sum(), at, allow_unused=True)
    if found is None:
        return torch.zeros_like(at)
    wrong = ~found.isfinite()
    if wrong.any():
        raise ValueError(f"likelihood must have finite slopes, got {found[wrong][0].item()}")
    return found


def _sum(each: Tensor, events: int | None = None) -> Tensor:
    events = each.ndim - 1 if events is None else events
    return each.sum(tuple(range(-events, 0))) if events else each
