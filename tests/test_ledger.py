"""The ledger has no gap.  Runs last: the chapters and the other tests have written it."""

import functools

import pytest

from book_ext import house
from dpm_lib.evidence import ledger
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.provenance import page_cells, prefixes, today
from dpm_lib.evidence.usage import calls


@functools.cache
def entries():
    return {entry["id"]: entry for entry in ledger.entries()}


@pytest.mark.parametrize("key", EQUATIONS)
def test_equation_is_derived_verified_and_used(key):
    entry = entries()[key]
    assert entry["status"] == "measured"
    assert entry["function"], f"no function whose docstring names :eq:`{key}` is called in the book"


def test_no_proof_rests_on_itself():
    """What rests on what has no circle."""
    assert ledger.circle(list(entries().values())) == []


def test_no_row_is_damaged():
    assert [str(verdict) for verdict in ledger.verdicts() if verdict.fault] == []


@pytest.mark.parametrize("page", house.pages())
def test_rows_of_a_page_know_all_that_it_used(page):
    """A function that a page calls belongs to a module that the last of its rows names.

    Otherwise a change of that module would not run the page again.
    """
    cells = page_cells(house.source(page))
    made = {cell: n for n, cell in enumerate(prefixes(cells))}
    rows = [row for row in ledger.rows() if row.cell in made]
    if not rows:
        pytest.skip("writes no row")
    last = max(rows, key=lambda row: made[row.cell])
    used = {name.removeprefix("dpm_lib.") for name in calls(tuple(cells))}
    loaded = {name.rpartition(".")[0] for name in used} & set(today())
    late = loaded - set(last.sources)
    assert not late, "loaded after the last row: import these modules in the page's first cells"


def test_rows_come_from_sources():
    """A route that no source spells out is a row that nothing measures any more."""
    files = [*house.BOOK.glob("*.md"), *(house.ROOT / "tests").glob("**/*.py")]
    text = "\n".join(path.read_text(encoding="utf8") for path in files)
    stale = [r for r in ledger.rows() if r.kind == "evidence" and r.route not in text]
    assert not stale, "remove these rows, or write the route as one literal"
