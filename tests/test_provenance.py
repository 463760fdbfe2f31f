"""Provenance: a row counts for the code and the cells that made it, and for no other."""

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import jupytext
import nbformat
import pytest
import test_evidence
from myst_nb.core.read import read_myst_markdown_notebook
from nbclient import NotebookClient

from book_ext import house
from dpm_lib.evidence import provenance
from dpm_lib.evidence.ledger import keep, rows, verdicts
from dpm_lib.evidence.provenance import code_hash, known, page_cells, prefixes, stale, today

ledger_folder = test_evidence.ledger_folder
CODE = 'def f():\n    """Old."""\n    return 1\n\n\nx = """\n# kept\n"""\n'


@pytest.fixture
def row(ledger_folder):
    return test_evidence._check()


def reason(row):
    return stale(row, today(), known())


# the code


@pytest.mark.parametrize(
    "same",
    [
        CODE.replace("Old.", "New, of\n    two lines."),
        CODE.replace("    return", "    # a comment\n\n    return"),
        "# licence\n" + CODE + "\n\n",
        'r"""A module."""\n' + CODE,
        CODE + '"""About x."""\n',
    ],
)
def test_docstrings_comments_and_blank_lines_are_no_code(same):
    assert code_hash(same) == code_hash(CODE)


@pytest.mark.parametrize(
    "other",
    [
        CODE.replace("1", "2"),
        CODE.replace("# kept", "# changed"),
        CODE.replace("# kept\n", "# kept\n\n"),
        CODE.replace('"""Old."""', 'print("""Old.""")'),
        CODE.replace('"""Old."""', '"""Old."""; g()'),
        CODE.replace("def f()", "def g()"),
    ],
)
def test_everything_else_is_code(other):
    assert code_hash(other) != code_hash(CODE)


