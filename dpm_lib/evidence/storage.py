"""Files of results: where rows are kept, and how a file is replaced whole or not at all."""

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

__all__ = ["folder", "locked", "read", "replace_file", "write"]

RESULTS = Path(__file__).resolve().parents[2] / "results"

PATIENCE = 60
"""Seconds to wait for another program that writes the same file."""


def folder() -> Path | None:
    """Where rows are kept: ``$DPM_EVIDENCE``, or ``results/evidence`` beside the library.

    None when neither exists (the library was installed without the book): nothing is written.

    Raises:
        ValueError: ``$DPM_EVIDENCE`` is empty or a file.
    """
    given = os.environ.get("DPM_EVIDENCE")
    if given is None:
        beside = RESULTS / "evidence"
        return beside if beside.is_dir() else None
    path = Path(given).expanduser()
    if not given.strip() or any(p.exists() and not p.is_dir() for p in (path, *path.parents)):
        raise ValueError(f"DPM_EVIDENCE must name a folder, got {given!r}")
    return path


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Keep other programs that write the same file out.

    Raises:
        TimeoutError: another program has held the lock for ``patience`` seconds.
        ValueError: the folder cannot be written.
    """
    lock = FileLock(f"{path}.lock", timeout=patience)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout as error:
        raise TimeoutError(
            f"{lock.lock_file} has been held by another program for {patience} s; "
            "if none is running, remove it"
        ) from error
    except OSError as error:
        raise ValueError(
            f"folder must be one that can be written, got {str(path.parent)!r}: {error.strerror}"
        ) from error
    try:
        yield
    finally:
        lock.release()


def replace_file(path: Path, content: str | bytes) -> None:
    """Replace a file whole: whatever happens, it holds the old content or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        with part.open("xb") as file:
            file.write(content if isinstance(content, bytes) else content.encode("utf8"))
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        _sync(path.parent)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk, where the system can."""
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def read(path: Path) -> list[dict[str, Any]]:
    """The rows of a file as they stand there, valid or not.

    Raises:
        ValueError: the file is not a list of rows.
    """
    try:
        table = json.loads(path.read_text(encoding="utf8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{path.name} must be a list of rows of evidence: {error}") from error
    named = ("equation", "kind", "route")
    if not isinstance(table, list) or not all(
        isinstance(row, dict) and all(isinstance(row.get(key), str) for key in named)
        for row in table
    ):
        raise ValueError(f"{path.name} must be a list of rows of evidence, it is something else")
    return table


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    """Replace a file of rows; each row is one line, so that a change of one reads as one."""
    lines = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in rows)
    replace_file(path, "[\n" + ",\n".join(lines) + "\n]\n")
