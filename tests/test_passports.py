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
    "proof": {"worlds": ["Gaussian chain"], "steps": 5},
    "evidence": [
        {"route": "quadrature", "error": 1e-16, "tolerance": 1e-15, "because": "rounding",
         "device": "cpu", "dtype": "float64"},
        {"route": "Monte Carlo <z = 5>", "error": 0.02, "tolerance": 0.03, "because": "z = 5",
         "device": "cpu", "dtype": "float32"},
    ],
    "mutants": [{"name": "a sign", "error": 0.5, "route": "quadrature"}],
    "library": "0123456789ab",
}  # fmt: skip
MISSING = {**ENTRY, "id": "prior-term", "status": "not measured", "evidence": [], "mutants": []}


def api(name):
    return f"api.html#{name}"


def page(name, anchor=""):
    return f"{name}.html#{anchor}"


def test_passport_says_what_was_measured():
    html = passport_html(ENTRY, api, "ledger.html")
    assert "<b>derived</b> 5 steps" in html
    assert "2 checks, error 2.0e-02 ≤ 3.0e-02" in html, "the check nearest to its tolerance"
    assert "1 of 1 mutant<" in html
    assert 'href="api.html#dpm_lib.forward.marginal"' in html
    assert 'href="ledger.html#row-forward-marginal"' in html
    assert "&lt;z = 5&gt;" in html


def test_function_without_an_address_is_a_literal():
    html = passport_html(ENTRY, lambda name: None, "ledger.html")
    assert "<code>forward.marginal</code>" in html
    assert "api.html" not in html


def test_passport_says_what_is_missing():
    html = passport_html(MISSING, api, "ledger.html")
    assert "not measured with this version" in html
    assert "no check on record" in html
    assert "✓" not in html


def test_ledger_has_totals_and_a_row_for_each_equation():
    html = ledger_html([ENTRY, MISSING], page, api, {"forward-marginal"})
    assert "<b>2</b> equations" in html
    assert "<b>1</b> not measured" in html
    assert 'href="forward.html#forward-marginal"' in html
    assert html.count("<tr") == 3
    assert 'href="forward.html#prior-term"' not in html, "not printed on any page yet"
