r""":math:`\hat p(x^{(t-1)} \mid x^{(t)}) = \arg\max_p K`, by gradient ascent on sampled steps.

:class:`Trainer` is a training that can be stopped after any update and goes on as if it had not
been; :func:`fit` and :func:`updates` run one from its first update to its last.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from dpm_lib import doors
from dpm_lib.bounds import ceiling, divergences_of
from dpm_lib.learning import parallel
from dpm_lib.learning.batches import LOOKED_AT, batches_of
from dpm_lib.learning.learned_rates import LearnedRates
from dpm_lib.learning.objectives import OBJECTIVES
from dpm_lib.learning.settings import DECAYS, Settings
from dpm_lib.reverse import ReverseProcess

__all__ = ["Trainer", "fit", "shown", "updates"]


class Trainer:
    """A training: the model, its optimiser, its source of noise, and how far they have come.

    In a process group of torch it is one training by all processes, each of which makes the same
    Trainer: see :mod:`dpm_lib.learning.parallel`.

    Args:
        model: the reverse process; its parameters are changed.
        x0: data, ``(N, *event)``, as a tensor or an array; a DataLoader of such; or a function
            ``(n, generator)`` that draws n examples.
        settings: how to train.
        generator: source of batches, steps t and noise.

    Attributes:
        step: number of updates that are done.

    Raises:
        TypeError: no model, data, settings or generator where one is expected.
        ValueError: data do not fit the kernel (NaN, not 0/1, second moment not 1), the model has
            no parameters or no step to learn, the objective is none of its kernel, or processes
            differ in what they were given or cannot share a batch evenly.

    Source: :eq:`optimal-reversal`, paper eq. 15.
    """

    def __init__(
        self, model: ReverseProcess, x0: Any, settings: Settings, *, generator: torch.Generator
    ) -> None:
        kernel = doors.instance("model", model, ReverseProcess).kernel
        doors.generator_on(kernel.beta.device, generator)
        self.settings = doors.instance("settings", settings, Settings)
        self.model, self.generator, self.step = model, generator, 0
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        if not self.parameters:
            raise ValueError("model must have parameters to train, got none")
        if kernel.T == 1:
            raise ValueError("model must have a step to learn, got a kernel with T = 1")
        self.rates = LearnedRates(model) if settings.learn_rates else None
        self.parameters += [self.rates.logits] if self.rates else []
        if settings.batch % parallel.world():
            raise ValueError(
                f"batch must be a multiple of the number of processes, {parallel.world()}, got "
                f"{settings.batch}"
            )
        self.objective = OBJECTIVES[settings.objective]
        self.weights = self.objective.weights(kernel)
        model.train()
        self.source, seen = batches_of(model, x0, generator)
        kernel.check_moments(model.check_data(seen))
        if not parallel.same(*self.parameters, seen[:LOOKED_AT], generator.get_state()):
            raise ValueError(
                "model, x0 and generator must be the same in all processes, got others in some"
            )
        self.ceiling = 0.0 if self.rates else ceiling(kernel, seen).mean().item()
        self.adam = torch.optim.Adam(self.parameters, lr=settings.learning_rate, fused=True)
        self.averages = [p.detach().clone() for p in self.parameters] if settings.average else []
        bf16 = partial(torch.autocast, generator.device.type, torch.bfloat16)
        self.precision = bf16 if settings.autocast else nullcontext
        self.follow = get_ema_multi_avg_fn(settings.average or 0)

    def update(self) -> float:
        """Follow the gradient of one batch; return the estimate of K from it, nats per example.

        The gradient is that of K per dimension, so that one learning rate and one clip serve data
        of any size.

        Raises:
            ValueError: K or its gradient is NaN or infinite; the parameters are those that led to
                it.
        """
        if self.rates is None:
            return self._update()
        self.rates.follow()
        try:
            return self._update()
        finally:
            self.rates.settle()

    def _update(self) -> float:
        how, T = self.settings, self.model.kernel.T
        if not self.model.training:
            self.model.train()
        mean, each, t = self._backward()
        slopes = [p.grad for p in self.parameters if p.grad is not None]
        parallel.average([*slopes, mean])
        found, *norms = torch.stack([mean, *torch._foreach_norm(slopes)]).tolist()
        K, length = self.ceiling - (T - 1) * found, math.hypot(*norms)
        if not (math.isfinite(K) and math.isfinite(length)):
            what = f"it is {K}" if not math.isfinite(K) else f"its gradient is {length}"
            raise ValueError(
                f"network must return laws that lead to a finite K, {what} at step {self.step + 1} "
                f"of the training (t = {_where(each, t, T)}): lower learning_rate, "
                f"now {how.learning_rate} at first"
            )
        if length > how.clip:
            torch._foreach_mul_(slopes, how.clip / length)
        rate = how.learning_rate * DECAYS[how.decay](self.step / how.steps)
        self.adam.param_groups[0]["lr"] = rate
        self.adam.step()
        if self.averages:
            with torch.no_grad():
                self.follow(self.averages, self.parameters, self.step)
        self.step += 1
        return K

    def _backward(self) -> tuple[Tensor, Tensor, Tensor]:
        """Give all parameters their gradients of a batch, of the rows of this process.

        Returns:
            What K lacks to its ceiling for each step, a scalar; the divergence of each row, and
            its t.
        """
        model, d = self.model, self.model.event_shape.numel()
        examples = self.source(self.settings.batch, self.generator)
        x0, t = self.objective.rows(examples, model.kernel.T, self.generator)
        with self.precision():
            xt = model.kernel.noised(x0, t, self.generator)
            each = divergences_of(model, x0, xt, t, self.generator, parallel.mine)
        x0, xt, t = (parallel.mine(rows) for rows in (x0, xt, t))
        scale = (model.kernel.T - 1) / d / len(each)
        for p in self.parameters:
            p.grad = None if parallel.world() == 1 else torch.zeros_like(p)
        mean = each.detach().mean()
        if self.rates:
            mean = mean - self.rates.backward(x0, xt, t, each, scale) / (model.kernel.T - 1)
        elif self.weights is None:
            each.backward(torch.full_like(each, scale))
        else:
            each.backward(self.weights.index_select(0, t).to(each.dtype) * scale)
        return mean, each, t

    @torch.no_grad()
    def finish(self) -> None:
        """Give the model the averages of its parameters, if averages are kept."""
        for parameter, average in zip(self.parameters, self.averages, strict=False):
            parameter.copy_(average)
        if self.rates:
            self.rates.settle()

    @contextmanager
    def finished(self) -> Iterator[ReverseProcess]:
        """The model as it would be after :meth:`finish`, for as long as it is looked at."""
        now = [p.detach().clone() for p in self.parameters]
        try:
            self.finish()
            yield self.model
        finally:
            for parameter, value in zip(self.parameters, now, strict=True):
                parameter.data.copy_(value)
            if self.rates:
                self.rates.settle()

    def state(self) -> dict[str, Tensor]:
        """All that the next update depends on beside the model, as tensors by name.

        But for the place in a DataLoader, which begins anew.

        The model is that of :meth:`finished`; where averages are kept, the parameters are here:
        take it first, and save the model of :meth:`finished` with it.
        """
        found = {"step": torch.tensor(self.step), "generator": self.generator.get_state()}
        found |= {"rates": self.rates.logits.detach().clone()} if self.rates else {}
        for i, average in enumerate(self.averages):
            found |= {f"average.{i}": average.clone()}
            found |= {f"parameter.{i}": self.parameters[i].detach().clone()}
        for i, moments in self.adam.state_dict()["state"].items():
            found |= {f"adam.{i}.{name}": value for name, value in moments.items()}
        return found

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from what :meth:`state` gave; the model must be what :meth:`finished` gave then.

        Raises:
            ValueError: the state is of another training.
        """
        kept = {f"average.{i}": average for i, average in enumerate(self.averages)}
        kept |= {f"parameter.{i}": self.parameters[i] for i in range(len(self.averages))}
        kept |= {"rates": self.rates.logits} if self.rates else {}
        wanted = kept | {"step": torch.tensor(0), "generator": self.generator.get_state()}
        moments = {}
        for i, p in enumerate(self.parameters):
            like = {"step": torch.tensor(0.0), "exp_avg": p, "exp_avg_sq": p}
            if any(f"adam.{i}.{name}" in state for name in like):
                wanted |= {f"adam.{i}.{name}": value for name, value in like.items()}
                moments[i] = {name: state.get(f"adam.{i}.{name}") for name in like}
        shapes = [{key: value.shape for key, value in all_.items()} for all_ in (wanted, state)]
        odd = sorted({key for key, _ in shapes[0].items() ^ shapes[1].items()})
        if odd or (state["step"] > 0 and not moments):
            raise ValueError(
                f"state must be that of this training, it differs in {odd[:5] or 'adam'}"
            )
        self.step = doors.integer("step", int(state["step"]), 0)
        self.generator.set_state(state["generator"].cpu())
        with torch.no_grad():
            for key, value in kept.items():
                value.copy_(state[key])
        if self.rates:
            self.rates.settle()
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": moments, "param_groups": groups})


