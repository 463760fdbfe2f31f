import json
import re
import subprocess
import sys

import numpy as np
import pytest
from typer.testing import CliRunner

from dpm_lib import cli
from dpm_lib.cli import app
from dpm_lib.evidence import ledger
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.learning import evaluation, experiments, recipes, runs


def test_ledger_as_json():
    """The ledger is a list with one entry for each equation."""
    result = CliRunner().invoke(app, ["equations", "--json"])
    assert result.exit_code == 0
    assert [entry["id"] for entry in json.loads(result.stdout)] == list(EQUATIONS)


def test_ledger_as_table():
    """The table has one line for each equation, and a head."""
    result = CliRunner().invoke(app, ["equations"])
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(EQUATIONS) + 1


def test_the_table_counts_steps_by_rules(monkeypatch):
    """Steps by rules stand beside all steps; without a proof there are none."""
    bare = {
        "paper": [], "notes": [], "page": "steps", "status": "measured", "evidence": [],
        "mutants": [],
    }  # fmt: skip
    proof = {"steps": 3, "rules": {"steps": 2}, "rests_on": []}
    entries = [
        bare | {"id": "edge-step", "proof": proof},
        bare | {"id": "edge-term", "proof": None},
    ]
    monkeypatch.setattr(ledger, "entries", lambda: entries)
    result = CliRunner().invoke(app, ["equations"])
    assert result.exit_code == 0, result.output
    head, first, second = (re.split("  +", line) for line in result.stdout.splitlines())
    at = head.index("by rules")
    assert (head[at - 1], first[at - 1 : at + 1]) == ("steps", ["3", "2/3"])
    assert second[at - 1 : at + 1] == ["0", "-"]


def test_a_call_that_is_wrong_is_one_line():
    """With what to type to learn more, and no frame around it."""
    result = CliRunner().invoke(app, ["train"])
    assert result.exit_code == 2
    (line,) = result.output.splitlines()
    assert re.fullmatch(r"Error: Missing argument 'recipe'\. \(see .* train --help\)", line, re.I)


@pytest.mark.parametrize(
    ("dtype", "autocast"), [(None, None), ("float32", False), ("bfloat16", True)]
)
def test_the_recipe_decides_on_autocast_unless_asked(monkeypatch, dtype, autocast):
    """Without --dtype there is none to override it."""
    asked = {}

    def make(recipe, **settings):
        asked.update(settings)
        raise ValueError("enough")

    monkeypatch.setattr(recipes, "make", make)
    options = ["--dtype", dtype] if dtype else []
    assert CliRunner().invoke(app, ["train", "digits", *options]).exit_code
    assert asked["autocast"] is autocast


def test_check_names_the_gaps(monkeypatch, tmp_path):
    """Without evidence the check fails and names what is missing; with it, it passes."""
    monkeypatch.setenv("DPM_EVIDENCE", str(tmp_path))
    result = CliRunner().invoke(app, ["equations", "--check"])
    assert result.exit_code == 1
    assert "forward-marginal: not measured: no proof and no check on record" in result.output
    full = [{**entry, "status": "measured"} for entry in ledger.entries()]
    monkeypatch.setattr(ledger, "entries", lambda: full)
    assert CliRunner().invoke(app, ["equations", "--check"]).exit_code == 0


def test_slips_are_counted_for_each_proof(monkeypatch):
    """One line for each proof: how many damages were refused, how many are equal, for what."""
    slips = {"refused": 17, "without_value": 2, "by_rules": 15, "equal": ["x"]}
    claim = {"T": [2, 3], "d": [1]}
    entry = {"id": "edge-step", "proof": {"slips": slips, "claim": claim}}
    monkeypatch.setattr(ledger, "entries", lambda: [entry, {"id": "edge-term", "proof": None}])
    result = CliRunner().invoke(app, ["slips"])
    assert result.exit_code == 0, result.output
    assert [re.split("  +", line) for line in result.stdout.splitlines()] == [
        ["id", "refused", "by rules", "without value", "equal", "proved for"],
        ["edge-step", "17", "15", "2", "1", "T = 2, 3; d = 1"],
    ]


@pytest.mark.parametrize("folder", ["", "~/file"])
def test_a_folder_of_evidence_that_is_none(monkeypatch, tmp_path, folder):
    """One line that names what is wrong, and exit code 2."""
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DPM_EVIDENCE", folder)
    result = CliRunner().invoke(app, ["equations", "--check"])
    assert result.exit_code == 2
    assert result.output == f"Error: DPM_EVIDENCE must name a folder, got {folder!r}\n"


