r""":math:`\beta_1 \dots \beta_T, f_\mu, f_\Sigma` and an optimiser, by name: recorded experiments.

The pages train short versions of these; :func:`run` trains a whole recipe and measures it on data
that it has not seen; :func:`run_all` does so for a whole experiment and keeps what is finished.
"""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from dpm_lib import doors, schedules
from dpm_lib.bounds import second_moment
from dpm_lib.evidence.provenance import library_version
from dpm_lib.evidence.storage import locked
from dpm_lib.kernels import GaussianKernel
from dpm_lib.learning import data, evaluation
from dpm_lib.learning.evaluation import evaluate
from dpm_lib.learning.networks import MLPNetwork, RBFNetwork
from dpm_lib.learning.training import Source, fit
from dpm_lib.reverse import ReverseProcess

__all__ = ["EXPERIMENTS", "RECIPES", "Recipe", "digits", "run", "run_all", "swiss_roll"]

Parts = tuple[Source, Tensor | None, Tensor]
"""Where batches come from, data that were seen in training (if any), and held-out data."""


def swiss_roll(device: str, generator: torch.Generator) -> Parts:
    """Fresh points of the roll of thickness 0.05 for every batch, 20 000 more held out."""
    law = data.swiss_roll(0.05, dtype=torch.float32, device=device)
    return law.sample, None, law.sample(20_000, generator)


def digits(device: str, generator: torch.Generator) -> Parts:
    """The 8x8 digits with fresh dequantisation for every batch, 297 of them held out."""
    cpu = torch.Generator().manual_seed(generator.initial_seed())
    images = data.digits(dtype=torch.float32, device=device, generator=cpu)
    return images.draw, images.train, images.test


@dataclass(frozen=True)
class Recipe:
    """One experiment: data, schedule, network and training.

    Attributes:
        data: where batches and held-out data come from.
        network: class of the network.
        units: radial units, or units in each hidden layer.
        T: number of steps of the chain.
        first: rate of the first step.
        last: rate of the last step; the rates between grow geometrically.
        steps: number of updates.
        learning_rate: of the first update.
        batch: examples in a batch.
    """

    data: Callable[[str, torch.Generator], Parts]
    network: type[RBFNetwork] | type[MLPNetwork]
    units: int
    T: int
    first: float
    last: float
    steps: int
    learning_rate: float
    batch: int = 256

    def settings(self) -> dict[str, Any]:
        """All settings by name, ready for JSON."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {name: getattr(value, "__name__", value) for name, value in values.items()}


RECIPES = {
    "swiss-roll-rbf": Recipe(swiss_roll, RBFNetwork, 16, 40, 5e-4, 0.5, 40_000, 3e-2),
    "swiss-roll-mlp": Recipe(swiss_roll, MLPNetwork, 64, 40, 5e-4, 0.5, 40_000, 3e-3),
    "digits-mlp": Recipe(digits, MLPNetwork, 256, 100, 5e-4, 0.3, 12_000, 4e-3),
}
"""Name to recipe."""

EXPERIMENTS = {
    "swiss_roll": [("swiss-roll-rbf", 40_000), ("swiss-roll-mlp", 40_000)],
    "digits": [("digits-mlp", 4_000), ("digits-mlp", 12_000), ("digits-mlp", 24_000)],
}
"""Name of a file in ``results/experiments`` to the recipes and numbers of updates in it."""


def run(name: str, *, seed: int, steps: int | None = None, device: str = "cpu") -> dict[str, Any]:
    """Train a recipe in float32 and measure it on held-out data: one record.

    Args:
        name: key of :data:`RECIPES`.
        seed: of initial weights, batches, noise and held-out draws.
        steps: number of updates, if not that of the recipe.
        device: where to run.

    Returns:
        What :func:`dpm_lib.evaluate` gives, with ``recipe``, its ``settings`` and ``second_moment``
        of the held-out data, ``K_train`` on data that it has seen (digits), and the ``seconds`` of
        training and evaluation together.

    Raises:
        TypeError: seed or steps is no integer.
        ValueError: the recipe is unknown, seed is negative, steps is not positive, or this machine
            has no such device.
    """
    recipe = doors.one_of("recipe", name, RECIPES)
    steps = recipe.steps if steps is None else doors.integer("steps", steps)
    doors.integer("seed", seed, 0)
    begin, device = time.perf_counter(), str(doors.device_like(device))
    generator = torch.Generator(device).manual_seed(seed)
    rates = schedules.geometric(
        recipe.T, recipe.first, recipe.last, dtype=torch.float32, device=device
    )
    kernel = GaussianKernel(rates)
    source, seen, held_out = recipe.data(device, generator)
    network = recipe.network(kernel, held_out.shape[1:], recipe.units, generator=generator)
    model = ReverseProcess(kernel, network)
    rate = recipe.learning_rate
    for _ in fit(
        model, source, steps=steps, generator=generator, batch=recipe.batch, learning_rate=rate
    ):
        pass
    result = {"recipe": name, **evaluate(model, held_out, generator=generator)}
    if seen is not None:
        result["K_train"] = evaluate(model, seen, generator=generator)["K"]
    result["second_moment"] = second_moment(held_out).item()
    result["settings"] = recipe.settings() | {"steps": steps}
    return result | {"seed": seed, "seconds": round(time.perf_counter() - begin, 1)}


def run_all(
    name: str,
    *,
    seeds: int,
    device: str = "cpu",
    folder: str | os.PathLike[str] | None = None,
) -> Iterator[dict[str, Any]]:
    """Run an experiment in full, write its file and yield each record as it is finished.

    Finished runs stand in ``<name>.part.json`` until all are; a later call of the same recipes,
    seeds, steps, device and library does not run them again.

    Args:
        name: key of :data:`EXPERIMENTS`.
        seeds: number of seeds of each recipe, from 0.
        device: where to run.
        folder: of the file; by default, in a clone, ``results/experiments``.

    Raises:
        TypeError: seeds is no integer.
        ValueError: the experiment is unknown, seeds is not positive, this machine has no such
            device, no folder is given where there is no clone, the folder cannot be written, or the
            file of finished runs is something else; nothing has been trained.
    """
    runs = doors.one_of("experiment", name, EXPERIMENTS)
    doors.integer("seeds", seeds)
    part, parts = f"{name}.part", evaluation.record_file(f"{name}.part", folder)
    where = (str(doors.device_like(device)), library_version())
    plan = [(*each, seed, *where) for each in runs for seed in range(seeds)]
    with locked(parts.with_suffix("")):
        finished = {_plan(record): record for record in _unfinished(part, folder)}
        evaluation.record(part, list(finished.values()), folder)
        for key in plan:
            if key not in finished:
                recipe, steps, seed, *_ = key
                finished[key] = run(recipe, seed=seed, steps=steps, device=device)
                evaluation.record(part, list(finished.values()), folder)
            yield finished[key]
        evaluation.record(name, [finished[key] for key in plan], folder)
        parts.unlink()


def _unfinished(part: str, folder: str | os.PathLike[str] | None) -> list[dict[str, Any]]:
    try:
        return evaluation.recorded(part, folder)
    except FileNotFoundError:
        return []


def _plan(record: dict[str, Any]) -> tuple[Any, ...]:
    named = [record.get(key) for key in ("seed", "device", "library")]
    return record.get("recipe"), record.get("settings", {}).get("steps"), *named
