r"""Rules of probability: they hold for every chain, of any T, over any states.

Each rule says in its docstring what it rewrites and when.  Densities are supposed to be positive
where they divide, averages to exist.
"""

from itertools import permutations
from typing import Any

import sympy as sp
from sympy import Expr, Product

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.language import Density, Entropy, Expect, Int, Span, State, log
from dpm_lib.symbolic.rules import ring
from dpm_lib.symbolic.rules.kernel import CALCULUS, LAW, LAWS, UNFOLD, fresh, rule
from dpm_lib.symbolic.rules.steps import Steps, density, ends, free

# fmt: off
__all__ = [
    "as_average", "average", "bayes", "chapman_kolmogorov", "divergence", "entropy", "importance",
    "markov", "model_prior", "nested", "product_rule", "tower",
]
# fmt: on

x = lang.x


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


# averages ----------------------------------------------------------------------------------------


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
