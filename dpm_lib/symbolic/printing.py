r"""Printing: SymPy expressions as the field writes them, so that a reader reads the same object.

SymPy sorts factors and terms by its own key.  Here a product reads scalars, densities, products
over steps, logarithms, and a sum reads sums over steps first, entropies after them.

Brackets follow the reader's conventions.  A sum, a product over steps or an integral takes
everything up to the next plus or minus, so one that is followed by a factor stands in brackets;
a logarithm takes one factor; a power takes what it is attached to.
"""

import re
from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from sympy import Add, Expr, Mul, Pow, Product, Rational, S, Sum, Symbol, fraction, log
from sympy.printing.latex import LatexPrinter

__all__ = ["aligned", "latex"]

_LAWS = ("Tilted", "Density", "Kernel", "Normal", "Bern")
_FACTORS = (*_LAWS, "Factor", "Logistic", "exp")  # stand before the others, or in a fraction
_ORDER = (
    *_FACTORS, "State", "Variable", "Square", "Dot", "Product", "log", "h", "KL", "Entropy",
    "Expect", "Int",
)  # fmt: skip
_TAIL = len(_FACTORS)
_OPEN = ("Product", "Sum", "Int")  # take the factors that follow
_CLOSED = (  # carry a power as they are
    *_LAWS, "Factor", "Logistic", "Rate", "Variable", "h", "KL", "Entropy", "Expect",
)  # fmt: skip
_PAGE, _LINE = 66, 58  # letters that fit, with and without a left side
_WORDS = 44  # letters of a reason that fit a phone


class _Printer(LatexPrinter):
    def index(self, expr: Expr) -> str:
        """An index without spaces: t-1."""
        return self.doprint(expr).replace(" ", "")

    def bracketed(self, expr: Expr) -> str:
        """The expression, in brackets if it is a sum of terms or starts with a minus."""
        text = self.doprint(expr)
        needed = isinstance(expr, Add) or text.startswith("-")
        return rf"\left({text}\right)" if needed else text

    def terms(self, expr: Expr) -> list[str]:
        """The terms of a sum in their order, each with its sign."""
        first, *more = (self.doprint(term) for term in _ordered_terms(expr))
        return [first, *(text if text.startswith("-") else f"+{text}" for text in more)]

    def _print_Add(self, expr: Any, order: Any = None) -> str:
        return "".join(self.terms(expr))

    def _print_log(self, expr: Any) -> str:
        (inside,) = expr.args
        text = self.doprint(inside)
        return rf"\log {text}" if type(inside).__name__ in _LAWS else rf"\log \left[{text}\right]"

    def _print_Pow(self, expr: Any) -> str:
        base, exponent = expr.args
        if _exponent(expr) < 0:
            return self._print_Mul(expr)
        text = self.doprint(base)
        if exponent == S.Half:
            return rf"\sqrt{{{text}}}"
        closed = base.is_Symbol or base.is_NumberSymbol or type(base).__name__ in _CLOSED
        digits = base.is_Integer and base >= 0
        body = text if closed or digits else rf"\left({text}\right)"
        return f"{body}^{{{self.doprint(exponent)}}}"

    def _print_Mul(self, expr: Any) -> str:
        sign, factors = _sign(expr)
        plain = [f for f in factors if _is_scalar(f)]
        rest = [f for f in factors if not _is_scalar(f)]
        over = [f for f in rest if _exponent(f) > 0 and _rank(f) < _TAIL]
        under = [1 / f for f in rest if _exponent(f) < 0]
        tail = [f for f in rest if _exponent(f) > 0 and _rank(f) >= _TAIL]
        if under and plain and not over and fraction(Mul(*plain))[1] == 1:
            over, plain = plain, []
        pieces = [self._scalars(plain)] if plain else []
        if under:
            top, bottom = (self._alone(part) for part in (over or [S.One], under))
            pieces.append(rf"\frac{{{top}}}{{{bottom}}}")
        elif over:
            pieces.append(self._row(over))
        pieces += [self._row(tail)] if tail else []
        return sign + (r"\,".join(pieces) or "1")

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
        if sums and simple == 1:
            return brackets
        gap = r"\," if sums and head.endswith(r"\pi") else ""  # the number, not the prior
        return head + gap + brackets

    def _product(self, expr: Expr) -> str:
        parts = sorted(Mul.make_args(expr), key=_scalar_key)
        if len(parts) == 1:
            return self.doprint(parts[0])
        return r"\,".join(self.bracketed(f) for f in parts)

    def _alone(self, factors: list[Expr]) -> str:
        """Factors above or below the bar of a fraction, where one needs no brackets."""
        return self.doprint(factors[0]) if len(factors) == 1 else self._row(factors)

    def _row(self, factors: list[Expr]) -> str:
        *followed, last = sorted(factors, key=_factor_key)
        pieces = [
            rf"\left({self.doprint(f)}\right)" if type(f).__name__ in _OPEN else self.bracketed(f)
            for f in followed
        ]
        return r"\,".join([*pieces, self.bracketed(last)])

    def _print_Sum(self, expr: Any) -> str:
        return self._over_steps(r"\sum", expr)

    def _print_Product(self, expr: Any) -> str:
        return self._over_steps(r"\prod", expr)

    def _over_steps(self, sign: str, expr: Any) -> str:
        text = self.bracketed(expr.function)
        for index, first, last in expr.limits:
            low = f"{self.doprint(index)}={self.index(first)}"
            text = rf"{sign}_{{{low}}}^{{{self.index(last)}}}{text}"
        return text