def test_sources_are_the_loaded_modules_that_can_change_a_number():
    """Faces, tables and the ledger are left out, and so is what is not loaded."""
    code = (
        "import json, dpm_lib as dpm; dpm.GaussianKernel; from dpm_lib import plots, cli;"
        "from dpm_lib.evidence import checks, provenance; print(json.dumps(provenance.made()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    made = json.loads(run.stdout)
    assert {"kernels.base", "kernels.gaussian", "evidence.checks"} <= set(made["sources"])
    assert not any(name.startswith("symbolic") for name in made["sources"])
    evidence = {name for name in today() if name.startswith("evidence.")}
    assert evidence == {"evidence.checks"}
    assert not {"plots", "cli", "__main__", "kernels.__init__"} & set(today())
    assert made["versions"].keys() == {"python", "torch", "sympy"}
    assert made["cell"] == ""


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A copy of the library, whose files the rows are held against."""
    copy = tmp_path / "dpm_lib"
    shutil.copytree(provenance.PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "PACKAGE", copy)
    return copy


def test_a_change_of_a_source_voids_the_rows_that_used_it(row, library):
    """A docstring, other line endings and stray copies void nothing; a changed module its rows."""
    bounds = library / "bounds.py"
    row = replace(row, sources=today())
    text = bounds.read_text(encoding="utf8")
    bounds.write_bytes(text.replace("\n", "\r\n").encode())
    stray = library / ".ipynb_checkpoints" / "bounds-checkpoint.py"
    stray.parent.mkdir()
    stray.write_text("x = 1")
    assert reason(row) == ""
    bounds.write_text(text + "\nx = 1\n", encoding="utf8")
    assert reason(row) == "the library changed (bounds)"
    (library / "kernels" / "base.py").unlink()
    assert reason(row) == "the library changed (bounds, kernels.base)"
    less = {k: v for k, v in row.sources.items() if k not in ("bounds", "kernels.base")}
    assert reason(replace(row, sources=less)) == ""


def test_a_file_changed_while_the_program_runs_is_not_what_was_measured(row, library):
    """The program still runs the old code, so its rows must not carry the hash of the new one."""
    path = library / "schedules.py"
    later = time.time() + 60
    os.utime(path, (later, later))
    importlib.import_module("dpm_lib.schedules")
    made = provenance.made()
    assert reason(replace(row, sources=made["sources"])) == "the library changed (schedules)"


# the cells


@pytest.mark.parametrize("page", house.pages())
def test_cells_of_a_page_are_those_that_run(page):
    """The light reader of the ledger finds what the tests and the build give to a kernel."""
    notebook = jupytext.read(house.BOOK / f"{page}.md", fmt="md:myst")
    built = read_myst_markdown_notebook(house.source(page))
    for reader in (notebook, built):
        code = [cell for cell in reader.cells if cell.cell_type == "code"]
        sources = (cell.source.strip() for cell in code)
        assert page_cells(house.source(page)) == [source for source in sources if source]
    tagged = [c.source for c in code if "parameters" in c.metadata.get("tags", [])]
    parameters = provenance._parameters(page_cells(house.source(page)))
    assert [provenance._literals(source) for source in tagged] == ([parameters] if tagged else [])


PAGE = """
```{code-cell} ipython3
:tags: [parameters]

seed = 0
dtype = "float64"
```

```{code-cell}
---
tags: [hide-input]
---
import json
from dpm_lib.evidence import provenance
```

Text.

```{code-cell} ipython3
made = provenance.made()
print(json.dumps([made["cell"], made["parameters"]]))
seed = 7
```
"""


def executed(*injected):
    """Cell and parameters as the last cell of the page above sees them in a kernel."""
    notebook = jupytext.reads(PAGE, fmt="md:myst")
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code[1:1] = [nbformat.v4.new_code_cell(source) for source in injected]
    NotebookClient(nbformat.v4.new_notebook(cells=code), kernel_name="python3").execute()
    return json.loads(code[-1].outputs[0]["text"])


def test_a_kernel_and_the_reader_give_a_cell_the_same_hash():
    """All cells up to this one count; a cell of Papermill's is left out, its values are kept."""
    *_, here = prefixes(page_cells(PAGE))
    assert executed() == [here, {"seed": 0, "dtype": "float64"}]
    papermill = '# Parameters\nseed = 3\ndtype = "float32"\n'
    assert executed(papermill) == [here, {"seed": 3, "dtype": "float32"}]
    for other in ("# Parameters\nx = 3\n", "seed = 3", "# Parameters\nseed = 3\nprint()"):
        assert executed(other)[0] != here


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A book of one page."""
    monkeypatch.setattr(provenance, "BOOK", tmp_path / "book")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "page.md").write_text(PAGE, encoding="utf8")
    return tmp_path / "book" / "page.md"


def test_a_row_counts_as_long_as_its_cell_stands_in_the_book(row, book):
    """Cells after it may change, cells before it may not; so may not a test."""
    _, second, here = prefixes(page_cells(PAGE))
    row = replace(row, cell=second, parameters={"seed": 0, "dtype": "float64"})
    assert reason(row) == ""
    book.write_text(PAGE.replace("seed = 7", "seed = 8"), encoding="utf8")
    assert reason(row) == ""
    assert reason(replace(row, cell=here)) == "the check changed or was deleted"
    book.write_text(PAGE.replace("seed = 0", "seed = 1"), encoding="utf8")
    assert reason(row) == "the check changed or was deleted"
    assert reason(replace(row, cell="")) == "the check changed or was deleted"


def test_a_row_of_other_parameters_does_not_count(row, book):
    """The device and the precision may differ; what the page is about may not."""
    *_, here = prefixes(page_cells(PAGE))
    row = replace(row, cell=here, parameters={"seed": 0, "dtype": "float32", "device": "cuda"})
    assert reason(row) == ""
    other = replace(row, parameters={"seed": 3, "dtype": "float64"})
    assert reason(other) == "made with other parameters (seed=3)"
    assert reason(replace(row, parameters={})) == "made with other parameters (seed=None)"


def test_a_row_of_other_parameters_replaces_none_of_the_page(row, book):
    """Both stand in the file; the page's own one counts."""
    *_, here = prefixes(page_cells(PAGE))
    own = keep(replace(row, cell=here, parameters={"seed": 0}))
    other = keep(replace(row, cell=here, parameters={"seed": 3}, tolerance=1e-6))
    again = keep(replace(row, cell=here, parameters={"seed": 0, "device": "cuda"}))
    assert [v.row for v in verdicts()] == [again, other, row]
    assert own not in rows()
    assert rows() == [again, row]


def test_rows_whose_check_is_gone_leave_the_file(row, book):
    """And a check that stands in no page and no test leaves none."""
    *_, here = prefixes(page_cells(PAGE))
    keep(replace(row, route="of the page", cell=here, parameters={"seed": 0}))
    keep(replace(row, route="typed in a shell", cell=""))
    assert [v.route for v in verdicts()] == ["a route", "of the page"]
    book.write_text("# No cell")
    keep(row)
    assert [v.route for v in verdicts()] == ["a route"]
