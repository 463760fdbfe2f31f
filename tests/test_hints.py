"""Hints on symbols: each name of a symbol leads to one row of the table, or to none."""

import re

import pytest

from book_ext.hints import PATTERNS, rows
from dpm_lib.evidence.notation import SYMBOLS


def found(name):
    """The LaTeX of the rows that a name leads to."""
    return [key for key, pattern in PATTERNS.items() if re.fullmatch(pattern, name)]


def test_patterns_are_of_rows_that_exist():
    assert set(PATTERNS) <= {symbol.latex for symbol in SYMBOLS}
    assert [row["pattern"] for row in rows()] == [
        PATTERNS[symbol.latex] for symbol in SYMBOLS if symbol.latex in PATTERNS
    ]


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
    ],
)  # fmt: skip
def test_a_name_leads_to_its_row(name, latex):
    assert found(name) == [latex]


@pytest.mark.parametrize(
    "name",
    ["x", "π", "w", "n", "u", "m_0", "x^(1⋯T)", "x^(0…T)", "x_i^(t)", "H_q(X(0))", "σ", "T_s", "h"],
)
def test_what_could_mean_two_things_leads_nowhere(name):
    """π is a number too, w a width, and the law of the whole chain is no state."""
    assert found(name) == []
