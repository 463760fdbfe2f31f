"""Storage: a file is replaced whole or not at all, by one program at a time."""

import errno
import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import test_evidence
from filelock import FileLock

import dpm_lib
from dpm_lib.evidence import storage
from dpm_lib.evidence.storage import folder, locked, replace_file
from dpm_lib.learning.evaluation import record, recorded

ROOT = Path(dpm_lib.__file__).parents[1]
RUN = dict.fromkeys(
    ("recipe", "K", "K_minus_L_null", "unit", "standard_error", "n", "T", "seed", "generator",
     "device", "seconds", "library"), 0,
)  # fmt: skip


def test_the_folder_is_named_by_the_environment(monkeypatch, tmp_path):
    """The home folder is found; an empty name and a file are refused, with what came."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("DPM_EVIDENCE", "~/rows")
    assert folder() == tmp_path / "rows"
    (tmp_path / "file").write_text("")
    for bad in ("", " ", "~/file", "~/file/below"):
        monkeypatch.setenv("DPM_EVIDENCE", bad)
        with pytest.raises(ValueError, match=f"DPM_EVIDENCE must name a folder, got '{bad}'"):
            folder()


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_nothing_else(monkeypatch, tmp_path, broken):
    """When the disk is full the old text stays and no part of the new one remains."""

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    path = tmp_path / "rows.json"
    replace_file(path, "old")
    monkeypatch.setattr(*((os, "fsync") if broken == "fsync" else (Path, "replace")), full)
    with pytest.raises(OSError, match="No space"):
        replace_file(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_that_is_not_released_is_named(monkeypatch, tmp_path):
    """Nobody waits for ever, and the message says which file to look at."""
    monkeypatch.setattr(storage, "PATIENCE", 0.1)
    path = tmp_path / "rows.json"
    with (
        FileLock(f"{path}.lock"),
        pytest.raises(TimeoutError, match=r"rows\.json\.lock has been held"),
        locked(path),
    ):
        pass


def test_programs_that_write_at_once_never_garble_a_file(tmp_path):
    """Two writers of the same file, hundreds of times: a reader always finds one of their texts."""
    code = (
        "import sys; from dpm_lib.learning.evaluation import record\n"
        f"for n in range(200): record('roll', [{RUN!r}] * (n % 50 + 1), sys.argv[1])"
    )
    programs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path)]) for _ in range(2)]
    seen = set()
    while any(program.poll() is None for program in programs):
        if (tmp_path / "roll.json").exists():
            runs = recorded("roll", tmp_path)
            assert runs == [RUN] * len(runs)
            seen.add(len(runs))
    assert [program.returncode for program in programs] == [0, 0]
    assert len(seen) > 5
    assert not [path for path in tmp_path.iterdir() if path.suffix == ".part"]


@pytest.mark.parametrize("name", ["../evil", "a/b", "..", ".", "", "/tmp/evil", ".hidden", "a b"])
def test_a_record_has_a_plain_name(tmp_path, name):
    """No name leads out of the folder."""
    for use in (lambda: record(name, [RUN], tmp_path / "in"), lambda: recorded(name, tmp_path)):
        with pytest.raises(ValueError, match="name must be of letters"):
            use()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("text", ["{", "{}", "[3]"])
def test_a_file_that_holds_no_records_is_named(tmp_path, text):
    (tmp_path / "roll.json").write_text(text)
    with pytest.raises(ValueError, match=r"roll\.json must be a list of records"):
        recorded("roll", tmp_path)


def test_records_are_strict_json(tmp_path):
    """What is not a number in JSON is not written."""
    record("roll", [RUN], tmp_path)
    with pytest.raises(ValueError, match="not JSON compliant"):
        record("roll", [RUN | {"K": float("nan")}], tmp_path)
    assert json.loads((tmp_path / "roll.json").read_text()) == [RUN]


def test_a_read_only_clone_keeps_its_rows(tmp_path, monkeypatch):
    """A check runs there as well, and writes nothing; a folder that was asked for must be one."""
    monkeypatch.delenv("DPM_EVIDENCE", raising=False)
    monkeypatch.setattr("dpm_lib.evidence.storage.RESULTS", tmp_path)
    (tmp_path / "evidence").mkdir()
    monkeypatch.setattr("os.access", lambda path, mode: False)
    test_evidence._check()
    assert list((tmp_path / "evidence").iterdir()) == []
    monkeypatch.undo()
    monkeypatch.delenv("DPM_EVIDENCE", raising=False)
    monkeypatch.setattr("dpm_lib.evidence.storage.RESULTS", tmp_path)
    test_evidence._check()
    assert [path.name for path in (tmp_path / "evidence").glob("*.json")] == ["cpu.json"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The library as an installation has it: alone in a folder, with the book nowhere near."""
    folder = tmp_path_factory.mktemp("a folder of Ünïcode") / "site-packages"
    shutil.copytree(ROOT / "dpm_lib", folder / "dpm_lib", ignore=shutil.ignore_patterns("__pyc*"))
    return folder


def run_installed(folder, *arguments):
    environment = os.environ | {"PYTHONPATH": str(folder)}
    environment.pop("DPM_EVIDENCE", None)
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder.parent, env=environment, capture_output=True,
        text=True, encoding="utf8",
    )  # fmt: skip


def test_an_installation_writes_nothing_into_itself(installed):
    """Checks run, a record needs a folder, and the place of the library stays as it was."""
    before = sorted(path for path in installed.rglob("*") if path.suffix != ".pyc")
    code = (
        "import dpm_lib as dpm; print(dpm.__file__, dpm.__version__);"
        "dpm.check('edge-term', 'a', 1.0, 1.0 + 1e-12, tolerance=1e-9, mutants={'m': 1.01})"
    )
    result = run_installed(installed, "-c", code)
    assert result.stdout.split()[-1] == importlib.metadata.version("dpm_lib"), result.stderr
    assert result.stdout.startswith(str(installed))
    result = run_installed(installed, "-m", "dpm_lib", "record", "digits")
    assert result.returncode == 2
    assert result.stderr.startswith("Error: folder must be given (on the command line by --out)")
    after = sorted(
        p for p in installed.rglob("*") if p.suffix != ".pyc" and p.name != "__pycache__"
    )
    assert after == before
