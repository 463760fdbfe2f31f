"""Evidence: rows are written only for checks with force, and count only as long as they hold."""

import json
import math

import pytest
import torch

from dpm_lib.evidence.checks import Refuted, check, prove, rounding
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.ledger import entries, rows, verdicts
from dpm_lib.evidence.notation import SYMBOLS, table
from dpm_lib.symbolic import (
    Derivation,
    FiniteChain,
    GaussianChain,
    Normal,
    Product,
    T,
    Unproved,
    alpha_bar,
    beta,
    beta_bar,
    by,
    equals,
    in_chains,
    q,
    results,
    sqrt,
    t,
    x,
)  # fmt: skip

RULES = {
    "steps": 1,
    "claim": {"T": "every", "d": "every", "kernels": ["Gaussian"]},
    "names": ["the chain moves by the kernel", "Gaussian kernel"],
    "chains_only": [],
}


@pytest.fixture(autouse=True)
def ledger_folder(tmp_path, monkeypatch):
    """Every test writes to a ledger of its own."""
    monkeypatch.setenv("DPM_EVIDENCE", str(tmp_path / "evidence"))
    return tmp_path / "evidence"


def double(*numbers):
    return torch.tensor(numbers, dtype=torch.float64)


def _check(equation="forward-marginal", **changes):
    arguments = {
        "route": "a route",
        "computed": double(1, 2),
        "expected": double(1, 2),
        "tolerance": 1e-12,
        "because": "rounding",
        "mutants": {"sign": double(-1, 2), "a little more": double(1.1, 2)},
    } | changes
    return check(equation, **arguments)


STEP = Normal(x[t], sqrt(1 - beta[t]) * x[t - 1], beta[t])
EVEN = [FiniteChain(2), FiniteChain(4)]
DAMAGED = {"damaged": Normal(x[t], (1 - beta[t]) * x[t - 1], beta[t])}


def proved(*lengths):
    """A short derivation: one step of the Gaussian kernel."""
    worlds = [GaussianChain(T) for T in lengths or (2, 3)]
    return Derivation(q(x[t] | x[t - 1]), equals(STEP, by.step, by.gaussian_kernel), worlds=worlds)


# check


def test_a_check_writes_its_row_with_error_and_mutants(ledger_folder):
    """The row holds the worst error, the tolerance, the dtype, the device and each mutant."""
    _check(computed=double(1, 2 + 2e-13))
    (row,) = json.loads((ledger_folder / "cpu.json").read_text())
    assert row["equation"] == "forward-marginal"
    assert row["error"] == pytest.approx(1e-13, rel=0.01)  # relative to the expected value 2
    assert (row["dtype"], row["device"]) == ("float64", "cpu")
    assert row["mutants"] == [
        {"name": "sign", "error": 2.0, "margin": 1e-12},
        {"name": "a little more", "error": 0.1, "margin": 1e-12},
    ]
    entry = next(e for e in entries() if e["id"] == "forward-marginal")
    assert [m["times"] for m in entry["mutants"]] == pytest.approx([2e12, 1e11])


def test_routes_that_disagree_are_refused_and_leave_no_row(ledger_folder):
    """A difference beyond the tolerance raises and writes nothing; numbers are compared as such."""
    with pytest.raises(Refuted, match="exceeds"):
        _check(computed=double(1.1, 2))
    with pytest.raises(Refuted, match="exceeds"):
        _check(computed=0.1 + 1e-9, expected=0.1, mutants={"more": 0.1001})
    assert not ledger_folder.exists()


def test_a_mutant_that_passes_is_refused():
    """A check that its damaged formula passes too has no force, and raises."""
    with pytest.raises(Refuted, match="no force"):
        _check(mutants={"same": double(1, 2)})


