r""":math:`K^* = -H_q(X^{(1)}) + H_q(X^{(T)}) - H_p(X^{(T)})`, and what every known law offers."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily

from dpm_lib import doors
from dpm_lib.entropies import entropy_of_step
from dpm_lib.kernels import Kernel
from dpm_lib.protocol import ClosedForm, check_event

__all__ = ["Law"]

DENSITY_NUMBERS = 2**20
"""How many numbers one chunk of a density may hold."""


class Law(ABC):
    """A data law whose chain is known: marginals, exact reversal, entropies, best bound.

    Attributes:
        family: that of the kernels under which its chain is known.
        event_shape: shape of one example.
        like: a tensor of the law, whose dtype and device its draws have.
    """

    family: type[Distribution]
    event_shape: torch.Size
    like: Tensor

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draw n examples, ``(n, *event)``.

        Raises:
            TypeError: n is no integer, or the generator is none.
            ValueError: n is not positive, or the generator is on another device than the law.
        """
        doors.integer("n", n)
        doors.generator_on(self.like.device, generator)
        return self._sample(n, generator)

    def log_prob(self, x: Tensor) -> Tensor:
        """Log probability of data, ``(n,)``, nats.

        Raises:
            TypeError: x is no tensor.
            ValueError: x is not finite, or of another dtype, device or event than the law.
        """
        doors.tensor("x", x, f"(n, *event) with event {tuple(self.event_shape)}")
        if x.dtype != self.like.dtype or x.device != self.like.device:
            raise ValueError(
                f"x must be of {self.like.dtype} on {self.like.device}, as the law is, "
                f"got {x.dtype} on {x.device}"
            )
        return self._log_prob(check_event("x", x, self.event_shape))

    @abstractmethod
    def _sample(self, n: int, generator: torch.Generator) -> Tensor: ...

    @abstractmethod
    def _log_prob(self, x: Tensor) -> Tensor: ...

    @abstractmethod
    def marginal(self, kernel: Kernel, t: int) -> Distribution:
        """Law of the state after t = 1 … T steps, with no batch."""

    @abstractmethod
    def reversal(self, kernel: Kernel) -> ClosedForm:
        r"""Network that gives the exact reversal, :math:`q(x^{(t-1)} \mid x^{(t)})`."""

    @abstractmethod
    def entropy(self, kernel: Kernel, t: int) -> Tensor:
        r"""Entropy of the state after t = 1 … T steps, :math:`H_q(X^{(t)})`, a scalar, nats."""

    @property
    @abstractmethod
    def _centres(self) -> tuple[Tensor, Tensor]:
        """Points around which the law has its parts, ``(M, *event)``, and their weights."""

    def reverse_entropy(self, kernel: Kernel, t: int) -> Tensor:
        r"""Entropy of the exact reversal of step t = 2 … T, a scalar, nats.

        .. math:: H_q(X^{(t-1)} \mid X^{(t)})
           = H_q(X^{(t)} \mid X^{(t-1)}) + H_q(X^{(t-1)}) - H_q(X^{(t)})

        Raises:
            ValueError: t is not in 2 … T, or the entropy of a state is out of reach, as
                :meth:`entropy` says.

        Source: :eq:`reverse-entropy`, :eq:`reverse-entropy-gaussian`, paper eqs. 25 to 27.
        """
        self._check(kernel, t)
        kernel.check_steps(t, 1, first=2)
        points, weights = self._centres
        step = weights @ entropy_of_step(kernel, points, t)
        return step + self.entropy(kernel, t - 1) - self.entropy(kernel, t)

    def optimum(self, kernel: Kernel) -> Tensor:
        r"""Largest bound that any reverse process reaches, on average over data, a scalar, nats.

        .. math:: K^* = -H_q(X^{(1)}) + H_q(X^{(T)}) - H_p(X^{(T)})

        Of the rates only the first and the product of all matter; on thin data it grows without
        limit as the first falls.

        Source: :eq:`optimal-bound`, :eq:`rate-one`, :eq:`rate-gradient`.
        """
        self._check(kernel)
        prior = kernel.prior_entropy(self.event_shape)
        return self.entropy(kernel, kernel.T) - self.entropy(kernel, 1) - prior

    def step_loss(self, kernel: Kernel, t: int) -> Tensor:
        r"""What the best step of the kernel's family loses at step t = 2 … T, a scalar, nats.

        .. math:: E_{q(x^{(t)})}\, D_{KL}\big(q(x^{(t-1)} \mid x^{(t)})\,\Vert\,
           p(x^{(t-1)} \mid x^{(t)})\big)

        with the Gaussians, or the independent bits, that have the moments of the exact reversal:
        how much larger their entropy is than that of the exact reversal.

        Raises:
            ValueError: t is not in 2 … T, or the entropy of the law is out of reach.

        Source: :eq:`bound-loss`, :eq:`optimal-reversal`.
        """
        self._check(kernel, t, first=2)
        after_step = self.entropy(kernel, t - 1) + self._step_entropy(kernel, t)
        return self._best_step_entropy(kernel, t) - (after_step - self.entropy(kernel, t))

    @abstractmethod
    def _step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        r""":math:`H_q(X^{(t)} \mid X^{(t-1)})`, of a forward step."""

    @abstractmethod
    def _best_step_entropy(self, kernel: Kernel, t: int) -> Tensor:
        """Entropy of the best reverse step of the family, averaged over the state after it."""

    def _check(self, kernel: Kernel, t: int = 1, first: int = 1) -> None:
        """Refuse a kernel of another family, and a step that is no int in first … T."""
        if doors.instance("kernel", kernel, Kernel).family is not self.family:
            raise ValueError(
                f"kernel must have laws of the family {self.family.__name__}, as this law needs, "
                f"got {type(kernel).__name__} with {kernel.family.__name__}"
            )
        if not isinstance(t, int):
            raise TypeError(f"t must be an int, got {doors.name_of(t)}")
        kernel.check_steps(t, 1, first)


def mix(logits: Tensor, components: Independent) -> MixtureSameFamily:
    """Mixture of components, one for each logit of the last axis."""
    chosen = Categorical(logits=logits, validate_args=False)
    return MixtureSameFamily(chosen, components, validate_args=False)


def chunked_log_prob(law: Distribution, x: Tensor, components: int) -> Tensor:
    """Log probability of the rows of x under a mixture, in chunks that fit in memory."""
    rows = max(1, DENSITY_NUMBERS // (components * x[0].numel()))
    return torch.cat([law.log_prob(chunk) for chunk in x.split(rows)])
