r""":math:`q(x^{(0)}) = \sum_k w_k\, \mathcal N(x^{(0)}; m_k, v_k I)`, Gaussian mixtures."""

import math

import torch
from torch import Tensor
from torch.distributions import Independent, MixtureSameFamily, Normal

from dpm_lib import doors
from dpm_lib.exact.gaussian import noise_entropy, normal, reversed_step
from dpm_lib.exact.law import DENSITY_NUMBERS, Law, chunked_log_prob, mix
from dpm_lib.kernels import Kernel, Steps
from dpm_lib.kernels.gaussian import root
from dpm_lib.protocol import ClosedForm

__all__ = ["MixtureLaw"]

REACH = 9.0
"""How far the grid of the entropy reaches beyond the means, in the largest std."""
SPACING = 0.25
"""Spacing of the grid, in the smallest std."""
POINTS = 2**23
"""How many points the grid may have."""


class MixtureLaw(Law):
    r"""A mixture of M isotropic Gaussians in d dimensions.

    Args:
        weights: :math:`w_k > 0`, ``(M,)``; scaled to sum to 1.
        means: :math:`m_k`, ``(M, d)``.
        variance: :math:`v_k > 0`, a scalar or ``(M,)``.

    Raises:
        ValueError: shapes do not match, or a weight or variance is not positive.
    """

    family = Normal

    def __init__(self, weights: Tensor, means: Tensor, variance: Tensor) -> None:
        doors.tensor("weights", weights, "(M,)", ndim=1)
        doors.tensor("means", means, "(M, d)", ndim=2)
        doors.tensor("variance", variance, "() or (M,)")
        weights, variance = weights.to(means), variance.to(means)
        if weights.shape != means.shape[:1]:
            raise ValueError(
                f"weights must have shape ({len(means)},), one for each row of means, "
                f"got {tuple(weights.shape)}"
            )
        if variance.ndim and variance.shape != weights.shape:
            raise ValueError(
                f"variance must have shape () or ({len(means)},), got {tuple(variance.shape)}"
            )
        doors.positive("weights", weights)
        doors.positive("variance", variance)
        self.weights = weights / weights.sum()
        self.like = self.means = means
        self.variance = variance.expand(len(weights))
        self.event_shape = means.shape[1:]

    @property
    def _centres(self) -> tuple[Tensor, Tensor]:
        return self.means, self.weights

    def _sample(self, n: int, generator: torch.Generator) -> Tensor:
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        noise = torch.randn(
            n, *self.event_shape, generator=generator, dtype=self.means.dtype,
            device=self.means.device,
        )  # fmt: skip
        return self.means[k] + self.variance[k, None].sqrt() * noise

    def _log_prob(self, x: Tensor) -> Tensor:
        return chunked_log_prob(self._mixture(self.means, self.variance), x, len(self.weights))

    def marginal(self, kernel: Kernel, t: int) -> MixtureSameFamily:
        r"""Law after t = 1 … T steps, with no batch: still a mixture of M Gaussians.

        .. math:: q(x^{(t)}) = \sum_k w_k\, \mathcal N(x^{(t)};
           \sqrt{\bar\alpha_t}\, m_k, (\bar\alpha_t v_k + \bar\beta_t) I)

        Source: :eq:`forward-marginal`.
        """
        self._check(kernel, t)
        kept, lost = kernel.alpha_bar[t], kernel.beta_bar[t]
        return self._mixture(root(kept) * self.means, kept * self.variance + lost)

    def reversal(self, kernel: Kernel) -> ClosedForm:
        r"""Network that gives the exact reversal, again a mixture.

        .. math:: q(x^{(t-1)} \mid x^{(t)}) = \sum_k P(k \mid x^{(t)})\, q_k(x^{(t-1)} \mid x^{(t)})

        with the reversal :math:`q_k` of each Gaussian and its responsibility
        :math:`P(k \mid x^{(t)}) \propto w_k\, q_k(x^{(t)})`.

        Source: :eq:`exact-reversal`, :eq:`optimal-reversal`, paper eq. 15.
        """
        self._check(kernel)

        def formula(xt: Tensor, t: Steps) -> MixtureSameFamily:
            """Law of the state before xt: a Gaussian for each component."""
            x, variance = xt[:, None], self.variance[:, None]
            kept, lost = (
                kernel.coefficient(table, t, x) for table in (kernel.alpha_bar, kernel.beta_bar)
            )
            components = normal(root(kept) * self.means, kept * variance + lost, 1)
            logits = self.weights.log() + components.log_prob(x)
            gain, shift, spread = reversed_step(kernel, x, t, self.means, variance)
            return mix(logits, normal(gain * x + shift, spread, 1))

        return ClosedForm(self.event_shape, formula, kernel)

    def moment_matched(self, kernel: Kernel) -> ClosedForm:
        r"""Network of the best Gaussian steps: conditional mean and variance of each coordinate.

        .. math:: p(x^{(t-1)} \mid x^{(t)}) = \mathcal N\big(E_q[x^{(t-1)} \mid x^{(t)}],\
           \mathrm{diag}\, \mathrm{Var}_q[x^{(t-1)} \mid x^{(t)}]\big)

        Source: :eq:`optimal-reversal`, paper eq. 15.
        """
        exact = self.reversal(kernel)

        def formula(xt: Tensor, t: Steps) -> Independent:
            """Law of the state before xt: one Gaussian with the moments of the mixture."""
            law = exact(xt, t)
            return normal(law.mean, law.variance, 1)

        return ClosedForm(self.event_shape, formula, kernel)

    def entropy(self, kernel: Kernel, t: int) -> Tensor:
        r"""Entropy after t = 1 … T steps by quadrature on a grid, d = 1 or 2, a scalar, nats.

        .. math:: H_q(X^{(t)}) = -\int q(x^{(t)}) \log q(x^{(t)})\, dx^{(t)}

        Raises:
            ValueError: d > 2, or the components are so narrow that the grid would not fit.
        """
        _, log_q, volume = self._grid(kernel, t)
        return -(log_q.exp() * log_q).sum() * volume

    def _step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        return noise_entropy(kernel.beta[t - 1].expand(self.event_shape))

    def _best_step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        grid, log_q, volume = self._grid(kernel, t)
        step = self.moment_matched(kernel)
        rows = max(1, DENSITY_NUMBERS // (len(self.weights) * grid.shape[1]))
        variance = torch.cat([step(x, t).variance for x in grid.split(rows)])
        return (log_q.exp() * noise_entropy(variance)).sum() * volume

    def _grid(self, kernel: Kernel, t: int) -> tuple[Tensor, Tensor, float]:
        """Points over which q of the state t is summed, its logarithm there, their volume."""
        self._check(kernel, t)
        d = self.event_shape[0]
        if d > 2:
            raise ValueError(f"d must be at most 2, for the grid of the entropy, got {d}")
        law = self.marginal(kernel, t)
        means, std = law.component_distribution.mean, law.component_distribution.stddev
        reach, h = REACH * std.max(), SPACING * std.min().item()
        low, high = (means.amin(0) - reach).tolist(), (means.amax(0) + reach).tolist()
        sides = [int((b - a) / h) + 2 for a, b in zip(low, high, strict=True)]
        if math.prod(sides) > POINTS:
            raise ValueError(
                f"variance must be larger, for the grid of the entropy to have at most {POINTS} "
                f"points, got {sides}"
            )
        axes = [
            a + h * torch.arange(n, dtype=self.means.dtype, device=self.means.device)
            for a, n in zip(low, sides, strict=True)
        ]
        grid = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).reshape(-1, d)
        log_q = chunked_log_prob(law, grid, len(self.weights))
        return grid, log_q, h**d

    def _mixture(self, means: Tensor, variance: Tensor) -> MixtureSameFamily:
        return mix(self.weights.log(), normal(means, variance[:, None], 1))
