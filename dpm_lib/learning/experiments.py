r""":math:`K - L_{null}` of whole recipes on data that they have not seen: recorded experiments.

:func:`run` trains a recipe and measures it; :func:`run_all` does so for a whole experiment and
keeps what is finished.
"""

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from dpm_lib import doors
from dpm_lib.bounds import second_moment
from dpm_lib.evidence.provenance import library_version
from dpm_lib.evidence.storage import locked
from dpm_lib.learning import diffusions, evaluation, recipes, runs
from dpm_lib.learning.evaluation import evaluate
from dpm_lib.reverse import ReverseProcess

__all__ = ["EXPERIMENTS", "measured", "run", "run_all"]

EXPERIMENTS = {
    "swiss_roll": [("swiss-roll-rbf", 40_000), ("swiss-roll", 40_000)],
    "swiss_roll_units": [(f"swiss-roll-rbf{units}", 8000) for units in ("", "-32", "-64")],
    "digits": [("digits", 4_000), ("digits", 12_000), ("digits", 24_000)],
    "digits_noise": [("digits-noise", 8_000)],
    "digits_textbook": [("digits-textbook", 4_000)],
    "heartbeat": [("heartbeat", 16_000)],
    "mnist": [("mnist", 4000), ("mnist-noise", 10_000), ("mnist-multi-scale", 4000)],
    "mnist_bits": [("mnist-bits", 4000)],
    "rates": [
        *((f"swiss-roll-10-{name}", 4000) for name in ("learned", *diffusions.FIXED)),
        *((f"heartbeat-50-{name}", 8000) for name in ("learned", *diffusions.FIXED)),
        *((f"swiss-roll-40-{name}", 4000) for name in ("learned", "geometric")),
    ],
}
"""Name of a file in ``results/experiments`` to the recipes and numbers of updates in it."""


def measured(made: recipes.Made, model: ReverseProcess) -> dict[str, Any]:
    """Record of a trained model on the data of its recipe, from the seed of its run.

    It is that of :func:`dpm_lib.evaluate`, with ``recipe``, its ``settings``, ``second_moment`` of
    the held-out data, ``K_train`` on data that it has seen, if there are any, and ``beta`` if the
    rates were learned.
    """
    g, steps = made.fresh(), made.data.steps
    found = evaluate(model, made.data.held_out, generator=g, steps=steps)
    result = {"recipe": made.notes["recipe"]} | found
    if made.data.seen is not None:
        result["K_train"] = evaluate(model, made.data.seen, generator=g, steps=steps)["K"]
    result["second_moment"] = second_moment(made.data.held_out).item()
    if made.settings.learn_rates:
        result["beta"] = model.kernel.beta.tolist()
    return result | {"settings": made.notes["settings"], "seed": made.notes["seed"]}


def run(
    name: str,
    folder: Path,
    *,
    seed: int,
    steps: int | None = None,
    device: str = "cpu",
    report: Callable[[int, float], Any] = lambda step, K: None,
) -> dict[str, Any]:
    """Train a recipe in float32 and measure it on held-out data: one record.

    Args:
        name, seed, steps, device: as in :func:`dpm_lib.learning.recipes.make`.
        folder: of the training; one that was stopped there goes on.
        report: called with number and K of each update.

    Returns:
        What :func:`measured` gives, with the ``seconds`` of training and evaluation together, of
        the last session of a training that was stopped.

    Raises:
        TypeError, ValueError, OSError: as in :func:`dpm_lib.learning.recipes.make` and
            :func:`dpm_lib.learning.runs.train`.
        Interrupted: as in :func:`dpm_lib.learning.runs.train`.
    """
    begin = time.perf_counter()
    made = recipes.make(name, seed=seed, steps=steps, device=device)
    model = runs.train(made, folder, resume=True, report=report)
    return measured(made, model) | {"seconds": round(time.perf_counter() - begin, 1)}


def run_all(
    name: str,
    *,
    seeds: int,
    device: str = "cpu",
    folder: str | os.PathLike[str] | None = None,
    report: Callable[[int, float], Any] = lambda step, K: None,
) -> Iterator[dict[str, Any]]:
    """Run an experiment in full, write its file and yield each record as it is finished.

    Finished runs stand in ``<name>.part.json`` until all are; a later call of the same recipes,
    seeds, steps, device and library does not run them again, and goes on with one that was stopped.
    The trained models stay in folders of ``<name>.runs``.

    Args:
        name: key of :data:`EXPERIMENTS`.
        seeds: number of seeds of each recipe, from 0.
        device: where to run.
        folder: of the file; by default, in a clone, ``results/experiments``.
        report: called with number and K of each update.

    Raises:
        Interrupted: Ctrl-C was pressed in a training; it has been saved.
        TypeError: seeds is no integer.
        ValueError: the experiment is unknown, seeds is not positive, this machine has no such
            device, no folder is given where there is no clone, the folder cannot be written, or the
            file of finished runs is something else; nothing has been trained.
    """
    plans = doors.one_of("experiment", name, EXPERIMENTS)
    doors.integer("seeds", seeds)
    part, parts = f"{name}.part", evaluation.record_file(f"{name}.part", folder)
    made_by = (str(doors.device_like(device)), library_version())
    plan = [(*each, seed, *made_by) for each in plans for seed in range(seeds)]
    with locked(parts.with_suffix("")):
        finished = {_plan(record): record for record in _unfinished(part, folder)}
        evaluation.record(part, list(finished.values()), folder)
        for key in plan:
            if key not in finished:
                recipe, steps, seed, *_ = key
                where = parts.with_name(f"{name}.runs") / "-".join(map(str, key))
                finished[key] = run(
                    recipe, where, seed=seed, steps=steps, device=device, report=report
                )
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
