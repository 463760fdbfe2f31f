r""":math:`\hat p(x^{(t-1)} \mid x^{(t)}) = \arg\max_p K`, by gradient ascent on sampled steps.

:class:`Trainer` is a training that can be stopped after any update and goes on as if it had not
been; :func:`fit` and :func:`updates` run one from its first update to its last.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from torch.utils.data import DataLoader
from tqdm import tqdm

from dpm_lib import doors
from dpm_lib.bounds import ceiling, divergences_of
from dpm_lib.learning import parallel
from dpm_lib.learning.learned_rates import LearnedRates
from dpm_lib.learning.objectives import OBJECTIVES
from dpm_lib.reverse import ReverseProcess

__all__ = ["Settings", "Source", "Trainer", "fit", "updates"]

Source = Callable[[int, torch.Generator], Tensor]
"""A function ``(n, generator)`` that draws n examples, ``(n, *event)``."""

LOOKED_AT = 4096
"""How many examples of a source are looked at before training."""

DECAYS = {
    "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2,
    "constant": lambda done: 1.0,
}
"""Learning rate over its first value, by the part of the training that is done."""


@dataclass(frozen=True)
class Settings:
    """How a model is trained.

    Attributes:
        steps: number of updates.
        batch: examples in a batch, of all processes together.
        learning_rate: of the first update.
        decay: "cosine", to 0, or "constant".
        clip: largest norm of the gradient of K per dimension.
        average: decay of the moving average of the parameters that the model has in the end, such
            as 0.999; None for the last parameters.
        objective: key of :data:`dpm_lib.learning.objectives.OBJECTIVES`.
        autocast: whether the network computes in bfloat16.
        learn_rates: whether the rates of the kernel, but for the first, are learned as well.

    Raises:
        TypeError: a setting of the wrong type.
        ValueError: a setting out of its range.
    """

    steps: int
    batch: int = 256
    learning_rate: float = 1e-3
    decay: str = "cosine"
    clip: float = 10.0
    average: float | None = None
    objective: str = "bound"
    autocast: bool = False
    learn_rates: bool = False

    def __post_init__(self) -> None:
        doors.integer("steps", self.steps)
        doors.integer("batch", self.batch)
        doors.number("learning_rate", self.learning_rate, above=0)
        doors.number("clip", self.clip, above=0)
        doors.one_of("decay", self.decay, DECAYS)
        doors.one_of("objective", self.objective, OBJECTIVES)
        if self.average is not None and doors.number("average", self.average, above=0) >= 1:
            raise ValueError(f"average must lie in (0, 1), got {self.average}")
        for name in ("autocast", "learn_rates"):
            if not isinstance(value := getattr(self, name), bool):
                raise TypeError(f"{name} must be True or False, got {doors.name_of(value)}")
        if self.learn_rates and self.objective == "noise":
            raise ValueError(
                "objective must lower the bound itself to learn rates, got 'noise', whose weights "
                "change with them"
            )

    def as_dict(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        return asdict(self)


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
        self.source, seen = _source(model, x0, generator)
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
        model, how, d = self.model, self.settings, self.model.event_shape.numel()
        if not model.training:
            model.train()
        examples = self.source(how.batch, self.generator)
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
            each.backward(self.weights[t].to(each.dtype) * scale)
        slopes = [p.grad for p in self.parameters if p.grad is not None]
        parallel.average([*slopes, mean])
        found, *norms = torch.stack([mean, *torch._foreach_norm(slopes)]).tolist()
        K, length = self.ceiling - (model.kernel.T - 1) * found, math.hypot(*norms)
        if not (math.isfinite(K) and math.isfinite(length)):
            what = f"it is {K}" if not math.isfinite(K) else f"its gradient is {length}"
            raise ValueError(
                f"network must return laws that lead to a finite K, {what} at step {self.step + 1} "
                f"of the training (t = {_where(each, t, model.kernel.T)}): lower learning_rate, "
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
        wanted = {f"average.{i}": average for i, average in enumerate(self.averages)}
        wanted |= {f"parameter.{i}": self.parameters[i] for i in range(len(self.averages))}
        wanted |= {"rates": self.rates.logits} if self.rates else {}
        moments: dict[int, dict[str, Tensor]] = {}
        for key in state.keys() - wanted - {"step", "generator"}:
            _, i, name = key.split(".")
            moments.setdefault(int(i), {})[name] = state[key]
        odd = [key for key, p in wanted.items() if key not in state or state[key].shape != p.shape]
        if odd or not {"step", "generator"} <= state.keys():
            raise ValueError(f"state must be that of this training, it lacks {odd[:5]}")
        self.step = doors.integer("step", int(state["step"]), 0)
        self.generator.set_state(state["generator"].cpu())
        with torch.no_grad():
            for key, p in wanted.items():
                p.copy_(state[key])
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

    Each update draws a batch and one t for each example, and follows the gradient of the sampled
    bound with Adam.

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


def _source(model: ReverseProcess, x0: Any, generator: torch.Generator) -> tuple[Source, Tensor]:
    """Where batches come from, and examples to look at first."""
    like = model.kernel.beta
    x0 = doors.from_array("x0", x0, like.device, model.dtype)
    if isinstance(x0, Tensor):
        return lambda n, g: x0[torch.randint(len(x0), (n,), generator=g, device=x0.device)], x0
    if isinstance(x0, DataLoader):
        x0 = _Loaded(x0, like.device, model.dtype)
    if not callable(x0):
        raise TypeError(
            "x0 must be a tensor, an array, a DataLoader or a function that draws examples, got "
            f"{doors.name_of(x0)}"
        )
    doors.called("x0", x0, "n", "generator")

    def draw(n: int, g: torch.Generator) -> Tensor:
        examples = x0(n, g)
        if not isinstance(examples, Tensor) or examples.shape != (n, *model.event_shape):
            raise ValueError(
                f"x0 must draw a tensor {(n, *model.event_shape)} when asked for {n} examples, "
                f"it drew {doors.name_of(examples)}"
            )
        return model.check_data(examples)

    beside = torch.Generator(generator.device).manual_seed(generator.initial_seed())
    return draw, draw(LOOKED_AT, beside)


class _Loaded:
    """Examples of a loader, epoch after epoch; of a batch with labels, its first part."""

    def __init__(self, loader: Iterable[Any], device: torch.device, dtype: torch.dtype) -> None:
        self.loader, self.device, self.dtype = loader, device, dtype
        self.batches, self.left = iter(loader), torch.empty(0)

    def __call__(self, n: int, generator: torch.Generator) -> Tensor:
        parts, found = [self.left] if len(self.left) else [], len(self.left)
        while found < n:
            parts.append(self._next())
            found += len(parts[-1])
        examples = torch.cat(parts)
        self.left = examples[n:]
        return examples[:n]

    def _next(self) -> Tensor:
        batch = next(self.batches, None)
        if batch is None:
            self.batches = iter(self.loader)
            batch = next(self.batches, None)
        if batch is None:
            raise ValueError("x0 must load examples, it loaded none")
        examples = batch[0] if isinstance(batch, list | tuple) else batch
        if not isinstance(examples, Tensor):
            raise TypeError(f"x0 must load tensors, it loaded {doors.name_of(examples)}")
        return examples.to(self.device, self.dtype)


def _where(each: Tensor, t: Tensor, T: int) -> str:
    """The steps at which a divergence is not finite in any process, a few of them."""
    counts = t[~each.isfinite()].bincount(minlength=T + 1).to(each.dtype)
    parallel.average([counts])
    bad = counts.nonzero().flatten().tolist()
    return ", ".join(map(str, bad[:5])) + (" …" if len(bad) > 5 else "")
