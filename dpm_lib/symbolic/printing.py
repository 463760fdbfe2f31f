r"""Printing: SymPy expressions in the order in which the field writes them.

SymPy sorts factors and terms by its own key.  Here a product reads scalars, densities, products
over steps, logarithms, and a sum reads sums over steps first, entropies after them.
"""

import re
from collections.abc import Sequence
from typing import Any

from sympy import Add, Expr, Mul, Pow, Product, Rational, S, Sum, Symbol, fraction, log
from sympy.printing.latex import LatexPrinter

__all__ = ["aligned", "latex", "ordered_terms"]

_ORDER = (
    "Density", "Kernel", "Normal", "Bern", "State", "Variable", "Square", "Product", "log", "h",
    "KL", "Entropy", "Expect", "Int",
)  # fmt: skip
_TAIL = _ORDER.index("State")


class _Printer(LatexPrinter):
    def index(self, expr: Expr) -> str:
        """An index without spaces: t-1."""
        return self.doprint(expr).replace(" ", "")

    def bracketed(self, expr: Expr) -> str:
        """The expression, in brackets if it is a sum of terms."""
        text = self.doprint(expr)
        return rf"\left({text}\right)" if isinstance(expr, Add) else text

    def _print_log(self, expr: Any, exp: Any = None) -> str:
        inside = expr.args[0]
        text = self.doprint(inside)
        bare = type(inside).__name__ in ("Density", "Kernel", "Normal", "Bern")
        body = text if bare else rf"\left[{text}\right]"
        return rf"\log {body}" if exp is None else rf"\left(\log {body}\right)^{{{exp}}}"

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        text = ""
        for term in ordered_terms(expr):
            piece = self.doprint(term)
            text += piece if piece.startswith("-") or not text else f"+{piece}"
        return text

    def _print_Mul(self, expr: Any) -> str:
        sign, factors = _sign(expr)
        plain = [f for f in factors if _is_scalar(f)]
        rest = [f for f in factors if not _is_scalar(f)]
        over = [f for f in rest if _exponent(f) > 0 and _rank(f) < _TAIL]
        under = [1 / f for f in rest if _exponent(f) < 0]
        tail = [f for f in rest if _exponent(f) > 0 and _rank(f) >= _TAIL]
        pieces = [self._scalars(plain)] if plain else []
        if under:
            pieces.append(rf"\frac{{{self._row(over) or '1'}}}{{{self._row(under)}}}")
        elif over:
            pieces.append(self._row(over))
        pieces += [self._row(tail)] if tail else []
        return sign + r"\,".join(pieces)

    def _scalars(self, factors: list[Expr]) -> str:
        sums = [f for f in factors if isinstance(f, Add)]
        top, bottom = fraction(Mul(*factors))
        if not bottom.is_number:
            return rf"\frac{{{self._product(top)}}}{{{self._product(bottom)}}}"
        simple = Mul(*(f for f in factors if f not in sums))
        top, bottom = fraction(simple)
        head = rf"\frac{{{self._product(top)}}}{{{self.doprint(bottom)}}}"
        head = head if bottom != 1 else self._product(top)
        brackets = "".join(self.bracketed(f) for f in sorted(sums, key=str, reverse=True))
        return brackets if sums and simple == 1 else head + brackets

    def _product(self, expr: Expr) -> str:
        parts = sorted(Mul.make_args(expr), key=_scalar_key)
        if len(parts) == 1:
            return self.doprint(parts[0])
        return r"\,".join(self.bracketed(f) for f in parts)

    def _row(self, factors: list[Expr]) -> str:
        return r"\,".join(self.bracketed(f) for f in sorted(factors, key=_factor_key))

    def _print_Sum(self, expr: Any) -> str:
        return self._over_steps(r"\sum", expr)

    def _print_Product(self, expr: Any) -> str:
        return self._over_steps(r"\prod", expr)

    def _over_steps(self, sign: str, expr: Any) -> str:
        (index, first, last) = expr.limits[0]
        low = f"{self.doprint(index)}={self.index(first)}"
        return rf"{sign}_{{{low}}}^{{{self.index(last)}}}{self.bracketed(expr.function)}"


def latex(expr: Expr) -> str:
    """LaTeX of an expression, in the field's order."""
    return _Printer().doprint(expr)


def ordered_terms(expr: Add) -> list[Expr]:
    """The terms of a sum: numbers, sums over steps, entropies, what is left over.

    A number of steps is read as T-t+1, its number last.
    """
    terms = sorted(expr.args, key=_term_key)
    return sorted(terms, key=lambda term: term.is_number) if expr.is_integer else terms


