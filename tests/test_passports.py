"""Passports and the ledger page, from made-up entries."""

import re
from itertools import combinations

import pytest

from book_ext.graph import WIDTH, graph_html
from book_ext.html import passport_html
from book_ext.ledger import COLUMNS, ledger_html

ENTRY = {
    "id": "forward-marginal",
    "title": "Many forward steps in one",
    "paper": [3],
    "notes": [],
    "page": "forward",
    "function": "dpm_lib.forward.marginal",
    "functions": ["dpm_lib.forward.marginal"],
    "status": "measured",
    "proof": {
        "worlds": ["Gaussian chain"], "steps": 5,
        "claim": {"T": [2, 3], "d": [1, 2], "kernels": ["Gaussian"]},
        "slips": {"refused": 40, "without_value": 3, "by_rules": 38, "equal": ["sign: a < b"]},
        "rules": {
            "steps": 4, "claim": {"T": "every", "d": "every", "kernels": ["Gaussian"]},
            "names": ["product rule", "Markov <property>"], "chains_only": ["a < b"],
        },
        "statement": "a=b", "rests_on": ["gaussian-kernel", "edge-step"], "needed_by": [],
        "versions": {"python": "3.11.7", "sympy": "1.14.0"},
    },
    "evidence": [
        {"route": "quadrature", "error": 1e-16, "tolerance": 1e-15, "because": "rounding",
         "device": "cpu", "dtype": "float64", "versions": {"torch": "2.13.0"}},
        {"route": "Monte Carlo <z = 5>", "error": 0.02, "tolerance": 0.03, "because": "z = 5",
         "device": "cpu", "dtype": "float32", "versions": {"torch": "2.13.0"}},
    ],
    "mutants": [
        {"name": "a sign", "error": 0.5, "margin": 1e-3, "times": 500.0, "route": "quadrature"},
        {"name": "no sum", "error": 0.1, "margin": 0.0, "times": None, "route": "derivation"},
    ],
    "library": "0123456789ab",
}  # fmt: skip
REASON = "not measured: the library changed (bounds)"
MISSING = {**ENTRY, "id": "prior-term", "status": REASON, "evidence": [], "mutants": []}


def api(name):
    return f"api.html#{name}"


def equation(key):
    """No page prints the prior term or the edge step yet."""
    return None if key in ("prior-term", "edge-step") else f"page.html#{key}"


def test_passport_says_what_was_measured():
    html = passport_html(ENTRY, equation, api, "ledger.html")
    assert "<b>derived</b> 5 steps, 4 by rules</span>" in html
    assert "2 checks, error 2.0e-02 ≤ 3.0e-02" in html, "the check nearest to its tolerance"
    assert "<b>refused</b> 40 of 40 slips, 2 mutants" in html
    assert "T = 2, 3; d = 1, 2; kernels: Gaussian" in html
    assert "40 of 40 slips of one symbol, by machine (3 of them say nothing" in html
    assert "1 change more gives an equal formula: <ul><li>sign: <span" in html
    assert r"\(a &lt; b\)" in html
    assert "a sign: off by 5.0e-01, 500 tolerances" in html
    assert "no sum: off by 1.0e-01 <small>(derivation)" in html
    assert "torch 2.13.0; python 3.11.7, sympy 1.14.0" in html
    assert "float32, cpu" in html
    assert 'href="api.html#dpm_lib.forward.marginal"' in html
    assert 'href="ledger.html#row-forward-marginal"' in html
    assert "&lt;z = 5&gt;" in html


def row_of(html, key):
    """What a passport says under a key."""
    (found,) = re.findall(f"<dt>{key}</dt><dd>(.*?)</dd>", html)
    return found


def test_passport_shows_both_legs():
    html = passport_html(ENTRY, equation, api, "ledger.html")
    assert row_of(html, "by rules") == (
        "<ul><li>4 of 5 steps, for every T and every d; kernels: Gaussian</li>"
        "<li>rules: product rule, Markov &lt;property&gt;</li>"
        "<li>in chains only: a &lt; b</li></ul>"
    )
    assert row_of(html, "in chains") == (
        "<ul><li>5 steps, each by exact evaluation: Gaussian chain</li>"
        "<li>proved for T = 2, 3; d = 1, 2; kernels: Gaussian</li></ul>"
    )


