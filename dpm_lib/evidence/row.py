"""One row of evidence: its fields, its seal, and what makes it valid."""

import hashlib
import html
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from itertools import chain
from typing import Any, get_origin, get_type_hints

from dpm_lib.evidence.equations import EQUATIONS

__all__ = ["Row", "in_words", "parse", "seal"]

CLAIMS = {"T", "d", "states", "kernels", "given"}

ONE = {"states": "number of states", "kernels": "kernel"}
"""What a claim holds for every one of, where its key is a plural."""


@dataclass(frozen=True)
class Row:
    """One proof or one check, as it stands on file.

    Attributes:
        equation: id of the equation.
        kind: ``"proof"`` or ``"evidence"``, a check.
        route: the independent route in words; ``"derivation"`` for a proof.
        error: of a check, largest relative to what is allowed.
        tolerance: the error allowed there.
        because: why that tolerance.
        mutants: ``name``, ``error`` and ``margin``, the error it would have been allowed.
        steps: of a proof, the lines that were checked.
        worlds: of a proof, where each line was checked.
        claim: of a proof, for which ``T``, ``d``, ``states`` and ``kernels``, ``given`` what.
        slips: of a proof, how many one-slip damages were ``refused``, how many of these were
            ``without_value``, how many the rules alone refuse, ``by_rules``, which are ``equal``.
        rules: of a proof, how many ``steps`` follow by rules, for which chains (``claim``), the
            ``names`` of the rules, and the words of the steps that hold in ``chains_only``.
        statement: of a proof, what it proves, in LaTeX.
        rests_on: of a proof, the statements proved elsewhere that it uses.
        device: name of the device of a check.
        dtype: of a check; ``"exact"`` for a proof.
        sources: module of the library to the hash of its code.
        cell: hash of the cells or of the test that made the row.
        parameters: of the page, as they were set.
        versions: of ``python``, ``torch`` and ``sympy``.
        seal: hash of all other fields.
    """

    equation: str
    kind: str
    route: str
    error: float
    tolerance: float
    because: str
    mutants: list[dict[str, Any]]
    steps: int
    worlds: list[str]
    claim: dict[str, Any]
    slips: dict[str, Any]
    rules: dict[str, Any]
    statement: str
    rests_on: list[str]
    device: str
    dtype: str
    sources: dict[str, str]
    cell: str
    parameters: dict[str, Any]
    versions: dict[str, str]
    seal: str = ""

    def __str__(self) -> str:
        if self.kind == "proof":
            count = f"{self.steps} step{'' if self.steps == 1 else 's'}"
            found = f"{count} proved, {self.rules['steps']} by rules"
            damaged = self.slips["refused"] + len(self.mutants)
        else:
            found = f"{self.route}, error {self.error:.1e} ≤ {self.tolerance:.1e}"
            damaged = len(self.mutants)
        return f"{self.equation}: {found}, {damaged} damaged formula{'s'[: damaged != 1]} refused"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return f'<p class="dpm-row">✓ {html.escape(str(self))}</p>'


HINTS = get_type_hints(Row)

OF_PROOFS = ("steps", "worlds", "claim", "slips", "rules", "statement", "rests_on")
"""The fields that are empty in a row of a check."""


