r"""Rules of probability: they hold for every chain, of any T, over any states.

Each rule says in its docstring what it rewrites and when.  Densities are supposed to be positive
where they divide, averages to exist.
"""

from collections.abc import Iterable
from functools import lru_cache
from itertools import permutations, product
from typing import Any

import sympy as sp
from sympy import Expr, Product, Sum

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Density, Entropy, Expect, Int, Span, State, log
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import CALCULUS, LAW, LAWS, UNFOLD, fresh, rule
from dpm_lib.symbolic.rules.steps import Steps, density, ends, free, joined, substituted

# fmt: off
__all__ = [
    "as_average", "average", "bayes", "chapman_kolmogorov", "constant_factor", "divergence",
    "entropy", "first_step", "fubini", "importance", "last_step", "linearity", "log_product",
    "marginal", "markov", "model_prior", "nested", "product_rule", "products", "telescoping",
    "telescoping_sum", "tower", "unit_steps",
]
# fmt: on

x, V = lang.x, [(sp.Symbol(name),) for name in lang.UNBOUNDED]


# definitions -------------------------------------------------------------------------------------


@rule("definition of entropy", "entropy", layer=UNFOLD)
def entropy(e: Expr, steps: Steps) -> Expr | None:
    """H(A|B) is minus the average of log of the density of A given B, over A and B."""
    if not isinstance(e, Entropy):
        return None
    law = e.args[0]
    return -Expect(density(law.law, [*law.targets, *law.given]), log(law))


@rule("definition of the divergence", "divergence", layer=UNFOLD)
def divergence(e: Expr, steps: Steps) -> Expr | None:
    """The divergence of two laws is the average, under the first, of the log of their ratio."""
    return Expect(e.args[0], log(e.args[0] / e.args[1])) if isinstance(e, lang.KL) else None


@rule("definition of the average", "an average over the data", layer=CALCULUS)
def average(e: Expr, steps: Steps) -> Expr | None:
    """An average is the integral of density times body."""
    if not isinstance(e, Expect):
        return None
    law, body = e.args
    held = any(1 / law in sp.Mul.make_args(term) for term in sp.Add.make_args(body))
    product = sp.Mul(law, *sp.Mul.make_args(body), evaluate=False) if held else law * body
    return Int(product, *lang.targets(law))


@rule("read as an average", layer=UNFOLD)
def as_average(e: Expr, steps: Steps) -> Expr | None:
    """The integral of density times body, over the states of the density, is an average."""
    return read_average(e)


def read_average(e: Expr) -> Expr | None:
    """An integral of density times body as an average, if it is one."""
    if not isinstance(e, Int):
        return None
    gone = set(e.args[1])
    for factor in sp.Mul.make_args(e.args[0]):
        if isinstance(factor, LAWS) and set(lang.targets(factor)) == gone:
            return Expect(factor, e.args[0] / factor)
    return None


@rule("importance ratio", "multiply and divide", layer=UNFOLD)
def importance(e: Expr, steps: Steps) -> Expr | None:
    """Under an integral f is f times a density over the same density, positive where f is."""
    return sp.Mul(*e.args) if e.is_Mul and ring.held(e) else None


@rule("the prior starts the model", "the model", layer=LAW)
def model_prior(e: Expr, steps: Steps) -> Expr | None:
    """The law p of the last state is the prior."""
    return lang.pi(x[lang.T]) if e == lang.p(x[lang.T]) else None


# densities ---------------------------------------------------------------------------------------


@rule("product rule", layer=LAW)
def product_rule(e: Expr, steps: Steps) -> Expr | None:
    """A trajectory's density is the product of those of each state given the states before it.

    For q the order is that of the steps, from the start or given the start, for p the reverse,
    from the end.
    """
    if not isinstance(e, Density) or e.law == "pi":
        return None
    if len(e.targets) > 1 and not e.given:
        line = steps.in_order(e.targets)
        if line is None or any(isinstance(s, Span) for s in line):
            return None
        line = line if e.law == "q" else line[::-1]
        return sp.Mul(*(density(e.law, [s], line[:k]) for k, s in enumerate(line)))
    if not isinstance(e.targets[0], Span):
        return None
    (first, last), i = ends(e.targets[0]), fresh(steps)
    step = lang.q(x[i] | x[0 : i - 1])
    if e.law == "q" and first == 0 and not e.given:
        return lang.q(x[0]) * Product(step, (i, 1, last))
    if e.law == "q" and first == 1 and tuple(e.given) == (x[0],):
        return Product(step, (i, 1, last))
    if e.law == "p" and last == lang.T and not e.given:
        return lang.p(x[lang.T]) * Product(lang.p(x[i - 1] | x[i : lang.T]), (i, first + 1, last))
    return None


