"""A training in a folder of its own, which nothing can lose.

``last.safetensors`` is the newest checkpoint, ``previous.safetensors`` the one before it and
``best.safetensors`` the one of the highest score; ``metrics.jsonl`` has a line for each, and so
have the event files of TensorBoard, where it is installed.  A checkpoint is written under another
name and renamed when it is whole, so that each of these files is whole at any moment.
"""

import json
import math
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from dpm_lib.bounds import sampled_bound
from dpm_lib.evidence.storage import locked, replace_file
from dpm_lib.learning import parallel
from dpm_lib.learning.checkpoints import Checkpoint, read, save
from dpm_lib.learning.recipes import Made
from dpm_lib.learning.training import Trainer
from dpm_lib.protocol import measuring
from dpm_lib.reverse import ReverseProcess

__all__ = ["BEST", "LAST", "METRICS", "PREVIOUS", "Interrupted", "restored", "score", "train"]

FEWEST, MOST, STEPS = 64, 512, 4
"""How many held-out examples the score of a checkpoint looks at, and at how many steps each."""

LAST, PREVIOUS, BEST = "last.safetensors", "previous.safetensors", "best.safetensors"
METRICS = "metrics.jsonl"


class Interrupted(Exception):
    """A training was asked to stop; it has saved a checkpoint."""


def restored(folder: Path, **how: Any) -> Checkpoint | None:
    """The last checkpoint of a folder, or None in a folder without any.

    Args:
        folder: of the run.
        how: as in :func:`dpm_lib.learning.checkpoints.read`.

    Raises:
        ValueError: it is damaged; the message names one before it that is not.
    """
    try:
        return read(folder / LAST, **how)
    except FileNotFoundError:
        return None
    except ValueError as error:
        try:
            step = read(folder / PREVIOUS, **how).notes["step"]
        except (ValueError, FileNotFoundError):
            raise error from None
        raise ValueError(
            f"{error}; {PREVIOUS}, of step {step}, is whole: rename it to {LAST} to go on from it"
        ) from None


def train(
    made: Made,
    folder: Path,
    *,
    resume: bool = False,
    report: Callable[[int, float], Any],
    seconds: float = 30,
) -> ReverseProcess:
    """Train a recipe in a folder to the end, with a checkpoint every so many seconds.

    Of several processes (:mod:`dpm_lib.learning.parallel`) all read the folder, the first writes.

    Args:
        made: by :func:`dpm_lib.learning.recipes.make`; where a run goes on, with the same
            arguments as then.
        folder: of the run; it is made.
        resume: whether to go on from the last checkpoint in it, if there is one.
        report: called with number and K of each update.
        seconds: from one checkpoint to the next.

    Returns:
        The trained model.

    Raises:
        Interrupted: Ctrl-C was pressed; a checkpoint has been saved.
        ConnectionError: another process of the training has ended.
        ValueError: the folder is in use, holds a run and it is not to go on, or one of other
            settings; a checkpoint is damaged; or K is NaN or infinite, and the message names the
            last good checkpoint.
        MemoryError: a batch is too large for the device.
        OSError: a checkpoint cannot be written; those that were there are as they were.
    """
    first = parallel.rank() == 0
    with _owned(folder) as show, _asked_to_stop() as stop:
        trainer = _trainer(made, folder, resume)
        best = _highest(folder, trainer.step) if first else math.nan
        sums: list[float] = []
        begin = since = time.monotonic()
        while trainer.step < trainer.settings.steps:
            sums.append(_updated(trainer, folder))
            report(trainer.step, sums[-1])
            asked = parallel.either(stop.is_set())
            ended = trainer.step == trainer.settings.steps or asked
            if first and (ended or time.monotonic() - since >= seconds):
                best = _checkpoint(trainer, folder, made, sums, best, begin, show)
                sums, since = [], time.monotonic()
            if asked and trainer.step < trainer.settings.steps:
                parallel.either(asked)  # the others wait until the first has saved
                raise Interrupted(f"stopped after step {trainer.step}, saved in {folder / LAST}")
    trainer.finish()
    return trainer.model


def _trainer(made: Made, folder: Path, resume: bool) -> Trainer:
    """At the first update, or where the last checkpoint of the folder was."""
    before = restored(folder, device=made.generator.device)
    if before is None:
        if (folder / PREVIOUS).exists():
            raise ValueError(
                f"out must be a folder without a run, got {str(folder)!r} with a {PREVIOUS} and no "
                f"{LAST}: rename it to {LAST} to go on from it"
            )
        return Trainer(made.model, made.data.source, made.settings, generator=made.generator)
    if not resume:
        raise ValueError(
            f"out must be a folder without a run, got {str(folder)!r}: give --resume to go on"
        )
    wanted = json.loads(json.dumps(made.notes))
    odd = sorted(key for key, value in wanted.items() if before.notes.get(key) != value)
    if odd and parallel.rank() == 0:  # the others have another device
        raise ValueError(
            f"out must hold a run of these settings, it differs in {', '.join(odd)}: "
            f"{[before.notes.get(key) for key in odd]} there, {[wanted[key] for key in odd]} here"
        )
    trainer = Trainer(before.model, made.data.source, made.settings, generator=made.generator)
    trainer.restore(before.beside)
    return trainer


