"""Evidence: compare two independent routes to a number, refuse damaged formulas, keep the row.

Two functions write rows.  :func:`prove` takes a derivation whose steps a machine has checked,
:func:`check` takes numbers from two routes.  Both demand mutants, formulas damaged on purpose, and
raise unless every mutant is refused: a check that cannot fail is worth nothing.

A row carries a hash of the library it was measured with.  When the library changes, the row no
longer counts until it is measured again.
"""

import hashlib
import html
import importlib
import inspect
import json
import os
import pkgutil
import re
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import torch
from filelock import FileLock
from torch import Tensor

from dpm_lib.equations import EQUATIONS

__all__ = [
    "Refuted", "Row", "check", "folder", "implementations", "ledger", "library_version", "prove",
    "rounding", "rows",
]  # fmt: skip

PACKAGE = Path(__file__).resolve().parent

Z = 5
"""How many standard errors a Monte Carlo route may be off: by chance once in 2 million checks."""


class Refuted(AssertionError):
    """Two routes disagree, or a damaged formula was not refused."""


class Proof(Protocol):
    """What :func:`prove` asks of a derivation (the symbolic room provides it)."""

    worlds: list[str]
    count: int

    def latex(self) -> str:
        """The derivation as one aligned block."""

    def refuses(self, expression: Any) -> float | None:
        """By how much a damaged last line differs from the proved one; None if it does not."""


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

    def __str__(self) -> str:
        if self.kind == "proof":
            text = f"{self.equation}: {self.steps} steps proved in {', '.join(self.worlds)}"
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


def rounding(dtype: torch.dtype, operations: float) -> float:
    """Tolerance that follows from rounding: ``operations`` times the dtype's machine epsilon.

    >>> rounding(torch.float64, 4) == 4 * 2.0**-52
    True
    """
    return operations * torch.finfo(dtype).eps


def check(
    equation: str,
    route: str,
    computed: Tensor | float,
    expected: Tensor | float,
    *,
    tolerance: Tensor | float | None = None,
    standard_error: Tensor | float | None = None,
    because: str = "",
    mutants: Mapping[str, Tensor | float],
) -> Row:
    r"""Compare two routes to the same numbers, refuse the mutants and write the row.

    Against a ``tolerance`` the error is :math:`|c - e| / \max(1, |e|)`; against the
    ``standard_error`` of a Monte Carlo route it is :math:`|c - e|`, and 5 standard errors are
    allowed.  Both are taken elementwise; the row keeps the worst case.

    Args:
        equation: id of the equation that is checked.
        route: the independent route that gives ``expected``, in words.
        computed: what the formula under test gives, any shape.
        expected: what the independent route gives, same shape.
        tolerance: largest error allowed, one number or one for each element.
        standard_error: of the Monte Carlo route, instead of a tolerance.
        because: why that tolerance (the number of roundings), or how the error was measured.
        mutants: name to value, the same quantity from damaged formulas.

    Raises:
        Refuted: the routes disagree, or a mutant is within the tolerance.
        ValueError: the equation is unknown, no mutant is given, the shapes differ, or not exactly
            one of tolerance and standard_error is given.
    """
    _known(equation, mutants)
    if (tolerance is None) == (standard_error is None):
        raise ValueError("exactly one of tolerance and standard_error must be given")
    value = torch.as_tensor(computed).detach()
    truth = torch.as_tensor(expected, device=value.device).detach()
    if tolerance is not None:
        limit, scale = torch.as_tensor(tolerance), truth.double().abs().clamp(min=1.0)
    else:
        limit, scale = Z * torch.as_tensor(standard_error), torch.ones_like(truth).double()
        because = f"{Z} standard errors" + (f" {because}" if because else "")
    limit = limit.to(value.device).detach()
    if value.shape != truth.shape:
        raise ValueError(
            f"computed and expected must have one shape, got {tuple(value.shape)} "
            f"and {tuple(truth.shape)}"
        )
    error, allowed = _worst(value, truth, scale, limit)
    if not error <= allowed:
        raise Refuted(f"{equation}, {route}: error {error:.3e} exceeds {allowed:.3e} ({because})")
    refused = []
    for name, mutant in mutants.items():
        damaged = torch.as_tensor(mutant, device=value.device)
        damage, margin = _worst(damaged, truth, scale, limit)
        if damage <= margin:
            raise Refuted(
                f"{equation}, {route}: the mutant {name!r} passes (error {damage:.3e}, "
                f"tolerance {margin:.3e}), so the check has no force"
            )
        refused.append({"name": name, "error": _short(damage)})
    return _write(
        Row(
            equation=equation,
            kind="evidence",
            route=route,
            error=_short(error),
            tolerance=_short(allowed),
            because=because,
            mutants=refused,
            device=_device_name(value.device),
            dtype=str(value.dtype).removeprefix("torch."),
            library=library_version(),
            torch=torch.__version__,
        )
    )


