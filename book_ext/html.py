"""Passports as HTML, from the entries of ``dpm_lib.evidence.ledger.entries()``."""

from collections.abc import Callable
from html import escape
from typing import Any

from dpm_lib.evidence.row import in_words

Entry = dict[str, Any]
Address = Callable[[str], str | None]
"""From an id or a name to where it stands in the book, None if it stands nowhere."""


def nowhere(name: str) -> None:
    """Stands nowhere."""


def measured(entry: Entry) -> bool:
    return bool(entry["status"] == "measured")


def worst(entry: Entry) -> Entry | None:
    """The check that comes closest to its tolerance."""
    return max(entry["evidence"], key=lambda row: row["error"] / row["tolerance"], default=None)


def steps(entry: Entry) -> int:
    return int(entry["proof"]["steps"]) if entry["proof"] else 0


def by_rules(entry: Entry) -> int:
    """How many steps follow by rules."""
    return int(entry["proof"]["rules"]["steps"]) if entry["proof"] else 0


def worlds(entry: Entry) -> list[str]:
    return list(entry["proof"]["worlds"]) if entry["proof"] else []


def claim(entry: Entry) -> str:
    """In which chains the equation was checked."""
    return in_words(entry["proof"]["claim"]) if entry["proof"] else ""


def slips(entry: Entry) -> int:
    return int(entry["proof"]["slips"]["refused"]) if entry["proof"] else 0


def versions(entry: Entry) -> list[str]:
    """The versions of Python, torch and SymPy that the rows were made with."""
    rows = [*entry["evidence"], *([entry["proof"]] if entry["proof"] else [])]
    return list(
        dict.fromkeys(", ".join(f"{k} {v}" for k, v in row["versions"].items()) for row in rows)
    )


def number(x: float) -> str:
    return "0" if x == 0 else f"{x:.1e}"


def plural(n: int, word: str) -> str:
    return f"{n} {word}{'' if n == 1 else 's'}"


def passport_html(
    entry: Entry, equation: Address, api: Address, ledger: str, source: Address = nowhere
) -> str:
    """One line that says what stands behind an equation, and the details folded under it.

    ``equation`` gives the address of an equation, ``api`` that of a library function, ``source``
    that of its source, or None; ``ledger`` is that of the ledger.
    """
    if not measured(entry):
        status = escape(entry["status"])
        return f'<aside class="dpm-passport dpm-missing"><p>✗ {status}</p></aside>\n'
    near = worst(entry)
    assert near is not None
    head = [
        f"<b>derived</b> {plural(steps(entry), 'step')}, {by_rules(entry)} by rules",
        f"<b>verified</b> {plural(len(entry['evidence']), 'check')}, error "
        f"{number(near['error'])} ≤ {number(near['tolerance'])}",
        f"<b>refused</b> {slips(entry)} of {plural(slips(entry), 'slip')}, "
        f"{plural(len(entry['mutants']), 'mutant')}",
    ]
    used = [function(name, api, source) for name in entry["functions"]]
    head.append(f"<b>used</b> by {plural(len(used), 'function')}" if used else "<b>not used</b>")
    numbers = [
        f"{source} {', '.join(map(str, entry[key]))}"
        for key, source in (("paper", "paper"), ("notes", "notes"))
        if entry[key]
    ]
    name = f"<code>{escape(entry['id'])}</code>"
    rows = [
        ("equation", " · ".join([escape(entry["title"]), *numbers])),
        ("by rules", listing(rules_html(entry["proof"]["rules"], steps(entry)))),
        ("in chains", listing([f"{plural(steps(entry), 'step')}, each by exact evaluation: "
                               + escape(", ".join(worlds(entry))),
                               f"proved for {escape(claim(entry))}"])),
        ("rests on", equations_html(entry["proof"]["rests_on"], equation)),
        ("needed by", equations_html(entry["proof"]["needed_by"], equation)),
        ("verified", listing([check_html(row) for row in entry["evidence"]])),
        ("refused", listing([slips_html(entry["proof"]["slips"]),
                             *map(mutant_html, entry["mutants"])])),
        ("used", ", ".join(used) or "by no function of the library"),
        ("made with", escape("; ".join(versions(entry)))),
        ("ledger", f'<a href="{ledger}#row-{entry["id"]}">{name}</a>'),
    ]  # fmt: skip
    details = "".join(f"<dt>{key}</dt><dd>{value}</dd>" for key, value in rows)
    return (
        '<aside class="dpm-passport" aria-label="passport of the equation"><details><summary>'
        '<span class="dpm-tick">✓</span> '
        + " ".join(f"<span>{part}</span>" for part in head)
        + f"</summary><dl>{details}</dl></details></aside>\n"
    )


def listing(items: list[str]) -> str:
    return f"<ul>{''.join(f'<li>{item}</li>' for item in items)}</ul>"


def check_html(row: Entry) -> str:
    return (
        f"{escape(row['route'])}: error {number(row['error'])} ≤ {number(row['tolerance'])} "
        f"<small>({escape(row['because'])}; {escape(row['dtype'])}, "
        f"{escape(row['device'])})</small>"
    )


def mutant_html(mutant: Entry) -> str:
    times = f", {mutant['times']:.3g} tolerances" if mutant["times"] else ""
    return (
        f"{escape(mutant['name'])}: off by {number(mutant['error'])}{times} "
        f"<small>({escape(mutant['route'])})</small>"
    )


def slips_html(slips: Entry) -> str:
    """The damages made by machine: how many were refused, and those that are equal formulas."""
    text = f"{slips['refused']} of {plural(slips['refused'], 'slip')} of one symbol, by machine"
    if slips["without_value"]:
        text += f" ({slips['without_value']} of them say nothing in these chains)"
    text += f", {slips['by_rules']} by the rules alone"
    if not slips["equal"]:
        return text
    found = [entry.partition(": ") for entry in slips["equal"]]
    equal = [
        f'{escape(name)}: <span class="math notranslate nohighlight">\\({escape(formula)}\\)</span>'
        for name, _, formula in found
    ]
    more = plural(len(equal), "change")
    give = "gives an equal formula" if len(equal) == 1 else "give equal formulas"
    return f"{text}; {more} more {give}: {listing(equal)}"


def rules_html(rules: Entry, count: int) -> list[str]:
    """How many of the steps follow by rules, for which chains and by which; the other steps."""
    found = [f"{rules['steps']} of {plural(count, 'step')}"]
    if rules["claim"]:
        found[0] += f", for {escape(in_words(rules['claim']))}"
    if rules["names"]:
        found.append(f"rules: {escape(', '.join(rules['names']))}")
    if rules["chains_only"]:
        found.append(f"in chains only: {escape(', '.join(rules['chains_only']))}")
    return found


def equations_html(ids: list[str], equation: Address) -> str:
    return ", ".join(linked(key, equation(key)) for key in ids) or "no other equation"


def function(name: str, api: Address, source: Address = nowhere) -> str:
    """A function with a link to what the library says of it, and one to its source."""
    text = linked(name.removeprefix("dpm_lib."), api(name))
    where = source(name)
    return f'{text} <a class="dpm-source" href="{escape(where)}">source</a>' if where else text


def linked(name: str, address: str | None) -> str:
    """A name as code, with a link if it has an address."""
    code = f"<code>{escape(name)}</code>"
    return f'<a href="{address}">{code}</a>' if address else code