def test_passport_of_a_proof_by_rules_alone_names_no_other_steps():
    """Nor has a proof in chains only names of rules."""
    rules = ENTRY["proof"]["rules"]
    whole = rules | {"steps": 5, "chains_only": []}
    html = passport_html(with_proof(rules=whole), equation, api, "ledger.html")
    assert "5 of 5 steps, for every T" in html
    assert "in chains only" not in html
    none = {"steps": 0, "claim": {}, "names": [], "chains_only": ["by kernel"] * 5}
    html = passport_html(with_proof(rules=none), equation, api, "ledger.html")
    assert "<b>derived</b> 5 steps, 0 by rules" in html
    assert row_of(html, "by rules") == (
        "<ul><li>0 of 5 steps</li><li>in chains only: "
        "by kernel, by kernel, by kernel, by kernel, by kernel</li></ul>"
    )


def with_proof(**changes):
    return ENTRY | {"proof": ENTRY["proof"] | changes}


def test_passport_links_to_what_it_rests_on_and_to_what_needs_it():
    html = passport_html(ENTRY, equation, api, "ledger.html")
    assert row_of(html, "rests on") == (
        '<a href="page.html#gaussian-kernel"><code>gaussian-kernel</code></a>, '
        "<code>edge-step</code>"
    )
    assert row_of(html, "needed by") == "no other equation"
    html = passport_html(with_proof(needed_by=["edge-term"]), equation, api, "ledger.html")
    assert row_of(html, "needed by") == '<a href="page.html#edge-term"><code>edge-term</code></a>'


def test_function_without_an_address_is_a_literal():
    html = passport_html(ENTRY, equation, lambda name: None, "ledger.html")
    assert "<code>forward.marginal</code>" in html
    assert "api.html" not in html


def test_passport_says_what_is_missing():
    html = passport_html(MISSING, equation, api, "ledger.html")
    assert "✗ not measured: the library changed (bounds)" in html
    assert "✓" not in html


def test_ledger_has_totals_and_a_row_for_each_equation():
    kernel = with_proof(rests_on=[]) | {"id": "gaussian-kernel"}
    above = with_proof(rests_on=["gaussian-kernel"])
    html = ledger_html([kernel, above, MISSING | {"proof": None}], equation, api)
    assert "<b>3</b> equations" in html
    assert "<b>1</b> not measured" in html
    assert 'href="page.html#forward-marginal"' in html
    assert "<b>80</b> slips refused" in html
    assert "<b>10</b> steps proved" in html
    assert "<b>8</b> steps by rules" in html
    first, second = re.findall('<tbody id="row-.*?</tbody>', html, re.S)[1:]
    assert cells(first)["equation"].startswith('<a href="page.html#forward-marginal">')
    assert cells(first)["status"] == "✓ measured"
    assert cells(first)["checks"] == "2"
    assert cells(first)["nearest error ≤ tolerance"] == "2.0e-02 ≤ 3.0e-02"
    assert cells(second)["status"] == "✗ not measured"
    assert "4 of 5 steps, for every T and every d; kernels: Gaussian" in row_of(first, "by rules")
    assert row_of(first, "proved for") == "T = 2, 3; d = 1, 2; kernels: Gaussian"
    assert 'href="page.html#gaussian-kernel"' in row_of(first, "rests on")
    assert row_of(first, "slips refused") == "40"
    assert row_of(first, "device") == "cpu"
    assert "<dt>by rules</dt>" not in second
    assert html.count("<tbody") == 3
    assert html.count(REASON) == 1
    assert 'href="page.html#prior-term"' not in html, "not printed on any page yet"


def cells(row):
    """What a row of the ledger shows, by the name of the column."""
    found = re.findall('<td data-name="([^"]*)" data-value="[^"]*">(.*?)</td>', row)
    assert tuple(name for name, _ in found) == COLUMNS
    return dict(found)


def test_ledger_sorts_by_numbers_and_filters_by_what_there_is():
    html = ledger_html(
        [with_proof(rests_on=[]), MISSING | {"proof": None, "paper": []}], equation, api
    )
    assert 'data-name="nearest error ≤ tolerance" data-value="0.666' in html
    assert 'data-name="nearest error ≤ tolerance" data-value=""' in html
    assert re.findall('data-name="paper" data-value="([^"]*)"', html) == ["3", ""]
    options = re.findall("<option[^>]*>([^<]*)</option>", html)
    assert options == ["all", "forward", "all", "measured", "not measured"]
    assert '<form class="dpm-filter" hidden' in html, "without the script no form"


def network(rests_on):
    """Entries of equations, in the order of the book, that rest on one another."""
    return [
        {
            "id": key,
            "status": "measured" if others is not None else REASON,
            "proof": {"rests_on": others} if others is not None else None,
        }
        for key, others in rests_on.items()
    ]


