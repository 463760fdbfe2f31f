"""Names of the library in the cells of a page lead to what the library says of them.

``dpm.NAME``, what a cell imports from ``dpm_lib``, and attributes of these.  A name that a cell of
the page also binds to something else leads nowhere.
"""

import ast
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

from book_ext import house
from book_ext.equations import linker
from dpm_lib.evidence import provenance

BLOCK = re.compile(r'(<div class="cell_input[^"]*">.*?<pre>)(.*?)(</pre>)', re.S)
DOT = '<span class="o">.</span>'
NAME = re.compile(r'<span class="n">(\w+)</span>')
ONE, POINT = NAME.pattern.replace("(", "").replace(")", ""), re.escape(DOT)
CHAIN = re.compile(rf'(?<!{POINT}){ONE}(?:{POINT}{ONE})*(?!\s*<span class="o">=</span>)')


def imported(cells: Iterable[str]) -> dict[str, str]:
    """What names of a page stand for, if it is something of the library and nothing else."""
    found: dict[str, str] = {}
    bound: set[str] = set()
    for node in (node for cell in cells for node in ast.walk(ast.parse(cell))):
        if isinstance(node, ast.Import):
            found |= {a.asname: a.name for a in node.names if a.asname and ours(a.name)}
        elif isinstance(node, ast.ImportFrom) and ours(node.module or ""):
            found |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            bound.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    return {name: target for name, target in found.items() if name not in bound}


def ours(module: str) -> bool:
    return module == "dpm_lib" or module.startswith("dpm_lib.")


def home(path: str) -> str | None:
    """Where something is defined: ``dpm_lib.bound`` is ``dpm_lib.bounds.bound``."""
    try:
        thing = pkgutil.resolve_name(path)
    except (ImportError, AttributeError):
        return None
    if inspect.ismodule(thing):
        return thing.__name__
    if inspect.isclass(thing) or inspect.isfunction(thing):
        return f"{thing.__module__}.{thing.__qualname__}"
    return path


def link_names(html: str, names: dict[str, str], api: Callable[[str], str | None]) -> str:
    """Link the names in the highlighted cells of a page; ``api`` gives addresses, or None."""

    def chain(match: re.Match[str]) -> str:
        first, *others = NAME.findall(match[0])
        if first not in names:
            return match[0]
        tokens = match[0].split(DOT)
        for last in reversed(range(len(tokens))):
            where = home(".".join([names[first], *others[:last]]))
            address = where and api(where)
            if address:
                tokens[last] = f'<a class="dpm-name" href="{escape(address)}">{tokens[last]}</a>'
                break
        return DOT.join(tokens)

    return BLOCK.sub(lambda block: block[1] + CHAIN.sub(chain, block[2]) + block[3], html)


def link_page(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    if tree is None or page not in house.pages() or "body" not in context:
        return
    names = imported(provenance.page_cells(house.source(page)))
    context["body"] = link_names(context["body"], names, linker(app.builder))


def setup(app: Any) -> None:
    app.connect("html-page-context", link_page, priority=400)
