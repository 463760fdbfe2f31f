r""":math:`\beta_1 \dots \beta_T, f_\mu, f_\Sigma` and an optimiser, by name.

The pages train short versions of these; :mod:`dpm_lib.learning.runs` trains one in a folder, and
:mod:`dpm_lib.learning.experiments` trains and measures them for the record.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from dpm_lib import doors, schedules
from dpm_lib.bounds import second_moment
from dpm_lib.kernels import BinomialKernel, GaussianKernel, Kernel
from dpm_lib.learning import data
from dpm_lib.learning.data.scaling import Scaler
from dpm_lib.learning.networks import (
    MLPNetwork,
    MultiScaleNetwork,
    RBFNetwork,
    StepwiseNetwork,
    UNetNetwork,
)
from dpm_lib.learning.training import Settings, Source
from dpm_lib.reverse import ReverseProcess

__all__ = [
    "DATA", "RECIPES", "Data", "Made", "Recipe", "described", "digits", "heartbeat", "made_again",
    "make", "mnist", "mnist_bits", "swiss_roll", "textbook_digits",
]  # fmt: skip


MEASURED = 10**9
"""Added to the seed of a run where it is measured; torch takes seeds of 32 bits on the CPU."""


@dataclass(frozen=True)
class Data:
    """What a recipe trains on and is measured on.

    Attributes:
        source: where batches come from.
        held_out: examples that no training sees.
        seen: examples that training has seen, if it does not draw fresh ones for ever.
        picture: shape in which one example is drawn as a picture.
        scaler: what the data went through, if they have units of their own.
        steps: at how many steps each example is measured; None for all.
    """

    source: Source
    held_out: Tensor
    seen: Tensor | None = None
    picture: tuple[int, ...] | None = None
    scaler: Scaler | None = None
    steps: int | None = None


def swiss_roll(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """Fresh points of the roll of thickness 0.05 for every batch, 20 000 more held out."""
    law = data.swiss_roll(0.05, dtype=dtype, device=device)
    return Data(law.sample, law.sample(20_000, generator))


def heartbeat(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """Sequences of 20 bits with a 1 in every fifth place; 1000 more held out."""
    law = data.heartbeat(20, dtype=dtype, device=device)
    return Data(law.sample, law.sample(1000, generator), picture=(4, 5))


def many_heartbeats(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """Heartbeats with 20 000 held out: in a chain of few steps the bound of one is noisy."""
    law = data.heartbeat(20, dtype=dtype, device=device)
    return Data(law.sample, law.sample(20_000, generator), picture=(4, 5))


def digits(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """The 8x8 digits with fresh dequantisation for every batch, 297 of them held out."""
    cpu = torch.Generator().manual_seed(generator.initial_seed())
    images = data.digits(dtype=dtype, device=device, generator=cpu)
    return Data(images.draw, images.test, images.train, images.shape, images.scaler)


def textbook_digits(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """The 8x8 digits as a textbook splits them: 1000 rows, and 447 held out."""
    cpu = torch.Generator().manual_seed(generator.initial_seed())
    images = data.textbook_digits(dtype=dtype, device=device, generator=cpu)
    return Data(images.draw, images.test, images.train, images.shape, images.scaler)


def mnist(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """MNIST with fresh dequantisation for every batch, its 10 000 test pictures held out."""
    cpu = torch.Generator().manual_seed(generator.initial_seed())
    images = data.mnist(dtype=dtype, device=device, generator=cpu)
    seen = images.train[:2000]
    return Data(images.draw, images.test, seen, images.shape, images.scaler, steps=10)


def mnist_bits(device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> Data:
    """MNIST as bits, drawn anew for every batch with a chance in proportion to the grey level."""
    grey, test = (levels.to(device) for levels in data.mnist_levels())

    def tossed(levels: Tensor, g: torch.Generator) -> Tensor:
        """Bits of these chances."""
        return torch.bernoulli(levels.to(dtype) / 255, generator=g)

    def draw(n: int, g: torch.Generator) -> Tensor:
        """Draw n training pictures."""
        return tossed(grey[torch.randint(len(grey), (n,), generator=g, device=device)], g)

    held_out = tossed(test, generator)
    seen = tossed(grey[:2000], generator)
    return Data(draw, held_out, seen, (28, 28), steps=10)


def geometric_gaussian(
    device: torch.device, dtype: torch.dtype, *, T: int, first: float, last: float
) -> Kernel:
    """Gaussian kernel with rates that grow from the first to the last by one factor."""
    return GaussianKernel(schedules.geometric(T, first, last, dtype=dtype, device=device))


def log_linear_gaussian(
    device: torch.device, dtype: torch.dtype, *, T: int, first: float, last: float
) -> Kernel:
    """Gaussian kernel whose log of signal over noise falls in a straight line."""
    return GaussianKernel(schedules.log_linear(T, first, last, dtype=dtype, device=device))


def cosine_gaussian(device: torch.device, dtype: torch.dtype, *, T: int) -> Kernel:
    """Gaussian kernel whose signal falls as a squared cosine: slow first and last."""
    return GaussianKernel(schedules.cosine(T, dtype=dtype, device=device))


def even_binomial(device: torch.device, dtype: torch.dtype, *, T: int, rate: float) -> Kernel:
    """Binomial kernel that erases the same part of the signal at every step."""
    return BinomialKernel(schedules.erase_evenly(T, dtype=dtype, device=device), rate)


def cosine_binomial(device: torch.device, dtype: torch.dtype, *, T: int, rate: float) -> Kernel:
    """Binomial kernel whose signal falls as a squared cosine: slow first and last."""
    return BinomialKernel(schedules.cosine(T, dtype=dtype, device=device), rate)


FIXED = {
    "erase_evenly": lambda T, first: schedules.begun(first, schedules.erase_evenly(T - 1)),
    "inverse": lambda T, first: schedules.begun(first, schedules.inverse(T - 1)),
    "cosine": lambda T, first: schedules.begun(first, schedules.cosine(T - 1)),
    "linear": lambda T, first: schedules.linear(T, first, 0.3),
    "geometric": lambda T, first: schedules.geometric(T, first, 0.5),
    "log_linear": lambda T, first: schedules.log_linear(T, first, 0.99),
}
"""Name to the rates of a fixed schedule of T steps with this first rate."""


def begun_gaussian(
    device: torch.device, dtype: torch.dtype, *, schedule: str, T: int, first: float
) -> Kernel:
    """Gaussian kernel with the rates of a fixed schedule after this first rate."""
    return GaussianKernel(FIXED[schedule](T, first).to(device, dtype))


def begun_binomial(
    device: torch.device, dtype: torch.dtype, *, schedule: str, T: int, first: float, rate: float
) -> Kernel:
    """Binomial kernel with the rates of a fixed schedule after this first rate."""
    return BinomialKernel(FIXED[schedule](T, first).to(device, dtype), rate)


@dataclass(frozen=True)
class Recipe:
    """One experiment: data, kernel, network and training.

    Attributes:
        data: of a device, a dtype and a generator.
        kernel: of a device and a dtype.
        network: of a kernel, the shape of an example and a generator.
        settings: of the training.
    """

    data: Callable[[torch.device, torch.dtype, torch.Generator], Data]
    kernel: Callable[[torch.device, torch.dtype], Kernel]
    network: Callable[..., nn.Module]
    settings: Settings

    def as_dict(self) -> dict[str, Any]:
        """All of it by name, ready for JSON."""
        parts = {"data": self.data, "kernel": self.kernel, "network": self.network}
        return {name: _named(part) for name, part in parts.items()} | self.settings.as_dict()


DATA = {
    "swiss-roll": swiss_roll, "heartbeat": heartbeat, "digits": digits, "mnist": mnist,
    "mnist-bits": mnist_bits, "digits-textbook": textbook_digits,
}  # fmt: skip
"""Name to data."""

RECIPES = {
    "swiss-roll": Recipe(
        swiss_roll, partial(geometric_gaussian, T=40, first=5e-4, last=0.5),
        partial(MLPNetwork, hidden=64),
        Settings(40_000, learning_rate=3e-3),
    ),
    "swiss-roll-rbf": Recipe(
        swiss_roll, partial(geometric_gaussian, T=40, first=5e-4, last=0.5),
        partial(RBFNetwork, units=16),
        Settings(40_000, learning_rate=3e-2),
    ),
    "heartbeat": Recipe(
        heartbeat, partial(even_binomial, T=2000, rate=0.2), partial(StepwiseNetwork, hidden=50),
        Settings(12_000, batch=16, learning_rate=2e-2, average=0.998, objective="full"),
    ),
    "digits": Recipe(
        digits, partial(geometric_gaussian, T=100, first=5e-4, last=0.3),
        partial(MLPNetwork, hidden=256),
        Settings(12_000, learning_rate=4e-3),
    ),
    "digits-noise": Recipe(
        digits, partial(cosine_gaussian, T=100), partial(MLPNetwork, hidden=256),
        Settings(8000, learning_rate=4e-3, average=0.999, objective="noise"),
    ),
    "digits-textbook": Recipe(
        textbook_digits, partial(cosine_gaussian, T=100), partial(MLPNetwork, hidden=256),
        Settings(4000, learning_rate=4e-3, average=0.999, objective="noise"),
    ),
    "mnist": Recipe(
        mnist, partial(log_linear_gaussian, T=1000, first=1e-7, last=0.995),
        partial(UNetNetwork, width=24, octaves=8),
        Settings(
            4000, batch=64, learning_rate=2e-3, average=0.999, objective="stratified",
            autocast=True,
        ),
    ),
    "mnist-noise": Recipe(
        mnist, partial(cosine_gaussian, T=1000), partial(UNetNetwork, width=32),
        Settings(
            10_000, batch=64, learning_rate=1e-3, average=0.999, objective="noise",
            autocast=True,
        ),
    ),
    "mnist-multi-scale": Recipe(
        mnist, partial(log_linear_gaussian, T=1000, first=1e-7, last=0.995),
        partial(MultiScaleNetwork, width=20),
        Settings(4000, batch=64, learning_rate=2e-3, average=0.999, objective="stratified"),
    ),
    "mnist-bits": Recipe(
        mnist_bits, partial(cosine_binomial, T=1000, rate=0.13), partial(UNetNetwork, width=24),
        Settings(
            4000, batch=64, learning_rate=2e-3, average=0.999, objective="stratified",
            autocast=True,
        ),
    ),
}  # fmt: skip
"""Name to recipe."""

LEARNED = {
    **{
        f"swiss-roll-{T}": Recipe(
            swiss_roll, partial(begun_gaussian, schedule="geometric", T=T, first=5e-4),
            partial(MLPNetwork, hidden=64),
            Settings(4000, learning_rate=3e-3, learn_rates=True),
        )
        for T in (10, 40)
    },
    "heartbeat-50": Recipe(
        many_heartbeats, partial(begun_binomial, schedule="inverse", T=50, first=0.02, rate=0.2),
        partial(StepwiseNetwork, hidden=50),
        Settings(
            8000, batch=16, learning_rate=2e-2, average=0.998, objective="full", learn_rates=True,
        ),
    ),
}  # fmt: skip
"""Name to a recipe that learns its rates; its fixed rivals differ in the schedule alone."""


def with_rivals(name: str, recipe: Recipe) -> dict[str, Recipe]:
    """A recipe that learns its rates, and the same with each fixed schedule."""
    settings = replace(recipe.settings, learn_rates=False)
    kernel: Any = recipe.kernel
    kernels = {s: partial(kernel, schedule=s) for s in FIXED}
    fixed = {s: replace(recipe, kernel=k, settings=settings) for s, k in kernels.items()}
    return {f"{name}-{kind}": one for kind, one in ({"learned": recipe} | fixed).items()}


for _name, _recipe in LEARNED.items():
    RECIPES |= with_rivals(_name, _recipe)


@dataclass
class Made:
    """A recipe with a seed: all that a run of it needs.

    Attributes:
        settings: of the training.
        notes: what is kept with its checkpoints: name of the recipe, seed, settings, picture.
        data: that it trains on and is measured on.
        model: untrained.
        generator: source of all noise that is still to come.
    """

    settings: Settings
    notes: dict[str, Any]
    data: Data
    model: ReverseProcess
    generator: torch.Generator = field(repr=False)

    def fresh(self) -> torch.Generator:
        """A source of noise to measure with, the same each time: another seed than that of data.

        With the seed of the run the noise would be that of which held-out data were made, and K
        would come out above its optimum.
        """
        return torch.Generator(self.generator.device).manual_seed(MEASURED + self.notes["seed"])


def make(
    name: str,
    *,
    seed: int,
    steps: int | None = None,
    device: str = "cpu",
    dtype: torch.dtype = torch.float32,
    autocast: bool | None = None,
) -> Made:
    """Data and an untrained model of a recipe.

    Args:
        name: key of :data:`RECIPES`.
        seed: of initial weights, batches, noise and held-out draws.
        steps: number of updates, if not that of the recipe.
        device: where to run.
        dtype: of states and parameters.
        autocast: whether the network computes in bfloat16, if not as in the recipe.

    Raises:
        TypeError: seed or steps is no integer.
        ValueError: the recipe is unknown, seed is negative, steps is not positive, or this machine
            has no such device.
    """
    recipe = doors.one_of("recipe", name, RECIPES)
    doors.integer("seed", seed, 0)
    steps = recipe.settings.steps if steps is None else doors.integer("steps", steps)
    autocast = recipe.settings.autocast if autocast is None else autocast
    recipe = replace(recipe, settings=replace(recipe.settings, steps=steps, autocast=autocast))
    where = doors.device_like(device)
    generator = torch.Generator(where).manual_seed(seed)
    kernel = recipe.kernel(where, doors.state_dtype(dtype))
    parts = recipe.data(where, dtype, generator)
    network = recipe.network(kernel, parts.held_out.shape[1:], generator=generator)
    notes = {
        "recipe": name, "seed": seed, "settings": recipe.as_dict(), "picture": parts.picture,
        "device": str(where), "dtype": str(dtype).removeprefix("torch."),
    }  # fmt: skip
    model = ReverseProcess(kernel, network, scaler=parts.scaler)
    return Made(recipe.settings, notes, parts, model, generator)


def made_again(notes: dict[str, Any], device: str) -> Made:
    """Data and an untrained model of the recipe that a checkpoint notes.

    Raises:
        ValueError: it was trained by no recipe.
    """
    if not {"recipe", "seed", "settings", "dtype"} <= notes.keys():
        raise ValueError(
            "checkpoint must be one of dpm train, this one notes no recipe: measure it with "
            "dpm.evaluate on data of your own"
        )
    return make(
        notes["recipe"], seed=notes["seed"], steps=notes["settings"]["steps"], device=device,
        dtype=getattr(torch, notes["dtype"]), autocast=notes["settings"]["autocast"],
    )  # fmt: skip


def described(name: str, seed: int) -> dict[str, Any]:
    """What is in a data set, in words and numbers.

    Raises:
        ValueError: the name is unknown.
    """
    load = doors.one_of("name", name, DATA)
    generator = torch.Generator().manual_seed(doors.integer("seed", seed, 0))
    parts = load(torch.device("cpu"), torch.float32, generator)
    summary, *_ = (load.__doc__ or "").splitlines()
    return {
        "data": summary,
        "one example": tuple(parts.held_out.shape[1:]),
        "to train on": "drawn for ever" if parts.seen is None else len(parts.seen),
        "held out": len(parts.held_out),
        "second moment, held out": round(second_moment(parts.held_out).item(), 4),
    }


def _named(part: Any) -> Any:
    """A function by its name, a partial one with its arguments."""
    if isinstance(part, partial):
        return {"name": part.func.__name__, **part.keywords}
    return part.__name__
