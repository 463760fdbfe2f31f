"""Where the code of a page stands: below what it shows, folded, unless a reader would type it.

* A cell that proves an equation moves under the passport: "How the machine checked this".
* A cell that checks an equation leaves its line in the open: "How this was measured".
* A cell tagged ``hide-input`` leaves its outputs in the open, one tagged ``hide-cell`` nothing.
* Any other cell is open, its code above its outputs.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform
from sphinx.util import logging

from book_ext.equations import passport

log = logging.getLogger(__name__)

PROVES = re.compile(r"\bprove\(\s*\"([\w-]+)\"")
CHECKS = re.compile(r"\bcheck\(\s*[\"\w]")


class fold(nodes.General, nodes.Element):
    """What opens when its summary is clicked."""


class FoldCells(SphinxTransform):
    """Fold the cells of a page and put them below what they show."""

    default_priority = 600

    def apply(self, **kwargs: Any) -> None:
        passports = {node["equation"]: node for node in self.document.findall(passport)}
        for cell in list(self.document.findall(is_cell)):
            code = cell.astext()
            proved = PROVES.search(code)
            if proved and proved[1] in passports:
                home = passports.pop(proved[1])
                cell.attributes.pop("hide_mode", None)
                cell.parent.remove(cell)
                place = home.parent.index(home) + 1
                home.parent.insert(place, folded("How the machine checked this", cell))
            elif CHECKS.search(code) or cell.get("hide_mode"):
                self.below(cell, summary(cell, code))
        for key, node in passports.items():
            log.warning("no cell before it proves %r by name", key, location=node)

    def below(self, cell: nodes.container, title: str) -> None:
        """Put the code of a cell below its outputs, or the whole cell in a fold."""
        if cell.attributes.pop("hide_mode", None) == "all":
            cell.replace_self(folded(title, cell.deepcopy()))
            return
        sources = [part for part in cell if part.get("nb_element") == "cell_code_source"]
        for part in sources:
            cell.remove(part)
            cell.append(folded(title, part))


def is_cell(node: nodes.Node) -> bool:
    return isinstance(node, nodes.container) and node.get("nb_element") == "cell_code"


def summary(cell: nodes.container, code: str) -> str:
    """What the fold of a cell says."""
    if CHECKS.search(code):
        return "How this was measured"
    if "Derivation(" in code:
        return "How the machine checked this"
    if next(cell.findall(nodes.image), None):
        return "How this picture was made"
    if any(part.get("nb_element") == "cell_code_output" for part in cell):
        return "How this was computed"
    return "What is asserted here" if "assert" in code else "Code for what follows"


def folded(title: str, *inner: nodes.Node) -> fold:
    return fold("", *inner, title=title)


def visit_fold(self: Any, node: fold) -> None:
    self.body.append(f'<details class="dpm-fold"><summary>{node["title"]}</summary>\n')


def depart_fold(self: Any, node: fold) -> None:
    self.body.append("</details>\n")


def setup(app: Any) -> None:
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (pass_by, pass_by))
    app.add_node(fold, html=(visit_fold, depart_fold), **others)
    app.add_transform(FoldCells)


def pass_by(self: Any, node: fold) -> None:
    """Show what is inside."""