def updates(
    model: ReverseProcess, x0: Any, *, generator: torch.Generator, **settings: Any
) -> Iterator[tuple[int, float]]:
    """Train a model update by update, for as long as the iterator is used.

    Args:
        model, x0, generator: as in :class:`Trainer`.
        settings: those of :class:`Settings`, steps at least.

    Yields:
        step 1 … steps, and the estimate of K from its batch, nats per example.

    Raises:
        TypeError, ValueError: as in :class:`Trainer` and :meth:`Trainer.update`.

    Source: :eq:`optimal-reversal`, paper eq. 15.
    """
    trainer = Trainer(model, x0, Settings(**settings), generator=generator)
    return _updates(trainer)


def fit(
    model: ReverseProcess,
    x0: Any,
    *,
    generator: torch.Generator,
    report: Callable[[int, float], Any] | None = None,
    progress: bool = False,
    **settings: Any,
) -> Tensor:
    """Train a model; return the estimates of K from each batch, ``(steps,)``, nats per example.

    Each update draws a batch and its steps t, as the objective says, and follows the gradient of
    the sampled bound with Adam.

    Args:
        model, x0, generator: as in :class:`Trainer`.
        report: called with the number and K of each update.
        progress: show a bar, with a moving mean of K in bits.
        settings: those of :class:`Settings`, steps at least.

    Raises:
        TypeError, ValueError: as in :class:`Trainer` and :meth:`Trainer.update`.

    Source: :eq:`optimal-reversal`, paper eq. 15.
    """
    trainer = Trainer(model, x0, Settings(**settings), generator=generator)
    trace = []
    with tqdm(total=trainer.settings.steps, disable=not progress, desc="fit") as bar:
        show = shown(bar)
        for step, K in _updates(trainer):
            trace.append(K)
            if progress:
                show(step, K)
            if report is not None:
                report(step, K)
    return torch.tensor(trace, dtype=torch.float64)


def shown(bar: "tqdm[Any]") -> Callable[[int, float], None]:
    """Show each update in a bar: how many are done, and a moving mean of K in bits."""
    mean: list[float] = []

    def report(step: int, K: float) -> None:
        """Note one update."""
        mean[:] = [0.98 * mean[0] + 0.02 * K if mean else K]
        bar.update(step - bar.n)
        bar.set_postfix_str(f"K = {mean[0] / math.log(2):.3f} bits", refresh=False)

    return report


def _updates(trainer: Trainer) -> Iterator[tuple[int, float]]:
    while trainer.step < trainer.settings.steps:
        K = trainer.update()
        if trainer.step == trainer.settings.steps:
            trainer.finish()
        yield trainer.step, K


def _where(each: Tensor, t: Tensor, T: int) -> str:
    """The steps at which a divergence is not finite in any process, a few of them."""
    counts = t[~each.isfinite()].bincount(minlength=T + 1).to(each.dtype)
    parallel.average([counts])
    bad = counts.nonzero().flatten().tolist()
    return ", ".join(map(str, bad[:5])) + (" …" if len(bad) > 5 else "")