def prove(equation: str, derivation: Proof, *, mutants: Mapping[str, Any]) -> Row:
    """Record a derivation as the proof of an equation and publish its formula on the page.

    Args:
        equation: id of the equation that is proved.
        derivation: an object of :mod:`dpm_lib.symbolic`, whose steps were checked when it was made.
        mutants: name to damaged last line; each must differ from the proved one.

    Raises:
        Refuted: a mutant cannot be told from the proved formula.
        ValueError: the equation is unknown or no mutant is given.
    """
    _known(equation, mutants)
    refused = []
    for name, expression in mutants.items():
        damage = derivation.refuses(expression)
        if damage is None:
            raise Refuted(f"{equation}: the mutant {name!r} equals the proved formula")
        refused.append({"name": name, "error": _short(damage)})
    _publish(equation, derivation.latex())
    return _write(
        Row(
            equation=equation,
            kind="proof",
            route="derivation",
            error=0.0,
            tolerance=0.0,
            because="exact",
            steps=derivation.count,
            worlds=list(derivation.worlds),
            mutants=refused,
            library=library_version(),
            torch=torch.__version__,
        )
    )


def rows(current: bool = True) -> list[Row]:
    """All rows on record, of every device; with ``current`` only those of this library version."""
    where = folder()
    found = []
    for path in sorted(where.glob("*.json")) if where else []:
        found += [Row(**row) for row in json.loads(path.read_text(encoding="utf8"))]
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


def ledger() -> list[dict[str, Any]]:
    """One entry for each equation, with its proof, its evidence and its refused mutants.

    ``function`` is the first function that implements it, ``functions`` are all of them.
    """
    current = rows()
    entries = []
    for e in EQUATIONS.values():
        mine = [row for row in current if row.equation == e.id]
        proof = next((row for row in mine if row.kind == "proof"), None)
        evidence = [row for row in mine if row.kind == "evidence"]
        functions = implementations().get(e.id, [])
        entries.append(
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
    return entries


def _known(equation: str, mutants: Mapping[str, Any]) -> None:
    if equation not in EQUATIONS:
        raise ValueError(f"equation must be an id of dpm_lib.equations, got {equation!r}")
    if not mutants:
        raise ValueError(f"mutants must name at least one damaged formula of {equation!r}")


def _worst(value: Tensor, truth: Tensor, scale: Tensor, limit: Tensor) -> tuple[float, float]:
    error = (value.double() - truth.double()).abs() / scale
    error = torch.where(value == truth, 0.0, error).nan_to_num(nan=float("inf"))
    allowed = limit.double().expand_as(error)
    worst = (error / allowed.clamp(min=1e-300)).argmax()
    return error.flatten()[worst].item(), allowed.flatten()[worst].item()


def _short(x: float) -> float:
    return float(f"{x:.2e}")


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


def _publish(equation: str, latex: str) -> None:
    """In a notebook, leave the formula as an output that the page's directive finds by its id."""
    ipython = sys.modules.get("IPython")
    if ipython is None or ipython.get_ipython() is None:
        return
    prefix = "application/papermill.record/"
    ipython.display.display(
        {f"{prefix}text/latex": f"$${latex}$$", f"{prefix}text/plain": equation},
        metadata={"scrapbook": {"name": equation, "mime_prefix": prefix}},
        raw=True,
    )


def _write(row: Row) -> Row:
    where = folder()
    if where is None:
        return row
    where.mkdir(parents=True, exist_ok=True)
    path = where / (re.sub(r"[^a-z0-9]+", "-", row.device.lower()) + ".json")
    with FileLock(f"{path}.lock"):
        kept = json.loads(path.read_text(encoding="utf8")) if path.exists() else []
        key = ("equation", "kind", "route", "dtype")
        new = asdict(row)
        kept = [
            old
            for old in kept
            if old["library"] == row.library and any(old[k] != new[k] for k in key)
        ]
        kept = sorted([*kept, new], key=lambda r: [r[k] for k in key])
        part = path.with_suffix(".part")
        part.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf8")
        part.replace(path)
    return row
