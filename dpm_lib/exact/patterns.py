r""":math:`q(x^{(0)}) = \sum_k w_k [x^{(0)} = k]`, a finite set of binary patterns."""

import torch
from torch import Tensor
from torch.distributions import Bernoulli, Independent, MixtureSameFamily

from dpm_lib import doors
from dpm_lib.exact.law import DENSITY_NUMBERS, Law, mix
from dpm_lib.kernels import Kernel, Steps, independent
from dpm_lib.protocol import ClosedForm

__all__ = ["PatternLaw"]

ENUMERATED_BITS = 20
"""The longest patterns whose states are enumerated."""


class PatternLaw(Law):
    r"""M binary patterns of length d, each with a probability.

    Args:
        patterns: 0 or 1 in floating point, ``(M, d)``, all different.
        weights: :math:`w_k > 0`, ``(M,)``; scaled to sum to 1.

    Raises:
        ValueError: shapes do not match, a pattern is not binary or appears twice, or a weight is
            not positive.
    """

    family = Bernoulli

    def __init__(self, patterns: Tensor, weights: Tensor) -> None:
        doors.tensor("patterns", patterns, "(M, d)", ndim=2)
        doors.tensor("weights", weights, "(M,)", ndim=1)
        weights = weights.to(patterns)
        if weights.shape != patterns.shape[:1]:
            raise ValueError(
                f"weights must have shape ({len(patterns)},), one for each row of patterns, "
                f"got {tuple(weights.shape)}"
            )
        wrong = (patterns != 0) & (patterns != 1)
        if wrong.any():
            raise ValueError(f"patterns must be 0 or 1 everywhere, got {patterns[wrong][0].item()}")
        different = len(patterns.unique(dim=0))
        if different < len(patterns):
            raise ValueError(
                f"patterns must all be different, got {different} different ones of {len(patterns)}"
            )
        doors.positive("weights", weights)
        self.like = self.patterns = patterns
        self.weights = weights / weights.sum()
        self.event_shape = patterns.shape[1:]

    @property
    def _centres(self) -> tuple[Tensor, Tensor]:
        return self.patterns, self.weights

    def _sample(self, n: int, generator: torch.Generator) -> Tensor:
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        return self.patterns[k]

    def _log_prob(self, x: Tensor) -> Tensor:
        same = (x[:, None] == self.patterns).all(-1)
        return torch.where(same, self.weights, 0.0).sum(-1).log()

    def marginal(self, kernel: Kernel, t: int) -> MixtureSameFamily:
        r"""Law after t = 1 … T steps, with no batch: a mixture over patterns.

        .. math:: q(x^{(t)}) = \sum_k w_k\, \mathcal B(x^{(t)}; \bar\alpha_t k + \rho\bar\beta_t)

        Source: :eq:`forward-marginal-binomial`.
        """
        self._check(kernel, t)
        return mix(self.weights.log(), kernel.marginal(self.patterns, t))

    def reversal(self, kernel: Kernel) -> ClosedForm:
        r"""Network that gives the exact reversal, a mixture whose bits are not independent.

        .. math:: q(x^{(t-1)} \mid x^{(t)})
           = \sum_k P(k \mid x^{(t)})\, q(x^{(t-1)} \mid x^{(t)}, x^{(0)} = k)

        Source: :eq:`exact-reversal`, :eq:`optimal-reversal`, paper eq. 15.
        """
        self._check(kernel)

        def formula(xt: Tensor, t: Steps) -> MixtureSameFamily:
            """Law of the state before xt: bits for each pattern."""
            B, M = len(xt), len(self.weights)
            x0, x = self.patterns.repeat(B, 1), xt.repeat_interleave(M, 0)
            s = t if isinstance(t, int) else t.repeat_interleave(M)
            logits = self.weights.log() + kernel.marginal(x0, s).log_prob(x).view(B, M)
            rate = kernel.posterior(x0, x, s).base_dist.probs.view(B, M, -1)
            return mix(logits, _bits(rate))

        return ClosedForm(self.event_shape, formula, kernel)

    def factorised(self, kernel: Kernel) -> ClosedForm:
        r"""Network of the best independent bits: the conditional marginals of the reversal.

        .. math:: p(x^{(t-1)} \mid x^{(t)}) = \prod_i q(x^{(t-1)}_i \mid x^{(t)})

        Source: :eq:`optimal-reversal`, paper eq. 15.
        """
        exact = self.reversal(kernel)
        return ClosedForm(self.event_shape, lambda xt, t: _bits(exact(xt, t).mean), kernel)

    def entropy(self, kernel: Kernel, t: int) -> Tensor:
        r"""Entropy after t = 1 … T steps, by enumeration of all states, a scalar, nats.

        .. math:: H_q(X^{(t)}) = -\sum_{x} q(x) \log q(x)

        Raises:
            ValueError: the patterns are longer than 20 bits.
        """
        _, log_q = self._states(kernel, t)
        return -(log_q.exp() * log_q).sum()

    def _step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        pair = self.patterns.new_tensor([[0.0], [1.0]]).expand(2, self.event_shape[0])
        zero, one = kernel.step(pair, t).base_dist.entropy()
        on = self.weights @ kernel.marginal(self.patterns, t - 1).mean
        return ((1 - on) * zero + on * one).sum()

    def _best_step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        states, log_q = self._states(kernel, t)
        step = self.factorised(kernel)
        rows = max(1, DENSITY_NUMBERS // self.patterns.numel())
        each = [step(x, t).entropy() for x in states.split(rows)]
        return log_q.exp() @ torch.cat(each)

    def _states(self, kernel: Kernel, t: int) -> tuple[Tensor, Tensor]:
        """All states, and the logarithm of their probability after t steps."""
        self._check(kernel, t)
        d = self.event_shape[0]
        if d > ENUMERATED_BITS:
            raise ValueError(
                f"d must be at most {ENUMERATED_BITS}, to enumerate all states, got {d}"
            )
        number = torch.arange(2**d, device=self.patterns.device)
        states = (number[:, None] >> torch.arange(d, device=number.device)) & 1
        logits = kernel.marginal(self.patterns, t).base_dist.logits
        bits = states.to(logits.dtype)
        each = bits @ logits.T - torch.nn.functional.softplus(logits).sum(1)
        return bits, torch.logsumexp(self.weights.log() + each, 1)


def _bits(rate: Tensor) -> Independent:
    return independent(Bernoulli, 1, probs=rate)
