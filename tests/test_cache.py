"""Executed chapters are kept as long as their rows count."""

from dataclasses import replace
from types import SimpleNamespace

import jupytext
import pytest
import test_evidence
import test_provenance
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from test_provenance import PAGE

from book_ext import house
from dpm_lib.evidence.ledger import keep
from dpm_lib.evidence.provenance import page_cells, prefixes, today

ledger_folder, book = test_evidence.ledger_folder, test_provenance.book
library = test_provenance.library


@pytest.fixture
def forgotten(monkeypatch, tmp_path, book):
    """A chapter that was executed, and a function that says which executions are dropped."""
    monkeypatch.setattr(house, "cache_folder", lambda: tmp_path / "cache")
    notebook = jupytext.reads(PAGE, fmt="md:myst")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.execution_count, cell.outputs = 1, []
    get_cache(str(tmp_path / "cache")).cache_notebook_bundle(
        CacheBundleIn(notebook, str(book)), check_validity=False
    )
    env = SimpleNamespace(found_docs={"page"})
    return lambda: house.forget_unmeasured(None, env, set(), set(), set())


@pytest.fixture
def row(book):
    *_, here = prefixes(page_cells(PAGE))
    made = test_evidence._check()
    return replace(made, cell=here, parameters={"seed": 0, "dtype": "float64"}, sources=today())


def test_a_chapter_without_rows_runs_again(forgotten):
    assert forgotten() == {"page"}
    assert forgotten() == set(), "it is gone already"


def test_a_chapter_whose_rows_count_is_kept(forgotten, row):
    keep(row)
    keep(replace(row, parameters={"seed": 3}))  # a run with other parameters, beside it
    keep(replace(row, device="another"))
    assert forgotten() == set()


def test_only_chapters_that_used_what_changed_run_again(forgotten, row, library):
    """An edit of a docstring, or of a module that the chapter never loaded, drops nothing."""
    keep(replace(row, sources={k: v for k, v in row.sources.items() if k != "learning.training"}))
    for module, text in (("learning/training", "x = 1\n"), ("bounds", "'''Said otherwise.'''\n")):
        path = library / f"{module}.py"
        path.write_text(path.read_text(encoding="utf8") + text, encoding="utf8")
    assert forgotten() == set()
    path.write_text(path.read_text(encoding="utf8") + "x = 1\n", encoding="utf8")
    assert forgotten() == {"page"}


def test_the_folder_is_named_after_what_rows_do_not_tell(monkeypatch):
    before = house.cache_folder()
    monkeypatch.setattr(house.platform, "python_version", lambda: "3.99")
    assert house.cache_folder() != before
