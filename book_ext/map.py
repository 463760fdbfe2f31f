"""``{map}``: the derivation of the bound as boxes that link to its equations.

With content it is a numbered figure, the content its caption; without, a small copy.  Boxes of the
page on which it stands are marked: you are here.
"""

from html import escape
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.util.docutils import SphinxDirective

from book_ext.equations import equation_linker, skip
from dpm_lib.evidence.equations import EQUATIONS

ACROSS, DOWN, WIDE, HIGH = 250, 92, 216, 50  # between boxes, and of a box

BOXES = {
    "log-likelihood": (1, 0, "the objective L"),
    "jensen-bound": (1, 1, "the bound K"),
    "edge-step": (0, 2, "the first step is fixed"),
    "markov-step": (1, 2, "the steps 2 … T"),
    "prior-term": (2, 2, "the end of the chain"),
    "edge-term": (0, 3, "β₁ × mean surplus"),
    "bayes-step": (1, 3, "a step turned round"),
    "prior-cross-entropy": (2, 3, "entropy of the prior"),
    "kl-gaussian": (0.5, 4, "divergences"),
    "telescoping-entropies": (1.5, 4, "two entropies are left"),
    "bound-entropies": (1, 5, "K, to be computed"),
    "optimal-reversal": (1, 6, "the best that K can be"),
}
"""Equation to the place of its box, and its words."""

ARROWS = {
    ("log-likelihood", "jensen-bound"): "Jensen",
    ("jensen-bound", "edge-step"): "",
    ("jensen-bound", "markov-step"): "split (40)",
    ("jensen-bound", "prior-term"): "",
    ("edge-step", "edge-term"): "average",
    ("markov-step", "bayes-step"): "Bayes, given the data",
    ("prior-term", "prior-cross-entropy"): "marginalise",
    ("bayes-step", "kl-gaussian"): "average",
    ("bayes-step", "telescoping-entropies"): "telescope (49)",
    ("edge-term", "bound-entropies"): "",
    ("kl-gaussian", "bound-entropies"): "",
    ("telescoping-entropies", "bound-entropies"): "",
    ("prior-cross-entropy", "bound-entropies"): "",
    ("bound-entropies", "optimal-reversal"): "choose p",
}


class derivation_map(nodes.General, nodes.Element):
    """The map; becomes a picture when its page is written."""


class MapDirective(SphinxDirective):
    """``{map}``"""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {"name": directives.unchanged}

    def run(self) -> list[nodes.Node]:
        picture = derivation_map()
        if not self.content:
            return [picture]
        figure, caption = nodes.figure("", picture), nodes.caption()
        words, _ = self.state.inline_text(" ".join(self.content), self.lineno)
        caption += words
        figure += caption
        self.add_name(figure)
        return [figure]


def visit_map(self: Any, node: derivation_map) -> None:
    self.body.append(map_svg(self.builder.current_docname, equation_linker(self.builder)))
    raise nodes.SkipNode


def map_svg(page: str, equation: Any) -> str:
    """The map as it stands on a page."""
    here = [EQUATIONS[key].title for key in BOXES if EQUATIONS[key].page == page]
    text = (
        f"{len(BOXES)} steps of the derivation, from the objective to the bound as it is computed"
    )
    text += f". You are at: {'; '.join(here)}." if here else "."
    drawn = [arrow(*ends, words) for ends, words in ARROWS.items()]
    drawn += [box(key, EQUATIONS[key].page == page, equation(key)) for key in BOXES]
    wide, high = 2 * ACROSS + WIDE + 4, 6 * DOWN + HIGH + 4
    return (
        f'<div class="dpm-map"><svg viewBox="-2 -2 {wide} {high}" role="group" '
        f'aria-label="{escape(text)}"><marker id="map-head" viewBox="0 0 8 8" refX="8" refY="4" '
        f'markerWidth="7" markerHeight="7" orient="auto"><path d="M0,0L8,4L0,8z"/></marker>'
        f"{''.join(drawn)}</svg></div>\n"
    )


def box(key: str, here: bool, address: str | None) -> str:
    across, down, words = BOXES[key]
    x, y = across * ACROSS, down * DOWN
    numbers = ", ".join(map(str, EQUATIONS[key].paper))
    number = f"paper {numbers}" if numbers else EQUATIONS[key].title
    shape = (
        f'<rect x="{x:g}" y="{y}" width="{WIDE}" height="{HIGH}" rx="6"/>'
        f'<text x="{x + WIDE / 2:g}" y="{y + 21}">{escape(words)}</text>'
        f'<text class="number" x="{x + WIDE / 2:g}" y="{y + 40}">{escape(number)}</text>'
    )
    kind = ' class="here"' if here else ""
    return f'<a href="{address}"{kind}>{shape}</a>' if address else f"<g{kind}>{shape}</g>"


def arrow(start: str, end: str, words: str) -> str:
    """From the bottom of a box to the top of another, or past the boxes between to its side."""
    (a, top, _), (b, bottom, _) = BOXES[start], BOXES[end]
    x, y = a * ACROSS + WIDE / 2, top * DOWN + HIGH
    to, at = b * ACROSS + WIDE / 2, bottom * DOWN
    if bottom - top > 1:
        side = to + (WIDE / 2 if a > b else -WIDE / 2)
        edge = x + (WIDE / 2 - 8 if a > b else 8 - WIDE / 2)
        line = f"M{edge:g},{y}V{at + HIGH / 2:g}H{side:g}"
    else:
        line = f"M{x:g},{y}C{x:g},{y + 24} {to:g},{at - 24} {to:g},{at - 1}"
    label = (
        f'<text class="reason" x="{(x + to) / 2:g}" y="{(y + at) / 2 + 4:g}">{escape(words)}</text>'
        if words
        else ""
    )
    return f'<path d="{line}" marker-end="url(#map-head)"/>{label}'


def setup(app: Any) -> None:
    app.add_directive("map", MapDirective)
    others = dict.fromkeys(("latex", "text", "man", "texinfo"), (skip, None))
    app.add_node(derivation_map, html=(visit_map, None), **others)
