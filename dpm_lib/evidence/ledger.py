"""The ledger: one row for each proof and each check, kept in a file for each device.

A row carries a hash of the library it was measured with.  When the library changes, the row no
longer counts until it is measured again.  :func:`entries` joins the rows with the table of
equations; passports, the ledger page and ``dpm equations`` show nothing else.
"""

import hashlib
import html
import importlib
import inspect
import json
import os
import pkgutil
import re
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from torch import Tensor

from dpm_lib.evidence.equations import EQUATIONS

__all__ = ["Row", "entries", "folder", "implementations", "library_version", "rows", "write"]

PACKAGE = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """One row of the ledger."""

    equation: str
    kind: str
    route: str
    error: float
    tolerance: float
    because: str
    steps: int = 0
    worlds: list[str] = field(default_factory=list)
    mutants: list[dict[str, Any]] = field(default_factory=list)
    device: str = "cpu"
    dtype: str = "exact"
    library: str = ""
    torch: str = ""

    def measured_on(self, value: Tensor) -> "Row":
        """The row with the dtype and the device of what was measured."""
        device, dtype = value.device, str(value.dtype).removeprefix("torch.")
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
        return replace(self, device=name, dtype=dtype)

    def __str__(self) -> str:
        if self.kind == "proof":
            steps = "1 step" if self.steps == 1 else f"{self.steps} steps"
            text = f"{self.equation}: {steps} proved in {', '.join(self.worlds)}"
        else:
            text = (
                f"{self.equation}: {self.route}: error {self.error:.1e} within "
                f"{self.tolerance:.1e} ({self.because}; {self.dtype}, {self.device})"
            )
        refused = ", ".join(f"{m['name']} ({m['error']:.1e})" for m in self.mutants)
        return f"{text}; refused: {refused}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'<p class="dpm-row">✓ {html.escape(str(self))}</p>'


@cache
def library_version() -> str:
    """Hash of the library's sources (12 hex digits): which version a row was measured with."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


def folder() -> Path | None:
    """Where rows are kept: ``$DPM_EVIDENCE``, else ``results/evidence`` beside the library.

    None when neither exists (the library was installed without the book): nothing is written.
    """
    if "DPM_EVIDENCE" in os.environ:
        return Path(os.environ["DPM_EVIDENCE"])
    beside = PACKAGE.parent / "results" / "evidence"
    return beside if beside.is_dir() else None


def rows(current: bool = True) -> list[Row]:
    """All rows on record, of every device; with ``current`` only those of this library version.

    Raises:
        ValueError: a file does not hold rows, or is truncated.
    """
    where = folder()
    found = [row for path in sorted(where.glob("*.json")) for row in _read(path)] if where else []
    return [row for row in found if row.library == library_version() or not current]


@cache
def implementations() -> dict[str, list[str]]:
    """Equation id to the public functions whose docstrings name it as ``:eq:`id```."""
    found: dict[str, list[str]] = {}
    root = importlib.import_module("dpm_lib")
    for info in pkgutil.walk_packages(root.__path__, "dpm_lib."):
        if ".symbolic" in info.name or info.name.endswith((".cli", "__main__")):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if getattr(thing, "__module__", None) != info.name:
                continue
            members = [(name, thing)]
            if inspect.isclass(thing):
                members += [(f"{name}.{k}", v) for k, v in vars(thing).items() if k[0] != "_"]
            for path, member in members:
                for key in re.findall(r":eq:`([a-z-]+)`", inspect.getdoc(member) or ""):
                    names = found.setdefault(key, []) if key in EQUATIONS else []
                    if f"{info.name}.{path}" not in names:
                        names.append(f"{info.name}.{path}")
    return found


def entries() -> list[dict[str, Any]]:
    """One entry for each equation, with its proof, its evidence and its refused mutants.

    ``function`` is the first function that implements it, ``functions`` are all of them.
    """
    current = rows()
    found = []
    for e in EQUATIONS.values():
        mine = [row for row in current if row.equation == e.id]
        proof = next((row for row in mine if row.kind == "proof"), None)
        evidence = [row for row in mine if row.kind == "evidence"]
        functions = implementations().get(e.id, [])
        found.append(
            {
                "id": e.id,
                "title": e.title,
                "paper": list(e.paper),
                "notes": list(e.notes),
                "page": e.page,
                "function": next(iter(functions), None),
                "functions": functions,
                "status": "measured" if proof and evidence else "not measured",
                "proof": {"worlds": proof.worlds, "steps": proof.steps} if proof else None,
                "evidence": [
                    {
                        key: getattr(row, key)
                        for key in ("route", "error", "tolerance", "because", "device", "dtype")
                    }
                    for row in evidence
                ],
                "mutants": [{**m, "route": row.route} for row in mine for m in row.mutants],
                "library": library_version(),
            }
        )
    return found


def write(row: Row) -> Row:
    """Stamp a row with the library's version and put it in the file of its device.

    It replaces the row of the same equation, kind, route and dtype; rows of other versions of the
    library leave the file.  The file is replaced whole, under a lock.
    """
    row = replace(row, library=library_version(), torch=torch.__version__)
    where = folder()
    if where is None:
        return row
    where.mkdir(parents=True, exist_ok=True)
    path = where / (re.sub(r"[^a-z0-9]+", "-", row.device.lower()) + ".json")
    with FileLock(f"{path}.lock"):
        kept = [
            old
            for old in (_read(path) if path.exists() else [])
            if old.library == row.library and _key(old) != _key(row)
        ]
        table = [asdict(each) for each in sorted([*kept, row], key=_key)]
        part = path.with_suffix(".part")
        part.write_text(json.dumps(table, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
        part.replace(path)
    return row


def _key(row: Row) -> tuple[str, ...]:
    return row.equation, row.kind, row.route, row.dtype


def _read(path: Path) -> list[Row]:
    try:
        return [Row(**row) for row in json.loads(path.read_text(encoding="utf8"))]
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path.name} must hold rows of evidence as this library writes them: {error}"
        ) from error
