r""":math:`\beta_1 \dots \beta_T, f_\mu, f_\Sigma` and an optimiser, by name.

The pages train short versions of these; :mod:`dpm_lib.learning.runs` trains one in a folder, and
:mod:`dpm_lib.learning.experiments` trains and measures them for the record.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import torch
from torch import nn

from dpm_lib import doors
from dpm_lib.kernels import Kernel
from dpm_lib.learning.diffusions import (
    FIXED,
    begun_binomial,
    begun_gaussian,
    cosine_binomial,
    cosine_gaussian,
    even_binomial,
    geometric_gaussian,
    log_linear_gaussian,
)
from dpm_lib.learning.networks import (
    MLPNetwork,
    MultiScaleNetwork,
    RBFNetwork,
    StepwiseNetwork,
    UNetNetwork,
)
from dpm_lib.learning.settings import Settings
from dpm_lib.learning.splits import (
    Data,
    digits,
    heartbeat,
    many_heartbeats,
    mnist,
    mnist_bits,
    swiss_roll,
    textbook_digits,
)
from dpm_lib.reverse import ReverseProcess

__all__ = ["LEARNED", "RECIPES", "Made", "Recipe", "made_again", "make"]

MEASURED = 10**9
"""Added to the seed of a run where it is measured; torch takes seeds of 32 bits on the CPU."""


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
        Settings(
            16_000, batch=4 * 1999, learning_rate=2e-2, average=0.999, objective="stratified",
        ),
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


for _units in (32, 64):
    RECIPES[f"swiss-roll-rbf-{_units}"] = replace(
        RECIPES["swiss-roll-rbf"], network=partial(RBFNetwork, units=_units)
    )
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


def _named(part: Any) -> Any:
    """A function by its name, a partial one with its arguments."""
    if isinstance(part, partial):
        return {"name": part.func.__name__, **part.keywords}
    return part.__name__
