r""":math:`K \le L`, the lower bound of the log likelihood that is maximised, and its terms.

.. math:: K = {} & -\sum_{t=2}^{T} E_q D_{KL}\big(q(x^{(t-1)} \mid x^{(t)}, x^{(0)}) \,\Vert\, \\
   & \qquad p(x^{(t-1)} \mid x^{(t)})\big) + H_q(X^{(T)} \mid X^{(0)}) \\
   & - H_q(X^{(1)} \mid X^{(0)}) - H_p(X^{(T)})

All in nats per example, so an average over data is an average over the batch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from dpm_lib import doors
from dpm_lib.kernels import Kernel, draw
from dpm_lib.kernels.laws import of_mixtures
from dpm_lib.likelihood import Estimate, bits, draw_log_weights, mean_and_error
from dpm_lib.protocol import check_result
from dpm_lib.reverse import ReverseProcess

__all__ = [
    "Bound", "bound", "correction", "divergence", "edge_term", "prior_term", "sampled_bound",
    "second_moment", "trajectory_bound",
]  # fmt: skip


@dataclass(frozen=True)
class Bound:
    r"""The terms of the bound for each example, nats.

    Attributes:
        kl: divergence of step t in column ``t - 2``, ``(B, T - 1)``.
        entropy_start: :math:`H_q(X^{(1)} \mid X^{(0)} = x^{(0)})`, ``(B,)``.
        entropy_end: :math:`H_q(X^{(T)} \mid X^{(0)} = x^{(0)})`, ``(B,)``.
        entropy_prior: :math:`H_p(X^{(T)})`, a scalar.
        correction: what eq. 12 has beyond eq. 14, ``(B,)``; 0 on average over data of second
            moment 1 (bits: over data whose mean activity is the base rate).
    """

    kl: Tensor
    entropy_start: Tensor
    entropy_end: Tensor
    entropy_prior: Tensor
    correction: Tensor

    @property
    def ceiling(self) -> Tensor:
        r"""What :attr:`K` would be with no divergence at all, ``(B,)``, nats: a cap on :attr:`K`.

        .. math:: H_q(X^{(T)} \mid X^{(0)}) - H_q(X^{(1)} \mid X^{(0)}) - H_p(X^{(T)})

        Source: :eq:`bound-ceiling`, :eq:`telescoping-entropies`, paper eq. 50.
        """
        return self.entropy_end - self.entropy_start - self.entropy_prior

    @property
    def K(self) -> Tensor:
        """The bound, ``(B,)``, nats, which is :attr:`ceiling` minus the sum of the divergences.

        Source: :eq:`bound-entropies`, paper eqs. 14 and 51.
        """
        return self.ceiling - self.kl.sum(1)

    @property
    def K_corrected(self) -> Tensor:
        """The bound of eq. 12, ``(B,)``, nats, whatever the second moment of the data.

        Source: :eq:`bound-correction`, :eq:`jensen-bound`, paper eq. 12.
        """
        return self.K + self.correction

    @property
    def ceiling_corrected(self) -> Tensor:
        """What :attr:`K_corrected` would be with no divergence at all, ``(B,)``, nats.

        Source: :eq:`bound-ceiling`, :eq:`bound-correction`.
        """
        return self.ceiling + self.correction

    @property
    def bits(self) -> Tensor:
        """The bound :attr:`K` in bits, ``(B,)``."""
        return bits(self.K)


def bound(model: ReverseProcess, x0: Tensor, *, generator: torch.Generator) -> Bound:
    r"""All terms of the bound, with one draw of :math:`x^{(t)}` for each example and each t.

    .. math:: x^{(t)} \sim q(x^{(t)} \mid x^{(0)}), \qquad t = 2 \dots T

    Args:
        model: the reverse process.
        x0: data, ``(B, *event)``.
        generator: source of all noise.

    Raises:
        ValueError: x0 is not data for the kernel, or the generator is on another device.

    Source: :eq:`bound-entropies`, :eq:`telescoping-entropies`, :eq:`jensen-bound`,
    paper eqs. 13, 14 and 51.
    """
    doors.instance("model", model, ReverseProcess).check_data(x0)
    doors.generator_on(x0.device, generator)
    kernel = model.kernel
    each = (divergences(model, *rows, generator) for rows in rows_of_steps(model, x0))
    kl = torch.cat([x0.new_zeros(0), *each])
    return Bound(
        kl=check_result("divergences", kl.view(kernel.T - 1, len(x0)).T),
        entropy_start=kernel.marginal_entropy(x0, 1),
        entropy_end=kernel.marginal_entropy(x0, kernel.T),
        entropy_prior=kernel.prior_entropy(x0.shape[1:]),
        correction=(kernel.beta[0] + kernel.alpha_bar[-1]) * kernel.prior_surplus(x0),
    )


def sampled_bound(
    model: ReverseProcess, x0: Tensor, *, generator: torch.Generator, steps: int = 1
) -> Tensor:
    r"""Unbiased estimate of K for each example, ``(B,)``, nats, from a few steps of the chain.

    .. math:: K \approx \text{ceiling} - \frac{T - 1}{S} \sum_{k=0}^{S-1} D_{KL}(t_k), \qquad
       t_k = 2 + \Big\lfloor (T - 1) \frac{k + u_k}{S} \Big\rfloor, \qquad u_k \sim U[0, 1)

    Args:
        model: the reverse process.
        x0: data, ``(B, *event)``.
        generator: source of the steps and of all noise.
        steps: number S of steps for each example, one in each of S equal parts of 2 … T.

    Raises:
        TypeError: steps is no integer.
        ValueError: x0 is not data for the kernel, the generator is on another device, or steps is
            not positive.

    Source: :eq:`bound-entropies`, paper eq. 14.
    """
    doors.instance("model", model, ReverseProcess).check_data(x0)
    doors.generator_on(x0.device, generator)
    doors.integer("steps", steps)
    K, B, T = ceiling(model.kernel, x0), len(x0), model.kernel.T
    if T > 1:
        u = torch.rand(steps, B, generator=generator, dtype=torch.float64, device=x0.device)
        part = torch.arange(steps, device=x0.device)[:, None]
        t = 2 + ((T - 1) * (part + u) / steps).long().clamp_(max=T - 2)
        again = x0.repeat(steps, *[1] * (x0.ndim - 1))
        chunks = zip(again.split(model.rows), t.flatten().split(model.rows), strict=True)
        each = torch.cat([divergences(model, *chunk, generator) for chunk in chunks])
        K = K - (T - 1) * each.view(steps, B).mean(0)
    return check_result("bounds", K)


def ceiling(kernel: Kernel, x0: Tensor) -> Tensor:
    """What :attr:`Bound.ceiling` is of each example, ``(B,)``, nats, behind a door."""
    ends = kernel.marginal_entropy(x0, kernel.T) - kernel.marginal_entropy(x0, 1)
    return ends - kernel.prior_entropy(x0.shape[1:])


def trajectory_bound(
    model: ReverseProcess, x0: Tensor, *, trajectories: int, generator: torch.Generator
) -> Estimate:
    r"""The bound as it was first written: the mean log weight of forward trajectories.

    .. math:: K = E_q \log \Big[ \pi(x^{(T)})
       \prod_{t=1}^{T} \frac{p(x^{(t-1)} \mid x^{(t)})}{q(x^{(t)} \mid x^{(t-1)})} \Big] \le L

    Its expectation is that of :attr:`Bound.K_corrected`.

    Raises:
        ValueError: x0 is not data for the kernel, or there are fewer than 2 trajectories.

    Source: :eq:`jensen-bound`, :eq:`bound-split`, paper eqs. 12, 37 and 40.
    """
    doors.integer("trajectories", trajectories, 2)
    return mean_and_error(
        draw_log_weights(model, x0, trajectories=trajectories, generator=generator)
    )


def prior_term(kernel: Kernel, x0: Tensor) -> Tensor:
    r"""What the end of the chain contributes, exactly, ``(B,)``, nats.

    .. math:: K_2 = E_q[\log\pi(x^{(T)}) \mid x^{(0)}]
       = -H_p(X^{(T)}) + \bar\alpha_T \big(\log\pi(x^{(0)}) + H_p(X^{(T)})\big)

    Source: :eq:`prior-term`, :eq:`prior-cross-entropy`, :eq:`prior-cross-entropy-binomial`,
    paper eqs. 41 and 43.
    """
    doors.instance("kernel", kernel, Kernel).check_data(x0)
    return kernel.expected_log_prior(x0, kernel.T)


def edge_term(kernel: Kernel, x0: Tensor) -> Tensor:
    r"""What the fixed last reverse step contributes, exactly, ``(B,)``, nats.

    .. math:: E_q \log \frac{p(x^{(0)} \mid x^{(1)})}{q(x^{(1)} \mid x^{(0)})}
       = E_q \log \frac{\pi(x^{(0)})}{\pi(x^{(1)})}
       = \beta_1 \big(\log\pi(x^{(0)}) + H_p\big)

    Source: :eq:`edge-term`, paper eqs. 45 and 46.
    """
    doors.instance("kernel", kernel, Kernel).check_data(x0)
    return kernel.beta[0] * kernel.prior_surplus(x0)


def correction(kernel: Kernel, x0: Tensor) -> Tensor:
    r"""What eq. 12 has beyond eq. 14, exactly, ``(B,)``, nats.

    .. math:: (\beta_1 + \bar\alpha_T) \big(\log\pi(x^{(0)}) + H_p\big), \qquad
       \text{Gaussian, on average: } \tfrac d2 (\beta_1 + \bar\alpha_T)(1 - m_2)

    Source: :eq:`bound-correction`.
    """
    doors.instance("kernel", kernel, Kernel).check_data(x0)
    return (kernel.beta[0] + kernel.alpha_bar[-1]) * kernel.prior_surplus(x0)


def second_moment(x: Tensor) -> Tensor:
    r"""Second moment per dimension of a batch, a scalar, :math:`m_2 = E \Vert x \Vert^2 / d`.

    Source: :eq:`bound-correction`.
    """
    return doors.tensor("x", x, "(B, *event)").square().mean()


def divergence(q: Distribution, p: Distribution, generator: torch.Generator) -> Tensor:
    r"""Divergence of two laws of one step, ``(B,)``, nats.

    .. math:: D_{KL}(q \Vert p) = \sum_i \log\frac{\sigma_p}{\sigma_q}
       + \frac{\sigma_q^2 + (\mu_q - \mu_p)^2}{2 \sigma_p^2} - \frac12
       \quad\text{or}\quad \sum_i q \log\frac qp + (1-q) \log\frac{1-q}{1-p}

    Where p is a mixture there is no closed form; then :math:`\log q(x) - \log p(x)` at one draw of
    q, which is unbiased but may be negative.

    Source: :eq:`kl-gaussian`, :eq:`kl-binomial`, :eq:`gibbs-inequality`.
    """
    if of_mixtures(p):
        x = draw(q, generator)
        return q.log_prob(x) - p.log_prob(x)
    for name, law in (("q", q), ("p", p)):
        if not isinstance(law, Distribution):
            raise TypeError(f"{name} must be a torch distribution, got {doors.name_of(law)}")
    if q.event_shape != p.event_shape:
        raise ValueError(
            f"p must have the event {tuple(q.event_shape)} of q, got {tuple(p.event_shape)}"
        )
    try:
        return kl_divergence(q, p)
    except NotImplementedError:
        raise ValueError(
            f"p must be a law of the family of q, {q}, or a mixture, got {p}"
        ) from None


def divergences(
    model: ReverseProcess,
    x0: Tensor,
    t: Tensor,
    generator: torch.Generator,
    mine: Callable[[Tensor], Tensor] = lambda rows: rows,
) -> Tensor:
    """Divergence of steps t = 2 … T, one for each row, at one draw of the state, ``(B,)``, nats.

    Noise is drawn for all rows, and the divergence computed of those that ``mine`` picks.  Behind
    a door: what came is right already.
    """
    xt = model.kernel.noised(x0, t, generator)
    return divergences_of(model, x0, xt, t, generator, mine)


def divergences_of(
    model: ReverseProcess,
    x0: Tensor,
    xt: Tensor,
    t: Tensor,
    generator: torch.Generator,
    mine: Callable[[Tensor], Tensor] = lambda rows: rows,
) -> Tensor:
    """What :func:`divergences` gives, of states that are drawn already."""
    kernel = model.kernel
    own = (mine(x0), mine(xt), mine(t))
    answer = model.ask(*own[1:])
    if isinstance(answer, Distribution) and of_mixtures(answer):
        x = mine(draw(kernel.posterior(x0, xt, t), generator))
        return kernel.posterior(*own).log_prob(x) - answer.log_prob(x)
    if isinstance(answer, Distribution):
        return divergence(kernel.posterior(*own), answer, generator)
    return kernel.divergence(*own, answer)


def rows_of_steps(model: ReverseProcess, x0: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """All examples with t = 2, then with 3 … T, in chunks that the network can take."""
    B, T = x0.shape[0], model.kernel.T
    if T == 1:
        return
    t = torch.arange(T + 1, device=x0.device)[:, None].expand(-1, B)
    if model.rows <= B:
        for step in range(2, T + 1):
            yield from zip(x0.split(model.rows), t[step].split(model.rows), strict=True)
        return
    count = min(T - 1, model.rows // B)
    again = x0.repeat(count, *[1] * (x0.ndim - 1))
    for steps in t[2:].split(count):
        yield again[: steps.numel()], steps.flatten()