DEEP = {
    "forward-trajectory": [],
    "alone": [],
    "gaussian-kernel": [],
    "forward-marginal": ["forward-trajectory", "gaussian-kernel"],
    "unproved": None,
    "prior-term": ["forward-marginal"],
    "bound-entropies": ["prior-term", "forward-trajectory"],
}
WIDE = {f"equation-number-{n}-of-many": [] for n in range(12)}
WIDE["the-sum-of-all"] = list(WIDE)
DENSE = {f"e{n}": [f"e{k}" for k in range(n)] for n in range(9)}


def boxes(svg):
    """Name of each box to its left, top, right and bottom."""
    found = re.findall(
        r'<rect x="(-?\d+)" y="(\d+)" width="(\d+)" height="(\d+)" rx="4"/>'
        r"<text[^>]*>[✓✗] ([^<]*)<",
        svg,
    )
    return {name: (int(x), int(y), int(x) + int(w), int(y) + int(h)) for x, y, w, h, name in found}


@pytest.mark.parametrize("rests_on", [DEEP, WIDE, DENSE])
def test_the_picture_holds_the_arrows_of_the_entries(rests_on):
    """Each arrow once, from the bottom of a box down to the top of the one that rests on it."""
    svg = graph_html(network(rests_on), equation)
    arrows = re.findall(
        r'<path d="M(\d+),(\d+)[^"]*?(\d+),(\d+)" [^>]*><title>([^<]*)</title>', svg
    )
    expected = {(key, other) for key, others in rests_on.items() for other in others or ()}
    assert sorted(tuple(title.split(" rests on ")) for *_, title in arrows) == sorted(expected)
    place = boxes(svg)
    assert set(place) == {key for pair in expected for key in pair}
    for *ends, title in arrows:
        (x, y, to_x, to_y), (key, other) = map(int, ends), title.split(" rests on ")
        assert place[other][0] < x < place[other][2]
        assert y == place[other][3]
        assert place[key][0] < to_x < place[key][2]
        assert to_y == place[key][1] > y


@pytest.mark.parametrize("rests_on", [DEEP, WIDE, DENSE])
def test_boxes_of_the_picture_lie_apart_and_inside(rests_on):
    svg = graph_html(network(rests_on), equation)
    ((width, height),) = re.findall(r'<svg [^>]*width="(\d+)" height="(\d+)"', svg)
    place = boxes(svg)
    for a, b in combinations(place.values(), 2):
        assert a[2] < b[0] or b[2] < a[0] or a[3] < b[1] or b[3] < a[1]
    for left, top, right, bottom in place.values():
        assert 0 <= left < right <= int(width)
        assert 0 <= top < bottom <= int(height)
    assert int(width) <= WIDTH + 20


def test_the_picture_has_words_and_links():
    svg = graph_html(network(DEEP), equation)
    assert 'role="group" aria-labelledby="graph-title graph-text"' in svg
    assert "5 equations as boxes, 5 arrows" in svg
    assert set(re.findall('<a href="([^"]*)">', svg)) == {
        f"page.html#{key}" for key in boxes(svg) if key != "prior-term"
    }


def test_the_ledger_has_the_picture():
    whole = with_proof(rests_on=[], needed_by=["edge-term"])
    other = with_proof(rests_on=["forward-marginal"]) | {"id": "edge-term"}
    html = ledger_html([whole, other], equation, api)
    assert html.count("<svg") == 1
    assert "edge-term rests on forward-marginal" in html


def test_the_picture_tells_the_status_by_mark_and_class():
    """Not by colour alone; the legend shows both."""
    entries = network(DEEP)
    entries[3]["status"] = REASON
    svg = graph_html(entries, equation)
    marks = re.findall('<g class="dpm-box dpm-(good|bad)" data-key="([^"]*)">.*?>([✓✗]) ', svg)
    assert {key: (look, mark) for look, key, mark in marks}["forward-marginal"] == ("bad", "✗")
    assert [key for look, key, _ in marks if look == "bad"] == ["forward-marginal"]
    legend = re.findall('"dpm-key dpm-(?:good|bad)">([^<]*)<', svg)
    assert legend == ["✓ measured", "✗ not measured"]


def test_a_function_leads_to_its_source_if_the_setting_names_a_repository():
    html = passport_html(ENTRY, equation, api, "ledger.html", lambda name: f"https://x/{name}?a&b")
    assert 'href="https://x/dpm_lib.forward.marginal?a&amp;b">source</a>' in html
    assert "source</a>" not in passport_html(ENTRY, equation, api, "ledger.html")


def test_without_arrows_there_is_no_picture():
    assert graph_html(network({"edge-step": [], "edge-term": None}), equation) == ""


def test_a_circle_is_said_instead_of_drawn():
    html = graph_html(network({"edge-step": ["edge-term"], "edge-term": ["edge-step"]}), equation)
    assert "<svg" not in html
    assert re.search("circle of proofs: (edge-step|edge-term) rests on edge-", html)