@pytest.fixture
def roll(monkeypatch, tmp_path):
    """An experiment of two runs for each seed, and the list of runs that were trained."""
    trained = []

    def run(name, folder, *, seed, steps, device, report):
        report(steps, 1.0)
        trained.append((steps, seed))
        return {
            "recipe": name, "seed": seed, "device": device, "settings": {"steps": steps},
            "library": experiments.library_version(), "K": 1.0, "K_minus_L_null": 2.0,
            "unit": "bits", "standard_error": 0.1, "n": 10, "T": 4,
            "seconds": 0.0, "generator": "0" * 12,
        }  # fmt: skip

    monkeypatch.setattr(experiments, "EXPERIMENTS", {"roll": [("mlp", 2), ("mlp", 4)]})
    monkeypatch.setattr(evaluation, "EXPERIMENTS", tmp_path / "experiments")
    monkeypatch.setattr(experiments, "run", run)
    return trained


PLAN = [(2, 0), (2, 1), (4, 0), (4, 1)]


def test_an_experiment_is_run_and_recorded(roll, tmp_path):
    """Every run of the plan is recorded; an unknown experiment is named, with what is expected."""
    result = CliRunner().invoke(app, ["record", "roll", "--seeds", "2"])
    assert result.exit_code == 0, result.output
    runs = evaluation.recorded("roll")
    assert [(run["settings"]["steps"], run["seed"]) for run in runs] == roll == PLAN
    left = {path.name for path in (tmp_path / "experiments").iterdir() if path.suffix != ".lock"}
    assert left == {"roll.json"}
    result = CliRunner().invoke(app, ["record", "cifar"])
    assert result.exit_code == 2
    assert "experiment must be one of ['roll'], got 'cifar'" in result.output


@pytest.mark.parametrize("error", [KeyboardInterrupt, runs.Interrupted("saved")])
def test_an_experiment_that_was_interrupted_goes_on(error, roll, monkeypatch):
    """What is finished is kept and not run again; what another library has run is."""
    run = experiments.run

    def interrupted(name, folder, **settings):
        if len(roll) == 2:
            raise error
        return run(name, folder, **settings)

    monkeypatch.setattr(experiments, "run", interrupted)
    result = CliRunner().invoke(app, ["record", "roll", "--seeds", "2"])
    assert result.exit_code == 130
    assert "interrupted: 2 of 4 runs are finished" in result.output
    assert len(evaluation.recorded("roll.part")) == 2
    with pytest.raises(FileNotFoundError):
        evaluation.recorded("roll")
    monkeypatch.setattr(experiments, "run", run)
    assert CliRunner().invoke(app, ["record", "roll", "--seeds", "2"]).exit_code == 0
    assert roll == PLAN
    assert len(evaluation.recorded("roll")) == 4
    evaluation.record("roll.part", evaluation.recorded("roll"))
    monkeypatch.setattr(experiments, "library_version", lambda: "another")
    assert CliRunner().invoke(app, ["record", "roll", "--seeds", "2"]).exit_code == 0
    assert roll == PLAN + PLAN


def test_nothing_is_trained_for_a_folder_that_cannot_be_written(roll, monkeypatch, tmp_path):
    """The folder is tried before the first run."""
    (tmp_path / "experiments").write_text("a file")
    result = CliRunner().invoke(app, ["record", "roll"])
    assert result.exit_code == 2
    assert "experiments" in result.output
    assert roll == []


def test_as_a_module():
    """``python -m dpm_lib`` is the same program."""
    command = [sys.executable, "-m", "dpm_lib", "equations", "--help"]
    assert b"--json" in subprocess.run(command, capture_output=True, check=True).stdout


def test_train_evaluate_and_sample(tmp_path):
    """A checkpoint goes through the commands; samples come in the units of the data."""
    pytest.importorskip("sklearn")
    run, out = str(tmp_path / "run"), tmp_path / "samples.npy"
    call = CliRunner().invoke
    trained = call(app, ["train", "digits", "--steps", "2", "--device", "cpu", "--out", run])
    assert trained.exit_code == 0, trained.output
    assert "K = " in trained.output
    measured = call(app, ["evaluate", run, "--json", "--device", "cpu"])
    record = json.loads(measured.output)
    assert record["n"] == 297
    assert f"K = {record['K']:.4f}" in trained.output
    assert "correction, one draw for each step, on 297 held-out examples" in trained.output
    assert "correction, 10 draws for 99 steps, on" in cli._result(record | {"steps": 10})
    drawn = call(app, ["sample", run, "--n", "50", "--device", "cpu", "--out", str(out)])
    assert drawn.exit_code == 0, drawn.output
    levels = np.load(out, allow_pickle=False)
    assert levels.shape == (50, 8, 8)
    assert levels.mean() == pytest.approx(4.9, abs=1)
    assert levels.std() == pytest.approx(6, abs=1)
