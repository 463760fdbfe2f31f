"""Rows: whatever is changed in one by hand is noticed, named, and counts no more."""

import json
from itertools import pairwise

import pytest
import test_evidence
from test_evidence import DAMAGED, RULES, proved
from typer.testing import CliRunner

from dpm_lib.cli import app
from dpm_lib.evidence import ledger
from dpm_lib.evidence.checks import prove
from dpm_lib.evidence.ledger import circle, entries, keep, rows, verdicts
from dpm_lib.evidence.row import Row, parse, seal

ledger_folder = test_evidence.ledger_folder


@pytest.fixture
def table(ledger_folder):
    """The rows of a file: a check and a proof of one equation."""
    test_evidence._check()
    prove("forward-marginal", proved(), mutants=DAMAGED)
    return json.loads((ledger_folder / "cpu.json").read_text())


def forged(row, changes):
    """A row with other fields, sealed by somebody who knows how."""
    changed = row | changes
    return changed | {"seal": seal(Row(**changed))}


MUTANT = {"name": "sign", "error": 2.0, "margin": 1e-12}
CHECK, PROOF = 0, 1
NONE = {"steps": 0, "claim": {}, "names": [], "chains_only": ["by kernel"]}


def rules(**changes):
    return {"rules": RULES | changes}


NO_SLIP = {"refused": 0, "without_value": 0, "by_rules": 0, "equal": []}
FORGERIES = [
    (CHECK, {"error": 1e9}, "error must be between 0 and the tolerance"),
    (CHECK, {"error": -1.0}, "error must be between 0"),
    (CHECK, {"error": float("nan")}, "must be finite"),
    (CHECK, {"error": "0"}, "error must be of type"),
    (CHECK, {"error": True}, "error must be of type"),
    (CHECK, {"tolerance": -1.0}, "error must be between 0"),
    (CHECK, {"tolerance": float("inf")}, "must be finite"),
    (CHECK, {"tolerance": 0.0}, "the tolerance of a check must be positive"),
    (CHECK, {"mutants": []}, "mutants must hold at least one"),
    (CHECK, {"mutants": [{"name": "sign"}]}, "mutants must hold a name, an error and a margin"),
    (CHECK, {"mutants": [MUTANT | {"error": 1e-12}]}, "'sign' must err by more than its margin"),
    (CHECK, {"mutants": [MUTANT | {"error": float("nan")}]}, "must err by more than its margin"),
    (CHECK, {"kind": "opinion"}, "kind must be"),
    (CHECK, {"route": " "}, "route must say"),
    (CHECK, {"sources": {}}, "sources must give"),
    (CHECK, {"versions": {}}, "versions must give"),
    (CHECK, {"error": 10**400}, "error must be of type"),
    (CHECK, {"steps": 3}, "belong to proofs"),
    (CHECK, rules(), "belong to proofs"),
    (CHECK, {"statement": "a=b"}, "belong to proofs"),
    (CHECK, {"rests_on": ["a=b"]}, "steps, worlds, claim, slips, rules, statement and rests_on"),
    (PROOF, {"steps": 0}, "must have steps and worlds"),
    (PROOF, {"worlds": []}, "must have steps and worlds"),
    (PROOF, {"claim": {}}, "claim must say"),
    (PROOF, {"claim": {"T": [3, 2]}}, "claim must say"),
    (PROOF, {"claim": {"planets": [9]}}, "claim must say"),
    (PROOF, {"slips": {}}, "slips must count"),
    (PROOF, {"slips": NO_SLIP}, "slips must count"),
    (PROOF, {"slips": NO_SLIP | {"refused": 2, "by_rules": 3}}, "slips must count"),
    (PROOF, {"tolerance": 1.0}, "a proof must be exact"),
    (PROOF, {"rules": {}}, "rules must hold steps, claim, names and chains_only"),
    (PROOF, {"rules": []}, "rules must be of type"),
    (PROOF, rules(taste=1), "rules must hold"),
    (PROOF, rules(steps=True), "rules must hold"),
    (PROOF, rules(steps="1"), "rules must hold"),
    (PROOF, rules(claim=["T"]), "rules must hold"),
    (PROOF, rules(names=[3]), "rules must hold"),
    (PROOF, rules(names=["Bayes", "Bayes"]), "rules must hold"),
    (PROOF, rules(names=[" "]), "rules must hold"),
    (PROOF, rules(chains_only="no"), "rules must hold"),
    (PROOF, {"rules": NONE | {"chains_only": [""]}}, "rules must hold"),
    (PROOF, rules(steps=2), "rules must count between 0 and 1 steps, got 2"),
    (PROOF, rules(steps=-1, chains_only=["a", "b"]), "rules must count between 0 and 1 steps"),
    (PROOF, rules(chains_only=["by kernel"]), "chains_only of rules must hold the words of the 0"),
    (PROOF, {"rules": NONE | {"chains_only": []}}, "the words of the 1 other steps, got []"),
    (PROOF, rules(claim={}), "claim of rules must say"),
    (PROOF, {"rules": NONE | {"claim": {"T": "every"}}}, "claim of rules must say"),
    (PROOF, rules(claim={"planets": "every"}), "claim of rules must say"),
    (PROOF, rules(claim={"T": [3, 2]}), "claim of rules must say"),
    (PROOF, {"rules": NONE | {"names": ["Bayes"]}}, "names of rules must be empty"),
    (PROOF, {"statement": ""}, "statement must say what is proved"),
    (PROOF, {"statement": None}, "statement must be of type"),
    (PROOF, {"rests_on": "a=b"}, "rests_on must be of type"),
    (PROOF, {"rests_on": [1]}, "rests_on must hold statements"),
    (PROOF, {"rests_on": ["a=b", "a=b"]}, "rests_on must hold statements, each once"),
    (PROOF, {"statement": "a=b", "rests_on": ["a=b"]}, "must not rest on its own statement"),
]


