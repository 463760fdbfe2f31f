"""The ledger has no gap.  Runs last: the chapters and the other tests have written it."""

import functools

import pytest

from book_ext import house
from dpm_lib.evidence import ledger
from dpm_lib.evidence.equations import EQUATIONS


@functools.cache
def entries():
    return {entry["id"]: entry for entry in ledger.entries()}


@pytest.mark.parametrize("key", EQUATIONS)
def test_equation_is_derived_verified_and_used(key):
    entry = entries()[key]
    assert entry["proof"], "no derivation: its page calls prove(...)"
    assert entry["evidence"], "no check: a page or a test calls check(...)"
    assert entry["mutants"], "no damaged formula was refused"
    assert entry["function"], f"no docstring of the library names :eq:`{key}`"
    assert entry["status"] == "measured"


def test_rows_belong_to_equations():
    assert {row.equation for row in ledger.rows()} <= set(EQUATIONS)


def test_rows_come_from_sources():
    """A route that no source spells out is a row that nothing measures any more."""
    files = [*house.BOOK.glob("*.md"), *(house.ROOT / "tests").glob("**/*.py")]
    text = "\n".join(path.read_text(encoding="utf8") for path in files)
    stale = [r for r in ledger.rows() if r.kind == "evidence" and r.route not in text]
    assert not stale, "remove these rows, or write the route as one literal"
