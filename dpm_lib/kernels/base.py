r""":math:`q(x^{(t)} \mid x^{(t-1)}) = T_\pi(x^{(t)} \mid x^{(t-1)}; \beta_t)`: what kernels share.

Steps count :math:`t = 1 \dots T`, as an int or as one integer for each row, ``(B,)``.  States are
``(B, *event)`` in float32 or float64; laws have their dtype and are ``Independent`` over the event,
so their ``log_prob``, ``entropy`` and KL divergence are ``(B,)``, in nats.

Tables of rates live in float64, whatever the states are, and are cast where they meet a state.
Types, shapes and steps are checked in every method that gives a law.  Values of data (NaN, bits)
are checked once, by :meth:`Kernel.check_data`, where data enter: :mod:`dpm_lib.forward`,
``likelihood``, ``bounds``.  The last four methods of a kernel, which training and sampling call at
every step, check nothing: what they do in few operations stands before them as laws.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import repeat
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, kl_divergence

from dpm_lib import doors, schedules
from dpm_lib.kernels.draws import draw
from dpm_lib.kernels.laws import independent, of_mixtures
from dpm_lib.kernels.tables import Tables

__all__ = ["Kernel", "Steps"]

Steps = int | Tensor
"""A step t: an int, or an int64 or int32 tensor ``(B,)`` with one step for each row."""


class Kernel(Tables, ABC):
    r"""A diffusion kernel with its rates, which are its state: saved with it, moved with it.

    A kernel cannot be given other rates: loading a ``state_dict`` of other rates is refused, and so
    is every use after they were changed in place.  ``to``, ``float`` and ``half`` move the tables
    and set :attr:`dtype`; the tables stay in float64.

    Attributes:
        family: torch class of one coordinate of all its laws.
        arguments: names of the family's arguments, by which its laws are blended.
        outputs: how many numbers per coordinate a network may give to :meth:`head`.
        fewest: how many it must give; by default all.
        beta: rates :math:`\beta_1 \dots \beta_T`, ``(T,)``, float64.
        T: number of steps.
        alpha_bar: signal kept :math:`\bar\alpha_0 \dots \bar\alpha_T`, ``(T + 1,)``, float64.
        beta_bar: noise :math:`\bar\beta_t = 1 - \bar\alpha_t`, ``(T + 1,)``, float64.

    Raises:
        TypeError: beta is no tensor.
        ValueError: beta is not a vector of rates in (0, 1], in float32 or float64.

    Source: :eq:`diffusion-kernel`, paper eq. 2.
    """

    family: type[Distribution]
    arguments: tuple[str, ...]
    outputs: int = 1
    fewest: int | None = None
    beta: Tensor
    alpha_bar: Tensor
    beta_bar: Tensor

    def __init__(self, beta: Tensor) -> None:
        super().__init__(schedules.check_rates(beta).dtype, beta.device)
        self.T = len(beta)
        self.table("beta", beta, saved=True)
        self.table("alpha_bar", schedules.signal(self.beta))
        self.table("beta_bar", schedules.noise(self.beta))

    def matches(self, other: "Kernel") -> bool:
        """Whether the other kernel is of this kind and has the same rates."""
        if self is other:
            return True
        mine, theirs = self.state_dict(), other.state_dict()
        return type(self) is type(other) and all(
            torch.equal(value, theirs[name].to(value)) for name, value in mine.items()
        )

    def with_rates(self, beta: Tensor) -> Self:
        """A kernel of this kind with other rates, and with states of our dtype.

        Its tables are differentiable in beta if beta is.

        Args:
            beta: rates, ``(T,)``, in (0, 1].

        Raises:
            TypeError: beta is no tensor.
            ValueError: beta is not a vector of rates in (0, 1].
        """
        saved = self.state_dict().items()
        others = {name: table.item() for name, table in saved if name != "beta"}
        made = type(self)(beta, **others)
        made.dtype = self.dtype
        return made

    def steps_table(self, name: str, *rows: Tensor) -> None:
        """Keep rows of numbers of the steps 2 … T as a table, ``(len(rows), T + 1)``."""
        self.table(name, nn.functional.pad(torch.stack(rows), (2, 0)))

    def extra_repr(self) -> str:
        """How a kernel shows itself: steps and the first and last rate."""
        return f"T={self.T}, beta={self.beta[0].item():.4g} … {self.beta[-1].item():.4g}"

    @abstractmethod
    def prior(self, shape: Sequence[int], dtype: torch.dtype | None = None) -> Independent:
        r"""Prior :math:`\pi` on states of a shape that includes the batch, by default of our dtype.

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

        so that an untrained network is exactly the identity model.  There are :attr:`fewest` to
        :attr:`outputs` of them, each of the shape of xt; those that are not given are 0.
        """

    def blend(self, rows: Tensor, edge: Independent, law: Distribution) -> Distribution:
        r"""The edge law in some rows, the network's law elsewhere.

        Args:
            rows: where the edge step is taken, ``(B,)``, bool.
            edge: law of the edge step, :math:`p(x^{(0)} \mid x^{(1)})`.
            law: law of the other steps, of the same batch and event.

        Raises:
            ValueError: some row takes the edge step, and the law is a mixture.
        """
        if of_mixtures(law):
            if rows.any():
                raise ValueError(
                    "t must be an int where the network returns mixtures, got a tensor that holds 1"
                )
            return law
        base = law.base_dist if isinstance(law, Independent) else law
        blended = {}
        for name in self.arguments:
            ours, theirs = getattr(edge.base_dist, name), getattr(base, name)
            blended[name] = torch.where(rows.view(-1, *[1] * (ours.ndim - 1)), ours, theirs)
        return independent(self.family, len(law.event_shape), **blended)

    def check_data(self, x0: Tensor, name: str = "x0") -> Tensor:
        """Return x0 if it is data for this kernel: ``(B, *event)``, finite.

        Raises:
            TypeError: no tensor.
            ValueError: wrong shape, dtype, device, or a value that is not finite.
        """
        self._check_state(x0, name)
        self.check_tables(values=True)
        if not len(x0):
            raise ValueError(f"{name} must have at least one row, got shape {tuple(x0.shape)}")
        return doors.all_finite(name, x0)

    def check_moments(self, x0: Tensor) -> Tensor:
        """Return x0 if its moments are those that training needs: by default, any will do."""
        return x0

    def coefficient(self, table: Tensor, t: Steps, x: Tensor) -> Tensor:
        """Entries t of a table, shaped to multiply the states x ``(B, *event)``, in their dtype.

        A table of cumulative quantities has index t; one of steps, such as beta, index t - 1.
        """
        picked = table[t]
        if isinstance(t, int):  # one number, which takes the dtype of what it multiplies
            return picked
        return picked.to(x.dtype).view(-1, *[1] * (x.ndim - 1))

    def prior_entropy(self, event_shape: Sequence[int]) -> Tensor:
        r"""Entropy of the prior on one event, a scalar in nats.

        .. math:: H_p(X^{(T)}) = \tfrac d2 \log 2\pi e
           \quad\text{or}\quad d\,h(\rho), \qquad h(r) = -r\log r - (1-r)\log(1-r)

        Source: :eq:`prior-entropy`, :eq:`prior-entropy-binomial`.
        """
        return self.prior((1, *event_shape), torch.float64).entropy()[0]

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
        return self.prior(x0.shape, x0.dtype).log_prob(x0) + self.prior_entropy(x0.shape[1:])

    def expected_log_prior(self, x0: Tensor, t: Steps) -> Tensor:
        r"""Minus the cross entropy to the prior after t steps, ``(B,)``, nats.

        .. math:: E_q[\log\pi(x^{(t)}) \mid x^{(0)}]
           = -H_p + \bar\alpha_t \big(\log\pi(x^{(0)}) + H_p\big)

        Raises:
            ValueError: t is not in 1 … T, or x0 does not fit the kernel.

        Source: :eq:`prior-cross-entropy`, :eq:`prior-cross-entropy-binomial`, paper eq. 43.
        """
        self.check(t, x0=x0)
        kept = self.alpha_bar[t] if isinstance(t, int) else self.alpha_bar[t].to(x0.dtype)
        return kept * self.prior_surplus(x0) - self.prior_entropy(x0.shape[1:])

    def check_steps(self, t: Steps, rows: int, first: int = 1) -> None:
        """Refuse a step that is not in first … T, or not one for each of the rows.

        Raises:
            TypeError: no int and no tensor of int64 or int32.
            ValueError: wrong shape or value of t.
        """
        if isinstance(t, Tensor) and t.dtype in (torch.int64, torch.int32):
            if t.shape != (rows,):
                raise ValueError(f"t must have shape ({rows},), got {tuple(t.shape)}")
            if not rows:
                return
            low, high = map(int, t.aminmax())
        elif isinstance(t, int) and not isinstance(t, bool):
            low = high = t
        else:
            raise TypeError(f"t must be an int or an int64 tensor (B,), got {doors.name_of(t)}")
        if low < first or high > self.T:
            why = " (at t = 1 the posterior is a point mass at x0)" if first == 2 else ""
            came = low if low == high else f"{low} … {high}"
            raise ValueError(f"t must lie in {first} … {self.T}{why}, got {came}")

    def _check_outputs(self, xt: Tensor, outputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """A network's outputs in the dtype of xt, if they are as many and as large as they must."""
        shapes = [tuple(z.shape) if isinstance(z, Tensor) else doors.name_of(z) for z in outputs]
        if len(shapes) not in self.numbers or set(shapes) != {tuple(xt.shape)}:
            raise ValueError(
                f"outputs must be {self.how_many} of shape {tuple(xt.shape)}, as xt, got {shapes}"
            )
        return tuple(z.to(xt.dtype) for z in outputs)

    @property
    def numbers(self) -> range:
        """How many numbers per coordinate a network may give."""
        return range(self.fewest or self.outputs, self.outputs + 1)

    @property
    def how_many(self) -> str:
        """The same in words."""
        return " or ".join(map(str, self.numbers))

    def _check_state(self, x: Tensor, name: str) -> None:
        self.check_tables()
        if not isinstance(x, Tensor):
            raise TypeError(f"{name} must be a tensor (B, *event), got {doors.name_of(x)}")
        if x.dtype not in doors.STATE_DTYPES:
            raise ValueError(
                f"{name} must be of float32 or float64, got {x.dtype}: a state in "
                f"{x.dtype} is not exact enough, use {name}.float()"
            )
        if x.device != self.beta.device:
            raise ValueError(
                f"{name} must be on {self.beta.device}, as the kernel is, got {x.device}: "
                f"use {name}.to({str(self.beta.device)!r})"
            )
        if x.ndim == 0:
            raise ValueError(f"{name} must have shape (B, *event), got a scalar")

    def check(self, t: Steps, first: int = 1, **states: Tensor) -> None:
        """Refuse states by name that are not of one shape and dtype, and a step not in first … T.

        Raises:
            TypeError: no tensor, or no step.
            ValueError: a state that the kernel cannot take, or a step that it does not have.
        """
        like = None
        for name, x in states.items():
            self._check_state(x, name)
            like = x if like is None else like
            if x.shape != like.shape or x.dtype != like.dtype:
                raise ValueError(
                    f"{name} must be of shape {tuple(like.shape)} and {like.dtype}, "
                    f"as {next(iter(states))}, got {tuple(x.shape)} and {x.dtype}"
                )
        self.check_steps(t, 0 if like is None else len(like), first)

    def noised(self, x0: Tensor, t: Tensor, generator: torch.Generator) -> Tensor:
        """A draw of :meth:`marginal`, ``(B, *event)``."""
        return draw(self.marginal(x0, t), generator)

    def divergence(self, x0: Tensor, xt: Tensor, t: Tensor, outputs: Sequence[Tensor]) -> Tensor:
        """Divergence of :meth:`head` from :meth:`posterior`, ``(B,)``, nats; t = 2 … T."""
        return kl_divergence(self.posterior(x0, xt, t), self.head(xt, t, *outputs))

    def noises(self, x: Tensor, generator: torch.Generator) -> Iterator[Any]:
        """What :meth:`back` makes its draws from, one after another, for states of the shape of x.

        It may be noise, drawn for many steps at once; here it is the generator.
        """
        return repeat(generator)

    def back(self, xt: Tensor, t: int, outputs: Sequence[Tensor], noise: Any) -> Tensor:
        """A draw of :meth:`head`, ``(B, *event)``, from one of :meth:`noises`; t = 2 … T."""
        return draw(self.head(xt, t, *outputs), noise)
