import json
import subprocess
import sys

from typer.testing import CliRunner

from dpm_lib.cli import app
from dpm_lib.evidence import ledger
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.learning import evaluation, recipes


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


def test_check_names_the_gaps(monkeypatch, tmp_path):
    """Without evidence the check fails and names what is missing; with it, it passes."""
    monkeypatch.setenv("DPM_EVIDENCE", str(tmp_path))
    result = CliRunner().invoke(app, ["equations", "--check"])
    assert result.exit_code == 1
    assert "forward-marginal" in result.output
    full = [{**entry, "status": "measured"} for entry in ledger.entries()]
    monkeypatch.setattr(ledger, "entries", lambda: full)
    assert CliRunner().invoke(app, ["equations", "--check"]).exit_code == 0


def test_an_experiment_is_run_and_recorded(monkeypatch, tmp_path):
    """Every run of the plan is recorded; an unknown experiment is named, with what is expected."""
    monkeypatch.setattr(recipes, "EXPERIMENTS", {"roll": [("swiss-roll-mlp", 2)]})
    monkeypatch.setattr(evaluation, "EXPERIMENTS", tmp_path)
    result = CliRunner().invoke(app, ["record", "roll", "--seeds", "2"])
    assert result.exit_code == 0, result.output
    assert [run["seed"] for run in evaluation.recorded("roll", tmp_path)] == [0, 1]
    result = CliRunner().invoke(app, ["record", "mnist"])
    assert result.exit_code == 2
    assert "roll" in result.output
    assert "mnist" in result.output


def test_as_a_module():
    """``python -m dpm_lib`` is the same program."""
    command = [sys.executable, "-m", "dpm_lib", "equations", "--help"]
    assert b"--json" in subprocess.run(command, capture_output=True, check=True).stdout