NO_SLIP = {"refused": 0, "without_value": 0, "by_rules": 0, "equal": []}


@pytest.mark.parametrize(("n", "changes", "match"), FORGERIES)
def test_a_forged_row_is_named_and_does_not_count(ledger_folder, table, n, changes, match):
    """The ledger shows the reason, and the command names the row, its file and what is wrong."""
    table[n] = forged(table[n], changes)
    (ledger_folder / "cpu.json").write_text(json.dumps(table))
    entry = next(e for e in entries() if e["id"] == "forward-marginal")
    assert entry["status"].startswith("not measured")
    assert match in entry["status"]
    result = CliRunner().invoke(app, ["equations", "--check"])
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    named = f"forward-marginal, {table[n]['route']} (cpu.json): "
    assert any(line.startswith(named) and match in line for line in result.output.splitlines())


@pytest.mark.parametrize("key", ["error", "because", "route", "cell", "claim", "statement"])
def test_a_row_edited_by_hand_is_noticed(ledger_folder, table, key):
    """A change that leaves a sensible row breaks the seal."""
    other = {"error": 1e-13, "claim": {"T": "every"}}
    table[PROOF if key in ("claim", "statement") else CHECK][key] = other.get(key, "another")
    (ledger_folder / "cpu.json").write_text(json.dumps(table))
    assert [v.fault for v in verdicts() if v.fault] == [
        "the seal is broken: the row was edited by hand"
    ]
    assert len(rows()) == 1


@pytest.mark.parametrize("count", [0, 1])
def test_a_proof_may_stand_in_chains_only(table, count):
    """Without rules the step has words, with them it has a claim; both are rows."""
    changes = {"rules": RULES if count else NONE}
    row = parse(forged(table[PROOF], changes))
    assert f"1 step proved, {count} by rules" in str(row)


def edges(folder, table, proofs):
    """What rests on what, and what is needed by what, where equations prove such statements."""
    by_hand = [
        forged(table[PROOF], {"equation": key, "statement": statement, "rests_on": rests_on})
        for key, (statement, rests_on) in proofs.items()
    ]
    (folder / "cpu.json").write_text(json.dumps(by_hand))
    found = {e["id"]: e["proof"] for e in entries() if e["proof"]}
    return [{k: found[k][way] for k in found if found[k][way]} for way in ("rests_on", "needed_by")]