NAN, INFINITY = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("changes", "error", "match"),
    [
        ({"mutants": {"bad": double(NAN, 2)}}, ValueError, r"mutants\['bad'\] must hold finite"),
        ({"mutants": {"bad": double(INFINITY, 2)}}, ValueError, r"mutants\['bad'\] must hold"),
        ({"mutants": {"bad": double(1, 2, 3)}}, ValueError, r"'bad'\] must have the shape"),
        ({"mutants": {}}, ValueError, "mutants must name"),
        ({"mutants": [1.01]}, TypeError, "mutants must give values by name"),
        ({"mutants": {1: 1.01}}, TypeError, "mutants must give values by name"),
        ({"route": " "}, ValueError, "route must say where"),
        ({"route": None}, TypeError, "route must be words"),
        ({"because": None}, TypeError, "because must be words"),
        ({"computed": double(NAN, 2)}, ValueError, "computed must hold finite numbers, got NaN"),
        ({"expected": double(INFINITY, 2)}, ValueError, "expected must hold finite numbers"),
        (
            {"computed": double(INFINITY), "expected": double(INFINITY)},
            ValueError,
            "computed must hold finite",
        ),
        ({"computed": 1 + 5j, "expected": 1.0}, TypeError, "computed must be a tensor or"),
        ({"computed": double(1, 2) + 5j}, TypeError, r"computed must be real, got torch.complex"),
        ({"computed": double(), "expected": double()}, ValueError, "got an empty tensor"),
        ({"computed": torch.tensor([1, 2**53 + 1])}, ValueError, "computed must hold numbers that"),
        ({"computed": "1"}, TypeError, "computed must be a tensor or a number"),
        ({"expected": double(1)}, ValueError, "computed and expected must have one shape"),
        ({"tolerance": -1e-9}, ValueError, "tolerance must be positive, got -1e-09"),
        ({"tolerance": 0.0}, ValueError, "tolerance must be positive"),
        ({"tolerance": NAN}, ValueError, "tolerance must hold finite numbers, got NaN"),
        ({"tolerance": INFINITY}, ValueError, "tolerance must hold finite"),
        ({"tolerance": 1e3}, ValueError, r"tolerance must be below the numbers .*largest 2\)"),
        ({"tolerance": 1.0}, ValueError, "tolerance must be below the numbers"),
        ({"tolerance": None}, ValueError, "exactly one of tolerance and standard_error"),
        ({"standard_error": 0.1}, ValueError, "exactly one of tolerance and standard_error"),
        *(
            ({"tolerance": None, "standard_error": bad}, ValueError, "standard_error must")
            for bad in (0.0, -0.1, NAN, INFINITY, double(0.1, 0.0))
        ),
        (
            {"tolerance": None, "standard_error": 0.4},
            ValueError,
            "it allows an error of 2",
        ),
    ],
)
def test_what_a_check_cannot_judge_is_refused(ledger_folder, changes, error, match):
    """Each bad argument is named, with what came, and leaves no row."""
    with pytest.raises(error, match=match):
        _check(**changes)
    assert not ledger_folder.exists()


def test_unknown_equations_are_refused():
    """Only equations of the table have rows."""
    with pytest.raises(ValueError, match="no-such-equation"):
        check("no-such-equation", "r", 1.0, 2.0, tolerance=0.1, mutants={"a": 2.0})


def test_equal_integers_of_two_routes_are_two_values():
    """Python has one object for each small integer; a float is a route's own."""
    counts = {"tolerance": 1e-9, "mutants": {"a": 3.1}}
    check("forward-marginal", "r", len([1, 2, 3]), sum([1, 2]), **counts)
    value = float(len([1, 2, 3]))
    with pytest.raises(ValueError, match="expected must come from another route"):
        check("forward-marginal", "r", value, value, **counts)


def test_a_value_is_no_route_to_itself():
    """The same object, a view of it and its copy by NumPy's bridge are not a second route."""
    x = double(1, 2)
    for same in (x, x.view(2), x[:], x.detach(), torch.from_numpy(x.numpy())):
        with pytest.raises(ValueError, match="expected must come from another route"):
            _check(computed=x, expected=same)
    assert _check(computed=x, expected=x.clone())


def test_one_mutant_must_be_a_near_miss():
    """A check that refuses only what is far away is not known to see a small slip."""
    with pytest.raises(ValueError, match=r"near miss, which errs by less than 0\.2 .*than 0\.3"):
        _check(mutants={"far": double(1.3, 2), "farther": double(9, 9)})
    assert _check(mutants={"near": double(1.19, 2), "far": double(9, 9)})


def test_a_quantity_that_vanishes_is_measured_in_units_of_one():
    """Where the expected value is 0 everywhere, a near miss errs by less than 0.1."""
    zero = {"computed": double(0, 0), "expected": double(0, 0)}
    assert _check(**zero, mutants={"near": double(0, 0.09)})
    with pytest.raises(ValueError, match=r"errs by less than 0\.1"):
        _check(**zero, mutants={"far": double(0, 0.11)})


