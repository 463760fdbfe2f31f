"""Finite worlds: chains over a few states, and bits under the binomial kernel."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import reduce
from itertools import product
from operator import add, mul
from typing import Any

from sympy import Expr, Symbol

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.algebra import Exact, Outside
from dpm_lib.symbolic.worlds.base import Env, World

__all__ = ["BinomialChain", "FiniteChain"]

INSIDE = (0.05, 0.95)
"""Where free probabilities and rates are drawn."""


class FiniteChain(World):
    """A chain of T steps over a few states with free transition probabilities.

    With ``factor="any"`` there is a positive function r at each step, with free values, and a step
    back with free values; with ``"ahead"`` r after step 0 is the mean of what it will be there.
    """

    def __init__(self, T: int = 3, states: int = 2, factor: str = "", *, domain: Any = Exact):
        self.checked_sizes(T=T, states=states)
        self.checked_factor(factor)
        free = states - 1
        names = [f"q0_{i}" for i in range(free)] + [f"r_{i}" for i in range(free)]
        names += [f"{c}{t}_{i}{j}" for c in "qp" for t in range(1, T + 1)
                  for i in range(states) for j in range(free)]  # fmt: skip
        low, high = INSIDE
        settings = {"T": T, "states": states} | ({"factor": factor} if factor else {})
        ranges = dict.fromkeys(names, (low / free, high / free)) | _factors(T, states, factor)
        super().__init__(settings, ranges, domain)
        self.values = list(range(states))
        self.law, self.prior = self._row("q0_", free), self._row("r_", free)
        self.forward, self.reverse = (
            {t: [self._row(f"{c}{t}_{i}", free) for i in self.values] for t in range(1, T + 1)}
            for c in "qp"
        )
        self._start()
        self.name = f"finite chain, {states} states, T={T}, {len(names)} free probabilities"
        self.claim["states"] = states
        self.symbols = {}

    def _start(self) -> None:
        self._joint: dict[Any, Any] = {}
        self._conditional: dict[Any, Any] = {}

    def _row(self, prefix: str, free: int) -> list[Any]:
        """Probabilities that sum to 1, all but the last free."""
        row = [self.domain.free(f"{prefix}{j}") for j in range(free)]
        total = reduce(add, row)
        return [*row, self.constant(Fraction(1)) + self.constant(Fraction(-1)) * total]

    def density(self, expr: lang.Density, before: list[Any], after: list[Any], env: Env) -> Any:
        """A density, from the joint probability of the whole chain."""
        if expr.law == "pi":
            return self.prior[env[before[0]]]
        given = {int(s.index): env[s] for s in after}
        both = given | {int(s.index): env[s] for s in before}
        key = (expr.law, frozenset(both.items()), frozenset(given))
        if key not in self._conditional:
            joint = self._probability(expr.law, both)
            if given:
                joint = joint * self._probability(expr.law, given) ** Fraction(-1)
            self._conditional[key] = joint
        return self._conditional[key]

    def _probability(self, law: str, fixed: dict[int, int]) -> Any:
        key = (law, frozenset(fixed.items()))
        if key not in self._joint:
            choices = [[fixed[i]] if i in fixed else self.values for i in range(self.T + 1)]
            self._joint[key] = reduce(add, (self._path(law, path) for path in product(*choices)))
        return self._joint[key]

    def _path(self, law: str, path: tuple[int, ...]) -> Any:
        total = self.law[path[0]] if law == "q" else self.prior[path[-1]]
        for t in range(1, self.T + 1):
            before, after = path[t - 1], path[t]
            total = total * (
                self.forward[t][before][after] if law == "q" else self.reverse[t][after][before]
            )
        return total

    def integral(self, body: Expr, states: list[Any], env: Env) -> Any:
        """A sum over the values of the states."""
        return reduce(add, (self.value(body, env | extra) for extra in self.assignments(states)))

    def free_factor(self, state: Any, step: Any, env: Env) -> Any:
        """A free number for each value of the state, and for each step if it is tied to one."""
        if not isinstance(state, lang.Variable) and len(self.values) > 2:
            raise Outside(f"{state} is the value of one bit, of two values")
        return self.domain.free(f"f{step}_{env.get(state, state)}")

    def free_step(self, to: Any, start: Any, env: Env) -> Any:
        """A free number for each pair of values."""
        return self.domain.free(f"k{start.index}_{env[start]}{env[to]}")

    def assignments(self, states: list[Any]) -> Iterator[Env]:
        """Every way to give values to free states."""
        for values in product(self.values, repeat=len(states)):
            yield dict(zip(states, values, strict=True))


class BinomialChain(FiniteChain):
    """Bits that each step resamples from the prior with probability beta_t.

    The data law and the reverse steps are free; with ``edge`` the last reverse step is the kernel,
    with ``unit`` the mean activity of the data is the base rate, as much as Gaussian data of second
    moment 1.  Symbols in ``free`` take any value in (0, 1), those in ``exponents`` that of the
    logarithm of any positive number.
    """

    conditions = {"edge": "fixed edge step", "unit": "mean activity the base rate"}  # noqa: RUF012

    def __init__(
        self,
        T: int = 2,
        dimension: int = 1,
        edge: bool = False,
        unit: bool = False,
        free: Sequence[Symbol] = (),
        exponents: Sequence[Symbol] = (),
        factor: str = "",
        *,
        domain: Any = Exact,
    ):
        self.checked_sizes(T=T, dimension=dimension)
        self.checked_factor(factor)
        self.bits = list(product((0, 1), repeat=dimension))
        size, loose = len(self.bits), len(self.bits) - 1
        learned = range(2 if edge else 1, T + 1)
        names = ["rho", *(f"b{t}" for t in range(1, T + 1)), *(f"free {u}" for u in free)]
        ranges = dict.fromkeys(names, INSIDE) | ({"rho": (0.4, 0.6)} if unit else {})
        rows = [f"p{t}_{i}" for t in learned for i in range(size)] + ([] if unit else ["q0_"])
        part = (INSIDE[0] / loose, INSIDE[1] / loose)
        ranges |= {f"{row}{j}": part for row in rows for j in range(loose)}
        if unit:  # all but the first and the last pattern are free, and rare
            ranges |= {f"q0_{j}": (0.05 / loose, 0.6 / loose) for j in range(1, loose)}
        ranges |= {f"exp {u}": (0.2, 2.0) for u in exponents} | _factors(T, size, factor)
        settings = {"T": T, "dimension": dimension, "edge": edge, "unit": unit, "free": free}
        settings |= {"exponents": exponents} | ({"factor": factor} if factor else {})
        World.__init__(self, settings, ranges, domain)
        self.values = list(range(size))
        self._rho = self.domain.free("rho")
        self._one, self._minus = self.constant(Fraction(1)), self.constant(Fraction(-1))
        self._rates = {t: self.domain.free(f"b{t}") for t in range(1, T + 1)}
        self.law = self._active_row() if unit else self._row("q0_", loose)
        self.prior = [self._transition(0, i, self._one) for i in self.values]
        self.forward = {
            t: [[self._transition(i, j, self._rates[t]) for j in self.values] for i in self.values]
            for t in range(1, T + 1)
        }
        self.reverse = {1: self.forward[1]} | {
            t: [self._row(f"p{t}_{i}", loose) for i in self.values] for t in learned
        }
        self._start()
        self.symbols = {u: self.domain.free(f"free {u}") for u in free} | {lang.rho: self._rho}
        self.symbols |= {u: self.domain.free(f"exp {u}").log() for u in exponents}
        self.symbols[lang.d] = self.constant(Fraction(dimension))
        self.claim |= {"d": dimension, "kernels": "binomial"}
        self.name = f"binomial chain, d={dimension}, T={T}, symbolic rates and base rate"
        self.name += ", mean activity the base rate" if unit else ""
        self.name += ", fixed edge step" if edge else ""

    def _active_row(self) -> list[Any]:
        """A law of the data in which a bit is 1 with the base rate, on average over the bits."""
        inner = [self.domain.free(f"q0_{j}") for j in range(1, len(self.bits) - 1)]
        ones = [self.constant(Fraction(-sum(bits), len(bits))) for bits in self.bits[1:-1]]
        last = reduce(add, (k * u for k, u in zip(ones, inner, strict=True)), self._rho)
        first = self._one + self._minus * reduce(add, inner, last)
        return [first, *inner, last]

    def _transition(self, start: int, end: int, rate: Any) -> Any:
        return self._bernoulli(
            self.bits[end],
            [
                (self._one + self._minus * rate) * self.constant(Fraction(bit)) + rate * self._rho
                for bit in self.bits[start]
            ],
        )

    def _bernoulli(self, bits: Sequence[int], rates: Sequence[Any]) -> Any:
        off = [self._one + self._minus * rate for rate in rates]
        return reduce(
            mul, (on if bit else rest for bit, on, rest in zip(bits, rates, off, strict=True))
        )

    def signal(self, t: int) -> Any:
        """alpha_t = 1 - beta_t."""
        return self._one + self._minus * self._rates[t]

    def leaf(self, expr: Expr, env: Env) -> Any:
        """The kernel, Bernoulli probabilities and the bits of a state."""
        if isinstance(expr, lang.Kernel):
            to, start, rate = expr.args
            return self._transition(env[start], env[to], self._probability_of(rate, env))
        if isinstance(expr, lang.Bern):
            state, rate = expr.args
            bits = self.bits[env[state]]
            chosen = [env["coordinate"]] if "coordinate" in env else range(len(bits))
            rates = [self._probability_of(rate, env | {"coordinate": i}) for i in chosen]
            return self._bernoulli([bits[i] for i in chosen], rates)
        if isinstance(expr, lang.Variable) and expr in env:
            bits = self.bits[env[expr]]
            if "coordinate" not in env and len(bits) > 1:
                raise Outside(f"{expr} is a vector of bits, a number was expected")
            return self.constant(Fraction(bits[env.get("coordinate", 0)]))
        return super().leaf(expr, env)

    def _probability_of(self, rate: Expr, env: Env) -> Any:
        """The value of a rate; refused where it is no probability."""
        value = self.value(rate, env)
        for side in (value, self._one + self._minus * value):
            if not (side.is_zero() or side.is_positive()):
                raise Outside(f"{rate} is no probability")
        return value


def _factors(T: int, states: int, factor: str) -> dict[str, tuple[float, float]]:
    """Names of the free values of a factor and of free steps back."""
    if not factor:
        return {}
    ways = range(states)
    names = [f"f{t}_{i}" for t in ("", *range(T + 1)) for i in ways]
    names += [f"k{t}_{i}{j}" for t in range(1, T + 1) for i in ways for j in ways]
    return dict.fromkeys(names, (0.2, 2.0))
