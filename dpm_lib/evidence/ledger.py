"""The ledger: every row on file is judged, then joined with the table of equations.

Passports, the ledger page and ``dpm equations`` show what :func:`entries` gives and nothing else.
"""

import contextlib
import os
import re
from dataclasses import asdict, dataclass, replace
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from dpm_lib.evidence import provenance, storage
from dpm_lib.evidence.equations import EQUATIONS, Equation
from dpm_lib.evidence.row import Row, parse, seal
from dpm_lib.evidence.usage import functions

__all__ = ["Verdict", "circle", "entries", "keep", "rows", "verdicts"]


@dataclass(frozen=True)
class Verdict:
    """A row on file, and why it does not count.

    Attributes:
        file: where the row stands.
        equation: as the row says; empty if the whole file cannot be read.
        route: as the row says.
        fault: what is wrong with the row or with the file; empty if it is valid.
        stale: why a valid row does not count any more; empty if it does.
        row: the row, if it is valid.
    """

    file: str
    equation: str = ""
    route: str = ""
    fault: str = ""
    stale: str = ""
    row: Row | None = None

    @property
    def counts(self) -> bool:
        """Whether the row stands in the ledger."""
        return self.row is not None and not self.stale

    def __str__(self) -> str:
        if not self.equation:
            return self.fault
        return f"{self.equation}, {self.route} ({self.file}): {self.fault or self.stale}"


def verdicts() -> list[Verdict]:
    """Every row on file, of every device, with what speaks against it.

    Raises:
        ValueError: ``$DPM_EVIDENCE`` names no folder.
    """
    where = storage.folder()
    return [v for path in sorted(where.glob("*.json")) for v in _judge(path)] if where else []


def rows() -> list[Row]:
    """The rows that count: valid, of this library, made by the book's own cells and tests.

    Raises:
        ValueError: ``$DPM_EVIDENCE`` names no folder.
    """
    return [v.row for v in verdicts() if v.row and v.counts]


def entries() -> list[dict[str, Any]]:
    """One entry for each equation, with its proof, its evidence and its refused mutants.

    ``status`` is ``"measured"`` or says why it is not; ``function`` is the first of the
    ``functions`` that implement the equation and are called in the book.  A proof ``rests_on``
    the equations whose proved statements it uses, and is ``needed_by`` those that use its own.

    Raises:
        ValueError: ``$DPM_EVIDENCE`` names no folder.
    """
    judged, used, version = verdicts(), functions(), provenance.library_version()
    found = [_entry(e, judged, used[e.id], version) for e in EQUATIONS.values()]
    _join({entry["id"]: entry["proof"] for entry in found if entry["proof"]})
    return found


def circle(entries: list[dict[str, Any]]) -> list[str]:
    """Equations each of which rests on the next, the first again at the end; empty if none do."""
    graph = {e["id"]: e["proof"]["rests_on"] for e in entries if e["proof"]}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def keep(row: Row) -> Row:
    """Seal a row and put it in the file of its device.

    It replaces the row of the same equation, kind, route, dtype and parameters.  Rows that are
    damaged, or whose check stands in the book no longer, leave the file.  A clone that is read-only
    keeps the rows that it came with: a chapter runs there too.

    Raises:
        ValueError: the file is not a list of rows, or ``$DPM_EVIDENCE`` names no folder.
        TimeoutError: another program holds the lock of the file.
    """
    row = replace(row, seal=seal(row))
    where = storage.folder()
    read_only = "DPM_EVIDENCE" not in os.environ and not os.access(where or ".", os.W_OK)
    if where is None or read_only:
        return row
    path = where / (re.sub(r"[^a-z0-9]+", "-", row.device.lower()) + ".json")
    with storage.locked(path):
        old = _valid(storage.read(path)) if path.exists() else []
        table = {_key(each): each for each in [*old, row]}
        known = provenance.known()
        kept = [asdict(table[key]) for key in sorted(table) if table[key].cell in known]
        storage.write(path, kept)
    return row


def _valid(table: list[dict[str, Any]]) -> list[Row]:
    found = []
    for data in table:
        with contextlib.suppress(ValueError):
            found.append(parse(data))
    return found


def _judge(path: Path) -> list[Verdict]:
    try:
        table = storage.read(path)
    except ValueError as error:
        return [Verdict(path.name, fault=str(error))]
    sources, cells = provenance.today(), provenance.known()
    found = []
    for data in table:
        name = (path.name, data["equation"], data["route"])
        try:
            row = parse(data)
        except ValueError as error:
            found.append(Verdict(*name, fault=str(error)))
        else:
            found.append(Verdict(*name, stale=provenance.stale(row, sources, cells), row=row))
    return found


def _entry(e: Equation, judged: list[Verdict], used: list[str], version: str) -> dict[str, Any]:
    mine = [v for v in judged if v.equation == e.id]
    counting = [v.row for v in mine if v.row and v.counts]
    proof = next((row for row in counting if row.kind == "proof"), None)
    evidence = [row for row in counting if row.kind == "evidence"]
    return {
        "id": e.id,
        "title": e.title,
        "paper": list(e.paper),
        "notes": list(e.notes),
        "page": e.page,
        "function": next(iter(used), None),
        "functions": used,
        "status": _status(mine, proof, evidence, [v for v in judged if not v.equation]),
        "proof": {k: getattr(proof, k) for k in PROOF} if proof else None,
        "evidence": [{k: getattr(row, k) for k in EVIDENCE} for row in evidence],
        "mutants": [
            {**m, "times": m["error"] / m["margin"] if m["margin"] else None, "route": row.route}
            for row in counting
            for m in row.mutants
        ],
        "library": version,
    }


def _join(proofs: dict[str, dict[str, Any]]) -> None:
    """Put the ids of equations in the place of the statements that their proofs rest on."""
    edges = {
        key: [other for other in proofs if proofs[other]["statement"] in proof["rests_on"]]
        for key, proof in proofs.items()
    }
    for key, proof in proofs.items():
        proof["rests_on"] = edges[key]
        proof["needed_by"] = [other for other in proofs if key in edges[other]]


PROOF = ("worlds", "steps", "claim", "slips", "rules", "statement", "rests_on", "versions")
EVIDENCE = ("route", "error", "tolerance", "because", "device", "dtype", "versions")


def _status(
    mine: list[Verdict], proof: Row | None, evidence: list[Row], broken: list[Verdict]
) -> str:
    if damaged := next((v for v in mine if v.fault), None):
        return f"not measured: {damaged}"
    missing = {
        kind: word
        for kind, word, found in (("proof", "proof", proof), ("evidence", "check", evidence))
        if not found
    }
    if not missing:
        return "measured"
    reasons = [v.stale for v in mine if v.row and v.row.kind in missing] + [str(v) for v in broken]
    none = f"no {' and no '.join(missing.values())} on record"
    return f"not measured: {next(iter(reasons), none)}"


def _key(row: Row) -> tuple[str, ...]:
    own = {k: v for k, v in row.parameters.items() if k not in provenance.ELSEWHERE}
    return row.equation, row.kind, row.route, row.dtype, repr(sorted(own.items()))
