"""The ledger as HTML: the totals, the graph of what rests on what, the table of all equations."""

from html import escape

from book_ext.graph import graph_html
from book_ext.html import (
    Address,
    Entry,
    by_rules,
    claim,
    equations_html,
    function,
    linked,
    listing,
    measured,
    number,
    rules_html,
    slips,
    steps,
    versions,
    worlds,
    worst,
)

COLUMNS = ("equation", "paper", "notes", "page", "status", "checks", "nearest error ≤ tolerance")
"""What a row shows; the rest of the ledger stands in its details."""


def ledger_html(entries: list[Entry], equation: Address, api: Address) -> str:
    """The whole ledger; it is complete without its script, which sorts and filters.

    ``equation`` and ``api`` give the addresses of an equation and of a library function.
    """
    done = [e for e in entries if measured(e)]
    totals = [
        (len(entries), "equations"),
        (sum(map(steps, entries)), "steps proved"),
        (sum(map(by_rules, entries)), "steps by rules"),
        (sum(len(e["evidence"]) for e in entries), "checks"),
        (sum(len(e["mutants"]) for e in entries), "mutants refused"),
        (sum(map(slips, entries)), "slips refused"),
        (len(entries) - len(done), "not measured"),
    ]
    cards = "".join(f"<li><b>{n}</b> {word}</li>" for n, word in totals)
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    rows = "".join(row_html(e, equation, api) for e in entries)
    version = escape(entries[0]["library"]) if entries else ""
    return (
        f'<ul class="dpm-totals">{cards}</ul><p>Measured with library version '
        f"<code>{version}</code>.</p>{graph_html(entries, equation)}{filter_html(entries)}"
        f'<table class="dpm-ledger"><thead><tr>{head}</tr></thead>{rows}</table>\n'
    )


def filter_html(entries: list[Entry]) -> str:
    """What the script filters by; without it the form stays hidden."""
    choices = {
        "page": list(dict.fromkeys(e["page"] for e in entries)),
        "status": list(dict.fromkeys("measured" if measured(e) else "not measured"
                                     for e in entries)),
    }  # fmt: skip
    selects = "".join(
        f'<label>{name} <select name="{name}"><option value="">all</option>'
        + "".join(f"<option>{escape(value)}</option>" for value in values)
        + "</select></label>"
        for name, values in choices.items()
    )
    return (
        '<form class="dpm-filter" hidden role="search" aria-label="rows of the ledger">'
        f'<label>text <input type="search" name="text"></label>{selects}'
        '<output aria-live="polite"></output></form>'
    )


def row_html(entry: Entry, equation: Address, api: Address) -> str:
    """What a row shows, and below it what it opens."""
    near, good = worst(entry), measured(entry)
    key, status = escape(entry["id"]), "measured" if good else "not measured"
    ratio = near["error"] / near["tolerance"] if near else ""
    reason = "" if good else f"<br><small>{escape(entry['status'])}</small>"
    cells = [
        (key, f"{linked(entry['id'], equation(entry['id']))}<br>"
              f"<small>{escape(entry['title'])}</small>{reason}"),
        (min(entry["paper"], default=""), ", ".join(map(str, entry["paper"]))),
        (min(entry["notes"], default=""), ", ".join(map(str, entry["notes"]))),
        (entry["page"], f'<a href="{entry["page"]}.html">{entry["page"].replace("_", " ")}</a>'),
        (status, f"{'✓' if good else '✗'} {status}"),
        (len(entry["evidence"]), str(len(entry["evidence"]) or "")),
        (ratio, f"{number(near['error'])} ≤ {number(near['tolerance'])}" if near else ""),
    ]  # fmt: skip
    row = "".join(
        f'<td data-name="{name}" data-value="{value}">{cell}</td>'
        for name, (value, cell) in zip(COLUMNS, cells, strict=True)
    )
    rest = "".join(
        f"<dt>{name}</dt><dd>{cell}</dd>"
        for name, cell in details(entry, equation, api).items()
        if cell
    )
    look = "" if good else ' class="dpm-missing"'
    return (
        f'<tbody id="row-{key}" data-page="{entry["page"]}" data-status="{status}"{look}>'
        f"<tr>{row}</tr>"
        f'<tr class="dpm-more"><td colspan="{len(COLUMNS)}"><details><summary>all that is known'
        f'<span class="dpm-away"> of {key}</span></summary><dl>{rest}</dl></details>'
        "</td></tr></tbody>\n"
    )


def details(entry: Entry, equation: Address, api: Address) -> dict[str, str]:
    """What else is known of an equation, by name; empty where nothing is."""
    proof, count = entry["proof"], len(entry["mutants"])
    devices = dict.fromkeys(row["device"] for row in entry["evidence"])
    functions = ", ".join(function(name, api) for name in entry["functions"])
    always = {
        "mutants refused": str(count or ""),
        "functions": functions,
        "device": escape(", ".join(devices)),
        "made with": escape("; ".join(versions(entry))),
    }
    if not proof:
        return always
    return {
        "steps": str(steps(entry)),
        "by rules": listing(rules_html(proof["rules"], steps(entry))),
        "proved in": escape(", ".join(worlds(entry))),
        "proved for": escape(claim(entry)),
        "rests on": equations_html(proof["rests_on"], equation),
        "needed by": equations_html(proof["needed_by"], equation),
        "slips refused": str(slips(entry)),
    } | always