def test_tolerances_may_differ_by_element():
    """Each element is held to its own standard error, and the worst ratio is kept."""
    limit = double(1e-3, 0.5)
    row = _check(computed=double(1.0005, 2.2), tolerance=limit, mutants={"first": double(1.01, 2)})
    assert (row.error, row.tolerance) == (5e-4, 1e-3)
    assert row.mutants == [{"name": "first", "error": 0.01, "margin": 1e-3}]
    with pytest.raises(Refuted):
        _check(computed=double(1.5, 2), tolerance=limit)


def test_a_standard_error_allows_five_of_itself_in_absolute_size():
    """Far from zero a Monte Carlo route is still held to its own error, not to a relative one."""
    far = {"expected": double(100, 2), "tolerance": None, "mutants": {"more": double(101, 2)}}
    near = double(100.049, 2)
    row = _check(computed=near, standard_error=0.01, because="of a mean", **far)
    assert (row.error, row.tolerance) == (0.049, 0.05)
    assert row.because == "5 standard errors of a mean"
    with pytest.raises(Refuted, match="exceeds"):
        _check(computed=near + 0.01, standard_error=0.01, **far)


def test_whole_numbers_and_bits_are_numbers():
    """Counts and truth values are compared as they are."""
    row = _check(
        computed=torch.tensor([10, 20]), expected=torch.tensor([10, 20]),
        mutants={"one more": torch.tensor([10, 21])},
    )  # fmt: skip
    assert (row.dtype, row.error) == ("int64", 0.0)


def test_integers_count_as_far_as_float64_has_them_all():
    """2^53 is compared as it is; 2^53 + 1 would become another number."""
    wide = 2**53
    row = _check(computed=wide, expected=float(wide), mutants={"more": 1.05 * wide})
    assert row.error == 0.0
    for beyond in (wide + 1, -wide - 1):
        with pytest.raises(TypeError, match="computed must be a tensor or a number that float64"):
            _check(computed=beyond, expected=float(beyond), mutants={"more": 1.05 * wide})


# prove


def test_only_derivations_are_proofs(ledger_folder):
    """An object that merely looks like a derivation is no proof."""

    class Impostor:
        worlds, count, claim = ["a world"], 3, {"T": [2]}
        latex, refuses, slips = (lambda self, *x: 0.5,) * 3

    class Heir(Derivation):
        def latex(self):
            return "1 = 2"

    worlds = [GaussianChain(2), GaussianChain(3)]
    heir = Heir(q(x[t] | x[t - 1]), equals(STEP, by.step, by.gaussian_kernel), worlds=worlds)
    for other in (Impostor(), heir):
        with pytest.raises(TypeError, match=r"derivation must be a Derivation"):
            prove("forward-marginal", other, mutants=DAMAGED)
    assert not ledger_folder.exists()


def test_a_proof_needs_mutants_that_differ():
    """The damaged formula equal to the proved one raises; the row tells what was proved."""
    with pytest.raises(Refuted, match="equals the proved formula"):
        prove("forward-marginal", proved(), mutants={"same": STEP})
    with pytest.raises(ValueError, match="has no value"):
        prove("forward-marginal", proved(), mutants={"no state": q(x[T + 1])})
    row = prove("forward-marginal", proved(), mutants=DAMAGED)
    names = [GaussianChain(T).name for T in (2, 3)]
    assert (row.kind, row.steps, row.worlds) == ("proof", 1, names)
    assert row.claim == {"T": [2, 3], "d": [1], "kernels": ["Gaussian"]}
    assert row.slips["refused"] > 40


def test_a_proof_takes_its_rules_and_its_statement_from_the_derivation():
    """Both legs stand in the row, with what is proved and what it uses."""
    law = Normal(x[t], sqrt(alpha_bar[t]) * x[0], beta_bar[t])
    worlds = [GaussianChain(T=2), GaussianChain(T=3)]
    assert prove("forward-marginal", proved(), mutants=DAMAGED).rules == RULES
    heir = Derivation(q(x[t] | x[0]), equals(law, by.forward_marginal, by.rates), worlds=worlds)
    row = prove("forward-marginal", heir, mutants={"no root": law**2})
    used = results.forward_marginal.proof()
    assert (row.statement, row.rests_on) == (heir.statement, [used.statement])
    assert (row.rules["steps"], row.rules["names"]) == (1, ["forward marginal", "signal and noise"])
    assert row.statement
    assert row in rows()
    check = _check()
    assert (check.rules, check.statement, check.rests_on) == ({}, "", [])


