"""Rules of logarithms, and of sums and products over steps."""

from typing import Any

import sympy as sp
from sympy import Expr, Product, Sum

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Entropy, Expect, Int, log
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import CALCULUS, rule
from dpm_lib.symbolic.rules.steps import Steps, substituted

__all__ = [
    "first_step", "last_step", "log_product", "products", "telescoping", "telescoping_sum",
]  # fmt: skip


@rule("logarithm of a product", "logarithm of a ratio", layer=CALCULUS, quiet=True)
def log_product(e: Expr, steps: Steps) -> Expr | None:
    """The logarithm of a product of positive factors is the sum of their logarithms."""
    if not isinstance(e, sp.log):
        return None
    inside = e.args[0]
    if isinstance(inside, Product):
        ((step, first, last),) = inside.limits
        return Sum(log(inside.function), (step, first, last)) if positive(inside) else None
    content, rest = ring.content(inside)
    if rest != 1 and (content == 1 or not positive(rest)):
        return _log_power(inside)
    found = ring.monomial(content)
    if found is None or found[0] <= 0 or not all(positive(a) for a, _ in found[1]):
        return None
    coefficient, powers = found
    primes = [*sp.factorint(coefficient.p).items()]
    primes += [(prime, -k) for prime, k in sp.factorint(coefficient.q).items()]
    terms = [k * _log(a) for a, k in powers] + [k * log(sp.Integer(a)) for a, k in primes]
    return sp.Add(*terms, log(rest))


def _log(atom: Expr) -> Expr:
    power = _log_power(log(atom))
    return log(atom) if power is None else power


def _log_power(e: Expr) -> Expr | None:
    """The logarithm of a power of something positive."""
    base, power = e.as_base_exp()
    if power == 1 or power.is_Rational or not positive(base):
        return None
    return power * log(base)


def positive(e: Expr) -> bool:
    """Whether an expression is positive by its form, as densities and rates between 0 and 1 are."""
    if isinstance(e, Product):
        return positive(e.function)
    if e.is_Mul or isinstance(e, sp.Pow):
        return all(map(positive, e.args[:1] if isinstance(e, sp.Pow) else e.args))
    if e.is_Add:
        rest = sp.expand(1 - e)
        below_one = isinstance(rest, lang.Rate) and rest.args[0].name not in lang.UNBOUNDED
        return below_one or rest == lang.rho or all(map(positive, e.args))
    if isinstance(e, lang.Variable | Entropy | Expect | Int | lang.KL):
        return False
    return bool(e.is_positive)


@rule("products term by term", "pair the steps", layer=CALCULUS)
def products(e: Expr, steps: Steps) -> Expr | None:
    """A product over steps of a product is the product of the products."""
    if not isinstance(e, Product):
        return None
    found = ring.monomial(e.function)
    if found is None or found[0] != 1 or (len(found[1]) == 1 and found[1][0][1] == 1):
        return None
    ((step, first, last),) = e.limits
    return sp.Mul(*(Product(a, (step, first, last)) ** k for a, k in found[1]))


@rule("telescoping", layer=CALCULUS)
def telescoping(e: Expr, steps: Steps) -> Expr | None:
    """A product over steps of u at a step over u at the step before is its last u over its first.

    The step may also come before; other factors stay.
    """
    if not isinstance(e, Product):
        return None
    found = ring.monomial(e.function)
    ((step, first, last),) = e.limits
    if found is None or not steps.never_negative(last - first + 1):
        return None
    for late, k in found[1]:
        for early, j in found[1]:
            if j == -k and early.subs(step, step + 1) == late and early != late:
                top, bottom = substituted(late, step, last), substituted(early, step, first)
                if top is None or bottom is None:
                    return None
                rest = e.function * early**k / late**k
                return (top / bottom) ** k * (
                    sp.S.One if rest == 1 else Product(rest, (step, first, last))
                )
    return None


@rule("telescoping sum", "the sums telescope", layer=CALCULUS + 0.75)
def telescoping_sum(e: Expr, steps: Steps) -> Expr | None:
    """The sum over steps of u minus that of u at the step before is its last u less its first."""
    if not e.is_Add:
        return None
    terms = ring.polynomial(e)
    sums = [(u, m, c) for m, c in terms.items() for u, k in m if isinstance(u, Sum) and k == 1]
    for late, m, c in sums:
        for early, w, g in sums:
            rest = m - {(late, sp.S.One)}
            if c != -g or rest != w - {(early, sp.S.One)} or late.limits != early.limits:
                continue
            ((step, first, last),) = late.limits
            next_one = early.function.subs(step, step + 1) == late.function
            if not (next_one and late != early and steps.never_negative(last - first + 1)):
                continue
            top = substituted(late.function, step, last)
            bottom = substituted(early.function, step, first)
            if top is not None and bottom is not None:
                kept = {key: v for key, v in terms.items() if key not in (m, w)}
                return ring.expression(kept) + ring.expression({rest: c}) * (top - bottom)
    return None


@rule("first step taken out", layer=CALCULUS)
def first_step(e: Expr, steps: Steps) -> Expr | None:
    """A sum (product) over steps from 1 on (or T - t + 1) is its first term and the others."""
    if not isinstance(e, Sum | Product):
        return None
    ((_, first, last),) = e.limits
    return _split(e, first, (first + 1, last), steps) if _constant(first) == 1 else None


@rule("last step taken out", layer=CALCULUS)
def last_step(e: Expr, steps: Steps) -> Expr | None:
    """A sum (product) over steps up to t (or T) is that up to the step before and its last term."""
    if not isinstance(e, Sum | Product):
        return None
    ((_, first, last),) = e.limits
    return _split(e, last, (first, last - 1), steps) if _constant(last) == 0 else None


def _constant(index: Expr) -> Any:
    return index.subs(dict.fromkeys(index.free_symbols, 0))


def _split(e: Expr, one: Expr, others: tuple[Expr, Expr], steps: Steps) -> Expr | None:
    """One term of a sum over steps, or factor of a product, and the others."""
    ((step, first, last),) = e.limits
    term = substituted(e.function, step, one)
    if term is None or not steps.never_negative(last - first):
        return None
    both = sp.Add if isinstance(e, Sum) else sp.Mul
    return both(term, e.func(e.function, (step, *others)))
