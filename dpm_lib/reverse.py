r""":math:`p(x^{(0 \dots T)}) = \pi(x^{(T)}) \prod_t p(x^{(t-1)} \mid x^{(t)})`, the reverse chain.

Steps t = T … 2 are a network's, see :mod:`dpm_lib.protocol`.  The last step, t = 1, is fixed: it is
the forward kernel.
"""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from tqdm import tqdm

from dpm_lib import doors
from dpm_lib.forward import check_trajectory
from dpm_lib.kernels import Kernel, Steps, draw
from dpm_lib.protocol import Network, answered, check_event, check_result, measuring

__all__ = ["ReverseProcess"]

CACHED, HELD = 2**20, 2**26
"""Numbers that the operators of a network give together: so many are quick, so many fit."""


class _Count(TorchDispatchMode):
    """Adds up how many numbers operators give, without those that were there before."""

    def __init__(self, numbers: int) -> None:
        super().__init__()
        self.numbers = numbers

    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        """What the operator gives."""
        result = operator(*args, **(kwargs or {}))
        before = {x.untyped_storage().data_ptr() for x in _tensors((args, kwargs))}
        new = (x for x in _tensors(result) if x.untyped_storage().data_ptr() not in before)
        self.numbers += sum(x.numel() for x in new)
        return result


def _eager() -> AbstractContextManager[Any]:
    """Compiled functions run as they were written: torch would not compile one under a mode."""
    compiling = "torch._dynamo" in sys.modules
    return torch.compiler.set_stance("force_eager") if compiling else nullcontext()


def _tensors(tree: Any) -> list[Tensor]:
    leaves = (x for x in tree_leaves(tree) if isinstance(x, Tensor))
    return [x for x in leaves if x.layout is torch.strided]


