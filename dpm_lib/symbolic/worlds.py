r"""Worlds: chains with symbolic transition probabilities, in which every expression has a value.

* :class:`FiniteChain`: a few states, a few steps, every transition probability a free symbol.
  What holds here by rational arithmetic holds for the structure alone (Markov, Bayes, sums).
* :class:`BinomialChain`: bits under the binomial kernel of rate beta_t and base rate rho.
* :class:`GaussianChain`: the Gaussian kernel of rate beta_t, Gaussian data, Gaussian reverse steps.

A density is never looked up: it is obtained from the joint density of the whole chain by
marginalising and dividing, so a closed form is compared with an independent computation.
"""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import sympy as sp
from sympy import QQ, Expr, Symbol
from sympy.polys.fields import field

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.algebra import Gaussian, LogSum

__all__ = ["BinomialChain", "FiniteChain", "GaussianChain", "World"]

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
            return _reduce("__add__", [self.value(a, env) for a in expr.args])
        if isinstance(expr, sp.Mul):
            return _reduce("__mul__", [self.value(a, env) for a in expr.args])
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
        kept = _reduce("__mul__", [one, *(self.signal(i) for i in range(1, t + 1))])
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

    @property
    def point(self) -> list[float]:
        """A fixed generic point, one number for each symbol, where damage is measured."""
        raise NotImplementedError


class FiniteChain(World):
    """A chain of T steps over a few states with free transition probabilities."""

    def __init__(self, T: int = 3, states: int = 2):
        self.T, self.values = T, list(range(states))
        free = states - 1
        names = [f"q0_{i}" for i in range(free)] + [f"r_{i}" for i in range(free)]
        names += [f"{c}{t}_{i}{j}" for c in "qp" for t in range(1, T + 1)
                  for i in range(states) for j in range(free)]  # fmt: skip
        self._start(names)
        g = dict(zip(names, self.generators, strict=True))
        self.law = self._row([g[f"q0_{i}"] for i in range(free)])
        self.prior = self._row([g[f"r_{i}"] for i in range(free)])
        self.forward, self.reverse = (
            {t: [self._row([g[f"{c}{t}_{i}{j}"] for j in range(free)]) for i in self.values]
             for t in range(1, T + 1)} for c in "qp"
        )  # fmt: skip
        self.name = f"finite chain, {states} states, T={T}, {len(names)} free probabilities"
        self.symbols = {}

    def _start(self, names: list[str]) -> None:
        self.field, *self.generators = field(names, QQ)
        self._joint: dict[Any, Any] = {}

    def _row(self, free: list[Any]) -> list[Any]:
        return [*free, self.field.one - sum(free, self.field.zero)]

    def constant(self, number: Fraction) -> LogSum:
        """A number as a value of this world."""
        return LogSum(self.field(QQ(number.numerator, number.denominator)))

    def density(self, expr: lang.Density, env: Env) -> LogSum:
        """A density, from the joint probability of the whole chain."""
        if expr.law == "pi":
            return LogSum(self.prior[env[expr.targets[0]]])
        given = {s.index: env[s] for s in lang.free_states(expr.given)}
        both = given | {s.index: env[s] for s in lang.free_states(expr.targets)}
        return LogSum(self._probability(expr.law, both) / self._probability(expr.law, given))

    def _probability(self, law: str, fixed: dict[Any, int]) -> Any:
        key = (law, frozenset(fixed.items()))
        if key not in self._joint:
            choices = [[fixed[i]] if i in fixed else self.values for i in range(self.T + 1)]
            self._joint[key] = sum(
                (self._path(law, path) for path in product(*choices)), self.field.zero
            )
        return self._joint[key]

    def _path(self, law: str, path: tuple[int, ...]) -> Any:
        total = self.law[path[0]] if law == "q" else self.prior[path[-1]]
        for t in range(1, self.T + 1):
            before, after = path[t - 1], path[t]
            total *= (
                self.forward[t][before][after] if law == "q" else self.reverse[t][after][before]
            )
        return total

    def integral(self, body: Expr, states: list[Any], env: Env) -> LogSum:
        """A sum over the values of the states."""
        terms = [self.value(body, env | extra) for extra in self.assignments(states)]
        return _reduce("__add__", terms)

    def assignments(self, states: list[Any]) -> Iterator[Env]:
        """Every way to give values to free states."""
        for values in product(self.values, repeat=len(states)):
            yield dict(zip(states, values, strict=True))

    @property
    def point(self) -> list[float]:
        """A fixed generic point inside the simplex."""
        size = len(self.values)
        return [
            (0.25 + 0.5 * ((k * 0.618034) % 1)) / (size - 1)
            for k in range(1, len(self.generators) + 1)
        ]


