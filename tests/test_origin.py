"""Where things come from: sources, the last line of a page, references, versions and changes."""

import re
from types import SimpleNamespace

import pytest
import yaml

import dpm_lib
from book_ext import house, origin
from dpm_lib.evidence import provenance, usage
from dpm_lib.evidence.equations import EQUATIONS


def config(**options):
    return SimpleNamespace(html_theme_options=options, myst_substitutions={})


def test_the_source_of_a_function_is_a_line_of_its_file():
    link = origin.sources(config(repository_url="https://host/owner/book/"))
    address = link("dpm_lib.bounds.bound")
    file, number = address.removeprefix("https://host/owner/book/blob/main/").split("#L")
    lines = (house.ROOT / file).read_text(encoding="utf8").splitlines()
    assert lines[int(number) - 1].startswith("def bound(")


@pytest.mark.parametrize("key", usage.implementations())
def test_every_function_of_an_equation_has_a_source(key):
    for name in usage.implementations()[key]:
        assert origin.line(name).startswith("dpm_lib/")


def test_without_a_repository_there_is_no_link():
    empty = config(repository_url="")
    assert origin.sources(empty)("dpm_lib.bounds.bound") is None
    origin.links(None, empty)
    assert empty.myst_substitutions["repository_links"] == ""


def test_the_colophon_tells_where_the_repository_and_its_issues_are():
    known = config(repository_url="https://host/owner/book/")
    origin.links(None, known)
    assert "<https://host/owner/book/issues>" in known.myst_substitutions["repository_links"]


def test_the_last_line_of_a_page_tells_how_it_was_made(monkeypatch):
    text = house.source("kernels")
    first = next(iter(provenance.prefixes(provenance.page_cells(text))))
    row = SimpleNamespace(cell=first, versions={"python": "3.11.7"})
    monkeypatch.setattr(origin.ledger, "rows", lambda: [row])
    found = origin.made(text, 12.4)
    assert "this page took 12 s to run · device cpu · python " in found
    assert "min" in found
    assert "device" not in origin.made("# Words\n\nand no cell", None)


def test_code_is_not_read_aloud():
    assert origin.reading_minutes("word " * 600) == 3
    assert origin.reading_minutes("word " * 600 + "\n```{code-cell}\n" + "x " * 900 + "\n```") == 3


def test_changes_name_every_equation_by_its_id():
    text = (house.ROOT / "CHANGELOG.md").read_text(encoding="utf8")
    assert set(re.findall(r"`([\w-]+)`", text)) == set(EQUATIONS)


def test_one_version_stands_everywhere():
    changes = (house.ROOT / "CHANGELOG.md").read_text(encoding="utf8")
    citation = yaml.safe_load((house.ROOT / "CITATION.cff").read_text(encoding="utf8"))
    assert re.findall(r"^## (.*)$", changes, re.M)[0] == dpm_lib.__version__
    assert citation["version"] == dpm_lib.__version__


def test_the_colophon_has_the_changes_and_the_version():
    source = [house.source("colophon")]
    origin.write_colophon(None, "colophon", source)
    assert "`telescoping` {eq}`telescoping`" in source[0]
    assert f"Version {dpm_lib.__version__}" in source[0]
    assert "<!--" not in source[0]


def test_every_reference_has_an_address():
    text = (house.BOOK / "references.bib").read_text(encoding="utf8")
    entries = text.split("\n@")
    assert all(("doi " in entry) or ("url " in entry) for entry in entries)