def latex(expr: Expr) -> str:
    """LaTeX of an expression, in the field's order."""
    return _Printer().doprint(expr)


def aligned(start: Expr, rows: Sequence[tuple[str, Expr, str]]) -> str:
    """LaTeX of a derivation as one aligned block: a first line, then (relation, line, reason)."""
    lead = latex(start)
    block = []
    margin = _width(lead)
    widest = max(_width(line) for _, expr, _ in rows for line in _broken(expr))
    if margin > 20 or margin + widest > _PAGE:
        first, *more = _broken(start)
        block += [f"&{first}", *(f"&\\qquad {line}" for line in more)]
        lead, margin = "", 0
    for relation, expr, reason in rows:
        words = [f"\\small\\text{{{part}}}" for part in _wrapped(f"({reason})")]
        first, *more = lines = _broken(expr)
        block.append(f"{lead}&{relation} {first}")
        block += [f"&\\qquad {line}" for line in more]
        indent = margin + 6 * bool(more)
        if indent + _width(lines[-1]) + len(reason) > _PAGE or len(words) > 1:
            block += [f"&\\qquad {part}" for part in words]
        else:
            block[-1] += f" \\quad {words[0]}"
        lead = ""
    return "\\begin{aligned}" + r" \\ ".join(block) + "\\end{aligned}"


def _broken(expr: Expr) -> list[str]:
    """The expression in lines that fit a page, broken at its plus and minus signs."""
    whole = latex(expr)
    if _width(whole) <= _LINE or not isinstance(expr, Add):
        return [whole]
    lines = [""]
    for piece in _Printer().terms(expr):
        if lines[-1] and _width(lines[-1] + piece) > _LINE:
            lines.append(piece)
        else:
            lines[-1] += piece
    return lines


def _wrapped(reason: str) -> list[str]:
    """A reason in lines that fit a phone."""
    return wrap(reason, _WORDS, break_long_words=False, break_on_hyphens=False)


def _width(text: str) -> int:
    """About how many letters wide a formula is; a fraction is as wide as its longer half."""
    flat = re.sub(r"\\(?:left|right|[bB]igg?[lr]?|mathcal|text|small)|\\?[,;!]", "", text)
    flat, before = re.sub(r"\\(?!frac|log)[A-Za-z]+", "x", flat), ""
    while flat != before:
        before = flat
        flat = re.sub(r"[\^_]\{([^{}]*)\}", r"\1", flat)
        flat = re.sub(r"\\frac\{([^{}]*)\}\{([^{}]*)\}", lambda m: max(m.groups(), key=len), flat)
    return len(re.sub(r"[{}\\^_]", "", flat))


def _ordered_terms(expr: Expr) -> list[Expr]:
    """The terms of a sum: numbers, sums over steps, entropies, what is left over.

    A number of steps is read as T-t+1, its number last.
    """
    terms = sorted(expr.args, key=_term_key)
    return sorted(terms, key=lambda term: term.is_number) if expr.is_integer else terms


def _sign(expr: Expr) -> tuple[str, list[Expr]]:
    """The sign of a product and its factors, its number first and without sign."""
    factors = list(_factors(expr))
    number = Mul(*(f for f in factors if f.is_Rational))
    size = [] if abs(number) == 1 else [abs(number)]
    return "-" * bool(number < 0), size + [f for f in factors if not f.is_Rational]


def _factors(expr: Expr) -> Iterator[Expr]:
    for factor in Mul.make_args(expr):
        yield from _factors(factor) if isinstance(factor, Mul) else [factor]


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
    late = 0 if type(term).__name__ in ("State", "Variable") else late
    return (late, not summed, str(term).startswith("-"), -len(str(term)))
