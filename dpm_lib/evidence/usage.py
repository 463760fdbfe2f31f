"""Used: which functions implement an equation, and which of them the book really calls."""

import ast
import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

from dpm_lib.evidence import provenance
from dpm_lib.evidence.equations import EQUATIONS

__all__ = ["calls", "functions", "implementations", "library_names"]

ID = re.compile(r":eq:`([^`]+)`")


def functions() -> dict[str, list[str]]:
    """Equation id to the functions that name it and are called (or read) in a cell of a page."""
    pages = sorted(provenance.BOOK.glob("*.md"))
    texts = [page.read_text(encoding="utf8") for page in pages]
    called = set().union(*(calls(tuple(provenance.page_cells(text))) for text in texts))
    found = implementations()
    return {key: [name for name in found.get(key, []) if name in called] for key in EQUATIONS}


@cache
def implementations() -> dict[str, list[str]]:
    """Equation id to the public functions whose docstrings name it as ``:eq:`id```."""
    found: dict[str, list[str]] = {}
    for name, thing in _public().items():
        for key in dict.fromkeys(ID.findall(inspect.getdoc(thing) or "")):
            if key in EQUATIONS:
                found.setdefault(key, []).append(name)
    return found


@cache
def calls(cells: Sequence[str]) -> set[str]:
    """The public functions of the library that cells call, and the properties that they read.

    A function or a class is found through the name under which it was imported.  A method is
    found by its name alone, because only a run would tell the class of the object.

    Args:
        cells: a tuple of cells that share their names, or one file.

    Returns:
        Full names, as ``dpm_lib.bounds.bound`` or ``dpm_lib.kernels.base.Kernel.step``.
    """
    trees = [tree for cell in cells if (tree := _parsed(cell))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    imported = library_names(cells)
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    found = set(map(_full_name, (_resolve(expression, imported) for expression in called)))
    methods = {f.attr for f in called if isinstance(f, ast.Attribute)}
    reads = {n.attr for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.ctx, ast.Load)}
    for name, thing in _members().items():
        if name.rpartition(".")[2] in (methods if callable(thing) else reads):
            found.add(name)
    return found & _public().keys()


def library_names(cells: Sequence[str]) -> dict[str, Any]:
    """The names that cells import from the library, and what they stand for."""
    found: dict[str, Any] = {}
    for node in (n for cell in cells if (t := _parsed(cell)) for n in ast.walk(t)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "dpm_lib":
                    name = alias.name if alias.asname else "dpm_lib"
                    found[alias.asname or "dpm_lib"] = importlib.import_module(name)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "dpm_lib":
            module = importlib.import_module(str(node.module))
            for alias in node.names:
                if hasattr(module, alias.name):
                    found[alias.asname or alias.name] = getattr(module, alias.name)
    return found


def _resolve(expression: ast.expr, names: dict[str, Any]) -> Any:
    """What a dotted name stands for, None if that cannot be told without a run."""
    if isinstance(expression, ast.Name):
        return names.get(expression.id)
    if isinstance(expression, ast.Attribute):
        return getattr(_resolve(expression.value, names), expression.attr, None)
    return None


def _full_name(thing: Any) -> str:
    return f"{getattr(thing, '__module__', '')}.{getattr(thing, '__qualname__', '')}"


@cache
def _parsed(cell: str) -> ast.Module | None:
    try:
        return ast.parse(cell)
    except SyntaxError:
        return None


@cache
def _public() -> dict[str, Any]:
    """Full name to each public function, class, method and property of the library."""
    return dict(_walk())


def _members() -> dict[str, Any]:
    """Those that belong to a class."""
    return {name: thing for name, thing in _public().items() if name.split(".")[-2][0].isupper()}


def _walk() -> Iterator[tuple[str, Any]]:
    root = importlib.import_module("dpm_lib")
    for info in pkgutil.walk_packages(root.__path__, "dpm_lib."):
        if ".symbolic" in info.name or info.name.endswith((".cli", "__main__")):
            continue
        module = importlib.import_module(info.name)
        for name in getattr(module, "__all__", []):
            thing = getattr(module, name)
            if getattr(thing, "__module__", None) != info.name:
                continue
            yield f"{info.name}.{name}", thing
            for member, value in vars(thing).items() if inspect.isclass(thing) else ():
                if member[0] != "_":
                    yield f"{info.name}.{name}.{member}", value
