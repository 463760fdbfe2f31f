"""Names of the library in prose, in the README and in the table of symbols are those of today."""

import ast
import builtins
import importlib
import inspect
import math
import re

import jupytext
import pytest
import torch

import dpm_lib
from book_ext import house
from dpm_lib import symbolic
from dpm_lib.evidence import usage
from dpm_lib.evidence.notation import SYMBOLS
from dpm_lib.evidence.provenance import page_cells

SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
NAME = re.compile(r"([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)(\(.*\))?", re.S)
ROLE = re.compile(r"\{[\w:-]+\}`[^`]*`")
FENCE = re.compile(r"^(`{3,})(?![^\n]*\}).*?^\1`* *$", re.M | re.S)

PUBLIC = {name.rpartition(".")[2] for name in usage._public()} | set(symbolic.__all__)
MEMBERS = {
    member
    for thing in [*usage._public().values(), *vars(symbolic).values()]
    if inspect.isclass(thing)
    for ancestor in thing.__mro__
    if ancestor.__module__.startswith("dpm_lib")
    for member in [*vars(ancestor), *getattr(ancestor, "__annotations__", {})]
}
TORCH = {*dir(torch.Tensor), *dir(torch.nn.Module), *dir(torch.distributions.Normal)}
LAWS = set(dir(torch.distributions))


def arguments(thing):
    """Names of the arguments of a function, or of those that make an object of a class."""
    function = inspect.unwrap(thing.__init__ if inspect.isclass(thing) else thing)
    code = getattr(function, "__code__", None)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] if code else ()


ARGUMENTS = {name for thing in usage._public().values() for name in arguments(thing)}


def bound(cells):
    """The names that cells assign, define or import."""
    found = set()
    for node in (node for cell in cells for node in ast.walk(ast.parse(cell))):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.alias):
            found.add((node.asname or node.name).split(".")[0])
    return found - {"dpm"}


def exists(name):
    """Whether ``dpm.x.y`` is an attribute of the library."""
    thing = dpm_lib
    for part in name.split(".")[1:]:
        if inspect.ismodule(thing) and not hasattr(thing, part):
            try:
                thing = importlib.import_module(f"{thing.__name__}.{part}")
            except ImportError:
                return False
        elif hasattr(thing, part) or part in getattr(thing, "__annotations__", {}):
            thing = getattr(thing, part, None)
        else:
            return False
    return True


def is_known(span, own=frozenset()):
    """Whether a span of code that looks like a name of the library is one."""
    match = NAME.fullmatch(span)
    if not match or not (match[1].startswith("dpm.") or match[2]):
        return True
    first, *others = match[1].split(".")
    if first in ("dpm", "dpm_lib"):
        return exists(match[1])
    if first in own or hasattr(builtins, first):
        return True
    return others[-1] in MEMBERS | TORCH if others else first in PUBLIC | MEMBERS | LAWS


def strange(text, own):
    text = ROLE.sub(" ", FENCE.sub("\n", text))
    return [span for span in dict.fromkeys(SPAN.findall(text)) if not is_known(span, own)]


def test_a_name_is_resolved():
    known = ("dpm.bound(model, x)", "dpm.schedules.linear", "kernel.step(...)", "draw()", "x + 1")
    assert [span for span in known if not is_known(span)] == []
    wrong = ("dpm.bond(model, x)", "dpm.schedules.linaer", "kernel.stepp(...)", "drwa()")
    assert [span for span in wrong if is_known(span)] == []
    assert is_known("heartbeat(3)", {"heartbeat"})


@pytest.mark.parametrize("page", house.pages())
def test_names_in_prose_exist(page):
    notebook = jupytext.read(house.BOOK / f"{page}.md", fmt="md:myst")
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    assert strange(prose, bound(page_cells(house.source(page)))) == []


def test_names_in_the_readme_exist():
    text = (house.ROOT / "README.md").read_text(encoding="utf8")
    programs = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    assert strange(text, bound(programs)) == []


@pytest.mark.parametrize("symbol", SYMBOLS, ids=lambda symbol: symbol.latex)
def test_names_in_the_table_of_symbols_exist(symbol):
    """Each is public, a member of a class, an argument, a law or a tensor's attribute."""
    nodes = list(ast.walk(ast.parse(symbol.code)))
    attributes = [node for node in nodes if isinstance(node, ast.Attribute)]
    objects = {id(node.value) for node in attributes}
    assert {node.attr for node in attributes} <= MEMBERS | TORCH | set(dir(math))
    names = {n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in objects}
    assert {name for name in names if len(name) > 1 and not exists(f"dpm.{name}")} <= (
        PUBLIC | MEMBERS | ARGUMENTS | LAWS
    )
