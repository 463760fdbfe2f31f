"""Which row of the table of symbols a symbol of a formula belongs to, for the script of hints.

The script symbols.js gives a symbol a name, such as ``β_t``, ``bar α_t-1``, ``x^(0)`` or ``cal N``,
and looks it up here.  What no pattern takes shows nothing.  A letter that means one thing on one
page and another elsewhere, as ``w``, has a pattern for that page alone.
"""

import json
from pathlib import Path
from typing import Any

from dpm_lib.evidence.notation import SYMBOLS

FILE = "symbols-table.js"

PATTERNS = {
    r"x^{(0)}": r"[xX]\^\(0\)",
    r"d": "d",
    r"N": "N",
    r"B": "B",
    r"T": "T",
    r"\beta_t": "β(_.+)?",
    r"\pi(\cdot)": r"π\(.*",
    r"\rho": "ρ",
    r"T_\pi(y\mid y';\beta)": r"T_π(\(.*)?",
    r"\mu_0": "μ_0",
    r"v_0": "v_0",
    r"\theta": "θ",
    r"f_\mu": r"f_μ(\(.*)?",
    r"f_\Sigma": r"f_Σ(\(.*)?",
    r"f_b": r"f_b(\(.*)?",
    r"x^{(t)}": r"[xX]\^\((?!0\))[^.,…⋯]+\)",
    r"x_i": "x_i",
    r"t,\ s,\ n": "[ts]",
    r"q(\cdot)": r"q(\(.*)?",
    r"p(\cdot)": r"p(\(.*)?",
    r"\mathcal N(u;\mu,\Sigma)": r"cal N(\(.*)?",
    r"\mathcal B(u;r)": r"cal B(\(.*)?",
    r"I": "I",
    r"e": r"e(\^.*)?",
    r"\alpha_t": "α(_.+)?",
    r"\bar\alpha_t": "bar α(_.+)?",
    r"\bar\beta_t": "bar β(_.+)?",
    r"\epsilon": "ε",
    r"m_2": "m_2",
    r"\sigma(u)": r"σ(\^-1)?\(.*",
    r"E_q[\cdot]": r"E_q(\(x.*\))?(\[.*)?",
    r"H_q(X^{(t)})": r"H_q\(X\([^()]+\)\).*",
    r"H_q(X^{(t)}\mid X^{(0)})": r"H_q\(X\([^()]+\)∣.*",
    r"H_p(X^{(T)})": r"H_p(\(X\(T\)\).*)?",
    r"h(r)": r"h\(.*",
    r"D_{KL}(q\,\Vert\,p)": r"D_KL(\(.*)?",
    r"L": "L",
    r"L_{null}": "L_null",
    r"\tilde\mu_t": "tilde μ(_.+)?",
    r"\tilde\beta_t": "tilde β(_.+)?",
    r"v_t": "v_(?!0)[^,]+",
    r"K": "K",
    r"K_1,\ K_2": "K_[12]",
    r"K^{*}": r"K\^\*",
    r"r(x^{(t)})": r"r\(x\([^()]+\)\).*",
    r"E_r": r"E_r(\(.*)?",
    r"g_j(t)": r"g_j(\(.*)?",
    r"z^\mu,\ z^\Sigma": r"z(_.+)?\^[μΣ]",
    r"\kappa_n": "κ_.+",
    r"\ell": r"ℓ(\^′+2?)?",
    r"R_{ik}": "R_ik",
    r"\tau_j,\ w": "τ_.+",
    r"\tilde p(x^{(t)})": r"tilde p(\(.*)?",
    r"\tilde Z_t": "tilde Z(_.+)?",
    r"\hat x^{(0)}": r"hat x\^\(0\)",
}
"""LaTeX of a row to what its symbols are called; what a pattern says of a bracket must follow."""

ON_PAGES = {
    "bound": {"w": "w"},
    "conditioning": {r"r(x^{(t)})": r"r(\(.*)?"},
    "likelihood": {"w": "w"},
    "perturbation": {r"r(x^{(t)})": r"r(\(.*)?", "g": "g"},
}
"""For one page, what stands in the place of the pattern of a row, or is the only one it has."""


def on_pages(latex: str) -> dict[str, str]:
    """The patterns of a row that hold on one page each."""
    return {page: its[latex] for page, its in ON_PAGES.items() if latex in its}


def rows() -> list[dict[str, Any]]:
    """The rows that the script knows, each with its patterns; None is no pattern elsewhere."""
    return [
        {
            "pattern": PATTERNS.get(s.latex), "on": on_pages(s.latex), "meaning": s.meaning,
            "code": s.code, "shape": s.shape, "paper": s.paper, "kind": s.kind,
        }
        for s in SYMBOLS
        if s.latex in PATTERNS or on_pages(s.latex)
    ]  # fmt: skip


def write(app: Any, error: Exception | None) -> None:
    if error is None and app.builder.format == "html":
        text = json.dumps(rows(), ensure_ascii=False)
        (Path(app.outdir) / "_static" / FILE).write_text(f"window.SYMBOLS = {text};\n", "utf8")


def setup(app: Any) -> None:
    app.add_js_file(FILE, defer="defer")
    app.connect("build-finished", write)