class BinomialChain(FiniteChain):
    """Bits that each step resamples from the prior with probability beta_t.

    The data law and the reverse steps are free; with ``edge`` the last reverse step is the kernel.
    Symbols in ``free`` take any value.
    """

    def __init__(
        self, T: int = 2, dimension: int = 1, edge: bool = False, free: Sequence[Symbol] = ()
    ):
        self.T = T
        self.bits = list(product((0, 1), repeat=dimension))
        self.values = list(range(len(self.bits)))
        size, loose = len(self.bits), len(self.bits) - 1
        learned = range(2 if edge else 1, T + 1)
        names = ["rho", *(f"b{t}" for t in range(1, T + 1)), *map(str, free)]
        names += [f"q0_{i}" for i in range(loose)]
        names += [f"p{t}_{i}{j}" for t in learned for i in range(size) for j in range(loose)]
        self._start(names)
        self._g = g = dict(zip(names, self.generators, strict=True))
        self.law = self._row([self._g[f"q0_{i}"] for i in range(loose)])
        self.prior = [self._transition(0, i, self.field.one) for i in self.values]
        self.forward = {
            t: [
                [self._transition(i, j, self._g[f"b{t}"]) for j in self.values] for i in self.values
            ]
            for t in range(1, T + 1)
        }
        self.reverse = {1: self.forward[1]} | {
            t: [self._row([self._g[f"p{t}_{i}{j}"] for j in range(loose)]) for i in self.values]
            for t in learned
        }
        self.symbols = {u: LogSum(self._g[str(u)]) for u in [lang.rho, *free]}
        self.symbols[lang.d] = self.constant(Fraction(dimension))
        self.name = f"binomial chain, d={dimension}, T={T}, symbolic rates and base rate"

    def _transition(self, start: int, end: int, rate: Any) -> Any:
        total, rho = self.field.one, self._g["rho"]
        for before, after in zip(self.bits[start], self.bits[end], strict=True):
            on = (1 - rate) * before + rate * rho
            total *= on if after else 1 - on
        return total

    def signal(self, t: int) -> LogSum:
        """alpha_t = 1 - beta_t."""
        return LogSum(1 - self._g[f"b{t}"])

    def leaf(self, expr: Expr, env: Env) -> LogSum:
        """The kernel, Bernoulli probabilities and the number of ones in a state."""
        if isinstance(expr, lang.Kernel):
            to, start, rate = expr.args
            step = self.value(rate, env).rational
            return LogSum(self._transition(env[start], env[to], step))
        if isinstance(expr, lang.Bern):
            state, rate = expr.args
            total = self.field.one
            for i, bit in enumerate(self.bits[env[state]]):
                on = self.value(rate, env | {"coordinate": i}).rational
                total *= on if bit else 1 - on
            return LogSum(total)
        if isinstance(expr, lang.Variable):
            return self.constant(Fraction(self.bits[env[expr]][env.get("coordinate", 0)]))
        raise TypeError(f"{expr} has no value in a binomial chain")


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
            return _reduce("__add__", terms)
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

    @property
    def point(self) -> list[float]:
        """A fixed generic point: rates inside (0, 1), a positive variance, real states."""
        values = [0.3 + 0.4 * ((k * 0.618034) % 1) for k in range(1, len(self._g) + 1)]
        return [3.141592653589793, *values[1:]]


def _reduce(operation: str, values: list[Any]) -> Any:
    total = values[0]
    for value in values[1:]:
        total = getattr(total, operation)(value)
    return total