def test_a_slip_that_survives_is_no_proof(ledger_folder):
    """When a damage made by machine is not refused, nothing is written."""
    steps = Product(q(x[t] | x[t - 1]), (t, 1, T))
    even = Derivation(steps, equals(q(x[1:T] | x[0]), in_chains("Markov")), worlds=EVEN)
    with pytest.raises(Unproved, match="larger worlds alone notice a slip"):
        prove("forward-steps", even, mutants={"no start": q(x[1:T])})
    assert not ledger_folder.exists()


# rows


def test_a_row_measured_again_replaces_the_old_one(ledger_folder):
    """One row for each equation, route and dtype; other rows stay."""
    _check()
    _check(tolerance=1e-10)
    check("stationarity", "other", 1.0, 1.0 + 1e-12, tolerance=1e-9, mutants={"a": 1.05})
    assert [row.tolerance for row in rows() if row.equation == "forward-marginal"] == [1e-10]
    assert len(json.loads((ledger_folder / "cpu.json").read_text())) == 2


def test_an_equation_is_measured_with_a_proof_and_a_check():
    """Either alone leaves it open, and the status says what is missing."""

    def status():
        return next(e["status"] for e in entries() if e["id"] == "forward-marginal")

    assert status() == "not measured: no proof and no check on record"
    _check()
    assert status() == "not measured: no proof on record"
    prove("forward-marginal", proved(), mutants=DAMAGED)
    assert status() == "measured"


@pytest.mark.parametrize("text", ["[", "{}x", "{}", '[{"id": 1}]', "3", "\xff", "[" * 10**5])
def test_a_foreign_or_truncated_file_is_named(ledger_folder, text):
    """A file that does not hold rows is named, and is not overwritten."""
    ledger_folder.mkdir()
    (ledger_folder / "cpu.json").write_text(text, encoding="latin1")
    (verdict,) = verdicts()
    assert str(verdict).startswith("cpu.json must be a list of rows")
    assert all("cpu.json must be" in entry["status"] for entry in entries())
    with pytest.raises(ValueError, match=r"cpu\.json must be a list of rows"):
        _check()
    assert (ledger_folder / "cpu.json").read_text(encoding="latin1") == text


def test_a_row_prints_as_one_quiet_line():
    """What a cell shows under a check is short, and safe in HTML."""
    row = _check(mutants={"a <b> slip": double(1.1, 2)})
    assert str(row) == (
        "forward-marginal: a route, error 0.0e+00 ≤ 1.0e-12, 1 damaged formula refused"
    )
    proof = prove("forward-marginal", proved(), mutants=DAMAGED)
    count = proof.slips["refused"] + 1
    assert str(proof) == (
        f"forward-marginal: 1 step proved, 1 by rules, {count} damaged formulas refused"
    )
    assert proof._repr_html_() == f'<p class="dpm-row">✓ {proof}</p>'


# tables


def test_the_ledger_lists_every_equation_once():
    """The ledger has the contract's keys, in the order of the table."""
    found = entries()
    assert [e["id"] for e in found] == list(EQUATIONS)
    keys = {"id", "paper", "notes", "page", "function", "proof", "evidence", "mutants"}
    assert all(keys <= set(e) for e in found)


def test_every_number_of_the_notes_and_of_the_paper_is_claimed():
    """The notes' 1 to 10 and the paper's 1 to 65 each belong to an equation.

    The paper numbers two empty lines, 39 and 42.
    """
    notes = {n for e in EQUATIONS.values() for n in e.notes}
    paper = {n for e in EQUATIONS.values() for n in e.paper}
    assert notes == set(range(1, 11))
    assert paper == set(range(1, 66)) - {39, 42}


def test_rounding_follows_the_dtype():
    """The tolerance is a number of machine epsilons."""
    assert rounding(torch.float32, 3) == 3 * torch.finfo(torch.float32).eps
    assert math.isclose(rounding(torch.float64, 1), 2**-52)


def test_the_tables_of_symbols_have_a_row_for_each():
    """The notation page shows each symbol once."""
    tables = [table(kind).splitlines() for kind in ("chosen", "defined", "follows")]
    assert sum(map(len, tables)) == len(SYMBOLS) + 2 * len(tables)
    assert len({s.latex for s in SYMBOLS}) == len(SYMBOLS)
