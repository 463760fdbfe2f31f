"""The letters of formulas: every one must be declared in ``dpm_lib.evidence.notation``."""

import re

from dpm_lib.evidence.notation import SYMBOLS

REMOVED = re.compile(
    r"\\(?:text\w*|math(?:rm|bb|bf|sf|tt)|operatorname\*?|label|tag|eqref|begin|end|color|[hv]space)(?![A-Za-z])"
    r"\s*(?:\{[^{}]*\}(?:\{[lcr| ]+\})?|\s[A-Za-z])"
)
DECORATED = re.compile(
    r"\\(bar|overline|tilde|widetilde|hat|widehat|mathcal|vec|dot)(?![A-Za-z])\s*"
    r"(?:\{\s*(\\?[A-Za-z]+)\s*\}|(\\[A-Za-z]+|[A-Za-z]))"
)
SAME = {"overline": "bar", "widetilde": "tilde", "widehat": "hat"}
GREEK = set(
    re.findall(
        r"\\\w+",
        r"\alpha\beta\gamma\delta\epsilon\zeta\eta\theta\iota\kappa\lambda\mu\nu\xi\pi\rho\sigma"
        r"\tau\upsilon\phi\chi\psi\omega\Gamma\Delta\Theta\Lambda\Xi\Pi\Sigma\Upsilon\Phi\Psi"
        r"\Omega\varphi\vartheta\varrho\varsigma\ell",
    )
)


def letters(latex: str) -> set[str]:
    """The letters of a formula, each with its decoration.

    >>> sorted(letters(r"\\bar{\\beta}_t + \\mathcal N(x;\\,0) \\text{ if } D_{KL}"))
    ['D', 'K', 'L', '\\\\bar \\\\beta', '\\\\mathcal N', 't', 'x']
    """
    latex = latex.replace(r"\varepsilon", r"\epsilon")
    latex = re.sub(r"\\\\(\[[^\]]*\])?", " ", latex)
    latex = REMOVED.sub(" ", latex)
    found: set[str] = set()

    def take(match: re.Match[str]) -> str:
        base = match.group(2) or match.group(3)
        found.add(f"\\{SAME.get(match.group(1), match.group(1))} {base}")
        return " "

    latex = DECORATED.sub(take, latex)
    commands = set(re.findall(r"\\[A-Za-z]+", latex))
    rest = re.sub(r"\\[A-Za-z]+|\\.", " ", latex)
    return found | (commands & GREEK) | set(re.findall(r"[A-Za-z]", rest))


DECLARED = set().union(*(letters(symbol.latex) for symbol in SYMBOLS))


def undeclared(latex: str) -> set[str]:
    """The letters of a formula that the table of symbols does not have."""
    return letters(latex) - DECLARED