def _sign(expr: Mul) -> tuple[str, list[Expr]]:
    factors = list(expr.args)
    if factors[0].is_Rational and factors[0] < 0:
        flipped = -factors[0]
        return "-", ([flipped] if flipped != 1 else []) + factors[1:]
    return "", factors


def _exponent(factor: Expr) -> int:
    negative = isinstance(factor, Pow) and factor.exp.is_Rational and factor.exp < 0
    return -1 if negative else 1


def _rank(factor: Expr) -> int:
    base = factor.base if isinstance(factor, Pow) else factor
    name = "log" if isinstance(base, log) else type(base).__name__
    return _ORDER.index(name) if name in _ORDER else len(_ORDER)


def _is_scalar(factor: Expr) -> bool:
    if isinstance(factor, Rational | Symbol):
        return True
    return not factor.has(Product, Sum, log) and not any(
        _rank(a) < len(_ORDER) for a in _nodes(factor)
    )


def _scalar_key(factor: Expr) -> tuple[Any, ...]:
    numbers = [S.Pi, S.Exp1]
    place = numbers.index(factor) + 1 if factor in numbers else 0
    return (isinstance(factor, Add), not factor.is_number, place, not factor.is_Symbol)


def _nodes(expr: Expr) -> list[Expr]:
    return [expr, *(node for a in expr.args for node in _nodes(a))]


def _factor_key(factor: Expr) -> tuple[Any, ...]:
    base = factor.base if isinstance(factor, Pow) else factor
    if type(base).__name__ == "Kernel":
        return (-1, 0, 0)
    if type(base).__name__ == "Density":
        index = getattr(base.targets[0], "index", S.Zero)
        index = index.subs(dict.fromkeys(index.free_symbols, 50)) if hasattr(index, "subs") else 0
        forward = base.law == "q"
        return (0, not forward, index if forward else -index)
    return (_rank(factor) + 1, 0, 0)


def _term_key(term: Expr) -> tuple[Any, ...]:
    if term.is_number:
        return (0 if term > 0 else 9, 0, "")
    factors = Mul.make_args(term)
    scalar = all(map(_is_scalar, factors))
    summed = any(isinstance(f, Sum) for f in factors)
    late = 2 if scalar and not term.is_Symbol else 1
    return (late, not summed, str(term).startswith("-"), -len(str(term)))


def aligned(start: Expr, steps: Sequence[Any]) -> str:
    """A derivation as one aligned block: its first line, then each step with its reason."""
    lead = latex(start)
    rows = []
    margin = _width(lead)
    widest = max(_width(line) for step in steps for line in _broken(step.expression))
    if margin > 20 or margin + widest > 66:
        first, *more = _broken(start)
        rows += [f"&{first}", *(f"&\\qquad {line}" for line in more)]
        lead, margin = "", 0
    for step in steps:
        reason = f"\\small\\text{{({step.reason})}}"
        lines = _broken(step.expression)
        rows.append(f"{lead}&{step.relation} {lines[0]}")
        rows += [f"&\\qquad {line}" for line in lines[1:]]
        indent = margin + 6 * (len(lines) > 1)
        if indent + _width(lines[-1]) + len(step.reason) > 66:
            rows.append(f"&\\qquad {reason}")
        else:
            rows[-1] += f" \\quad {reason}"
        lead = ""
    return "\\begin{aligned}" + r" \\ ".join(rows) + "\\end{aligned}"


def _broken(expr: Expr) -> list[str]:
    """The expression in lines that fit a page, broken at its plus and minus signs."""
    whole = latex(expr)
    if _width(whole) <= 58 or not isinstance(expr, Add):
        return [whole]
    lines = [""]
    for term in ordered_terms(expr):
        piece = latex(term)
        piece = piece if piece.startswith("-") or lines == [""] else f"+{piece}"
        if lines[-1] and _width(lines[-1] + piece) > 58:
            lines.append(piece)
        else:
            lines[-1] += piece
    return lines


def _width(text: str) -> int:
    """About how many letters wide a formula is; a fraction is as wide as its longer half."""
    flat, before = re.sub(r"\\(?!frac)[A-Za-z]+|\\?[,;!]", "", text), ""
    while flat != before:
        before = flat
        flat = re.sub(r"[\^_]\{([^{}]*)\}", r"\1", flat)
        flat = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", lambda m: max(m.groups(), key=len), flat)
    return len(re.sub(r"[{}\\^_]", "", flat))