@rule("Markov property", layer=LAW)
def markov(e: Expr, steps: Steps) -> Expr | None:
    """A state depends on its nearest given neighbours alone; a joint falls into pairs.

    Any states, in a decided order, of q or of p.
    """
    if not isinstance(e, Density) or e.law == "pi":
        return None
    line = steps.in_order([*e.targets, *e.given])
    if line is None:
        return None
    if len(e.targets) == 1 and e.given and isinstance(e.targets[0], State):
        k = line.index(e.targets[0])
        before = [State(ends(s)[1]) for s in line[max(k - 1, 0) : k]]
        after = [State(ends(s)[0]) for s in line[k + 1 : k + 2]]
        return density(e.law, e.targets, [*before, *after])
    if not e.given and len(line) > 2 and not any(isinstance(s, Span) for s in line):
        pairs = [density(e.law, line[k : k + 2]) for k in range(len(line) - 1)]
        return sp.Mul(*pairs, *(1 / density(e.law, [s]) for s in line[1:-1]))
    return None


@rule("conditional density", "Bayes' rule", "product rule for two", layer=LAW + 0.5)
def bayes(e: Expr, steps: Steps) -> Expr | None:
    """The density of A given B is that of A and B over that of B."""
    if not (isinstance(e, Density) and e.given):
        return None
    return density(e.law, [*e.targets, *e.given]) / density(e.law, e.given)


# averages and integrals --------------------------------------------------------------------------


@rule("tower rule", layer=UNFOLD)
def tower(e: Expr, steps: Steps) -> Expr | None:
    """The average over B of the average over A given B is that over A and B."""
    if not (isinstance(e, Expect) and isinstance(e.args[1], Expect)):
        return None
    outer, (inner, body) = e.args[0], e.args[1].args
    if not (isinstance(outer, Density) and isinstance(inner, Density) and outer.law == inner.law):
        return None
    if set(inner.given) != {*outer.targets, *outer.given}:
        return None
    return Expect(density(inner.law, [*inner.targets, *outer.targets], outer.given), body)


@rule("tower rule, one state at a time", "average over one state first", layer=CALCULUS)
def nested(e: Expr, steps: Steps) -> Expr | None:
    """The average over two states is that over the first of that over the second given it."""
    if not (
        isinstance(e, Expect) and isinstance(e.args[0], Density) and len(e.args[0].targets) == 2
    ):
        return None
    law, body = e.args
    line = steps.in_order(law.targets)
    if line is None or law.given or any(isinstance(s, Span) for s in line):
        return None
    return Expect(density(law.law, line[:1]), Expect(density(law.law, line[1:], line[:1]), body))


@rule("Chapman-Kolmogorov", "integrate the state between out", layer=UNFOLD)
def chapman_kolmogorov(e: Expr, steps: Steps) -> Expr | None:
    """Going from w to z and from z on to y, averaged over z, is going from w to y."""
    if isinstance(e, Expect) and isinstance(e.args[1], Expect):
        outer, (inner, body) = e.args[0], e.args[1].args
        if free(body) & set(lang.targets(outer)):
            return None
        law = _through(outer, inner, steps)
        return Expect(law, body) if law is not None else None
    if isinstance(e, Int) and len(e.args[1]) == 1:
        factors = sp.Mul.make_args(e.args[0])
        for outer, inner in permutations(factors) if len(factors) == 2 else ():
            if isinstance(outer, Density) and tuple(outer.targets) == tuple(e.args[1]):
                return _through(outer, inner, steps)
    return None


def _through(outer: Any, inner: Any, steps: Steps) -> Density | None:
    """The law from the given of the outer to the target of the inner, if one state lies between."""
    if not (isinstance(outer, Density) and isinstance(inner, Density) and outer.law == inner.law):
        return None
    if tuple(outer.targets) != tuple(inner.given) or len(outer.targets) != 1 or not outer.given:
        return None
    line = steps.in_order([*inner.targets, *inner.given, *outer.given])
    if line is None:
        return None
    k, (middle,) = len(inner.targets), outer.targets
    sides = (line[:k], line[-k:])
    if set(inner.targets) not in map(set, sides) or line.index(middle) not in (
        k,
        len(line) - k - 1,
    ):
        return None
    return density(inner.law, inner.targets, outer.given)


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


# logarithms, sums and products over steps --------------------------------------------------------


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
