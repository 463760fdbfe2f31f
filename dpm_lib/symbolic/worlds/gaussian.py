"""The Gaussian world: linear Gaussian chains, integrated by completing the square."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import sympy as sp
from sympy import QQ, Expr, Symbol
from sympy.polys.fields import field

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.algebra import Gaussian, LogSum
from dpm_lib.symbolic.worlds.base import Env, World, reduce

__all__ = ["GaussianChain"]


class GaussianChain(World):
    """The Gaussian kernel with symbolic rates, Gaussian data and linear Gaussian reverse steps.

    The data are N(mu_0, v_0) in every coordinate, with second moment 1 if ``unit``.  The reverse
    step t is N(k_t x + c_t, s_t); with ``edge`` the last one is the kernel itself.  Symbols in
    ``free`` take any value.
    """

    def __init__(
        self,
        T: int = 2,
        dimension: int = 1,
        edge: bool = False,
        unit: bool = False,
        free: Sequence[Symbol] = (),
    ):
        self.T, self.dimension, self.edge = T, dimension, edge
        learned = range(2 if edge else 1, T + 1)
        names = ["w", "mu_0", "v_0", *map(str, free), *(f"a{t}" for t in range(1, T + 1))]
        names += [f"{c}{t}" for t in learned for c in "kcs"]
        states = [f"{u}_{i}" for u in [*map(str, range(T + 1)), "y", "z"] for i in range(dimension)]
        self.field, *generators = field([*names, *states], QQ)
        self._g = g = dict(zip([*names, *states], generators, strict=True))
        self.mean, self.variance = g["mu_0"], 1 - g["mu_0"] ** 2 if unit else g["v_0"]
        self.symbols = {u: Gaussian.plain(LogSum(g[str(u)])) for u in [lang.mu_0, *free]}
        self.symbols[lang.d] = self.constant(Fraction(dimension))
        self.symbols[lang.m_2] = Gaussian.plain(LogSum(self.variance + self.mean**2))
        self._joint: dict[Any, Gaussian] = {}
        self.name = f"Gaussian chain, d={dimension}, T={T}, symbolic rates"
        self.name += ", second moment 1" if unit else ""
        self.name += ", fixed edge step" if edge else ""

    def constant(self, number: Fraction) -> Gaussian:
        """A number as a value of this world."""
        return Gaussian.plain(LogSum(self.field(QQ(number.numerator, number.denominator))))

    def signal(self, t: int) -> Gaussian:
        """alpha_t = a_t squared, so that its square root is rational."""
        return Gaussian.plain(LogSum(self._g[f"a{t}"] ** 2))

    def spread(self, kept: Gaussian, lost: Gaussian) -> Gaussian:
        """v_t, the variance of a state at step t."""
        return kept * Gaussian.plain(LogSum(self.variance)) + lost

    def value(self, expr: Expr, env: Env) -> Gaussian:
        """The exact value of an expression, a function of its free states."""
        if expr is sp.pi:
            return Gaussian.plain(LogSum(self._g["w"]))
        return super().value(expr, env)

    def _normal(self, u: list[Any], mean: list[Any], variance: Any) -> Gaussian:
        quadratic, half = self.field.zero, Fraction(-len(u), 2)
        for value, centre in zip(u, mean, strict=True):
            quadratic -= (value - centre) ** 2 / (2 * variance)
        constant = LogSum(2 * self._g["w"] * variance).log().scale(half)
        return Gaussian(quadratic, constant, LogSum(self.field.one))

    def _state(self, index: Any) -> list[Any]:
        return [self._g[f"{index}_{i}"] for i in range(self.dimension)]

    def _coordinates(self, state: Any) -> list[Any]:
        if isinstance(state, lang.State):
            return self._state(int(state.index))
        return self._state("z" if state.args[0].name.endswith("'") else "y")

    def _transition(self, law: str, t: int) -> Gaussian:
        g, x, before = self._g, self._state(t), self._state(t - 1)
        if law == "p" and not (self.edge and t == 1):
            return self._normal(before, [g[f"k{t}"] * u + g[f"c{t}"] for u in x], g[f"s{t}"])
        start, end = (before, x) if law == "q" else (x, before)
        return self._normal(end, [g[f"a{t}"] * u for u in start], 1 - g[f"a{t}"] ** 2)

    def density(self, expr: lang.Density, env: Env) -> Gaussian:
        """A density, from the joint density of the chain, completing squares."""
        if expr.law == "pi":
            u = self._coordinates(expr.targets[0])
            return self._normal(u, [self.field.zero] * len(u), self.field.one)
        given = frozenset(int(v.index) for v in lang.free_states(expr.given))
        both = given | {int(v.index) for v in lang.free_states(expr.targets)}
        joint = self._marginal(expr.law, both)
        return joint * self._marginal(expr.law, given) ** Fraction(-1) if given else joint

    def _marginal(self, law: str, keep: frozenset[int]) -> Gaussian:
        if (law, keep) not in self._joint:
            if law == "q":
                first, last = 0, max(keep)
                mean = [self.mean] * self.dimension
                joint = self._normal(self._state(0), mean, self.variance)
            else:
                first, last = min(keep), self.T
                zeros = [self.field.zero] * self.dimension
                joint = self._normal(self._state(self.T), zeros, self.field.one)
            for t in range(first + 1, last + 1):
                joint = joint * self._transition(law, t)
            for t in range(first, last + 1):
                for u in [] if t in keep else self._state(t):
                    joint = joint.integrate(u, 2 * self._g["w"])
            self._joint[law, keep] = joint
        return self._joint[law, keep]

    def integral(self, body: Expr, states: list[Any], env: Env) -> Gaussian:
        """The integral over states, one coordinate at a time."""
        if isinstance(body, sp.Add):
            terms = [self.integral(term, states, env) for term in body.args]
            return reduce("__add__", terms)
        total = self.value(body, env)
        for state in states:
            for u in self._coordinates(state):
                total = total.integrate(u, 2 * self._g["w"])
        return total

    def leaf(self, expr: Expr, env: Env) -> Gaussian:
        """The kernel, Gaussian densities, states and squared lengths."""
        if isinstance(expr, lang.Kernel):
            to, start, rate = expr.args
            alpha = self.value(1 - rate, env)
            root = (alpha ** Fraction(1, 2)).polynomial.rational
            mean = [root * u for u in self._coordinates(start)]
            return self._normal(self._coordinates(to), mean, 1 - alpha.polynomial.rational)
        if isinstance(expr, lang.Normal):
            u = self._coordinates(expr.args[0])
            means = [
                self.value(sp.sympify(expr.args[1]), env | {"coordinate": i}).polynomial.rational
                for i in range(self.dimension)
            ]
            variance = self.value(sp.sympify(expr.args[2]), env).polynomial.rational
            return self._normal(u, means, variance)
        if isinstance(expr, lang.Square):
            squares = [u**2 for u in self._coordinates(expr.args[0])]
            return Gaussian.plain(LogSum(sum(squares, self.field.zero)))
        if isinstance(expr, lang.Variable):
            return Gaussian.plain(LogSum(self._coordinates(expr)[env.get("coordinate", 0)]))
        raise TypeError(f"{expr} has no value in a Gaussian chain")

    def assignments(self, states: list[Any]) -> Iterator[Env]:
        """States stay symbolic here: there is one assignment, and it is empty."""
        yield {}

    def same(self, a: Gaussian, b: Gaussian) -> bool:
        """Whether two values are equal; where their forms differ the generic point has the sign."""
        return a == b and a.polynomial.at(self.point) * b.polynomial.at(self.point) >= 0

    @property
    def point(self) -> list[float]:
        """A fixed generic point: rates inside (0, 1), a positive variance, real states."""
        values = [0.3 + 0.4 * ((k * 0.618034) % 1) for k in range(1, len(self._g) + 1)]
        return [3.141592653589793, *values[1:]]
