"""Pages that are generated: the ledger, the table of symbols, the API reference."""

import importlib
import pkgutil
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

import dpm_lib
from book_ext import house
from book_ext.equations import equation_linker, linker, skip
from book_ext.ledger import ledger_html
from dpm_lib.evidence import ledger, notation

API_MARK = re.compile(r"<!-- modules: ([\w., ]+) -->")
COLON = re.compile(r":(?= )")


class ledger_table(nodes.General, nodes.Element):
    """The table of all equations; becomes HTML when its page is written."""


class LedgerDirective(SphinxDirective):
    """``{ledger}``: all equations with their proofs and evidence."""

    def run(self) -> list[nodes.Node]:
        return [ledger_table()]


class SymbolsDirective(SphinxDirective):
    """``{symbols} kind``: the table of dpm_lib.evidence.notation, of one kind of symbols."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        self.env.note_dependency(notation.__file__)
        box = nodes.container(classes=["dpm-symbols"])
        lines = notation.table(self.arguments[0]).splitlines()
        self.state.nested_parse(StringList(lines, source="dpm_lib/evidence/notation.py"), 0, box)
        return [box]


def visit_ledger(self: Any, node: ledger_table) -> None:
    equation, api = equation_linker(self.builder), linker(self.builder)
    self.body.append(ledger_html(ledger.entries(), equation, api))
    raise nodes.SkipNode


def modules() -> list[str]:
    """All public modules of the library."""
    found = (m.name for m in pkgutil.walk_packages(dpm_lib.__path__, "dpm_lib."))
    return [m for m in found if not any(p[0] == "_" for p in m.split(".")) and m != "dpm_lib.cli"]


def documented() -> dict[str, list[str]]:
    """Pages of the API reference to their modules; a module goes where its room is named."""
    rooms = {
        f"dpm_lib.{room}": page
        for page in house.pages()
        for names in API_MARK.findall(house.source(page))
        for room in names.split(", ")
    }
    found: dict[str, list[str]] = {}
    for name in modules():
        around = [room for room in rooms if f"{name}.".startswith(f"{room}.")]
        room = max(around, key=len, default="dpm_lib.all others")
        found.setdefault(rooms[room], []).append(name)
    return found


def write_api(app: Any, docname: str, source: list[str]) -> None:
    """Replace the mark on a page of the API reference by one section for each of its modules."""
    if not API_MARK.search(source[0]):
        return
    sections = []
    for name in documented()[docname]:
        module = importlib.import_module(name)
        own = [
            member
            for member in getattr(module, "__all__", [])
            if getattr(getattr(module, member), "__module__", name) == name
        ]
        members = f"   :members: {', '.join(own)}\n" if own else ""
        title = name.removeprefix("dpm_lib.")
        sections.append(f"## `{title}`\n\n```{{eval-rst}}\n.. automodule:: {name}\n{members}```\n")
    source[0] = API_MARK.sub(lambda mark: "\n".join(sections), source[0])


def plain(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Leave out what says nothing, and let no colon make a type of what precedes it."""
    if lines and lines[0].startswith("Alias for field number"):
        lines.clear()
    elif lines and what in {"attribute", "data", "property"}:
        lines[0] = COLON.sub(" –", lines[0], count=1)


def follow(app: Any, env: Any, node: Any, content: nodes.Node) -> nodes.Node | None:
    """Resolve a name that a package re-exports: it is documented where it is defined."""
    module, _, name = node.get("reftarget", "").rpartition(".")
    if node.get("refdomain") != "py" or module not in {"dpm_lib", *modules()}:
        return None
    thing = getattr(importlib.import_module(module), name, None)
    home = f"{getattr(thing, '__module__', module)}.{name}"
    if home == node["reftarget"]:
        return None
    found: nodes.Node | None = env.domains["py"].resolve_xref(
        env, node["refdoc"], app.builder, node["reftype"], home, node, content
    )
    return found


def setup(app: Any) -> None:
    app.add_directive("ledger", LedgerDirective)
    app.add_directive("symbols", SymbolsDirective)
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (skip, None))
    app.add_node(ledger_table, html=(visit_ledger, None), **others)
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", plain, priority=400)  # before napoleon
    app.connect("source-read", write_api)
    app.connect("missing-reference", follow)
