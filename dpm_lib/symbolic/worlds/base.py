"""What every world does: give an expression its exact value, part by part, or refuse it."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial, reduce
from operator import add, mul
from typing import Any, Self

import sympy as sp
from sympy import Expr, Symbol

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.algebra import AtPoint, Outside

__all__ = ["Env", "World"]

BESIDE = ("y", "y'", "z", "g", r"f_{\mu}", r"\epsilon")
"""Names of the vectors beside the chain."""

Env = dict[Any, Any]
"""States to their values, and "coordinate" where a formula is read coordinate by coordinate."""


class World:
    """A chain in which expressions have exact values; T is its number of steps.

    Args:
        settings: how the world was made, by name.
        ranges: the free numbers of the world, each with the open interval that it lies in.
        domain: makes the scalars, exact or at a point.

    Attributes:
        T: number of steps of the chain.
        name: the world in words.
        claim: what a proof here is a proof for: T, and d, states, kernels, what is given.
    """

    name: str
    symbols: dict[Symbol, Any]
    conditions: Mapping[str, str] = {}
    """Settings that make a world special, and how a claim names them."""

    def __init__(
        self, settings: Mapping[str, Any], ranges: Mapping[str, tuple[float, float]], domain: Any
    ):
        self.settings, self.T = dict(settings), settings["T"]
        self.domain = domain(ranges)
        given = [words for name, words in self.conditions.items() if settings.get(name)]
        given += ["r the mean of what it will be"] if settings.get("factor") == "ahead" else []
        self.claim: dict[str, Any] = {"T": self.T, **({"given": given} if given else {})}
        self._values: dict[Any, Any] = {}

    @staticmethod
    def checked_sizes(**sizes: int) -> None:
        """Refuse a world that is too small to tell anything, such as one of a single state."""
        for name, size in sizes.items():
            least = 2 if name == "states" else 1
            if type(size) is not int or size < least:
                raise ValueError(f"{name} must be a whole number from {least} on, got {size!r}")

    def twin(self, point: int = 0, **changes: Any) -> Self:
        """The same world at one point of its domain, where values are numbers; or a changed one."""
        return type(self)(**self.settings | changes, domain=partial(AtPoint, point=point))

    def wider(self) -> list[Self]:
        """Larger worlds of this kind, at a point: one step more, one size more."""
        size = {"states", "dimension"} & set(self.settings)
        return [self.twin(**{name: self.settings[name] + 1}) for name in ("T", *size)]

    def value(self, expr: Expr, env: Env) -> Any:
        """The value of an expression, given the values of its free states.

        Raises:
            ValueError: the expression holds what this world does not know or cannot represent.
        """
        if not isinstance(
            expr, lang.Int | lang.Expect | lang.KL | lang.Entropy | sp.Sum | sp.Product
        ):
            return self._compute(expr, env)
        known = {u: env[u] for u in lang.free_states(expr) if u in env}
        key = (expr, frozenset(known.items()), env.get("coordinate"))
        if key not in self._values:
            self._values[key] = self._compute(expr, env)
        return self._values[key]

    def _compute(self, expr: Expr, env: Env) -> Any:
        if expr.is_Rational:
            return self.constant(Fraction(int(expr.p), int(expr.q)))
        if isinstance(expr, Symbol):
            if expr not in self.symbols:
                raise Outside(f"{expr} has no value in a {self.name}")
            return self.symbols[expr]
        if isinstance(expr, sp.Add):
            return reduce(add, [self.value(a, env) for a in expr.args])
        if isinstance(expr, sp.Mul):
            return reduce(mul, [self.value(a, env) for a in expr.args])
        if isinstance(expr, sp.Sum):
            terms = [self.value(term, env) for term in lang.repeated(expr)]
            return reduce(add, terms, self.constant(Fraction(0)))
        if isinstance(expr, sp.Product):
            factors = [self.value(factor, env) for factor in lang.repeated(expr)]
            return reduce(mul, factors, self.constant(Fraction(1)))
        if isinstance(expr, sp.Pow):
            if not expr.exp.is_Rational:
                raise Outside(f"the power {expr.exp} is no fraction")
            return self.value(expr.base, env) ** Fraction(int(expr.exp.p), int(expr.exp.q))
        if isinstance(expr, sp.log):
            return self.logarithm(expr.args[0], env)
        if isinstance(expr, sp.exp):
            return self.value(expr.args[0], env).exp()
        if isinstance(expr, lang.Density):
            return self.density(expr, *self.checked(expr), env)
        if isinstance(expr, lang.Int):
            return self.integral(expr.args[0], self.bound(expr), env)
        if isinstance(expr, lang.Expect | lang.KL | lang.Entropy | lang.h | lang.Logistic):
            return self.value(expr.definition(), env)
        if isinstance(expr, lang.Rate):
            return self.rate(expr)
        if isinstance(expr, lang.Factor | lang.Tilted):
            if not self.settings.get("factor"):
                raise Outside(f'a {self.name} has no factor, but factor="any" gives it one')
            return (
                self.factor(expr, env) if isinstance(expr, lang.Factor) else self.tilted(expr, env)
            )
        if isinstance(expr, lang.Slope):
            for part in (expr.rate, expr.args[0]):
                self.value(part, env)  # that it has a value here
            return self.value(expr.definition(), env)
        return self.leaf(expr, env)

    def logarithm(self, inside: Expr, env: Env) -> Any:
        """The logarithm of an expression, factor by factor where all factors are positive.

        Euler's number counts as 1.
        """
        base, power = inside.as_base_exp()
        if base is sp.E and power.is_Rational:
            return self.constant(Fraction(int(power.p), int(power.q)))
        try:
            if isinstance(inside, sp.Pow) and power.is_Rational:
                times = self.constant(Fraction(int(power.p), int(power.q)))
                return self.logarithm(base, env) * times
            if isinstance(inside, sp.Mul | sp.Product):
                factors = inside.args if isinstance(inside, sp.Mul) else lang.repeated(inside)
                logarithms = [self.logarithm(factor, env) for factor in factors]
                return reduce(add, logarithms, self.constant(Fraction(0)))
        except Outside:
            pass  # a factor is not positive, which the whole may be
        return self.value(inside, env).log()

    def checked(self, expr: lang.Density) -> tuple[list[Any], list[Any]]:
        """The states before and after the bar of a density, each once and each of this chain."""
        before, after = (
            [s for u in group for s in (u.states() if isinstance(u, lang.Span) else [u])]
            for group in (expr.targets, expr.given)
        )
        if len({*before, *after}) < len(before) + len(after):
            raise Outside(f"a state stands twice in {expr}")
        if expr.law == "pi":
            if len(before) != 1 or after:
                raise Outside(f"the prior is a density of one state, not {expr}")
        else:
            for state in (*before, *after):
                if not isinstance(state, lang.State):
                    raise Outside(f"{state} is no state of the chain in {expr}")
        for state in (*before, *after):
            self.known(state)
        return before, after

    def bound(self, expr: lang.Int) -> list[Any]:
        """The states that an integral runs over, each once."""
        groups = [u.states() if isinstance(u, lang.Span) else [u] for u in expr.args[1]]
        states = [s for group in groups for s in group]
        if len(set(states)) < len(states):
            raise Outside(f"an integral runs twice over a state of {expr.args[1]}")
        for state in states:
            self.known(state)
        return states

    def known(self, state: lang.Variable) -> None:
        """Refuse a state that this world does not have."""
        if isinstance(state, lang.State):
            if not (state.index.is_Integer and 0 <= state.index <= self.T):
                raise Outside(f"{state} is no state of a chain of {self.T} steps")
        elif isinstance(state, lang.Span) or state.args[0].name not in BESIDE:
            raise Outside(f"{state} is unknown; vectors beside the chain are {', '.join(BESIDE)}")

    def rate(self, expr: lang.Rate) -> Any:
        """The value of beta, alpha, their cumulative versions, or the variance v at a step."""
        name, t = expr.args[0].name, expr.args[1]
        first = 1 if name in (r"\alpha", r"\beta") else 0
        if not (t.is_Integer and first <= t <= self.T):
            raise Outside(f"{expr} does not exist in a chain of {self.T} steps")
        one, minus = self.constant(Fraction(1)), self.constant(Fraction(-1))
        if name == r"\tilde Z":
            state = lang.State(t)
            return self.value(lang.Int(lang.p(state) * lang.Factor(state), state), {})
        if name == r"\alpha":
            return self.signal(int(t))
        if name == r"\beta":
            return one + minus * self.signal(int(t))
        kept = reduce(mul, [one, *(self.signal(i) for i in range(1, int(t) + 1))])
        if name == r"\bar\alpha":
            return kept
        lost = one + minus * kept
        return lost if name == r"\bar\beta" else self.spread(kept, lost)

    def factor(self, expr: lang.Factor, env: Env) -> Any:
        """The factor at a state: free, or after step 0 the mean of what it will be there."""
        state, *step = expr.args
        if isinstance(state, lang.Variable):
            self.known(state)
        if self.settings["factor"] == "ahead" and step and step[0] > 0:
            if not isinstance(state, lang.State):
                raise Outside(f"{expr} looks ahead from a state, not from a value")
            start = lang.State(0)
            return self.value(lang.Expect(lang.p(start | state), lang.Factor(start)), env)
        return self.free_factor(state, step[0] if step else "", env)

    def tilted(self, expr: lang.Tilted, env: Env) -> Any:
        """A state's law times its factor over their mass; given the next state, a free step."""
        for state in expr.args:
            self.known(state)
        if len(expr.args) == 2:
            to, start = expr.args
            if start.index - to.index != 1:
                raise Outside(f"{expr} is no step from a state to the one before")
            return self.free_step(to, start, env)
        (state,) = expr.args
        return self.value(lang.p(state) * lang.Factor(state) / lang.Z[state.index], env)

    def free_factor(self, state: Any, step: Any, env: Env) -> Any:
        """A factor with free values, of its own at each step."""
        raise NotImplementedError

    def free_step(self, to: Any, start: Any, env: Env) -> Any:
        """A step back with free values, of its own at each step."""
        raise NotImplementedError

    def constant(self, number: Fraction) -> Any:
        """A number as a value of this world."""
        return self.domain.constant(number)

    @staticmethod
    def checked_factor(factor: str) -> None:
        """Refuse a kind of factor that no world knows."""
        if factor not in ("", "any", "ahead"):
            raise ValueError(f"factor must be '', 'any' or 'ahead', got {factor!r}")

    def signal(self, t: int) -> Any:
        """alpha_t."""
        raise Outside(f"a {self.name} has no rates")

    def spread(self, kept: Any, lost: Any) -> Any:
        """v_t, from the signal kept and lost."""
        raise Outside(f"a {self.name} has no variance of Gaussian data")

    def density(self, expr: lang.Density, before: list[Any], after: list[Any], env: Env) -> Any:
        """A marginal or conditional density, from the joint density of the chain."""
        raise NotImplementedError

    def integral(self, body: Expr, states: list[Any], env: Env) -> Any:
        """The integral of an expression over states."""
        raise NotImplementedError

    def leaf(self, expr: Expr, env: Env) -> Any:
        """What only this world knows: its kernel, its distributions, its states."""
        raise Outside(f"{expr} has no value in a {self.name}")

    def assignments(self, states: list[Any]) -> Iterator[Env]:
        """Every way to give values to free states."""
        raise NotImplementedError
