"""Hints on symbols: each name of a symbol leads to one row of the table, or to none."""

import re

import pytest

from book_ext import house
from book_ext.hints import ON_PAGES, PATTERNS, rows
from dpm_lib.evidence.notation import SYMBOLS


def found(name, page=None):
    """The LaTeX of the rows that a name leads to, on a page or on one that says nothing of it."""
    patterns = PATTERNS | ON_PAGES.get(page, {})
    return [key for key, pattern in patterns.items() if re.fullmatch(pattern, name)]


def test_patterns_are_of_rows_that_exist():
    local = {latex: its for its in ON_PAGES.values() for latex in its}
    assert {*PATTERNS, *local} <= {symbol.latex for symbol in SYMBOLS}
    assert set(ON_PAGES) <= set(house.pages())
    expected = [s.latex for s in SYMBOLS if s.latex in PATTERNS or s.latex in local]
    assert [row["pattern"] for row in rows()] == [PATTERNS.get(latex) for latex in expected]
    for row, latex in zip(rows(), expected, strict=True):
        assert row["on"] == {page: its[latex] for page, its in ON_PAGES.items() if latex in its}


@pytest.mark.parametrize(
    ("name", "latex"),
    [
        ("x^(0)", "x^{(0)}"), ("x^(t)", "x^{(t)}"), ("x^(t-1)", "x^{(t)}"), ("x_i", "x_i"),
        ("β", r"\beta_t"), ("β_t-1", r"\beta_t"), ("bar α_t", r"\bar\alpha_t"),
        ("tilde μ_t", r"\tilde\mu_t"), ("T", "T"), ("T_π(y∣y′;β)", r"T_\pi(y\mid y';\beta)"),
        ("π(y)", r"\pi(\cdot)"), ("cal N(y;0,1)", r"\mathcal N(u;\mu,\Sigma)"), ("N", "N"),
        ("K", "K"), ("K_1", r"K_1,\ K_2"), ("K^*", "K^{*}"), ("L_null", "L_{null}"), ("L", "L"),
        ("D_KL(q∥p)", r"D_{KL}(q\,\Vert\,p)"), ("v_0", "v_0"), ("v_t", "v_t"), ("v_1", "v_t"),
        ("H_q(X(t)∣X(0))", r"H_q(X^{(t)}\mid X^{(0)})"), ("σ(u)", r"\sigma(u)"), ("m_2", "m_2"),
        ("X^(0)", "x^{(0)}"), ("X^(T)", "x^{(t)}"), ("H_q(X(t-1))-H_q", "H_q(X^{(t)})"),
        ("H_q(X(t-1)∣X(t))", r"H_q(X^{(t)}\mid X^{(0)})"), ("μ_0", r"\mu_0"),
        ("E_q(x(0⋯T))[logw]", r"E_q[\cdot]"), ("E_q[x]", r"E_q[\cdot]"),
        ("r(x(t-1))", "r(x^{(t)})"), ("r(x(0))]", "r(x^{(t)})"), ("E_r(y)", "E_r"),
        ("g_j(t)", "g_j(t)"), ("z^μ", r"z^\mu,\ z^\Sigma"), ("z_i^Σ", r"z^\mu,\ z^\Sigma"),
        ("κ_3", r"\kappa_n"), ("τ_j", r"\tau_j,\ w"), ("R_ik", "R_{ik}"),
        ("tilde p(x(t))", r"\tilde p(x^{(t)})"),
        ("tilde Z_t-1", r"\tilde Z_t"), ("hat x^(0)", r"\hat x^{(0)}"),
    ],
)  # fmt: skip
def test_a_name_leads_to_its_row(name, latex):
    assert found(name) == [latex]


@pytest.mark.parametrize(
    "name",
    [
        "x",
        "π",
        "w",
        "n",
        "u",
        "m_0",
        "x^(1⋯T)",
        "x^(0…T)",
        "x_i^(t)",
        "H_q(X)",
        "σ",
        "T_s",
        "h",
        "r",
        "g",
        "l",
        "R",
        "κ",
        "r(0)",
        "E_π",
        "E_qd(x)",
        "X^(0⋯T)",
        "z",
        "tilde r",
    ],
)
def test_what_could_mean_two_things_leads_nowhere(name):
    """π is a number too, r a ratio on some pages, and the law of the whole chain is no state."""
    assert found(name) == []


@pytest.mark.parametrize(
    ("page", "name", "latex"),
    [
        ("conditioning", "r", "r(x^{(t)})"), ("conditioning", "r(x(t))", "r(x^{(t)})"),
        ("perturbation", "r", "r(x^{(t)})"), ("perturbation", "g", "g"), ("bound", "w", "w"),
        ("likelihood", "w", "w"), ("feller", "ℓ^′′′2", r"\ell"),
        ("perturbation", "g_j(t)", "g_j(t)"),
    ],
)  # fmt: skip
def test_a_letter_of_a_page_leads_to_its_row_there(page, name, latex):
    """Elsewhere it leads to the same row, or to none."""
    assert found(name, page) == [latex]
    assert found(name) in ([latex], [])
