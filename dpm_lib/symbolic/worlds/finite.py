"""Finite worlds: chains over a few states, and bits under the binomial kernel."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import product
from typing import Any

from sympy import QQ, Expr, Symbol
from sympy.polys.fields import field

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.algebra import LogSum
from dpm_lib.symbolic.worlds.base import Env, World, reduce

__all__ = ["BinomialChain", "FiniteChain"]


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
        self._conditional: dict[Any, LogSum] = {}

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
        key = (expr.law, frozenset(both.items()), frozenset(given))
        if key not in self._conditional:
            joint = self._probability(expr.law, both)
            self._conditional[key] = LogSum(joint / self._probability(expr.law, given))
        return self._conditional[key]

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
        return reduce("__add__", terms)

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
        self._g = dict(zip(names, self.generators, strict=True))
        self.law = self._row([self._g[f"q0_{i}"] for i in range(loose)])
        self._rates = {t: self._g[f"b{t}"] for t in range(1, T + 1)}
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
        self.name += ", fixed edge step" if edge else ""

    def _transition(self, start: int, end: int, rate: Any) -> Any:
        total, rho = self.field.one, self._g["rho"]
        for before, after in zip(self.bits[start], self.bits[end], strict=True):
            on = (1 - rate) * before + rate * rho
            total *= on if after else 1 - on
        return total

    def signal(self, t: int) -> LogSum:
        """alpha_t = 1 - beta_t."""
        return LogSum(1 - self._rates[t])

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
