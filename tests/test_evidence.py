"""Evidence: rows are written only for checks with force, and count only for this library."""

import json
import sys

import pytest
import torch

from dpm_lib.evidence import ledger
from dpm_lib.evidence.checks import Refuted, check, prove, rounding
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.ledger import entries, library_version, rows
from dpm_lib.evidence.notation import SYMBOLS, table


@pytest.fixture(autouse=True)
def ledger_folder(tmp_path, monkeypatch):
    """Every test writes to a ledger of its own."""
    monkeypatch.setenv("DPM_EVIDENCE", str(tmp_path / "evidence"))
    return tmp_path / "evidence"


def _check(**changes):
    arguments = {
        "computed": torch.tensor([1.0, 2.0], dtype=torch.float64),
        "expected": torch.tensor([1.0, 2.0], dtype=torch.float64),
        "tolerance": 1e-12,
        "because": "rounding",
        "mutants": {"sign": torch.tensor([-1.0, 2.0], dtype=torch.float64)},
    } | changes
    return check("forward-marginal", "a route", **arguments)


def test_a_check_writes_its_row_with_error_and_mutants(ledger_folder):
    """The row holds the worst error, the tolerance, the dtype, the device and each mutant."""
    _check(computed=torch.tensor([1.0, 2.0 + 2e-13], dtype=torch.float64))
    (row,) = json.loads((ledger_folder / "cpu.json").read_text())
    assert row["equation"] == "forward-marginal"
    assert row["error"] == pytest.approx(1e-13, rel=0.01)  # relative to the expected value 2
    assert (row["dtype"], row["device"], row["library"]) == ("float64", "cpu", library_version())
    assert row["mutants"] == [{"name": "sign", "error": 2.0}]


def test_routes_that_disagree_are_refused_and_leave_no_row(ledger_folder):
    """A difference beyond the tolerance, or NaN anywhere, raises and writes nothing."""
    for wrong in (1.1, float("nan"), float("inf")):
        with pytest.raises(Refuted, match="exceeds"):
            _check(computed=torch.tensor([wrong, 2.0], dtype=torch.float64))
    assert not ledger_folder.exists()


def test_a_mutant_that_passes_is_refused():
    """A check that its damaged formula passes too has no force, and raises."""
    with pytest.raises(Refuted, match="no force"):
        _check(mutants={"same": torch.tensor([1.0, 2.0], dtype=torch.float64)})


def test_a_mutant_of_nan_is_refused_by_the_check():
    """A damaged formula that gives NaN counts as refused."""
    row = _check(mutants={"nan": torch.tensor([float("nan"), 2.0], dtype=torch.float64)})
    assert row.mutants[0]["error"] == sys.float_info.max  # JSON has no infinity


def test_tolerances_may_differ_by_element():
    """Each element is held to its own standard error, and the worst ratio is kept."""
    limit = torch.tensor([1e-3, 1.0], dtype=torch.float64)
    row = _check(
        computed=torch.tensor([1.0005, 2.5], dtype=torch.float64),
        tolerance=limit,
        mutants={"both": torch.tensor([2.0, 9.0], dtype=torch.float64)},
    )
    assert (row.error, row.tolerance) == (5e-4, 1e-3)
    with pytest.raises(Refuted):
        _check(computed=torch.tensor([1.5, 2.0], dtype=torch.float64), tolerance=limit)


def test_a_standard_error_allows_five_of_itself_in_absolute_size():
    """Far from zero a Monte Carlo route is still held to its own error, not to a relative one."""
    far = {"expected": torch.tensor([100.0, 2.0], dtype=torch.float64), "tolerance": None}
    near = torch.tensor([100.049, 2.0], dtype=torch.float64)
    row = _check(computed=near, standard_error=0.01, because="of a mean", **far)
    assert (row.error, row.tolerance) == (0.049, 0.05)
    assert row.because == "5 standard errors of a mean"
    with pytest.raises(Refuted, match="exceeds"):
        _check(computed=near + 0.01, standard_error=0.01, **far)
    with pytest.raises(ValueError, match="exactly one"):
        _check(standard_error=0.01)


