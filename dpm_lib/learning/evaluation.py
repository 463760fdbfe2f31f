r""":math:`K` and :math:`K - L_{null}` on held-out data, in bits, with their standard error."""

import hashlib
import json
import math
import os
import re
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dpm_lib import doors
from dpm_lib.bounds import bound, correction, sampled_bound, second_moment
from dpm_lib.evidence.provenance import library_version
from dpm_lib.evidence.storage import RESULTS, locked, replace_file
from dpm_lib.learning.data.scaling import Scaler
from dpm_lib.likelihood import bits, mean_and_error, null_log_likelihood
from dpm_lib.protocol import measuring
from dpm_lib.reverse import ReverseProcess

__all__ = ["evaluate", "record", "record_file", "recorded"]

EXPERIMENTS = RESULTS / "experiments"

DIVERGENCES = 2**22
"""How many divergences, one for each example and step, are held at once."""

FAR = 100
"""Second moment, or its inverse, of what a scaler cannot have given from data like its own."""


@torch.no_grad()
def evaluate(
    model: ReverseProcess,
    x0: Tensor | np.ndarray,
    *,
    generator: torch.Generator,
    repeats: int = 1,
    steps: int | None = None,
) -> dict[str, Any]:
    r"""Bound on held-out data: one record, ready for JSON.

    K is that of eq. 14 plus the exact correction, so it holds whatever the second moment of the
    data.  The standard error is over examples, so it covers the choice of the data and the noise.

    Args:
        model: the reverse process.
        x0: held-out data, ``(n, *event)``, n at least 2; an array becomes a tensor of the model's.
        generator: source of all noise; its seed is recorded.
        repeats: how many times each example and step is drawn.
        steps: at how many steps of the chain each example is measured, one in each of as many equal
            parts; None for all.

    Returns:
        ``K``, ``K_minus_L_null``, ``standard_error`` (of K) and ``standard_error_of_difference``
        in ``unit``; ``K_own_units``, :math:`K - \sum_i \log_2 s_i`, if the model has a
        :class:`dpm_lib.Scaler`; ``n``, ``T``, ``steps``, ``seed``, ``device``, ``dtype``,
        ``torch``, ``seconds``, ``library``; and ``generator``, a hash of the state in which it
        came: a second result from the same generator has the same seed and another hash.

    Raises:
        TypeError: no model, no generator, or repeats or steps is no integer.
        ValueError: x0 is not data for the kernel, or has fewer than 2 examples, or, where the model
            has a scaler, a second moment not between 1/100 and 100 (raw data nearer to 1 are not
            noticed: give what comes out of ``model.scaler``); repeats or steps is not positive; or
            the network leads to NaN.

    Source: :eq:`bound-entropies`, :eq:`bound-correction`, :eq:`null-log-likelihood`,
    paper eq. 14 and Table 1.
    """
    doors.instance("model", model, ReverseProcess)
    given = doors.from_array("x0", x0, model.kernel.beta.device, model.dtype)
    x0 = _in_units(model, model.check_data(given))
    doors.generator_on(x0.device, generator)
    doors.integer("repeats", repeats)
    if steps is not None:
        doors.integer("steps", steps)
    if len(x0) < 2:
        raise ValueError(f"x0 must have at least 2 examples for an error, got {len(x0)}")
    begin, state = time.perf_counter(), generator.get_state()
    with measuring(model):
        found = [_bounds(model, x0, generator, steps) for _ in range(repeats)]
    return {
        **_in_bits(model, x0, bits(torch.stack(found).mean(0))),
        "n": len(x0),
        "T": model.kernel.T,
        "steps": steps or model.kernel.T - 1,
        "seed": generator.initial_seed(),
        "generator": hashlib.sha256(state.numpy().tobytes()).hexdigest()[:12],
        "device": str(x0.device),
        "dtype": str(x0.dtype).removeprefix("torch."),
        "torch": torch.__version__,
        "seconds": round(time.perf_counter() - begin, 3),
        "library": library_version(),
    }


