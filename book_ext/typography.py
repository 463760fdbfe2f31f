"""Punctuation stays on the line of the formula before it."""

import re
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform

MARK = re.compile(r"[.,;:!?)\]’”]+")


class KeepPunctuation(SphinxTransform):
    """Put an inline formula and the punctuation after it into a span that does not break."""

    default_priority = 610

    def apply(self, **kwargs: Any) -> None:
        for formula in list(self.document.findall(nodes.math)):
            after = formula.next_node(descend=False, siblings=True)
            found = MARK.match(after) if isinstance(after, nodes.Text) else None
            if found:
                formula.parent.replace(after, nodes.Text(after[found.end() :]))
                mark = nodes.Text(found[0])
                formula.replace_self(
                    nodes.inline("", "", formula.deepcopy(), mark, classes=["dpm-whole"])
                )


def setup(app: Any) -> None:
    app.add_transform(KeepPunctuation)