def test_bad_arguments_are_named():
    """Unknown equations, no mutants and different shapes raise with what is expected."""
    with pytest.raises(ValueError, match="no-such-equation"):
        check("no-such-equation", "r", 1.0, 1.0, tolerance=1, because="", mutants={"a": 2.0})
    with pytest.raises(ValueError, match="mutants must name"):
        _check(mutants={})
    with pytest.raises(ValueError, match="one shape"):
        _check(expected=torch.tensor(1.0, dtype=torch.float64))


def test_a_row_measured_again_replaces_the_old_one(ledger_folder):
    """One row for each equation, route and dtype; other rows stay."""
    _check()
    _check(tolerance=1e-10)
    check("stationarity", "other", 1.0, 1.0, tolerance=1e-9, because="r", mutants={"a": 2.0})
    assert [row.tolerance for row in rows() if row.equation == "forward-marginal"] == [1e-10]
    assert len(json.loads((ledger_folder / "cpu.json").read_text())) == 2


def test_rows_of_another_library_version_do_not_count(ledger_folder, monkeypatch):
    """After a change of the library an equation reads not measured until it runs again."""
    _check()
    prove("forward-marginal", _Proof(), mutants={"damaged": 1})
    entry = next(e for e in entries() if e["id"] == "forward-marginal")
    assert entry["status"] == "measured"
    monkeypatch.setattr(ledger, "library_version", lambda: "another")
    entry = next(e for e in entries() if e["id"] == "forward-marginal")
    assert (entry["status"], entry["evidence"], entry["mutants"]) == ("not measured", [], [])
    assert len(rows(current=False)) == 2
    _check()
    assert [row.library for row in rows(current=False)] == ["another"]


@pytest.mark.parametrize("text", ["[", "{}x", '[{"id": 1}]', "3"])
def test_a_foreign_or_truncated_file_is_named(ledger_folder, text):
    """A file that does not hold rows raises with its name, and is not overwritten."""
    ledger_folder.mkdir()
    (ledger_folder / "cpu.json").write_text(text)
    with pytest.raises(ValueError, match=r"cpu\.json must hold rows"):
        rows()
    with pytest.raises(ValueError, match=r"cpu\.json must hold rows"):
        _check()
    assert (ledger_folder / "cpu.json").read_text() == text


class _Proof:
    worlds = ("a world",)
    count = 3

    def latex(self):
        return "x"

    def refuses(self, expression):
        return 0.5 if expression else None


def test_a_proof_needs_mutants_that_differ():
    """The damaged formula equal to the proved one raises; the row counts the steps."""
    with pytest.raises(Refuted, match="equals the proved formula"):
        prove("forward-marginal", _Proof(), mutants={"same": 0})
    row = prove("forward-marginal", _Proof(), mutants={"damaged": 1})
    assert (row.kind, row.steps, row.worlds) == ("proof", 3, ["a world"])


def test_the_ledger_lists_every_equation_once():
    """The ledger has the contract's keys, in the order of the table."""
    found = entries()
    assert [e["id"] for e in found] == list(EQUATIONS)
    keys = {"id", "paper", "notes", "page", "function", "proof", "evidence", "mutants"}
    assert all(keys <= set(e) for e in found)


def test_every_number_of_the_notes_and_of_the_paper_is_claimed():
    """The notes' 1 to 10 and the paper's 1 to 15 and 37 to 51 each belong to an equation.

    The paper numbers two empty lines, 39 and 42.
    """
    notes = {n for e in EQUATIONS.values() for n in e.notes}
    paper = {n for e in EQUATIONS.values() for n in e.paper}
    assert notes == set(range(1, 11))
    assert paper == {*range(1, 16), *range(37, 52)} - {39, 42}


def test_rounding_follows_the_dtype():
    """The tolerance is a number of machine epsilons."""
    assert rounding(torch.float32, 3) == 3 * torch.finfo(torch.float32).eps


def test_the_table_of_symbols_has_a_row_for_each():
    """The notation page shows each symbol once."""
    assert len(table().splitlines()) == len(SYMBOLS) + 2
    assert len({s.latex for s in SYMBOLS}) == len(SYMBOLS)
