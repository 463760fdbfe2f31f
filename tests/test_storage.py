"""Storage: a file is replaced whole or not at all, by one program at a time."""

import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from dpm_lib.evidence import storage
from dpm_lib.evidence.storage import folder, locked, replace_file
from dpm_lib.learning.evaluation import record, recorded

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
