r"""The ring: whether an expression is 0, decided exactly.

An expression is read as a sum of monomials, rational numbers times powers of *atoms*.  An atom is
whatever the ring does not look into: a symbol, a rate, a density, a logarithm, an expectation.
Different atoms count as independent numbers, so what vanishes here vanishes whatever the atoms are.
The exponential of a sum is read as a product.  Fractional powers are taken apart for positive atoms
only.  Denominators are supposed not to be 0.
"""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any

import sympy as sp
from sympy import Expr, Rational

__all__ = ["Monomials", "content", "expression", "held", "is_zero", "monomial", "polynomial"]

Monomials = dict[frozenset[tuple[Expr, Any]], Any]
"""Monomials, each a set of atoms with their powers, to their coefficients."""

ONE: frozenset[Any] = frozenset()


@lru_cache(maxsize=100_000)
def polynomial(expr: Expr) -> Monomials:
    """The monomials of an expression."""
    if expr.is_Rational:
        return {ONE: expr} if expr else {}
    if expr.is_Add:
        return _sum(map(polynomial, expr.args))
    if expr.is_Mul and not held(expr):
        product: Monomials = {ONE: sp.S.One}
        for factor in expr.args:
            product = _product(product, polynomial(factor))
        return product
    base, power = expr.as_base_exp()
    if expr is not base and base is sp.E:
        return {frozenset(_exponentials(power)): sp.S.One}
    if expr is not base and power.is_Rational:
        found = _power(base, power)
        if found is not None:
            return found
    return {frozenset({(expr, sp.S.One)}): sp.S.One}


def expression(monomials: Monomials) -> Expr:
    """The expression that has these monomials."""
    return sp.Add(*(sp.Mul(c, *(a**k for a, k in powers)) for powers, c in monomials.items()))


def monomial(expr: Expr) -> tuple[Any, list[tuple[Expr, Any]]] | None:
    """Coefficient and powers of an expression that is a single monomial, else None."""
    found = polynomial(expr)
    if len(found) != 1:
        return None
    ((powers, coefficient),) = found.items()
    return coefficient, sorted(powers, key=lambda pair: sp.default_sort_key(pair[0]))


def content(expr: Expr) -> tuple[Expr, Expr]:
    """The monomial that divides all terms of an expression, and what is left of it."""
    terms = polynomial(expr)
    common = frozenset.intersection(*terms or [ONE])
    number = _gcd(terms.values())
    whole = expression({common: number})
    return whole, expression({m - common: c / number for m, c in terms.items()})


def _gcd(numbers: Iterable[Any]) -> Any:
    numbers = list(numbers)
    top = sp.igcd(0, *(c.p for c in numbers)) or 1
    return Rational(top, sp.ilcm(1, *(c.q for c in numbers)))


def is_zero(expr: Expr) -> bool:
    """Whether an expression vanishes, once all its denominators are multiplied out."""
    monomials = polynomial(expr)
    while sums := {a for powers in monomials for a, k in powers if a.is_Add and not 0 < k < 1}:
        monomials = _multiplied_out(monomials, min(sums, key=sp.default_sort_key))
    return not monomials


def _multiplied_out(monomials: Monomials, total: Expr) -> Monomials:
    """The monomials times the power of a sum that leaves no whole power of it."""
    powers = [dict(m).get(total, sp.S.Zero) for m in monomials]
    lowest = min(powers)
    parts = []
    for (m, c), power in zip(monomials.items(), powers, strict=True):
        whole, left = divmod(power - lowest, 1)
        rest = frozenset((a, k) for a, k in m if a != total)
        factor = {rest | ({(total, left)} if left else set()): c}
        inside = polynomial(total)
        for _ in range(int(whole)):
            factor = _product(factor, inside)
        parts.append(factor)
    return _sum(parts)


@lru_cache(maxsize=100_000)
def held(expr: Expr) -> bool:
    """Whether a product holds a factor and its inverse, which nobody has cancelled yet."""
    return any(1 / factor in expr.args for factor in expr.args if not factor.is_number)


def _exponentials(exponent: Expr) -> Iterator[tuple[Expr, Any]]:
    """The exponentials whose product is that of an exponent, each with its power."""
    for powers, c in polynomial(exponent).items():
        yield sp.exp(expression({powers: sp.S.One})), c


def _power(base: Expr, power: Any) -> Monomials | None:
    inside = polynomial(base)
    if len(inside) == 1:
        ((powers, coefficient),) = inside.items()
        number = coefficient**power
        if not number.is_Rational or not (
            power.is_Integer or (coefficient > 0 and all(a.is_positive for a, _ in powers))
        ):
            return None
        return {frozenset((a, k * power) for a, k in powers): number}
    if power.is_Integer and power > 0:
        product: Monomials = {ONE: sp.S.One}
        for _ in range(int(power)):
            product = _product(product, inside)
        return product
    first = min(inside, key=lambda m: sp.default_sort_key(expression({m: sp.S.One})))
    scale = inside[first] if power.is_Integer else sp.S.One
    monic = expression({m: c / scale for m, c in inside.items()})
    return {frozenset({(monic, power)}): scale**power}


def _sum(parts: Iterable[Monomials]) -> Monomials:
    total: Monomials = {}
    for part in parts:
        for powers, c in part.items():
            total[powers] = total.get(powers, Rational(0)) + c
    return {powers: c for powers, c in total.items() if c}


def _product(left: Monomials, right: Monomials) -> Monomials:
    terms = []
    for m, c in left.items():
        for n, k in right.items():
            powers = dict(m)
            for atom, power in n:
                powers[atom] = powers.get(atom, sp.S.Zero) + power
            terms.append({frozenset((a, j) for a, j in powers.items() if j): c * k})
    return _sum(terms)
