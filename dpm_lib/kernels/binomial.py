r""":math:`T_\pi(y \mid y'; \beta) = \mathcal B(y; (1-\beta)\, y' + \rho\beta)`: flipped bits.

With probability :math:`\beta` a bit is drawn anew from :math:`\pi = \mathcal B(\rho)`, which the
kernel leaves unchanged.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Bernoulli, Independent

from dpm_lib import doors
from dpm_lib.kernels.base import Kernel, Steps
from dpm_lib.kernels.draws import in_blocks
from dpm_lib.kernels.laws import independent

__all__ = ["BinomialKernel"]


class BinomialKernel(Kernel):
    r"""Binomial diffusion with rates beta; states are 0 or 1 in floating point.

    Args:
        beta: rates, ``(T,)``, in (0, 1].
        rate: base rate :math:`\rho` of the prior, in (0, 1).

    Raises:
        ValueError: beta is not a vector of rates in (0, 1], or rate is not in (0, 1).

    Source: :eq:`binomial-kernel`, :eq:`diffusion-kernel`, paper Table App.1 (there with rate 0.5).

    >>> import torch
    >>> kernel = BinomialKernel(torch.tensor([0.5, 1.0]), rate=0.2)
    >>> kernel.marginal(torch.tensor([[0.0, 1.0]]), 1).mean
    tensor([[0.1000, 0.6000]])
    """

    family = Bernoulli
    arguments = ("logits",)
    rate: Tensor

    def __init__(self, beta: Tensor, rate: float = 0.5) -> None:
        super().__init__(beta)
        rate = doors.number("rate", rate, above=0)
        if rate >= 1:
            raise ValueError(f"rate must lie in (0, 1), got {rate}")
        self.table("rate", self.beta.new_tensor(rate), saved=True)
        self.table("_marginal", torch.stack([self.alpha_bar, self.rate * self.beta_bar]))
        x0, xt = self.beta.new_tensor([[[0, 0, 1, 1]], [[0, 1, 0, 1]]]).expand(2, self.T - 1, 4)
        t = torch.arange(2, self.T + 1, device=self.beta.device)
        back, forth = self.posterior(x0, xt, t).base_dist, self.step(xt, t).base_dist
        rates, entropies, logits = (
            _polynomial(*values.unbind(1)) for values in (back.probs, back.entropy(), forth.logits)
        )
        self.steps_table("_posterior", *rates, *entropies)
        self.steps_table("_identity", *logits[:2])
        same, fresh = self.alpha_bar[1:-1], self.beta_bar[1:-1]
        one, zero = self.rate * fresh, (1 - self.rate) * fresh
        self.steps_table("_given_data", zero, same + one, one, same + zero)

    def prior(self, shape: Sequence[int], dtype: torch.dtype | None = None) -> Independent:
        r"""Prior :math:`\pi = \mathcal B(\rho)` on states of a shape that includes the batch.

        Source: :eq:`stationarity`, :eq:`reverse-prior`, paper eqs. 1 and 4.
        """
        self.check_tables()
        return _bits(
            self.rate.to(doors.state_dtype(dtype or self.dtype)).expand(doors.event("shape", shape))
        )

    def step(self, x_prev: Tensor, t: Steps) -> Independent:
        r"""One forward step.

        .. math:: q(x^{(t)} \mid x^{(t-1)})
           = \mathcal B(x^{(t)}; (1-\beta_t)\, x^{(t-1)} + \rho\beta_t)

        Args:
            x_prev: states, ``(B, *event)``.
            t: step, 1 … T, an int or ``(B,)``.

        Raises:
            ValueError: t is not in 1 … T, or the state does not fit the kernel.

        Source: :eq:`binomial-kernel`, :eq:`stationarity`, :eq:`detailed-balance`,
        paper eq. 2 and Table App.1.
        """
        self.check(t, x_prev=x_prev)
        beta = self.coefficient(self.beta, t - 1, x_prev)
        return _bits((1 - beta) * x_prev + self.rate * beta)

    def marginal(self, x0: Tensor, t: Steps) -> Independent:
        r"""Many forward steps in one.

        .. math:: q(x^{(t)} \mid x^{(0)})
           = \mathcal B(x^{(t)}; \bar\alpha_t x^{(0)} + \rho\bar\beta_t)

        Args:
            x0: data, ``(B, *event)``.
            t: step, 1 … T, an int or ``(B,)``.

        Raises:
            ValueError: t is not in 1 … T, or x0 does not fit the kernel.

        Source: :eq:`forward-marginal-binomial`.
        """
        self.check(t, x0=x0)
        return _bits(self._rate_after(x0, t))

    def posterior(self, x0: Tensor, xt: Tensor, t: Steps) -> Independent:
        r"""One step back given the start, finite at a rate of 1.

        .. math::
           q(x^{(t-1)} = 1 \mid x^{(t)}, x^{(0)}) &= \frac{m \ell_1}{m \ell_1 + (1-m) \ell_0},
           \qquad m = \bar\alpha_{t-1} x^{(0)} + \rho\bar\beta_{t-1}, \\
           \ell_k &= T_\pi(x^{(t)} \mid k; \beta_t)

        Args:
            x0: data, ``(B, *event)``.
            xt: states after t steps, same shape.
            t: step, 2 … T, an int or ``(B,)``.

        Raises:
            ValueError: t is not in 2 … T, or a state does not fit the kernel.

        Source: :eq:`forward-posterior-binomial`, :eq:`bayes-step`, paper eq. 48.
        """
        self.check(t, first=2, x0=x0, xt=xt)
        m = self._rate_after(x0, t - 1)
        beta = self.coefficient(self.beta, t - 1, xt)
        fresh = beta * (self.rate * xt + (1 - self.rate) * (1 - xt))  # drawn anew, and equal to xt
        one = m * (fresh + (1 - beta) * xt)
        zero = (1 - m) * (fresh + (1 - beta) * (1 - xt))
        return _bits(one / (one + zero))

    def head(self, xt: Tensor, t: Steps, *outputs: Tensor) -> Independent:
        r"""Binomial reverse step from one output z of the shape of xt.

        .. math:: f_b = \sigma\big(z + \sigma^{-1}((1-\beta_t)\, x^{(t)} + \rho\beta_t)\big)

        Raises:
            ValueError: t is not in 2 … T, xt does not fit the kernel, or there is not one output of
                its shape.

        Source: paper Table App.1.
        """
        self.check(t, first=2, xt=xt)
        (z,) = self._check_outputs(xt, outputs)
        logits = z + self.step(xt, t).base_dist.logits
        return independent(Bernoulli, xt.ndim - 1, logits=logits)

    def prior_surplus(self, x0: Tensor) -> Tensor:
        r"""How far the log prior of each example is above its mean, ``(B,)``, nats.

        .. math:: \log\pi(x^{(0)}) + H_p(X^{(T)})
           = \sigma^{-1}(\rho) \sum_i \big(x^{(0)}_i - \rho\big)

        Source: :eq:`prior-cross-entropy-binomial`.
        """
        self._check_state(x0, "x0")
        rate = self.rate.to(x0.dtype)
        return rate.logit() * (x0[..., None] - rate).flatten(1).sum(1)

    def noised(self, x0: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        """A draw of :meth:`marginal`, ``(B, *event)``."""
        keep, fresh = self.rows_of("_marginal", t, x0)
        return _uniform(x0, x0.shape, generator).lt_(torch.addcmul(fresh, keep, x0))

    def divergence(self, x0: Tensor, xt: Tensor, t: Tensor, outputs: Sequence[Tensor]) -> Tensor:
        r"""Divergence of :meth:`head` from :meth:`posterior`, ``(B,)``, nats; t = 2 … T.

        .. math:: D_{KL} = \sum_i -q_i \log f_{b,i} - (1 - q_i) \log(1 - f_{b,i}) - h(q_i)

        with the rate q of the posterior: it and its entropy have four values at each step, and are
        polynomials in the bits of :math:`x^{(0)}` and :math:`x^{(t)}`.
        """
        of_posterior = self.rows_of("_posterior", t, x0)
        rate, entropy = _of_bits(x0, xt, *of_posterior[:4]), _of_bits(x0, xt, *of_posterior[4:])
        zero, more = self.rows_of("_identity", t, x0)
        logits = outputs[0] + torch.addcmul(zero, more, xt)
        cross = nn.functional.binary_cross_entropy_with_logits(logits, rate, reduction="none")
        return (cross - entropy)[..., None].flatten(1).sum(1)

    def noises(self, x: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
        """Uniform numbers of the shape of x for T - 1 steps."""
        return in_blocks(lambda shape: _uniform(x, shape, generator), x, self.T - 1)

    def back(self, xt: Tensor, t: int, outputs: Sequence[Tensor], noise: Tensor) -> Tensor:
        r"""A draw of :meth:`head`, ``(B, *event)``, in the place of the noise; t = 2 … T.

        A bit is :math:`|\lfloor u - r \rfloor|`: as :math:`[u < r]`, but NaN where the rate is.
        """
        zero, more = self.numbers_of("_identity", t)
        rate = torch.add(outputs[0], xt, alpha=more).add_(zero).sigmoid_()
        return noise.sub_(rate).floor_().abs_()

    def check_data(self, x0: Tensor, name: str = "x0") -> Tensor:
        """Return x0 if it is data for this kernel: ``(B, *event)``, every value 0 or 1.

        Raises:
            ValueError: wrong shape, dtype, device, or a value that is not 0 or 1.
        """
        super().check_data(x0, name)
        wrong = (x0 != 0) & (x0 != 1)
        if wrong.any():
            raise ValueError(f"{name} must be 0 or 1 everywhere, got {x0[wrong][0].item()}")
        return x0

    def _rate_after(self, x0: Tensor, t: Steps) -> Tensor:
        return self.coefficient(self.alpha_bar, t, x0) * x0 + self.rate * self.coefficient(
            self.beta_bar, t, x0
        )


def _polynomial(v00: Tensor, v01: Tensor, v10: Tensor, v11: Tensor) -> tuple[Tensor, ...]:
    """Coefficients of 1, xt, x0 and x0 xt of what has four values at two bits x0, xt."""
    return v00, v01 - v00, v10 - v00, v11 - v10 - v01 + v00


def _of_bits(x0: Tensor, xt: Tensor, c: Tensor, ct: Tensor, c0: Tensor, c0t: Tensor) -> Tensor:
    r""":math:`c + c_t x^{(t)} + x^{(0)} (c_0 + c_{0t} x^{(t)})`, the polynomial."""
    return torch.addcmul(c, ct, xt).addcmul_(x0, torch.addcmul(c0, c0t, xt))


def _uniform(x: Tensor, shape: Sequence[int], generator: torch.Generator) -> Tensor:
    return torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device)


def _bits(rate: Tensor) -> Independent:
    """Independent bits of these rates, with the event over every axis but the first."""
    return independent(Bernoulli, rate.ndim - 1, probs=rate)
