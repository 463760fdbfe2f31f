"""Where a row comes from: the code of the library, the cells that made it, their parameters.

A row counts as long as the library's code that was loaded when it was made is that of today, and
the cells or the test that made it stand in the book.  Docstrings, lines that are comments, blank
lines and line endings are no code.
"""

import ast
import hashlib
import io
import platform
import re
import sys
import time
import tokenize
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from dpm_lib.evidence.row import Row

__all__ = [
    "code_hash", "known", "library_version", "made", "page_cells", "prefixes", "stale", "today",
]  # fmt: skip

PACKAGE = Path(__file__).resolve().parents[1]
BOOK, TESTS = PACKAGE.parent / "book", PACKAGE.parent / "tests"

FACES = re.compile(r"plots|explore(\..*)?|cli|__main__|evidence\.(?!checks$).*|(.*\.)?__init__")
"""Modules that cannot change a measured number: faces, tables, lists of names, the ledger."""

LOADED = time.time()

ELSEWHERE = {"device", "dtype"}
"""Parameters that a page may be run with and still be the page."""

CELL = re.compile(r"^(`{3,})\{code-cell\}[^\n]*\n(.*?)^\1`* *$", re.M | re.S)
OPTIONS = re.compile(r"\A(?:---\n.*?^---\n|(?::[\w-]+:[^\n]*\n)+)", re.M | re.S)


def made() -> dict[str, Any]:
    """What a row records of its origin: ``sources``, ``cell``, ``parameters``, ``versions``."""
    cell, parameters = _origin()
    loaded = {name.removeprefix("dpm_lib.") for name in sys.modules if name.startswith("dpm_lib.")}
    return {
        "sources": {n: _loaded_hash(path) for n, path in _modules().items() if n in loaded},
        "cell": cell,
        "parameters": parameters,
        "versions": {
            "python": platform.python_version(),
            "torch": version("torch"),
            "sympy": version("sympy"),
        },
    }


def stale(row: Row, sources: dict[str, str], cells: dict[str, dict[str, Any]]) -> str:
    """Why a valid row does not count (any more); empty if it does.

    Args:
        row: a valid row.
        sources: what :func:`today` gives.
        cells: what :func:`known` gives.
    """
    changed = [name for name, digest in row.sources.items() if sources.get(name) != digest]
    if changed:
        return f"the library changed ({', '.join(changed)})"
    own, given = cells.get(row.cell), row.parameters
    if own is None:
        return "the check changed or was deleted"
    other = sorted(k for k in {*own, *given} - ELSEWHERE if own.get(k) != given.get(k))
    if other:
        return f"made with other parameters ({', '.join(f'{k}={given.get(k)}' for k in other)})"
    return ""


def today() -> dict[str, str]:
    """Module of the library to the hash of its code, for all that can change a number."""
    return {name: _hash(path) for name, path in _modules().items()}


def known() -> dict[str, dict[str, Any]]:
    """Hash of each cell of the book and of each test to the parameters of its page."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(TESTS.glob("*.py")):
        found[_hash(path)] = {}
    for path in sorted(BOOK.glob("*.md")):
        cells = page_cells(path.read_text(encoding="utf8"))
        found |= dict.fromkeys(prefixes(cells), _parameters(cells))
    return found


def library_version() -> str:
    """Hash of the code of the library (12 hex digits), faces and tables left out."""
    return hashlib.sha256(repr(today()).encode()).hexdigest()[:12]


def page_cells(text: str) -> list[str]:
    """The code cells of a page of the book, without their options."""
    cells = (OPTIONS.sub("", match[2]).strip() for match in CELL.finditer(text))
    return [cell for cell in cells if cell]


def prefixes(cells: Sequence[str]) -> Iterator[str]:
    """For each cell the hash of all cells up to it: what it computes depends on them."""
    digest = hashlib.sha256()
    for cell in cells:
        digest.update(cell.encode() + b"\0")
        yield digest.hexdigest()[:16]


@cache
def code_hash(text: str) -> str:
    """Hash of a module without docstrings, full-line comments and blank lines (16 hex digits).

    >>> code_hash("x = 1\\n") == code_hash("# one\\n\\nx = 1\\n'''The number.'''\\n")
    True
    """
    lines = text.split("\n")
    left_out: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            first, last = node.lineno, node.end_lineno or node.lineno
            around = lines[first - 1].encode()[: node.col_offset]
            around += lines[last - 1].encode()[node.end_col_offset :]
            if isinstance(node.value.value, str) and not around.strip():
                left_out.update(range(first, last + 1))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        row, column = token.start
        if token.type in (tokenize.COMMENT, tokenize.NL) and not lines[row - 1][:column].strip():
            left_out.add(row)
    code = "\n".join(line for n, line in enumerate(lines, 1) if n not in left_out)
    return hashlib.sha256(code.strip().encode()).hexdigest()[:16]


def _modules() -> dict[str, Path]:
    """Name to file of each module of the library that can change a number."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(parts)
        if all(map(str.isidentifier, parts)) and not FACES.fullmatch(name):
            found[name] = path
    return found


def _hash(path: Path) -> str:
    return code_hash(path.read_text(encoding="utf8"))


def _loaded_hash(path: Path) -> str:
    """The hash, unless the file was changed after this program had loaded it."""
    return _hash(path) if path.stat().st_mtime <= LOADED else "changed while it ran"


def _origin() -> tuple[str, dict[str, Any]]:
    """Hash of what runs now, a notebook's cells or the file of the caller, and its parameters."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is not None:
        cells = [cell.strip() for cell in shell.history_manager.input_hist_raw]
        names = _parameters(cells)
        own = [cell for cell in cells if cell and not _injected(cell, names)]
        values = {name: shell.user_ns.get(name) for name in names}
        return ["", *prefixes(own)][-1], {k: v for k, v in values.items() if _plain(v)}
    frame = sys._getframe()
    while frame.f_back and Path(frame.f_code.co_filename).is_relative_to(PACKAGE):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return (_loaded_hash(path) if path.is_file() else ""), {}


def _parameters(cells: Sequence[str]) -> dict[str, Any]:
    """Names and values of the parameters cell: the first that only gives literals to names."""
    return next((values for cell in cells if (values := _literals(cell))), {})


def _injected(cell: str, names: dict[str, Any]) -> bool:
    """Whether Papermill wrote this cell: new literals for the page's own parameters."""
    values = _literals(cell) if cell.startswith("# Parameters\n") else {}
    return bool(values) and values.keys() <= names.keys()


def _literals(cell: str) -> dict[str, Any]:
    """Names and values of a cell that does nothing but give literals to names; else empty."""
    values = {}
    try:
        for line in ast.parse(cell).body:
            match line:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    values[name] = ast.literal_eval(value)
                case _:
                    return {}
    except (SyntaxError, ValueError):
        return {}
    return values


def _plain(value: Any) -> bool:
    return isinstance(value, str | int | float | bool)
