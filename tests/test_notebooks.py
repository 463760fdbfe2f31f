"""Chapters to take away: notebooks that run where the library is not installed yet."""

import pytest

from book_ext import house, notebooks

CHAPTERS = [page for page in house.pages() if "{code-cell}" in house.source(page)]


class Formulas(dict):
    def __missing__(self, key):
        return f"F({key})"


@pytest.mark.parametrize("page", CHAPTERS)
def test_directives_of_this_build_are_written_out(page):
    """No equation, role or citation of the build is left; the code is that of the page."""
    made = notebooks.notebook(page, Formulas(), "https://github.com/a/b")
    text = "\n".join(cell.source for cell in made.cells if cell.cell_type == "markdown")
    for directive in ("{equation}", "{eq}`", "{doc}`", "{ref}`", "{footcite"):
        assert directive not in text
    assert text.count("F(") == house.source(page).count("```{equation} ")
    code = [cell.source for cell in made.cells if cell.cell_type == "code"]
    assert code[1:] == [c.source for c in notebooks.jupytext.reads(
        house.source(page), fmt="md:myst").cells if c.cell_type == "code"]  # fmt: skip


def test_first_cell_installs_where_the_library_is_missing():
    """Where it is there, as here, the cell does nothing; the address is that of the repository."""
    first = notebooks.notebook(CHAPTERS[0], Formulas(), "https://github.com/a/b").cells[0].source
    assert "git+https://github.com/a/b@" in first
    head, _, install = first.rpartition("    %pip")
    assert install
    exec(head + "    raise AssertionError")
