"""Rules of averages and integrals: what falls out of them, and in which order they are taken."""

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import Any

import sympy as sp
from sympy import Expr, Product, Sum

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Density, Expect, Int, Span, State
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import CALCULUS, rule
from dpm_lib.symbolic.rules.steps import Steps, density, ends, free, joined
from dpm_lib.symbolic.rules.sums import positive

__all__ = ["constant_factor", "fubini", "linearity", "marginal", "unit_steps"]

x, V = lang.x, [(sp.Symbol(name),) for name in lang.UNBOUNDED]


@rule("marginalise", "integrate states out", "a law has mass 1", layer=CALCULUS + 0.5,
      quiet=True)  # fmt: skip
def marginal(e: Expr, steps: Steps) -> Expr | None:
    """States that the body does not hold are integrated out of a density; its mass is 1."""
    if isinstance(e, Expect):
        law, body = e.args
        held = free(body)
        if not (_is_law(law) and _known(held, steps)):
            return None
        kept = _kept(lang.targets(law), held, steps)
        if not kept:
            return body
        if not isinstance(law, Density):
            return None
        return Expect(density(law.law, kept, law.given), body)
    if isinstance(e, Int) and _is_law(e.args[0]):
        law, gone = e.args[0], set(e.args[1])
        if set(lang.targets(law)) == gone:
            return sp.S.One
        if isinstance(law, Density):
            rest = _without(law.targets, gone)
            return density(law.law, rest, law.given) if rest else None
    return None


def _is_law(e: Any) -> bool:
    """Whether an expression is a law by its form: its rate or variance may be one."""
    if isinstance(e, lang.Kernel | lang.Bern):
        return _is_probability(e.args[-1])
    return isinstance(e, Density) or (isinstance(e, lang.Normal) and positive(e.args[2]))


@lru_cache(maxsize=10_000)
def _is_probability(e: Expr) -> bool:
    """Whether an expression lies in [0, 1] where its bits, rates and symbols do.

    One that is linear in each of them is largest and smallest where they are 0 or 1.
    """
    powers = [pair for m in ring.polynomial(e) for pair in m]
    inside = lang.Variable | lang.Rate | sp.Symbol
    if not all(k == 1 and isinstance(a, inside) and a.args[:1] not in V for a, k in powers):
        return False
    atoms = sorted({a for a, _ in powers}, key=sp.default_sort_key)
    corners = product((sp.S.Zero, sp.S.One), repeat=len(atoms))
    return all(0 <= e.xreplace(dict(zip(atoms, c, strict=True))) <= 1 for c in corners)


def _known(states: Iterable[Any], steps: Steps) -> bool:
    """Whether no state has an index that an inner sum has bound."""
    seen = {lang.T, lang.n, *(step for step, *_ in steps.ranges)}
    chain = State | Span
    return all(not isinstance(s, chain) or s.free_symbols <= seen for s in states)


def _kept(targets: Iterable[Any], held: Iterable[Any], steps: Steps) -> list[Any]:
    """The states of a law that a body may hold; of a span the states that it surely holds."""
    kept: list[Any] = []
    for target in targets:
        touching = [s for s in held if not steps.apart(s, target)]
        inside = isinstance(target, Span) and all(
            isinstance(s, State) and steps.inside(s, target) for s in touching
        )
        single = inside and steps.in_order(touching) is not None
        kept += touching if single else [target] * bool(touching)
    return kept


def _without(targets: Iterable[Any], gone: Iterable[Any]) -> list[Any] | None:
    """The targets without the states that are gone; None if these are not among them."""
    left = list(targets)
    for one in gone:
        if one in left:
            left.remove(one)
            continue
        (a, b) = ends(one)
        for span in left:
            (c, d) = ends(span)
            if isinstance(span, Span) and a == c and b != d:
                rest: Any = Span(b + 1, d)
            elif isinstance(span, Span) and b == d and a != c:
                rest = Span(c, a - 1)
            else:
                continue
            left[left.index(span)] = rest
            break
        else:
            return None
    return left


@rule("each step has mass 1", layer=CALCULUS)
def unit_steps(e: Expr, steps: Steps) -> Expr | None:
    """The reverse steps up to a state, integrated over all states before it, have mass 1."""
    if not isinstance(e, Int) or len(e.args[1]) != 1 or not isinstance(e.args[1][0], Span):
        return None
    found = ring.monomial(e.args[0])
    (first, last) = ends(e.args[1][0])
    for factor, power in found[1] if found else []:
        if isinstance(factor, Product) and power == 1 and first == 0:
            ((i, start, end),) = factor.limits
            rest = e.args[0] / factor
            away = all(steps.apart(s, e.args[1][0]) for s in free(rest))
            step = factor.function == lang.p(x[i - 1] | x[i])
            if step and start == 1 and sp.expand(end - last) == 1 and away:
                return rest
    return None


@rule("order of integrals", layer=CALCULUS)
def fubini(e: Expr, steps: Steps) -> Expr | None:
    """An integral in an integral is one over the states of both."""
    if not isinstance(e, Int):
        return None
    found = ring.monomial(e.args[0])
    for factor, power in found[1] if found else []:
        if isinstance(factor, Int) and power == 1:
            others = e.args[0] / factor
            if all(steps.apart(s, u) for s in free(others) for u in factor.args[1]):
                return Int(factor.args[0] * others, *joined([*factor.args[1], *e.args[1]]))
    return None


@rule("linearity", "expectation of a sum", layer=CALCULUS, quiet=True)
def linearity(e: Expr, steps: Steps) -> Expr | None:
    """Averages, integrals and sums of a sum are sums; what they do not run over comes out."""
    if isinstance(e, Sum):
        ((step, first, last),) = e.limits
        return _linear(e.function, lambda a: step not in a.free_symbols,
                       lambda body: Sum(body, (step, first, last)))  # fmt: skip
    if isinstance(e, Expect):
        law, body = e.args
        bound, make = set(lang.targets(law)), lambda inner: Expect(law, inner)
    elif isinstance(e, Int):
        body, bound = e.args[0], set(e.args[1])
        make = lambda inner: Int(inner, *e.args[1])  # noqa: E731
    else:
        return None
    if isinstance(body, Sum):
        ((step, first, last),) = body.limits
        return Sum(make(body.function), (step, first, last))
    return _linear(body, lambda a: all(steps.apart(s, u) for s in free(a) for u in bound), make)


@rule("constant factor", layer=CALCULUS)
def constant_factor(e: Expr, steps: Steps) -> Expr | None:
    """A factor that an average does not run over comes out of it."""
    if not isinstance(e, Expect):
        return None
    law, body = e.args
    bound = set(lang.targets(law))
    common = frozenset.intersection(*ring.polynomial(body) or [frozenset()])
    outer = [a**k for a, k in common if all(steps.apart(s, u) for s in free(a) for u in bound)]
    return sp.Mul(*outer) * Expect(law, sp.expand(body / sp.Mul(*outer))) if outer else None


def _linear(body: Expr, outside: Any, make: Any) -> Expr:
    terms = []
    for powers, c in ring.polynomial(body).items():
        factors = [a**k for a, k in powers]
        outer = [f for f in factors if outside(f)]
        terms.append(c * sp.Mul(*outer, make(sp.Mul(*(f for f in factors if f not in outer)))))
    return sp.Add(*terms)
