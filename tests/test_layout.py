"""The layout of the book itself: pages, cells, equations, symbols, exercises."""

import ast
import functools
import pkgutil
import re
import shutil
import subprocess

import jupytext
import pytest
import yaml

import dpm_lib
from book_ext import house
from book_ext.symbols import undeclared
from dpm_lib.evidence.equations import EQUATIONS, PAGES

ALL = house.pages()
CHAPTERS = [page for page in ALL if "```{code-cell}" in house.source(page)]
FENCE = re.compile(
    r"^(`{3,}|:{3,})(?:\{([\w:-]+)\} *([^\n]*)|[^\n]*)\n(.*?)^\1[`:]* *$", re.M | re.S
)


@functools.cache
def cells(page, kind):
    notebook = jupytext.read(house.BOOK / f"{page}.md", fmt="md:myst")
    return [cell for cell in notebook.cells if cell.cell_type == kind]


@functools.cache
def prose(page):
    """The text of a page without its code cells."""
    return "\n\n".join(cell.source for cell in cells(page, "markdown"))


def directives(name):
    """(page, argument) of every use of a directive in the book."""
    pattern = re.compile(rf"^(?:`{{3,}}|:{{3,}})\{{{name}\}} *([^\n]*)$", re.M)
    return [(page, use.strip()) for page in ALL for use in pattern.findall(prose(page))]


# pages


def test_pages_and_table_of_contents_are_the_same():
    assert sorted(ALL) == sorted(path.stem for path in house.BOOK.glob("*.md"))


def test_toc_is_seen_from_the_book():
    link = (house.BOOK / "_toc.yml").read_text(encoding="utf8").strip()
    assert link in ("../_toc.yml", (house.ROOT / "_toc.yml").read_text(encoding="utf8").strip())


def test_no_notebook_and_no_output_is_in_git():
    if not (house.ROOT / ".git").exists() or not shutil.which("git"):
        pytest.skip("not a checkout")
    run = subprocess.run(
        ["git", "ls-files"], cwd=house.ROOT, check=True, capture_output=True, text=True
    )
    bad = [f for f in run.stdout.splitlines() if f.endswith(".ipynb") or f.startswith("_build/")]
    assert not bad


def rooms():
    """The rooms of the library: modules of the root, and those of the wings by their path."""
    wings = {"evidence", "learning"}
    inner = {
        f"{wing}.{module.name}"
        for wing in wings
        for module in pkgutil.iter_modules([f"{dpm_lib.__path__[0]}/{wing}"])
    }
    root = {module.name for module in pkgutil.iter_modules(dpm_lib.__path__)}
    return {room for room in root | inner if room[0] != "_"} - wings


@pytest.mark.parametrize("page", PAGES)
def test_page_explains_rooms_that_exist(page):
    assert page in ALL
    assert set(PAGES[page]) <= rooms()


def test_every_room_is_explained_by_a_page():
    explained = set().union(*PAGES.values()) | {"cli", "doors", "symbolic", "plots"}
    assert rooms() <= explained, f"not in PAGES: {sorted(rooms() - explained)}"


# cells


@pytest.mark.parametrize("page", CHAPTERS)
def test_header_is_complete(page):
    header = yaml.safe_load(house.source(page).split("---\n")[1])
    form = header["jupytext"]["text_representation"]
    assert form == {"extension": ".md", "format_name": "myst", "format_version": 0.13}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    assert header["kernelspec"] == kernel


@pytest.mark.parametrize("page", CHAPTERS)
def test_one_cell_of_parameters(page):
    code = cells(page, "code")
    tagged = [cell for cell in code if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    names = {
        target.id
        for statement in ast.parse(tagged[0].source).body
        if isinstance(statement, ast.Assign)
        for target in statement.targets
        if isinstance(target, ast.Name)
    }
    trains = any(re.search(r"\bfit\(", cell.source) for cell in code)
    wanted = {"device", "dtype", "seed"} | ({"steps"} if trains else set())
    assert wanted <= names, f"missing: {wanted - names}"


@pytest.mark.parametrize("page", CHAPTERS)
def test_no_cell_is_longer_than_a_screen(page):
    long = [c.source.splitlines()[0] for c in cells(page, "code") if c.source.count("\n") >= 45]
    assert not long


@pytest.mark.parametrize("page", ALL)
def test_no_cell_hides_in_a_directive(page):
    assert "{code-cell}" not in prose(page), (
        "it would not run: use {solution-start} … {solution-end}"
    )


# equations


def test_each_equation_stands_once_and_on_its_page():
    found = [(key, page) for page, key in directives("equation")]
    expected = {(e.id, e.page) for e in EQUATIONS.values()}
    assert len(found) == len(set(found))
    assert set(found) == expected, "missing, unknown, or not where dpm_lib.evidence.equations says"


def references(page):
    """The labels of the equations that a page refers to."""
    return set(re.findall(r"\{eq\}`(?:[^`<]*<)?([\w-]+)>?`", prose(page)))


@pytest.mark.parametrize("page", ALL)
def test_references_to_equations_exist(page):
    everything = "\n".join(prose(other) for other in ALL)
    labels = set(re.findall(r"\$\$ *\(([\w-]+)\)", everything))
    labels |= set(re.findall(r"^:label: *([\w-]+)", everything, re.M)) | set(EQUATIONS)
    assert references(page) <= labels


def test_each_equation_is_referred_to():
    used = set().union(*map(references, ALL))
    assert not set(EQUATIONS) - used, "referred to nowhere: write {eq} on some page"


# symbols


def formulas(page):
    """All mathematics that is typed on a page."""
    text = prose(page)
    found = []

    def fence(match):
        if match.group(2) == "math":
            found.append(re.sub(r"^:\w+:.*$", "", match.group(4), flags=re.M))
        return "\n" if match.group(1)[0] == "`" and match.group(2) in (None, "math") else match[0]

    def take(match):
        found.append(match.group(1))
        return " "

    text = FENCE.sub(fence, text)
    text = re.sub(r"\{math\}`([^`]*)`", take, text)
    text = re.sub(r"`[^`\n]*`", " ", text)
    text = re.sub(r"(?<!\\)\$\$(.*?)\$\$", take, text, flags=re.S)
    text = re.sub(r"(?<!\\)\$([^$]+?)(?<!\\)\$", take, text)
    re.sub(r"(\\begin\{(align|equation|gather)\*?\}.*?\\end\{\2\*?\})", take, text, flags=re.S)
    return found


@pytest.mark.parametrize("page", ALL)
def test_only_declared_symbols_are_used(page):
    strange = {}
    for formula in formulas(page):
        for letter in undeclared(formula):
            strange.setdefault(letter, formula.strip())
    assert not strange, "declare these in dpm_lib.evidence.notation, or use a letter that is there"


# exercises


def test_every_exercise_has_a_solution():
    labels = []
    for page in ALL:
        labels += re.findall(
            r"\{exercise(?:-start)?\}[^\n]*\n(?:---\n|:(?!label)[^\n]*\n|\w+:[^\n]*\n)*?"
            r":?label: *([\w-]+)",
            prose(page),
        )
    stated = directives("exercise") + directives("exercise-start")
    solved = [key for _, key in directives("solution") + directives("solution-start")]
    assert len(labels) == len(stated), "each exercise needs a label"
    assert sorted(labels) == sorted(solved)


def test_alt_text_of_markdown_images():
    bad = [(page, image) for page in ALL for image in re.findall(r"!\[\s*\]\([^)]*\)", prose(page))]
    assert not bad
