r""":math:`q(x^{(t)} \mid x^{(t-1)}) = T_\pi(x^{(t)} \mid x^{(t-1)}; \beta_t)`: what kernels share.

Steps count :math:`t = 1 \dots T`, as an int or as one integer for each row, ``(B,)``.  States are
``(B, *event)`` in the dtype and on the device of beta; laws are ``Independent`` over the event,
so their ``log_prob``, ``entropy`` and KL divergence are ``(B,)``, in nats.

Shapes, dtypes and steps are checked in every public method; the steps of a CUDA tensor are checked
on the device, without waiting for it.  Values of data (NaN, bits) are checked once, by
:meth:`Kernel.check_data`, where data enter: :mod:`dpm_lib.forward`, ``likelihood``, ``bounds``.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent

from dpm_lib import schedules

__all__ = ["Kernel", "Steps", "independent"]

Steps = int | Tensor
"""A step t: an int, or an integer tensor ``(B,)`` with one step for each row."""


class Kernel(ABC):
    r"""A diffusion kernel with its rates.

    Attributes:
        family: torch class of one coordinate of all its laws.
        parameters: names of the family's parameters, as its laws are blended.
        outputs: how many numbers per coordinate a network gives to :meth:`head`.
        beta: rates :math:`\beta_1 \dots \beta_T`, ``(T,)``.
        T: number of steps.
        alpha_bar: signal kept :math:`\bar\alpha_0 \dots \bar\alpha_T`, ``(T + 1,)``.
        beta_bar: noise :math:`\bar\beta_t = 1 - \bar\alpha_t`, ``(T + 1,)``.

    Raises:
        ValueError: beta is not a vector of rates in (0, 1].

    Source: :eq:`diffusion-kernel`, paper eq. 2.
    """

    family: type[Distribution]
    parameters: tuple[str, ...]
    outputs: int = 1

    def __init__(self, beta: Tensor) -> None:
        self.beta = schedules.check_rates(beta)
        self.T = len(beta)
        self.alpha_bar = schedules.signal(beta)
        self.beta_bar = schedules.noise(beta)

    @abstractmethod
    def prior(self, shape: Sequence[int]) -> Independent:
        r"""Prior :math:`\pi` on states of a shape that includes the batch.

        Source: :eq:`reverse-prior`, :eq:`stationarity`, paper eqs. 1 and 4.
        """

    @abstractmethod
    def step(self, x_prev: Tensor, t: Steps) -> Independent:
        r"""One step, :math:`q(x^{(t)} \mid x^{(t-1)})`.

        Source: :eq:`diffusion-kernel`, :eq:`detailed-balance`, paper eq. 2.
        """

    @abstractmethod
    def marginal(self, x0: Tensor, t: Steps) -> Independent:
        r"""Many steps in one, :math:`q(x^{(t)} \mid x^{(0)})`, t = 1 … T."""

    @abstractmethod
    def posterior(self, x0: Tensor, xt: Tensor, t: Steps) -> Independent:
        r"""One step back given the start, :math:`q(x^{(t-1)} \mid x^{(t)}, x^{(0)})`, t = 2 … T.

        Source: :eq:`bayes-step`, paper eq. 48.
        """

    @abstractmethod
    def head(self, xt: Tensor, t: Steps, *outputs: Tensor) -> Independent:
        r"""Reverse step from a network's outputs, as a small change of identity; t = 2 … T.

        .. math:: z \mapsto p(x^{(t-1)} \mid x^{(t)}), \qquad
           z = 0 \mapsto T_\pi(x^{(t-1)} \mid x^{(t)}; \beta_t)

        so that an untrained network is exactly the identity model.  There are :attr:`outputs` of
        them, each of the shape of xt.
        """

    def blend(self, rows: Tensor, edge: Independent, law: Distribution) -> Distribution:
        r"""The edge law in some rows, the network's law elsewhere.

        Args:
            rows: where the edge step is taken, ``(B,)``, bool.
            edge: law of the edge step, :math:`p(x^{(0)} \mid x^{(1)})`.
            law: law of the other steps, of the same batch and event.

        Raises:
            ValueError: some row takes the edge step, and the law is of another family.
        """
        base = law.base_dist if isinstance(law, Independent) else law
        if not isinstance(base, self.family):
            if rows.any():
                raise ValueError(
                    "t must be an int where the network returns mixtures or another family than "
                    f"{self.family.__name__}, got a tensor that holds 1"
                )
            return law
        blended = {}
        for name in self.parameters:
            ours, theirs = getattr(edge.base_dist, name), getattr(base, name)
            blended[name] = torch.where(rows.view(-1, *[1] * (ours.ndim - 1)), ours, theirs)
        return independent(self.family, len(law.event_shape), **blended)

    def check_data(self, x0: Tensor, name: str = "x0") -> Tensor:
        """Return x0 if it is data for this kernel: ``(B, *event)``, finite, of the kernel's dtype.

        Raises:
            ValueError: wrong shape, dtype, device, or a value that is not finite.
        """
        self._check_state(x0, name)
        if not x0.isfinite().all():
            bad = x0[~x0.isfinite()][0].item()
            raise ValueError(f"{name} must be finite, got {bad}")
        return x0

    def check_moments(self, x0: Tensor) -> Tensor:
        """Return x0 if its moments are those that training needs: by default, any will do."""
        return x0

    def coefficient(self, table: Tensor, t: Steps, x: Tensor) -> Tensor:
        """Entries t of a table, shaped to multiply the states x ``(B, *event)``.

        A table of cumulative quantities has index t; one of steps, such as beta, index t - 1.
        """
        picked = table[t]
        return picked if isinstance(t, int) else picked.reshape(-1, *[1] * (x.ndim - 1))

    def prior_entropy(self, event_shape: Sequence[int]) -> Tensor:
        r"""Entropy of the prior on one event, a scalar in nats.

        .. math:: H_p(X^{(T)}) = \tfrac d2 \log 2\pi e
           \quad\text{or}\quad d\,h(\rho), \qquad h(r) = -r\log r - (1-r)\log(1-r)

        Source: :eq:`prior-entropy`, :eq:`prior-entropy-binomial`.
        """
        return self.prior((1, *event_shape)).entropy()[0]

    def marginal_entropy(self, x0: Tensor, t: Steps) -> Tensor:
        r"""Entropy of many steps, ``(B,)``, nats.

        .. math:: H_q(X^{(t)} \mid X^{(0)} = x^{(0)}) = \tfrac d2 \log(2\pi e\,\bar\beta_t)
           \quad\text{or}\quad \sum_i h(\bar\alpha_t x^{(0)}_i + \rho \bar\beta_t)

        Raises:
            ValueError: t is not in 1 … T, or x0 does not fit the kernel.

        Source: :eq:`entropy-forward`, :eq:`entropy-forward-binomial`.
        """
        return self.marginal(x0, t).entropy()

    def prior_surplus(self, x0: Tensor) -> Tensor:
        r"""How far the log prior of each example is above its mean, ``(B,)``, nats.

        .. math:: \log\pi(x^{(0)}) + H_p(X^{(T)})

        Each step shrinks its expectation by :math:`1 - \beta_t`, for Gaussian noise as for states
        that are drawn anew from the prior.

        Source: :eq:`prior-cross-entropy`, :eq:`prior-cross-entropy-binomial`.
        """
        self._check_state(x0, "x0")
        return self.prior(x0.shape).log_prob(x0) + self.prior_entropy(x0.shape[1:])

    def expected_log_prior(self, x0: Tensor, t: Steps) -> Tensor:
        r"""Minus the cross entropy to the prior after t steps, ``(B,)``, nats.

        .. math:: E_q[\log\pi(x^{(t)}) \mid x^{(0)}]
           = -H_p + \bar\alpha_t \big(\log\pi(x^{(0)}) + H_p\big)

        Raises:
            ValueError: t is not in 1 … T, or x0 does not fit the kernel.

        Source: :eq:`prior-cross-entropy`, :eq:`prior-cross-entropy-binomial`, paper eq. 43.
        """
        self._check(t, x0=x0)
        return self.alpha_bar[t] * self.prior_surplus(x0) - self.prior_entropy(x0.shape[1:])

    def _check_outputs(self, xt: Tensor, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Return a network's outputs if their number and shape are those of the head."""
        shapes = [tuple(z.shape) for z in outputs]
        if shapes != [tuple(xt.shape)] * self.outputs:
            raise ValueError(
                f"outputs must be {self.outputs} of shape {tuple(xt.shape)}, as xt, got {shapes}"
            )
        return outputs

    def _check_state(self, x: Tensor, name: str) -> None:
        if not isinstance(x, Tensor) or x.dtype != self.beta.dtype or x.device != self.beta.device:
            came = f"{x.dtype} on {x.device}" if isinstance(x, Tensor) else type(x).__name__
            want = f"{self.beta.dtype} on {self.beta.device}"
            raise ValueError(f"{name} must be a tensor like the kernel's beta, {want}, got {came}")
        if x.ndim == 0:
            raise ValueError(f"{name} must have shape (B, *event), got a scalar")

    def _check(self, t: Steps, first: int = 1, **states: Tensor) -> None:
        """Check states by name (all of one shape) and the step t, first … T."""
        names, tensors = list(states), list(states.values())
        for name, x in states.items():
            self._check_state(x, name)
            if x.shape != tensors[0].shape:
                raise ValueError(
                    f"{name} must have the shape of {names[0]}, {tuple(tensors[0].shape)}, "
                    f"got {tuple(x.shape)}"
                )
        self.check_steps(t, len(tensors[0]), first)

    def check_steps(self, t: Steps, rows: int, first: int = 1) -> None:
        """Refuse a step that is not in first … T, or not one for each of the rows.

        Raises:
            ValueError: wrong type, dtype, shape or value of t.
        """
        why = " (at t = 1 the posterior is a point mass at x0)" if first == 2 else ""
        expected = f"t must lie in {first} … {self.T}{why}"
        if isinstance(t, int):
            if not first <= t <= self.T:
                raise ValueError(f"{expected}, got {t}")
            return
        if not isinstance(t, Tensor) or t.is_floating_point() or t.dtype == torch.bool:
            came = t.dtype if isinstance(t, Tensor) else type(t).__name__
            raise ValueError(f"t must be an int or an integer tensor (B,), got {came}")
        if t.shape != (rows,):
            raise ValueError(f"t must have shape ({rows},), got {tuple(t.shape)}")
        inside = ((t >= first) & (t <= self.T)).all()
        if t.is_cuda:
            torch._assert_async(inside, expected)
        elif not inside:
            raise ValueError(f"{expected}, got {t.min().item()} … {t.max().item()}")


def independent(
    family: Callable[..., Distribution], events: int, **parameters: Tensor
) -> Independent:
    """Independent laws of a family, with the last ``events`` axes as one event.

    >>> from torch.distributions import Normal
    >>> independent(Normal, 1, loc=torch.zeros(4, 2), scale=torch.ones(())).event_shape
    torch.Size([2])
    """
    return Independent(family(**parameters, validate_args=False), events, validate_args=False)
