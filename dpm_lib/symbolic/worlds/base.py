"""What every world does: give an expression its exact value, part by part."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from dpm_lib.symbolic import language as lang

__all__ = ["Env", "World", "reduce"]

Env = dict[Any, Any]


class World:
    """A chain in which expressions are evaluated exactly; T is its number of steps."""

    T: int
    name: str
    symbols: dict[Symbol, Any]

    def value(self, expr: Expr, env: Env) -> Any:
        """The exact value of an expression, given the values of its free states."""
        if expr.is_Rational:
            return self.constant(Fraction(int(expr.p), int(expr.q)))
        if isinstance(expr, Symbol):
            return self.symbols[expr]
        if isinstance(expr, sp.Add):
            return reduce("__add__", [self.value(a, env) for a in expr.args])
        if isinstance(expr, sp.Mul):
            return reduce("__mul__", [self.value(a, env) for a in expr.args])
        if isinstance(expr, sp.Pow):
            power = Fraction(int(expr.exp.p), int(expr.exp.q))
            return self.value(expr.base, env) ** power
        if isinstance(expr, lang.log):
            return self.logarithm(expr.args[0], env)
        if isinstance(expr, lang.Density):
            return self.density(expr, env)
        if isinstance(expr, lang.Int):
            states = sorted(lang.free_states(expr.args[1]), key=str)
            return self.integral(expr.args[0], states, env)
        if isinstance(expr, lang.Expect | lang.KL | lang.Entropy | lang.h):
            return self.value(expr.definition(), env)
        if isinstance(expr, lang.Rate):
            return self.rate(expr.args[0].name, int(expr.args[1]))
        return self.leaf(expr, env)

    def logarithm(self, inside: Expr, env: Env) -> Any:
        """The logarithm of an expression; Euler's number counts as 1."""
        powers = Fraction(0)
        rest = sp.Integer(1)
        for factor in sp.Mul.make_args(inside):
            base, exponent = factor.as_base_exp()
            if base is sp.E:
                powers += Fraction(int(exponent.p), int(exponent.q))
            else:
                rest *= factor
        total = self.value(rest, env).log()
        return total + self.constant(powers) if powers else total

    def rate(self, name: str, t: int) -> Any:
        """The value of beta, alpha, their cumulative versions, or the variance v at step t."""
        one, minus = self.constant(Fraction(1)), self.constant(Fraction(-1))
        if name == r"\alpha":
            return self.signal(t)
        if name == r"\beta":
            return one + minus * self.signal(t)
        kept = reduce("__mul__", [one, *(self.signal(i) for i in range(1, t + 1))])
        if name == r"\bar\alpha":
            return kept
        lost = one + minus * kept
        return lost if name == r"\bar\beta" else self.spread(kept, lost)

    def constant(self, number: Fraction) -> Any:
        """A number as a value of this world."""
        raise NotImplementedError

    def signal(self, t: int) -> Any:
        """alpha_t."""
        raise NotImplementedError

    def spread(self, kept: Any, lost: Any) -> Any:
        """v_t, from the signal kept and lost."""
        raise NotImplementedError

    def density(self, expr: lang.Density, env: Env) -> Any:
        """A marginal or conditional density, from the joint density of the chain."""
        raise NotImplementedError

    def integral(self, body: Expr, states: list[Any], env: Env) -> Any:
        """The integral of an expression over states."""
        raise NotImplementedError

    def leaf(self, expr: Expr, env: Env) -> Any:
        """What only this world knows: its kernel, its distributions, its states."""
        raise NotImplementedError

    def assignments(self, states: list[Any]) -> Iterator[Env]:
        """Every way to give values to free states."""
        raise NotImplementedError

    def same(self, a: Any, b: Any) -> bool:
        """Whether two values are equal."""
        return bool(a == b)

    @property
    def point(self) -> list[float]:
        """A fixed generic point, one number for each symbol, where damage is measured."""
        raise NotImplementedError


def reduce(operation: str, values: list[Any]) -> Any:
    """Add or multiply values, from left to right."""
    total = values[0]
    for value in values[1:]:
        total = getattr(total, operation)(value)
    return total