def score(made: Made, model: ReverseProcess) -> float:
    """Estimate of K on a few held-out examples, the same and with the same noise each time, nats.

    They are as many as the network takes at once, so that a score costs a few of its calls.
    """
    x0 = made.data.held_out[: max(FEWEST, min(MOST, model.rows))]
    with torch.no_grad(), measuring(model):
        return sampled_bound(model, x0, generator=made.fresh(), steps=STEPS).mean().item()


def _updated(trainer: Trainer, folder: Path) -> float:
    try:
        return trainer.update()
    except ValueError as error:
        raise ValueError(f"{error}; {_last_good(folder)}") from None
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, MemoryError | torch.OutOfMemoryError) or "memory" in str(error):
            raise MemoryError(
                f"batch must be lower for this device, now {trainer.settings.batch}: {error}"
            ) from None
        raise


def _last_good(folder: Path) -> str:
    good = folder / LAST
    return f"the last good checkpoint is {good}" if good.exists() else "nothing was saved yet"


def _checkpoint(
    trainer: Trainer,
    folder: Path,
    made: Made,
    sums: list[float],
    best: float,
    begin: float,
    show: Callable[[dict[str, float]], None],
) -> float:
    """Save the training, and note how far it has come; return the highest score so far.

    Raises:
        ValueError: a number that the next update depends on is NaN or infinite: it is not saved.
    """
    state = trainer.state()
    values = [*state.values(), *(p.detach() for p in trainer.parameters)]
    if not all(v.isfinite().all() for v in values):
        raise ValueError(
            f"network must have finite parameters, it has others after step {trainer.step} of the "
            f"training: lower learning_rate, now {trainer.settings.learning_rate} at first; "
            f"{_last_good(folder)}"
        )
    with trainer.finished() as model:
        now = score(made, model)
        line = {
            "step": trainer.step, "K": sum(sums) / len(sums), "score": now,
            "seconds": round(time.monotonic() - begin, 1),
        }  # fmt: skip
        kept = made.notes | {"step": trainer.step, "score": now}
        new = save(model, folder / f".{LAST}.new", notes=kept, beside=state)
        if now > best:
            save(model, folder / BEST, notes=kept)
    with (folder / METRICS).open("a", encoding="utf8") as file:
        file.write(json.dumps(line) + "\n")
    show(line)
    if (folder / LAST).exists():
        shutil.copyfile(folder / LAST, folder / f".{PREVIOUS}.new")
        (folder / f".{PREVIOUS}.new").replace(folder / PREVIOUS)
    new.replace(folder / LAST)
    return max(best, now)


def _highest(folder: Path, step: int) -> float:
    """The highest score up to a step, or that of the best checkpoint, whose line may be missing."""
    best = _cut(folder / METRICS, step)
    if not step:
        return best
    try:
        return max(best, float(read(folder / BEST).notes["score"]))
    except (FileNotFoundError, ValueError, KeyError):
        return best


def _cut(path: Path, step: int) -> float:
    """Leave the lines up to a step; return the highest score in them."""
    lines = path.read_text(encoding="utf8").splitlines() if path.exists() else []
    kept = []
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:  # the run was killed while it wrote
            continue
        if entry["step"] <= step:
            kept.append(entry)
    if lines:
        replace_file(path, "".join(json.dumps(entry) + "\n" for entry in kept))
    return max((entry["score"] for entry in kept), default=-float("inf"))


@contextmanager
def _owned(folder: Path) -> Iterator[Callable[[dict[str, float]], None]]:
    """What shows a line of the metrics, in a folder that is this run's; of the first process."""
    if parallel.rank() > 0:
        yield lambda line: None
        return
    with _alone(folder), _board(folder) as show:
        yield show


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other runs out of the folder."""
    try:
        with locked(folder / "run", patience=0):
            yield
    except TimeoutError:
        raise ValueError(f"out must be a folder of its own, another run uses {folder}") from None


@contextmanager
def _board(folder: Path) -> Iterator[Callable[[dict[str, float]], None]]:
    """What shows a line of the metrics in TensorBoard, or does nothing without it."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        yield lambda line: None
        return
    with SummaryWriter(str(folder)) as writer:  # type: ignore[no-untyped-call]

        def show(line: dict[str, float]) -> None:
            """Note one checkpoint."""
            for name in ("K", "score"):
                writer.add_scalar(name, line[name], line["step"])  # type: ignore[no-untyped-call]

        yield show


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that the first Ctrl-C sets; the second ends the program at once."""
    event = threading.Event()

    def ask(*_: Any) -> None:
        """Set the event; raise if it is set."""
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield event
    finally:
        signal.signal(signal.SIGINT, before)