def seal(row: Row) -> str:
    """Hash of all fields but the seal, so that a row edited by hand is noticed."""
    content = {key: value for key, value in asdict(row).items() if key != "seal"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def in_words(claim: dict[str, Any]) -> str:
    """For which chains a formula was proved.

    >>> in_words({"T": [2, 3], "kernels": ["Gaussian"]})
    'T = 2, 3; kernels: Gaussian'
    >>> in_words({"T": "every"})
    'every T'
    >>> in_words({"T": "every", "d": "every", "kernels": ["Gaussian"]})
    'every T and every d; kernels: Gaussian'
    """
    every = [f"every {ONE.get(key, key)}" for key, values in claim.items() if values == "every"]
    parts = [" and ".join(every)] if every else []
    for key, values in claim.items():
        if values != "every":
            sign = " =" if len(key) == 1 else ":"
            parts.append(f"{key}{sign} {', '.join(map(str, values))}")
    return "; ".join(parts)


def parse(data: dict[str, Any]) -> Row:
    """The row that a file holds.

    Raises:
        ValueError: a field is missing, foreign or of another type, a number is not finite, the
            error exceeds the tolerance, a mutant was not refused, or the seal is broken.
    """
    names = [field.name for field in fields(Row)]
    if missing := [name for name in names if name not in data]:
        raise ValueError(f"{missing[0]} is missing")
    if foreign := [name for name in data if name not in HINTS]:
        raise ValueError(f"{foreign[0]} is not a field of a row")
    for name in names:
        if not _has_type(data[name], get_origin(HINTS[name]) or HINTS[name]):
            raise ValueError(f"{name} must be of type {HINTS[name]}, got {data[name]!r}")
    row = Row(**data)
    own = _proof_faults if row.kind == "proof" else _check_faults
    for fault in chain(_faults(row), own(row)):
        raise ValueError(fault)
    if row.seal != seal(row):
        raise ValueError("the seal is broken: the row was edited by hand")
    return row


def _has_type(value: Any, kind: type) -> bool:
    if kind is float:
        whole = type(value) is int and abs(value) <= 2**53
        return isinstance(value, float) or whole
    return isinstance(value, kind) and not (kind is int and isinstance(value, bool))


def _faults(row: Row) -> Iterator[str]:
    """What is wrong with a row of either kind, worst first."""
    if row.equation not in EQUATIONS:
        yield f"equation must be an id of the table, got {row.equation!r}"
    if row.kind not in ("proof", "evidence"):
        yield f"kind must be 'proof' or 'evidence', got {row.kind!r}"
    if not math.isfinite(row.error) or not math.isfinite(row.tolerance):
        yield f"error and tolerance must be finite, got {row.error} and {row.tolerance}"
    if not 0 <= row.error <= row.tolerance:
        yield f"error must be between 0 and the tolerance {row.tolerance:.3g}, got {row.error:.3g}"
    if not row.mutants:
        yield "mutants must hold at least one that was refused"
    for mutant in row.mutants:
        if not _is_mutant(mutant):
            yield f"mutants must hold a name, an error and a margin each, got {mutant!r}"
        elif not 0 <= mutant["margin"] < mutant["error"] < math.inf:
            yield (
                f"the mutant {mutant['name']!r} must err by more than its margin "
                f"{mutant['margin']:.3g}, got {mutant['error']:.3g}"
            )
    if "evidence.checks" not in row.sources or not _strings(row.sources):
        yield "sources must give the hashes of the modules that made the row"
    if {"python", "torch", "sympy"} - set(row.versions) or not _strings(row.versions):
        yield f"versions must give those of python, torch and sympy, got {row.versions}"


def _check_faults(row: Row) -> Iterator[str]:
    if not row.tolerance > 0 or any(not m["margin"] > 0 for m in row.mutants):
        yield "the tolerance of a check must be positive"
    if not row.route.strip():
        yield "route must say in words where the expected value comes from"
    if any(getattr(row, name) for name in OF_PROOFS):
        yield f"{', '.join(OF_PROOFS[:-1])} and {OF_PROOFS[-1]} belong to proofs"


def _proof_faults(row: Row) -> Iterator[str]:
    if (row.route, row.dtype, row.tolerance) != ("derivation", "exact", 0):
        yield "a proof must be exact, by the route 'derivation'"
    if row.steps < 1 or not row.worlds or not all(isinstance(w, str) and w for w in row.worlds):
        yield f"a proof must have steps and worlds, got {row.steps} and {row.worlds}"
    if not row.claim or set(row.claim) - CLAIMS or not all(map(_is_claim, row.claim.values())):
        yield f"claim must say for which of {sorted(CLAIMS)} it was proved, got {row.claim}"
    if not _is_slips(row.slips):
        yield f"slips must count at least one that was refused and name those equal: {row.slips}"
    yield from _rules_faults(row.rules, row.steps)
    if not row.statement.strip():
        yield "statement must say what is proved"
    if not _are_words(row.rests_on):
        yield f"rests_on must hold statements, each once, got {row.rests_on}"
    if row.statement in row.rests_on:
        yield "a proof must not rest on its own statement"


def _rules_faults(rules: dict[str, Any], steps: int) -> Iterator[str]:
    """What is wrong with the account of the steps that follow by rules."""
    if not _is_rules(rules):
        yield f"rules must hold steps, claim, names and chains_only, got {rules}"
        return
    count, claim = rules["steps"], rules["claim"]
    if not 0 <= count <= steps:
        yield f"rules must count between 0 and {steps} steps, got {count}"
    if len(rules["chains_only"]) != steps - count:
        yield (
            f"chains_only of rules must hold the words of the {steps - count} other steps, "
            f"got {rules['chains_only']}"
        )
    if bool(claim) != bool(count) or set(claim) - CLAIMS or not all(map(_is_claim, claim.values())):
        yield (
            f"claim of rules must say for which of {sorted(CLAIMS)} they prove {count} steps, "
            f"got {claim}"
        )
    if rules["names"] and not count:
        yield f"names of rules must be empty where no step follows by rules, got {rules['names']}"


def _is_rules(rules: dict[str, Any]) -> bool:
    return (
        set(rules) == {"steps", "claim", "names", "chains_only"}
        and _has_type(rules["steps"], int)
        and isinstance(rules["claim"], dict)
        and _are_words(rules["names"])
        and isinstance(rules["chains_only"], list)
        and all(isinstance(words, str) and words.strip() for words in rules["chains_only"])
    )


def _is_slips(slips: dict[str, Any]) -> bool:
    counts: list[Any] = [slips.get(key) for key in ("refused", "without_value", "by_rules")]
    equal = slips.get("equal")
    return (
        set(slips) == {"refused", "without_value", "by_rules", "equal"}
        and all(_has_type(count, int) for count in counts)
        and 0 <= counts[1] < counts[0]
        and 0 <= counts[2] <= counts[0]
        and isinstance(equal, list)
        and all(isinstance(formula, str) for formula in equal)
    )


def _is_mutant(mutant: Any) -> bool:
    return (
        isinstance(mutant, dict)
        and set(mutant) == {"name", "error", "margin"}
        and isinstance(mutant["name"], str)
        and all(_has_type(mutant[key], float) for key in ("error", "margin"))
    )


def _is_claim(values: Any) -> bool:
    """``"every"``, or the values for which a formula was proved, in their order."""
    if values == "every":
        return True
    return (
        isinstance(values, list)
        and bool(values)
        and all(_has_type(v, int) or isinstance(v, str) for v in values)
        and len({type(v) for v in values}) == 1
        and values == sorted(set(values))
    )


def _are_words(found: Any) -> bool:
    """Whether something is a list of texts, none of them empty, each there once."""
    return (
        isinstance(found, list)
        and all(isinstance(text, str) and text.strip() for text in found)
        and len(set(found)) == len(found)
    )


def _strings(table: dict[str, str]) -> bool:
    return all(isinstance(item, str) for pair in table.items() for item in pair)
