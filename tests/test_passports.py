"""Passports and the ledger page, from made-up entries."""

from book_ext.html import ledger_html, passport_html

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
        "slips": {"refused": 40, "without_value": 3, "equal": ["sign: a < b"]},
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


def page(name, anchor=""):
    return f"{name}.html#{anchor}"


def test_passport_says_what_was_measured():
    html = passport_html(ENTRY, api, "ledger.html")
    assert "<b>derived</b> 5 steps" in html
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


def test_function_without_an_address_is_a_literal():
    html = passport_html(ENTRY, lambda name: None, "ledger.html")
    assert "<code>forward.marginal</code>" in html
    assert "api.html" not in html


def test_passport_says_what_is_missing():
    html = passport_html(MISSING, api, "ledger.html")
    assert "✗ not measured: the library changed (bounds)" in html
    assert "✓" not in html


def test_ledger_has_totals_and_a_row_for_each_equation():
    html = ledger_html([ENTRY, MISSING], page, api, {"forward-marginal"})
    assert "<b>2</b> equations" in html
    assert "<b>1</b> not measured" in html
    assert 'href="forward.html#forward-marginal"' in html
    assert "<b>80</b> slips refused" in html
    assert html.count("T = 2, 3; d = 1, 2; kernels: Gaussian") == 2
    assert html.count("<tr") == 3
    assert html.count(REASON) == 1
    assert 'href="forward.html#prior-term"' not in html, "not printed on any page yet"
