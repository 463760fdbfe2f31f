"""A training in a folder loses nothing: killed, stopped, out of space, or asked twice."""

import json
import os
import random
import signal
import sys
import time
import types
from functools import partial
from itertools import chain, repeat

import pytest
import torch

import dpm_lib as dpm
from dpm_lib.learning import checkpoints, diffusions, experiments, recipes, runs, splits

STEPS = 100
TINY = recipes.Recipe(
    splits.heartbeat, partial(diffusions.even_binomial, T=10, rate=0.2),
    partial(dpm.MLPNetwork, hidden=8), dpm.Settings(STEPS, batch=16, average=0.9),
)  # fmt: skip


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """A recipe that is trained in a moment."""
    monkeypatch.setitem(recipes.RECIPES, "tiny", TINY)


def made(steps=STEPS, seed=5):
    return recipes.make("tiny", seed=seed, steps=steps)


def trained(folder, report=lambda *_: None, **how):
    """A run in this process, from its beginning or from what is there."""
    how = {"seconds": 1e9, "resume": True} | how
    return runs.train(made(), folder, report=report, **how)


def contents(folder):
    """Tensors of the last checkpoint, with the state of the training."""
    tensors, header = checkpoints._contents(folder / runs.LAST)
    return tensors, header["notes"]


def assert_same(one, other):
    """To the last bit: weights, averages, moments, generator, step."""
    (left, notes), (right, others) = contents(one), contents(other)
    assert left.keys() == right.keys()
    for name, value in left.items():
        assert torch.equal(value, right[name]), name
    assert notes == others


def forked(folder):
    """A run in a process of its own, with a checkpoint after every update."""
    if child := os.fork():
        return child
    code = 1
    try:
        trained(folder, seconds=0)
        code = 0
    finally:
        os._exit(code)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no processes to kill")
def test_killed_at_any_moment_it_goes_on_to_the_same_bits(tmp_path):
    """Thirty SIGKILLs, also while a checkpoint is written; averages of parameters included."""
    whole, torn = tmp_path / "whole", tmp_path / "torn"
    trained(whole)
    chance, reached = random.Random(0), []
    for _ in range(30):
        child, step = forked(torn), reached[-1] if reached else 0
        while step == (reached[-1] if reached else 0):
            time.sleep(chance.random() / 100)
            if (torn / runs.LAST).exists():
                step = contents(torn)[1]["step"]
        os.kill(child, signal.SIGKILL)
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
        reached.append(contents(torn)[1]["step"])
    assert reached == sorted(set(reached))
    trained(torn)
    assert_same(torn, whole)


def test_stopped_and_resumed_it_is_the_same_run(tmp_path):
    """Ctrl-C saves, says so, and the same command goes on."""
    trained(tmp_path / "whole")
    before = signal.getsignal(signal.SIGINT)

    def interrupt(step, K):
        if step == 60:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(runs.Interrupted, match="stopped after step 60, saved in"):
        trained(tmp_path / "torn", interrupt)
    assert contents(tmp_path / "torn")[1]["step"] == 60
    assert signal.getsignal(signal.SIGINT) is before
    trained(tmp_path / "torn")
    assert_same(tmp_path / "torn", tmp_path / "whole")


