"""What belongs together stays on one line: punctuation with its formula, 1e-05 as one number."""

import re
from typing import Any

from docutils import nodes
from sphinx.transforms import SphinxTransform

MARK = re.compile(r"[.,;:!?)\]’”]+")
TAG = re.compile(r"(<(?:pre|script|style)\b.*?</(?:pre|script|style)>|<[^>]*>)", re.DOTALL)
EXPONENT = re.compile(r"\d[\d.]*e[-+]\d+")
# "({eq}`name`)" in the text: one pair of brackets is enough.
TWICE = re.compile(r"\((<a [^>]*#equation-[^>]*>)\((\d+\.\d+)\)</a>\)")


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


def keep_numbers(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Numbers with an exponent do not break; the number of an equation has one pair of brackets."""
    if "body" in context:
        parts = TAG.split(TWICE.sub(r"(\1\2</a>)", context["body"]))
        parts[::2] = [
            EXPONENT.sub(r'<span class="dpm-whole">\g<0></span>', text) for text in parts[::2]
        ]
        context["body"] = "".join(parts)


def setup(app: Any) -> None:
    app.add_transform(KeepPunctuation)
    app.connect("html-page-context", keep_numbers)