def _in_units(model: ReverseProcess, x0: Tensor) -> Tensor:
    """Refuse what cannot have gone through the scaler that the model has."""
    if isinstance(model.scaler, Scaler) and not 1 / FAR < (m2 := second_moment(x0).item()) < FAR:
        raise ValueError(
            "x0 must be in the units of the model, as what comes out of model.scaler, got second "
            f"moment {m2:.4g}, not about 1"
        )
    return x0


def _bounds(
    model: ReverseProcess, x0: Tensor, generator: torch.Generator, steps: int | None
) -> Tensor:
    """K with its correction of each example, ``(n,)``, in memory that n and T do not fill."""
    if steps is not None:
        K = sampled_bound(model, x0, generator=generator, steps=steps)
        return K + correction(model.kernel, x0)
    rows = max(1, DIVERGENCES // model.kernel.T)
    return torch.cat(
        [bound(model, part, generator=generator).K_corrected for part in x0.split(rows)]
    )


def _in_bits(model: ReverseProcess, x0: Tensor, K: Tensor) -> dict[str, Any]:
    """Means and standard errors of the bounds K of examples, in bits, ``(n,)``."""
    mean, error = mean_and_error(K)
    gain, gain_error = mean_and_error(K - bits(null_log_likelihood(model.kernel, x0)))
    own = {}
    if isinstance(model.scaler, Scaler):
        d = model.event_shape.numel()
        own["K_own_units"] = mean.item() - d * model.scaler.log_scale() / math.log(2)
    return {
        "K": mean.item(),
        "K_minus_L_null": gain.item(),
        **own,
        "unit": "bits per example",
        "standard_error": error.item(),
        "standard_error_of_difference": gain_error.item(),
    }


def record(
    name: str, runs: Sequence[dict[str, Any]], folder: str | os.PathLike[str] | None = None
) -> Path:
    """Write the records of an experiment to ``<folder>/<name>.json``, all or nothing.

    Args:
        name: of the experiment, without a folder.
        runs: one record for each run, as :func:`evaluate` gives them, with the recipe added.
        folder: by default, in a clone, ``results/experiments`` beside the library.

    Raises:
        TypeError: runs is no list of records.
        ValueError: a record does not say what it measured, or the name is not a plain name.
        TimeoutError: another program holds the lock of the file.
    """
    wanted = {
        "recipe", "K", "K_minus_L_null", "unit", "standard_error", "n", "T", "seed", "generator",
        "device", "seconds", "library",
    }  # fmt: skip
    if not isinstance(runs, Sequence) or not all(isinstance(run, dict) for run in runs):
        raise TypeError(f"runs must be a list of dicts, got {doors.name_of(runs)}")
    for run in runs:
        if missing := wanted - set(run):
            raise ValueError(f"runs must give {sorted(wanted)}, it lacks {sorted(missing)}")
    path = record_file(name, folder)
    with locked(path):
        replace_file(path, json.dumps(list(runs), indent=1, allow_nan=False) + "\n")
    return path


def recorded(name: str, folder: str | os.PathLike[str] | None = None) -> list[dict[str, Any]]:
    """Read the records that :func:`record` has written.

    Raises:
        ValueError: the name is not a plain name, or the file does not hold records.
        FileNotFoundError: the experiment has not been recorded.
    """
    path = record_file(name, folder)
    try:
        runs = json.loads(path.read_text(encoding="utf8"))
    except ValueError as error:
        raise ValueError(f"{path.name} must be a list of records: {error}") from error
    if not isinstance(runs, list) or not all(isinstance(run, dict) for run in runs):
        raise ValueError(f"{path.name} must be a list of records, it is something else")
    return runs


def record_file(name: str, folder: str | os.PathLike[str] | None = None) -> Path:
    """Where the records of an experiment stand, whether they do or not.

    Raises:
        ValueError: the name is not a plain name; or no folder is given, and the library is
            installed without the book.
    """
    if not isinstance(name, str) or not re.fullmatch(r"\w[\w.-]*", name):
        raise ValueError(
            f"name must be of letters, digits, '_', '-' and '.', got {doors.name_of(name)}"
        )
    if folder is None and not EXPERIMENTS.parent.is_dir():
        raise ValueError(
            "folder must be given (on the command line by --out) where the library is installed "
            "without the book, got None"
        )
    return Path(EXPERIMENTS if folder is None else folder) / f"{name}.json"
