r""":math:`p(x^{(0 \dots T)}) = \pi(x^{(T)}) \prod_t p(x^{(t-1)} \mid x^{(t)})`, the reverse chain.

A network is any callable ``network(xt, t)`` with an ``event_shape`` that returns the law of
:math:`x^{(t-1)}` for t = 2 … T, as a torch distribution with batch ``(B,)``.  The last step, t = 1,
is fixed: it is the forward kernel.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from tqdm import tqdm

from dpm_lib.forward import check_trajectory
from dpm_lib.kernels import Kernel, Steps, draw

__all__ = ["ClosedForm", "Network", "ReverseProcess", "identity_network"]

NETWORK_ROWS = 4096
"""How many (example, step) rows go through a network at once."""


class Network(Protocol):
    """What a reverse process asks of a network: an event shape, and the law of one step."""

    @property
    def event_shape(self) -> torch.Size:
        """Shape of one state, without the batch."""

    def __call__(self, xt: Tensor, t: Steps) -> Distribution:
        """Law of the state before xt, for t = 2 … T, an int or ``(B,)``."""


@dataclass(frozen=True)
class ClosedForm:
    """A network without parameters: a formula for the law of one reverse step."""

    event_shape: torch.Size
    formula: Callable[[Tensor, Steps], Distribution]

    def __call__(self, xt: Tensor, t: Steps) -> Distribution:
        """Law of the state before xt, for t = 2 … T, an int or ``(B,)``."""
        return self.formula(xt, t)


def identity_network(kernel: Kernel, event_shape: tuple[int, ...]) -> ClosedForm:
    r"""Reverse steps equal to forward steps; the model is then exactly :math:`\pi`.

    .. math:: p(x^{(t-1)} \mid x^{(t)}) = T_\pi(x^{(t-1)} \mid x^{(t)}; \beta_t)

    Source: :eq:`detailed-balance`.
    """
    return ClosedForm(torch.Size(event_shape), kernel.step)


class ReverseProcess(nn.Module):
    r"""The model: prior, learned steps t = T … 2 and the fixed edge step t = 1.

    Args:
        kernel: the diffusion kernel that the model reverses.
        network: law of :math:`x^{(t-1)}` given :math:`x^{(t)}`, with an ``event_shape``.

    Source: :eq:`reverse-trajectory`, paper eq. 5.
    """

    def __init__(self, kernel: Kernel, network: Network) -> None:
        super().__init__()
        self.kernel = kernel
        self.network = network

    @property
    def event_shape(self) -> torch.Size:
        """Shape of one state, without the batch."""
        return torch.Size(self.network.event_shape)

    def step(self, xt: Tensor, t: Steps) -> Distribution:
        r"""Law of one reverse step, batch ``(B,)``.

        .. math:: p(x^{(t-1)} \mid x^{(t)}), \qquad
           p(x^{(0)} \mid x^{(1)}) = T_\pi(x^{(0)} \mid x^{(1)}; \beta_1)

        Args:
            xt: states, ``(B, *event)``.
            t: step, 1 … T, an int or ``(B,)``; a tensor that mixes 1 with other steps needs a
                network whose laws are of the kernel's family.

        Raises:
            ValueError: t is not in 1 … T, xt does not fit the kernel or the network, or the
                network returns a law of another shape.

        Source: :eq:`edge-step`, :eq:`reverse-trajectory`, paper eqs. 5 and 44.
        """
        if xt.shape[1:] != self.event_shape:
            raise ValueError(
                f"xt must have shape (B, *event) with event {tuple(self.event_shape)}, "
                f"got {tuple(xt.shape)}"
            )
        edge = self.kernel.step(xt, 1 if isinstance(t, int) else torch.ones_like(t))
        self.kernel.check_steps(t, len(xt))
        if self.kernel.T == 1 or (isinstance(t, int) and t == 1):
            return edge
        law = self.network(xt, t if isinstance(t, int) else t.clamp(min=2))
        if law.batch_shape != edge.batch_shape or law.event_shape != edge.event_shape:
            raise ValueError(
                f"network must return a law with batch {tuple(edge.batch_shape)} and event "
                f"{tuple(edge.event_shape)}, got {tuple(law.batch_shape)} and "
                f"{tuple(law.event_shape)}"
            )
        return law if isinstance(t, int) else self.kernel.blend(t == 1, edge, law)

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, progress: bool | None = None) -> Tensor:
        r"""Draw n examples, ``(n, *event)``: :math:`x^{(T)} \sim \pi`, then t = T … 1.

        Args:
            n: number of examples.
            generator: source of all noise, on the kernel's device.
            progress: show a bar; by default for chains of 1000 steps or more.

        Raises:
            ValueError: the generator is on another device.

        Source: :eq:`reverse-prior`, :eq:`reverse-trajectory`, paper eqs. 4 and 5.
        """
        bar = self.kernel.T >= 1000 if progress is None else progress
        states = self._descend(n, generator)
        for x in tqdm(states, total=self.kernel.T + 1, disable=not bar, desc="sample"):
            last = x
        return last

    @torch.no_grad()
    def trajectory(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw n reverse trajectories, ``(T + 1, n, *event)`` with index t: 0 is the sample.

        Raises:
            ValueError: the generator is on another device.

        Source: :eq:`reverse-prior`, :eq:`reverse-trajectory`, paper eqs. 4 and 5.
        """
        return torch.stack(list(self._descend(n, generator))).flip(0)

    def log_prob(self, trajectory: Tensor) -> Tensor:
        r"""Log probability of each reverse step, ``(T, B)``, nats, row ``t - 1`` for step t.

        .. math:: \log p(x^{(t-1)} \mid x^{(t)}), \qquad t = 1 \dots T

        The prior :math:`\log\pi(x^{(T)})` is not included.

        Raises:
            ValueError: the trajectory does not have T + 1 states of the event's shape.

        Source: :eq:`reverse-trajectory`, :eq:`edge-step`, paper eqs. 5 and 44.
        """
        T, B = self.kernel.T, check_trajectory(self.kernel, trajectory).shape[1]
        edge = self.step(trajectory[1], 1).log_prob(trajectory[0])
        after, before = trajectory[2:].flatten(0, 1), trajectory[1:-1].flatten(0, 1)
        t = torch.arange(2, T + 1, device=trajectory.device).repeat_interleave(B)
        parts = [
            self.step(x, s).log_prob(y)
            for x, y, s in zip(
                after.split(NETWORK_ROWS),
                before.split(NETWORK_ROWS),
                t.split(NETWORK_ROWS),
                strict=True,
            )
            if len(s)
        ]
        return torch.cat([edge, *parts]).view(T, B)

    def _descend(self, n: int, generator: torch.Generator) -> Iterator[Tensor]:
        """States T, T - 1 … 0 of n reverse trajectories."""
        x = draw(self.kernel.prior((n, *self.event_shape)), generator)
        yield x
        for t in range(self.kernel.T, 0, -1):
            x = draw(self.step(x, t), generator)
            yield x
