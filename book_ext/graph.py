"""The graph of the ledger: which equation rests on which, drawn from the entries."""

from collections.abc import Callable
from graphlib import TopologicalSorter
from html import escape
from statistics import mean
from typing import Any

from dpm_lib.evidence.ledger import circle

WIDTH, ROOM, GAP = 700, 560, 8  # of a row, for its boxes, least space between two items
LETTER, PADDING, HEIGHT, LEVEL = 6.7, 14, 24, 66  # of a letter, a box and a row

Graph = dict[str, list[str]]
Item = tuple[str, int]
"""An equation in its row, or in a row further down that arrows from it cross."""


def graph_html(entries: list[dict[str, Any]], equation: Callable[[str], str | None]) -> str:
    """Equations as boxes, with arrows to those that rest on them; nothing if there are none.

    ``equation`` gives the address of an equation, or None.
    """
    if around := circle(entries):
        text = escape(" rests on ".join(around))
        return f'<p class="dpm-missing">✗ a circle of proofs: {text}</p>'
    graph = arrows(entries)
    if not graph:
        return ""
    rows = levels(graph)
    x = positions(graph, rows)
    drawn = [arrow(other, key, rows, x) for key in graph for other in graph[key]]
    good = {e["id"]: bool(e["status"] == "measured") for e in entries}
    drawn += [box(key, x[key, rows[key]], rows[key], equation(key), good[key]) for key in graph]
    right = [x[key, row] + width(key) / 2 for key, row in rows.items()]
    wide, high = max(WIDTH, *right, *x.values()) + 1, max(rows.values()) * LEVEL + HEIGHT + 2
    return (
        f'<p class="dpm-legend">{legend(True)} {legend(False)} A box leads to its equation.</p>'
        '<div class="dpm-graph" tabindex="0" role="region" aria-label="graph of the equations">'
        '<svg role="group" aria-labelledby="graph-title graph-text" '
        f'viewBox="0 0 {wide:.0f} {high}" width="{wide:.0f}" height="{high}">'
        '<title id="graph-title">What rests on what</title><desc id="graph-text">'
        f"{len(graph)} equations as boxes, {sum(map(len, graph.values()))} arrows, each from an "
        "equation to one whose proof uses it. The table below lists the same under rests on.</desc>"
        '<marker id="graph-head" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        f'markerHeight="7" orient="auto"><path d="M0,0L8,4L0,8z"/></marker>{"".join(drawn)}'
        "</svg></div>\n"
    )


def arrows(entries: list[dict[str, Any]]) -> Graph:
    """Equation to those it rests on, in the order of the book; those with an arrow."""
    graph = {e["id"]: list(e["proof"]["rests_on"]) for e in entries if e["proof"]}
    needed = {other for rests_on in graph.values() for other in rests_on}
    return {key: rests_on for key, rests_on in graph.items() if rests_on or key in needed}


def levels(graph: Graph) -> dict[str, int]:
    """The row of each equation: below all that it rests on, where there is room."""
    depth: dict[str, int] = {}
    for key in TopologicalSorter(graph).static_order():
        depth[key] = 1 + max((depth[other] for other in graph[key]), default=-1)
    rows: dict[str, int] = {}
    for key in sorted(graph, key=depth.__getitem__):
        row = 1 + max((rows[other] for other in graph[key]), default=-1)
        while sum(width(k) for k in rows if rows[k] == row) + width(key) > ROOM:
            row += 1
        rows[key] = row
    return rows


def width(key: str) -> float:
    return LETTER * len(f"✓ {key}") + PADDING


def legend(good: bool) -> str:
    """How the boxes of one status look."""
    mark, word = ("✓", "measured") if good else ("✗", "not measured")
    return f'<span class="dpm-key {"dpm-good" if good else "dpm-bad"}">{mark} {word}</span>'


def positions(graph: Graph, rows: dict[str, int]) -> dict[Item, float]:
    """The middle of each item.  Rows are sorted by the items above and below, a few times."""
    last = {key: max((rows[k] for k in graph if key in graph[k]), default=0) for key in graph}
    items = [(key, row) for key in graph for row in range(rows[key], max(last[key], rows[key] + 1))]
    above: dict[Item, list[Item]] = {(key, row): [(key, row - 1)] for key, row in items}
    below: dict[Item, list[Item]] = {item: [] for item in items}
    for key, row in rows.items():
        above[key, row] = [(other, row - 1) for other in graph[key]]
    for item, found in above.items():
        for other in found:
            below[other].append(item)
    x = dict.fromkeys(items, WIDTH / 2)
    down = range(max(rows.values()) + 1)
    for near, way in [(above, down), (below, down[::-1])] * 3 + [(above, down)]:
        for row in way:
            ordered = sorted(
                (item for item in items if item[1] == row),
                key=lambda item: mean(x[other] for other in near[item] or [item]),
            )
            spread(ordered, rows, x)
    return x


def spread(ordered: list[Item], rows: dict[str, int], x: dict[Item, float]) -> None:
    """Put the items of a row side by side, with even gaps."""
    wide = [width(key) if rows[key] == row else 0 for key, row in ordered]
    gap = max(GAP, (WIDTH - sum(wide)) / (len(ordered) + 1))
    at = gap
    for item, size in zip(ordered, wide, strict=True):
        x[item] = at + size / 2
        at += size + gap


def arrow(start: str, end: str, rows: dict[str, int], x: dict[Item, float]) -> str:
    """From the bottom of a box, between the boxes of the rows that it crosses, to another's top."""
    at = x[start, rows[start]]
    y = rows[start] * LEVEL + HEIGHT + 1
    line = f"M{at:.0f},{y}"
    for row in range(rows[start] + 1, rows[end] + 1):
        to = x[end if row == rows[end] else start, row]
        top = row * LEVEL + 1
        line += f"C{at:.0f},{top - 12} {to:.0f},{y + 12} {to:.0f},{top}"
        if row < rows[end]:
            line += f"v{HEIGHT}"
        at, y = to, top + HEIGHT
    title = f"<title>{escape(end)} rests on {escape(start)}</title>"
    ends = f'data-ends="{escape(start)} {escape(end)}"'
    return f'<path d="{line}" {ends} marker-end="url(#graph-head)">{title}</path>'


def box(key: str, middle: float, row: int, address: str | None, good: bool) -> str:
    left, top = middle - width(key) / 2, row * LEVEL + 1
    shape = (
        f'<rect x="{left:.0f}" y="{top}" width="{width(key):.0f}" height="{HEIGHT}" rx="4"/>'
        f'<text x="{middle:.0f}" y="{top + 16}">{"✓" if good else "✗"} {escape(key)}</text>'
    )
    drawn = f'<a href="{address}">{shape}</a>' if address else shape
    look = "dpm-good" if good else "dpm-bad"
    return f'<g class="dpm-box {look}" data-key="{escape(key)}">{drawn}</g>'
