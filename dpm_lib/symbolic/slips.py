"""Slips: every formula that one slip of the pen makes of another.

A person who derives confuses a sign, an index by one, T and T - 1, alpha and beta, the bar and
none, q and p; loses or doubles a factor, a term, a half, a d, a condition; squares what is a root;
starts or ends a sum one step too early or too late; turns a ratio, a divergence or a density round.
:func:`every_slip` makes each such change at each place of an expression.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sympy as sp
from sympy import Expr, Symbol, Tuple

from dpm_lib.symbolic import language as lang

__all__ = ["Slips", "every_slip"]

CONFUSED = {
    r"\alpha": (r"\beta", r"\bar\alpha"),
    r"\beta": (r"\alpha", r"\bar\beta"),
    r"\bar\alpha": (r"\bar\beta", r"\alpha"),
    r"\bar\beta": (r"\bar\alpha", r"\beta"),
    "v": (r"\bar\beta",),
    r"\tilde Z": (),
}
"""Rates that are taken for one another: signal for noise, the bar or none."""

LAWS = {"q": "p", "p": "q", "pi": "p"}


class Slips(NamedTuple):
    """What became of the slips of a derivation.

    Attributes:
        refused: how many were refused.
        without_value: how many of these say nothing in the chains of the derivation (a state
            beyond its end, a negative variance), so that they did not even get to a comparison.
        by_rules: how many of those refused the rules of their step refuse as well.
        equal: the others, which give the same formula: name and LaTeX of each.
    """

    refused: int
    without_value: int
    by_rules: int
    equal: list[str]


def every_slip(expr: Expr) -> list[tuple[str, Expr]]:
    """Every different expression that one slip makes of this one, each with its name."""
    found: dict[Expr, str] = {}
    for place, part in _parts(expr):
        for name, changed in _slips_of(part):
            try:
                damaged = _replaced(expr, place, changed)
            except (TypeError, ValueError):
                continue  # nobody can write it down: not a law, or an index that is none
            if damaged != expr:
                found.setdefault(damaged, name)
    return [(name, damaged) for damaged, name in found.items()]


def _parts(expr: Any, place: tuple[int, ...] = ()) -> Iterator[tuple[tuple[int, ...], Any]]:
    """The parts of an expression in which a slip can happen, each with its place in the tree."""
    yield place, expr
    if isinstance(expr, lang.State | lang.Span | lang.Rate):
        return
    for n, part in enumerate(expr.args):
        inside = isinstance(part, Expr | Tuple) and not isinstance(part, lang.Variable)
        skipped = isinstance(expr, lang.Density) and n == 0
        limits = isinstance(expr, sp.Sum | sp.Product | lang.Slope) and n > 0
        if (inside or isinstance(part, lang.State | lang.Span)) and not skipped and not limits:
            yield from _parts(part, (*place, n))


def _replaced(expr: Any, place: tuple[int, ...], part: Any) -> Any:
    if not place:
        return part
    args = list(expr.args)
    args[place[0]] = _replaced(args[place[0]], place[1:], part)
    return expr.func(*args)


def _slips_of(part: Any) -> Iterator[tuple[str, Any]]:
    """The slips that happen at the top of an expression."""
    if isinstance(part, lang.State):
        yield from (("index", lang.State(i)) for i in _confused(part.index))
    elif isinstance(part, lang.Span):
        first, last = part.args
        yield from (("first index", lang.Span(i, last)) for i in _confused(first))
        yield from (("last index", lang.Span(first, i)) for i in _confused(last))
    elif isinstance(part, lang.Rate):
        name, index = part.args
        yield from (("index of a rate", lang.Rate(name, i)) for i in _confused(index))
        for other in CONFUSED[name.name]:
            yield f"{other} for {name}", lang.Rate(Symbol(other), index)
    elif isinstance(part, lang.Slope):
        yield "slope lost", part.args[0]
        yield from (("index of a slope", lang.Slope(part.args[0], i))
                    for i in _confused(part.args[1]))  # fmt: skip
    elif isinstance(part, lang.Density):
        yield from _of_density(part)
    elif isinstance(part, sp.Sum | sp.Product):
        index, first, last = part.limits[0]
        yield from (("first step", part.func(part.function, (index, i, last)))
                    for i in (first - 1, first + 1))  # fmt: skip
        yield from (("last step", part.func(part.function, (index, first, i)))
                    for i in (last - 1, last + 1))  # fmt: skip
    elif isinstance(part, sp.Add):
        for term in part.args:
            yield "sign of a term", part - 2 * term
            yield "term lost", part - term
            yield "term twice", part + term
    elif isinstance(part, sp.Mul):
        for factor in part.args:
            yield "factor lost", part / factor
            yield "factor twice", part * factor
            yield "factor turned", part / factor**2
    elif isinstance(part, lang.KL):
        yield "divergence turned", lang.KL(part.args[1], part.args[0])
    elif isinstance(part, sp.log):
        inside = part.args[0]
        yield "inside of the logarithm turned", sp.log(1 / inside)
        if inside.has(sp.E):
            yield "e lost", sp.log(inside / sp.E)
    elif isinstance(part, sp.Pow):
        yield "power lost", part.base
        yield "power doubled", part**2
    elif part in (lang.d, lang.rho, lang.m_2, lang.mu_0):
        yield f"{part} squared", part**2
        yield f"{part} lost", sp.Integer(1)
    elif isinstance(
        part, lang.Square | lang.h | lang.Bern | lang.Kernel | lang.Normal | lang.Factor
    ):
        yield "squared", part**2
    if isinstance(part, lang.Rate | lang.Density | lang.Factor):
        yield "squared", part**2
        yield "root", sp.sqrt(part)
    if isinstance(part, Expr) and not isinstance(part, lang.Variable):
        yield "sign", -part


def _of_density(part: lang.Density) -> Iterator[tuple[str, Any]]:
    law, targets, given = part.args
    yield f"{LAWS[law.name]} for {law}", lang.Density(Symbol(LAWS[law.name]), targets, given)
    for lost in given:
        rest = Tuple(*(u for u in given if u != lost))
        yield "condition lost", lang.Density(law, targets, rest)
    if len(targets) > 1:
        for lost in targets:
            rest = Tuple(*(u for u in targets if u != lost))
            yield "state lost", lang.Density(law, rest, given)
    if given:
        yield "density turned", lang.Density(law, given, targets)


def _confused(index: Expr) -> list[Expr]:
    """The indices that are taken for one another: off by one, T for t."""
    others = [index - 1, index + 1]
    if lang.t in index.free_symbols:
        others.append(index.subs(lang.t, lang.T))
    return others