def test_an_experiment_goes_on_within_a_run(tmp_path):
    """A run that was stopped halfway gives the record of one that was not."""

    def stop(step, K):
        if step == STEPS // 2:
            os.kill(os.getpid(), signal.SIGINT)

    plan = {"seed": 5, "steps": STEPS}
    with pytest.raises(runs.Interrupted):
        experiments.run("tiny", tmp_path / "a", **plan, report=stop)
    seen = []
    goes_on = experiments.run("tiny", tmp_path / "a", **plan, report=lambda *now: seen.append(now))
    whole = experiments.run("tiny", tmp_path / "b", **plan)
    assert [step for step, _ in seen] == list(range(STEPS // 2 + 1, STEPS + 1))
    assert {**goes_on, "seconds": 0} == {**whole, "seconds": 0}


def test_a_finished_run_has_the_averages_and_a_record(tmp_path):
    """What is loaded is what the training returned, and measuring it twice gives one number."""
    model = trained(tmp_path)
    loaded = dpm.load(tmp_path / runs.LAST)
    for one, other in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(one, other)
    state = checkpoints.read(tmp_path / runs.LAST).beside
    assert not torch.equal(state["average.0"], state["parameter.0"])
    again = recipes.made_again(checkpoints.read(tmp_path / runs.LAST).notes, "cpu")
    first, second = (experiments.measured(made(), m) for m in (model, loaded))
    third = experiments.measured(again, loaded)
    assert first["K"] == second["K"] == third["K"]


def test_the_last_two_and_the_best_are_kept(tmp_path):
    """One line for each checkpoint; the best is the one of the highest score."""
    trained(tmp_path, seconds=0)
    lines = [json.loads(line) for line in (tmp_path / runs.METRICS).read_text().splitlines()]
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    steps = {name: checkpoints.read(tmp_path / name).notes["step"]
             for name in (runs.LAST, runs.PREVIOUS, runs.BEST)}  # fmt: skip
    assert (steps[runs.LAST], steps[runs.PREVIOUS]) == (STEPS, STEPS - 1)
    best = max(lines, key=lambda line: line["score"])
    assert steps[runs.BEST] == best["step"]


def test_the_best_stays_where_its_line_is_lost(tmp_path, monkeypatch):
    """A full disk, or somebody, takes the metrics; a worse model does not replace the best."""
    scores = chain([-5.0, -1.0], repeat(-3.0))
    monkeypatch.setattr(runs, "score", lambda made, model: next(scores))

    def stop(step, K):
        if step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(runs.Interrupted):
        trained(tmp_path, seconds=0, report=stop)
    (tmp_path / runs.METRICS).unlink()
    trained(tmp_path, seconds=0, resume=True)
    best = checkpoints.read(tmp_path / runs.BEST).notes
    assert (best["step"], best["score"]) == (2, -1.0)


def test_a_run_that_lost_its_last_checkpoint_is_not_overwritten(tmp_path):
    """It says how to go on."""
    trained(tmp_path, seconds=0)
    (tmp_path / runs.LAST).unlink()
    before = (tmp_path / runs.PREVIOUS).read_bytes()
    for resume in (False, True):
        with pytest.raises(ValueError, match=f"rename it to {runs.LAST} to go on"):
            trained(tmp_path, resume=resume)
    assert (tmp_path / runs.PREVIOUS).read_bytes() == before


def test_a_damaged_checkpoint_is_refused_and_the_one_before_named(tmp_path):
    """It is not taken in silence; renamed by hand, it leads to the same end."""
    trained(tmp_path / "whole")
    trained(tmp_path / "torn", seconds=0)
    last = tmp_path / "torn" / runs.LAST
    damaged = bytearray(last.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    last.write_bytes(damaged)
    words = rf"last.safetensors must be as it was written.*of step {STEPS - 1}, is whole: rename it"
    with pytest.raises(ValueError, match=words):
        trained(tmp_path / "torn")
    (tmp_path / "torn" / runs.PREVIOUS).replace(last)
    trained(tmp_path / "torn")
    assert_same(tmp_path / "torn", tmp_path / "whole")


def test_a_folder_is_one_run(tmp_path):
    """Neither begun anew, nor gone on with other settings, nor used by two at once."""
    trained(tmp_path)
    with pytest.raises(ValueError, match="out must be a folder without a run"):
        trained(tmp_path, resume=False)
    with pytest.raises(ValueError, match="out must hold a run of these settings, it differs in se"):
        runs.train(made(seed=6), tmp_path, resume=True, report=print)
    with pytest.raises(ValueError, match="it differs in settings"):
        runs.train(made(steps=9), tmp_path, resume=True, report=print)

    def second(step, K):
        with pytest.raises(ValueError, match="out must be a folder of its own, another run uses"):
            trained(tmp_path / "two")
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(runs.Interrupted):
        trained(tmp_path / "two", second)


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path, monkeypatch):
    """The error is the system's, and what was whole is whole."""

    def interrupt(step, K):
        if step == 40:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(runs.Interrupted):
        trained(tmp_path / "torn", interrupt)
    trained(tmp_path / "whole")

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            trained(tmp_path / "torn")
    trained(tmp_path / "torn")
    assert_same(tmp_path / "torn", tmp_path / "whole")


@pytest.mark.parametrize(("seconds", "words", "last"), [
    (0, r"finite parameters, it has others after step 30 of .*last.safetensors", 29),
    (1e9, r"finite K, it is nan at step 31 of the training \(t = .*nothing was saved", None),
])  # fmt: skip
def test_nan_names_the_step_and_the_last_good_checkpoint(seconds, words, last, tmp_path):
    """It is not saved over what was good, nor where averages hide it."""
    broken = made()

    def poison(step, K):
        if step == 30:
            next(broken.model.parameters()).data.fill_(float("nan"))

    with pytest.raises(ValueError, match=words):
        runs.train(broken, tmp_path, report=poison, seconds=seconds)
    assert (tmp_path / runs.LAST).exists() == (last is not None)
    if last:
        tensors, notes = contents(tmp_path)
        assert notes["step"] == last
        assert all(value.isfinite().all() for value in tensors.values())


def test_too_little_memory_says_what_to_lower(tmp_path):
    """Whether torch or Python ran out of it."""
    for error in (MemoryError("no"), RuntimeError("DefaultCPUAllocator: can't allocate memory")):
        broken = made()

        def source(n, g, error=error):
            raise error

        kept = broken.data.source
        broken.data = splits.Data(
            lambda n, g, kept=kept, source=source: kept(n, g) if n > 999 else source(n, g),
            broken.data.held_out,
        )
        with pytest.raises(MemoryError, match="batch must be lower for this device, now 16"):
            runs.train(broken, tmp_path / type(error).__name__, report=print)


def test_tensorboard_shows_the_metrics(tmp_path, monkeypatch):
    """Where it is installed, each line of the metrics is in it too."""
    shown = []

    class SummaryWriter:
        def __init__(self, folder):
            shown.append(folder)

        def __enter__(self):
            return self

        def __exit__(self, *_):
            shown.append("closed")

        def add_scalar(self, *what):
            shown.append(what)

    module = types.SimpleNamespace(SummaryWriter=SummaryWriter)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", module)
    trained(tmp_path)
    (line,) = map(json.loads, (tmp_path / runs.METRICS).read_text().splitlines())
    values = [(name, line[name], STEPS) for name in ("K", "score")]
    assert shown == [str(tmp_path), *values, "closed"]