def test_an_equation_rests_on_those_that_prove_what_it_uses(ledger_folder, table):
    """Statements are compared; one that no row proves gives no arrow, nor does one that is near."""
    proofs = {
        "edge-term": ("c=d", ["a=b", "x=y", "a = b"]),
        "edge-step": ("a=b", []),
        "bayes-step": ("a=b", []),
        "telescoping": ("e=f", ["c=d", "A=B", "-a=b"]),
    }
    assert edges(ledger_folder, table, proofs) == [
        {"edge-term": ["edge-step", "bayes-step"], "telescoping": ["edge-term"]},
        {"edge-step": ["edge-term"], "bayes-step": ["edge-term"], "edge-term": ["telescoping"]},
    ]
    assert circle(entries()) == []


def test_only_rows_that_count_are_rested_on(ledger_folder, table):
    """A proof that is void is no support."""
    proofs = {"edge-term": ("c=d", ["a=b"]), "edge-step": ("a=b", [])}
    edges(ledger_folder, table, proofs)
    by_hand = json.loads((ledger_folder / "cpu.json").read_text())
    void = [forged(row, {"cell": "0" * 16} if row["statement"] == "a=b" else {}) for row in by_hand]
    (ledger_folder / "cpu.json").write_text(json.dumps(void))
    assert [e["proof"]["rests_on"] for e in entries() if e["proof"]] == [[]]


def test_a_circle_of_proofs_is_reported(ledger_folder, table, monkeypatch):
    """The command names the equations of the circle, though all else is well."""
    proofs = {
        "edge-step": ("a=b", ["e=f"]),
        "edge-term": ("c=d", ["a=b"]),
        "bayes-step": ("e=f", ["c=d"]),
        "telescoping": ("g=h", ["c=d"]),
    }
    edges(ledger_folder, table, proofs)
    found = circle(entries())
    assert sorted(pairwise(found)) == [
        ("bayes-step", "edge-term"),
        ("edge-step", "bayes-step"),
        ("edge-term", "edge-step"),
    ]
    full = [entry | {"status": "measured"} for entry in entries()]
    monkeypatch.setattr(ledger, "entries", lambda: full)
    result = CliRunner().invoke(app, ["equations", "--check"])
    assert result.exit_code == 1
    assert f"a circle of proofs: {' rests on '.join(found)}" in result.output
    monkeypatch.setattr(ledger, "entries", lambda: [e for e in full if e["id"] != "edge-step"])
    assert CliRunner().invoke(app, ["equations", "--check"]).exit_code == 0


@pytest.mark.parametrize("key", [f for f in Row.__dataclass_fields__ if f != "seal"])
def test_each_field_must_be_there(table, key):
    """A row without one of its fields is none."""
    short = {k: v for k, v in table[CHECK].items() if k != key}
    with pytest.raises(ValueError, match=f"{key} is missing"):
        parse(short)
    with pytest.raises(ValueError, match="taste is not a field"):
        parse(table[CHECK] | {"taste": 1})


def test_a_row_added_by_hand_does_not_count(ledger_folder, table):
    """A row for an equation of the table that nothing in the book or the tests has made."""
    by_hand = forged(table[CHECK], {"equation": "stationarity", "cell": "0" * 16})
    unknown = forged(table[CHECK], {"equation": "perpetual-motion"})
    (ledger_folder / "cpu.json").write_text(json.dumps([*table, by_hand, unknown]))
    reasons = {v.equation: v.fault or v.stale for v in verdicts()}
    assert reasons["stationarity"] == "the check changed or was deleted"
    assert "equation must be an id" in reasons["perpetual-motion"]
    assert {row.equation for row in rows()} == {"forward-marginal"}
    assert CliRunner().invoke(app, ["equations", "--check"]).exit_code == 1


def test_damaged_rows_leave_the_file_when_it_is_written(ledger_folder, table):
    """Measuring again heals a file."""
    table[CHECK]["error"] = 1e9
    (ledger_folder / "cpu.json").write_text(json.dumps(table))
    keep(parse(table[PROOF]))
    assert [v.fault for v in verdicts()] == [""]


@pytest.mark.parametrize("text", ["{}", "[", '[{"equation": 3}]', "null"])
def test_a_broken_file_is_named_by_the_command(ledger_folder, table, text):
    """A file that was replaced or truncated ends in a line and exit code 1, not in a traceback."""
    (ledger_folder / "cpu.json").write_text(text)
    result = CliRunner().invoke(app, ["equations", "--check"])
    assert (result.exit_code, isinstance(result.exception, SystemExit)) == (1, True)
    assert "cpu.json must be a list of rows of evidence" in result.output