class ReverseProcess(nn.Module):
    r"""The model: prior, learned steps t = T … 2 and the fixed edge step t = 1.

    Kernel, rates and network are one: they are saved, loaded and moved together, and a network that
    says by its ``kernel`` what it was made for is refused under other rates.

    Args:
        kernel: the diffusion kernel that the model reverses.
        network: outputs for the kernel's head, or the law, of :math:`x^{(t-1)}` given
            :math:`x^{(t)}`; it is asked once, for two rows of zeros.
        event_shape: shape of one state; by default the network's own.
        scaler: what data went through, such as a :class:`dpm_lib.Scaler`, to be kept with the
            model; states stay in the model's units.

    Raises:
        TypeError: no kernel, no network, no event shape, a scaler that is no module, or the network
            returns something else.
        ValueError: the network was made for another kernel or event, or what it returns does not
            fit the kernel.

    Source: :eq:`reverse-trajectory`, paper eq. 5.
    """

    def __init__(
        self,
        kernel: Kernel,
        network: Network,
        event_shape: tuple[int, ...] | None = None,
        scaler: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.kernel = doors.instance("kernel", kernel, Kernel)
        doors.called("network", network, "xt", "t")
        shape = getattr(network, "event_shape", None) if event_shape is None else event_shape
        if shape is None:
            raise TypeError(
                "event_shape must be given where the network has none, got None: it is the shape "
                "of one example"
            )
        self.event_shape = doors.event("event_shape", shape)
        self.network = network
        if scaler is not None and not isinstance(scaler, nn.Module):
            raise TypeError(f"scaler must be a torch.nn.Module, got {doors.name_of(scaler)}")
        self.scaler = scaler
        self.check_network()
        numbers, self.gives_laws = self._try()
        self.most = int(max(1, HELD / numbers))
        self.rows = int(min(self.most, max(32, CACHED / numbers)))

    def check_network(self) -> None:
        """Refuse a network that was made for another kernel or event.

        Raises:
            ValueError: it was.
        """
        event = getattr(self.network, "event_shape", None)
        event = self.event_shape if event is None else doors.event("network.event_shape", event)
        if event != self.event_shape:
            raise ValueError(
                f"network must be made for events {tuple(self.event_shape)}, "
                f"it was made for {tuple(event)}"
            )
        made_for = getattr(self.network, "kernel", None)
        if isinstance(made_for, Kernel) and not self.kernel.matches(made_for):
            raise ValueError(f"network must be made for {self.kernel}, it was made for {made_for}")

    @torch.no_grad()
    def _try(self) -> tuple[float, bool]:
        """Ask the network once: how many numbers its operators give for a row; does it give laws?

        Raises:
            TypeError, ValueError: what it returns is not what a network must return.
        """
        x = self.kernel.beta.new_zeros(2, *self.event_shape, dtype=self.dtype)
        count, answer = _Count(2 * self.kernel.outputs * self.event_shape.numel()), None
        if self.kernel.T > 1:
            t = torch.full((2,), self.kernel.T, device=x.device)
            with measuring(self), _eager(), count:
                answer = self.ask(x, t)
        return count.numbers / 2, isinstance(answer, Distribution)

    @property
    def dtype(self) -> torch.dtype:
        """Of the states that are drawn: that of the network's parameters, never half precision."""
        of_network = self.network.parameters() if isinstance(self.network, nn.Module) else ()
        dtype = next((p.dtype for p in of_network if p.is_floating_point()), self.kernel.dtype)
        return dtype if dtype in doors.STATE_DTYPES else torch.float32

    def check_data(self, x0: Tensor) -> Tensor:
        """Return x0 if it is data for the kernel and of the network's event.

        Raises:
            TypeError: it is no tensor.
            ValueError: it is not, or the network was made for another kernel.
        """
        self.check_network()
        return check_event("x0", self.kernel.check_data(x0), self.event_shape)

    def check_trajectory(self, trajectory: Tensor) -> Tensor:
        """Return the trajectory if it is one of the kernel, with the network's event.

        Raises:
            TypeError: it is no tensor.
            ValueError: it is not, or the network was made for another kernel.
        """
        self.check_network()
        if check_trajectory(self.kernel, trajectory).shape[2:] != self.event_shape:
            raise ValueError(
                f"trajectory must have shape (T + 1, B, *event) with event "
                f"{tuple(self.event_shape)}, got {tuple(trajectory.shape)}"
            )
        return trajectory

    def step(self, xt: Tensor, t: Steps) -> Distribution:
        r"""Law of one reverse step, batch ``(B,)``.

        .. math:: p(x^{(t-1)} \mid x^{(t)}), \qquad
           p(x^{(0)} \mid x^{(1)}) = T_\pi(x^{(0)} \mid x^{(1)}; \beta_1)

        Args:
            xt: states, ``(B, *event)``.
            t: step, 1 … T, an int or ``(B,)``; a tensor that mixes 1 with other steps needs a
                network whose laws are no mixtures.

        Raises:
            TypeError: t is no step, or the network returns no law.
            ValueError: t is not in 1 … T, xt does not fit the kernel or the network, or the
                network returns a law of another shape, family, dtype or range.

        Source: :eq:`edge-step`, :eq:`reverse-trajectory`, paper eqs. 5 and 44.
        """
        self.check_network()
        self.kernel.check(t, xt=xt)
        edge = self.kernel.step(xt, 1)
        check_event("xt", xt, self.event_shape)
        if self.kernel.T == 1 or (isinstance(t, int) and t == 1):
            return edge
        if isinstance(t, int):
            return self.learned_step(xt, t)
        return self.kernel.blend(t == 1, edge, self.learned_step(xt, t.clamp(min=2).long()))

    def learned_step(self, xt: Tensor, t: Steps) -> Distribution:
        """What :meth:`step` gives for t = 2 … T, behind its door: what came is right already."""
        t = torch.full((1,), t, device=xt.device).expand(len(xt)) if isinstance(t, int) else t
        answer = self.ask(xt, t)
        if isinstance(answer, Distribution):
            return answer
        return self.kernel.head(xt, t, *answer)

    def ask(self, xt: Tensor, t: Tensor) -> Distribution | tuple[Tensor, ...]:
        """The network's law, or its outputs, each as xt is; t = 2 … T, ``(B,)``.

        Raises:
            TypeError: it returned neither.
            ValueError: what it returned does not fit the states or the kernel.
        """
        return answered(self.kernel, xt, self.network(xt, t))

    @torch.no_grad()
    def sample(self, n: int, *, generator: torch.Generator, progress: bool | None = None) -> Tensor:
        r"""Draw n examples, ``(n, *event)``: :math:`x^{(T)} \sim \pi`, then t = T … 1.

        A network with dropout or batch norm draws in its evaluation mode.

        Args:
            n: number of examples.
            generator: source of all noise, on the kernel's device.
            progress: show a bar; by default for chains of 1000 steps or more.

        Raises:
            TypeError: n is no integer, or the generator is none.
            ValueError: n is not positive, the generator is on another device, or what the network
                gives is no law of the kernel's family or leads to NaN.

        Source: :eq:`reverse-prior`, :eq:`reverse-trajectory`, paper eqs. 4 and 5.
        """
        bar = self.kernel.T >= 1000 if progress is None else progress
        states = self._descend(n, generator)
        with measuring(self):
            for x in tqdm(states, total=self.kernel.T + 1, desc="sample") if bar else states:
                last = x
        return check_result("samples", last)

    @torch.no_grad()
    def trajectory(self, n: int, *, generator: torch.Generator) -> Tensor:
        """Draw n reverse trajectories, ``(T + 1, n, *event)`` with index t: 0 is the sample.

        Raises:
            TypeError: n is no integer, or the generator is none.
            ValueError: n is not positive, the generator is on another device, or what the network
                gives is no law of the kernel's family or leads to NaN.

        Source: :eq:`reverse-prior`, :eq:`reverse-trajectory`, paper eqs. 4 and 5.
        """
        with measuring(self):
            states = torch.stack(list(self._descend(n, generator))).flip(0)
        return check_result("samples", states)

    def log_prob(self, trajectory: Tensor) -> Tensor:
        r"""Log probability of each reverse step, ``(T, B)``, nats, row ``t - 1`` for step t.

        .. math:: \log p(x^{(t-1)} \mid x^{(t)}), \qquad t = 1 \dots T

        The prior :math:`\log\pi(x^{(T)})` is not included.

        Raises:
            ValueError: the trajectory does not have T + 1 states of the event's shape.

        Source: :eq:`reverse-trajectory`, :eq:`edge-step`, paper eqs. 5 and 44.
        """
        return self.log_prob_of_steps(self.check_trajectory(trajectory))

    def log_prob_of_steps(self, trajectory: Tensor) -> Tensor:
        """What :meth:`log_prob` gives, behind its door."""
        T, B = self.kernel.T, trajectory.shape[1]
        edge = self.kernel.step(trajectory[1], 1).log_prob(trajectory[0])
        after, before = trajectory[2:].flatten(0, 1), trajectory[1:-1].flatten(0, 1)
        t = torch.arange(2, T + 1, device=trajectory.device).repeat_interleave(B)
        parts = [
            self.learned_step(x, s).log_prob(y)
            for x, y, s in zip(*(z.split(self.rows) for z in (after, before, t)), strict=True)
            if len(s)
        ]
        return torch.cat([edge, *parts]).view(T, B)

    def _descend(self, n: int, generator: torch.Generator) -> Iterator[Tensor]:
        """States T, T - 1 … 0 of n reverse trajectories."""
        self.check_network()
        doors.integer("n", n)
        doors.generator_on(self.kernel.beta.device, generator)
        x = draw(self.kernel.prior((n, *self.event_shape), self.dtype), generator)
        yield x
        steps = torch.arange(self.kernel.T + 1, device=x.device)[:, None].expand(-1, n).unbind()
        noises = self.kernel.noises(x, generator)
        for t in range(self.kernel.T, 1, -1):
            answer = self._answers(x, steps[t])
            if isinstance(answer, Distribution):
                x = draw(answer, generator).to(x.dtype)
            else:
                x = self.kernel.back(x, t, answer, next(noises))
            yield x
        yield draw(self.kernel.step(x, 1), generator)

    def _answers(self, xt: Tensor, t: Tensor) -> Distribution | tuple[Tensor, ...]:
        """What :meth:`ask` gives; outputs of no more rows at once than memory should hold."""
        if self.gives_laws or len(xt) <= self.most:
            return self.ask(xt, t)
        parts = zip(xt.split(self.most), t.split(self.most), strict=True)
        outputs = zip(*(self.ask(*part) for part in parts), strict=True)  # type: ignore[misc]
        return tuple(map(torch.cat, outputs))
