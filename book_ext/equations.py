"""``{equation} id``: the formula that the page proved, numbered, with its passport under it."""

from typing import Any, ClassVar

from docutils import nodes
from myst_nb.core.render import strip_latex_delimiters
from myst_nb.core.variables import RetrievalError
from myst_nb.ext.glue.directives import PasteMathDirective
from myst_nb.ext.glue.utils import retrieve_glue_data
from sphinx.util import logging

from book_ext.html import passport_html
from book_ext.live import box_html
from book_ext.origin import sources
from book_ext.symbols import undeclared
from dpm_lib.evidence import ledger
from dpm_lib.evidence.equations import EQUATIONS

log = logging.getLogger(__name__)


class passport(nodes.General, nodes.Element):
    """Stands under an equation; becomes HTML when its page is written."""


class EquationDirective(PasteMathDirective):
    """Print what ``dpm_lib.evidence.checks.prove(id, ...)`` left in a cell of this page."""

    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        key = self.arguments[0]
        here = (self.source, self.line)
        known = EQUATIONS.get(key)
        if known is None:
            log.warning("%r is not an id of dpm_lib.evidence.equations", key, location=here)
            return []
        docname = self.document.settings.env.docname
        if known.page != docname:
            log.warning("equation %r belongs to the page %r", key, known.page, location=here)
        formula = self.latex(key)
        if strange := undeclared(formula):
            log.warning("%r prints undeclared %s", key, ", ".join(sorted(strange)), location=here)
        block = nodes.math_block("", formula, nowrap=False, label=key, number=None)
        self.set_source_info(block)
        anchor = nodes.target("", "", ids=[self.free_anchor(key)])
        self.document.note_explicit_target(anchor)
        return [anchor, *self.add_target(block), passport(equation=key)]

    def latex(self, key: str) -> str:
        try:
            found = retrieve_glue_data(self.document, key).data["text/latex"]
        except RetrievalError:
            where = (self.source, self.line)
            log.warning("no cell of this page proves %r", key, location=where)
            return r"\text{not proved on this page}"
        return strip_latex_delimiters(found).strip().removeprefix(r"\displaystyle").strip()

    def free_anchor(self, key: str) -> str:
        """The id as anchor; a section whose title gives the same anchor gets another one."""
        taken = self.document.ids.pop(key, None)
        if taken is not None:
            other = f"section-{key}"
            taken["ids"] = [other if i == key else i for i in taken["ids"]]
            self.document.ids[other] = taken
            for name, i in self.document.nameids.items():
                if i == key:
                    self.document.nameids[name] = other
        return key


def visit_passport(self: Any, node: passport) -> None:
    entries = {entry["id"]: entry for entry in ledger.entries()}
    page = self.builder.get_relative_uri(self.builder.current_docname, "ledger")
    equation, api = equation_linker(self.builder), linker(self.builder)
    source = sources(self.builder.config)
    entry = entries[node["equation"]]
    self.body.append(passport_html(entry, equation, api, page, source))
    if self.builder.config.dpm_live:
        self.body.append(box_html(entry["page"], entry["id"]))
    raise nodes.SkipNode


def skip(self: Any, node: nodes.Node) -> None:
    raise nodes.SkipNode


def equation_linker(builder: Any) -> Any:
    """From the page that is being written: address of an equation, None if no page prints it."""
    printed = builder.env.domains["math"].equations

    def link(key: str) -> str | None:
        if key not in printed:
            return None
        uri: str = builder.get_relative_uri(builder.current_docname, EQUATIONS[key].page)
        return f"{uri}#{key}"

    return link


def linker(builder: Any) -> Any:
    """From the page that is being written: address of a function on the API page, or None."""

    def link(name: str) -> str | None:
        thing = builder.env.domains["py"].objects.get(name)
        if thing is None:
            return None
        uri: str = builder.get_relative_uri(builder.current_docname, thing.docname)
        return f"{uri}#{thing.node_id}"

    return link


def rewrite(app: Any, env: Any) -> set[str]:
    """Pages with rows of evidence are written in every build: rows come from other pages too."""
    return ({e.page for e in EQUATIONS.values()} | {"ledger"}) & env.found_docs


def setup(app: Any) -> None:
    app.add_directive("equation", EquationDirective)
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (skip, None))
    app.add_node(passport, html=(visit_passport, None), **others)
    app.connect("env-updated", rewrite)
