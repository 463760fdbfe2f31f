"""The Gaussian world: linear Gaussian chains, integrated by completing the square."""

from collections.abc import Iterator, Sequence
from fractions import Fraction
from functools import reduce
from operator import add
from typing import Any

import sympy as sp
from sympy import Expr, Symbol

from dpm_lib.symbolic import language as lang
from dpm_lib.symbolic.algebra import Exact, Gaussian, Outside, Polynomial
from dpm_lib.symbolic.worlds.base import Env, World

__all__ = ["GaussianChain"]

PI = 3.141592653589793


class GaussianChain(World):
    """The Gaussian kernel with symbolic rates, Gaussian data and linear Gaussian reverse steps.

    The data are N(mu_0, v_0) in every coordinate, with second moment 1 if ``unit``.  The reverse
    step t is N(k_t x + c_t, s_t); with ``edge`` the last one is the kernel itself.  Symbols in
    ``free`` take any value (any positive value, if they are positive), those in ``exponents`` that
    of the logarithm of any positive number, so that their exponentials are numbers here.  With
    ``factor`` the function r at each step is a Gaussian in the state, and the free step back is
    linear and Gaussian.  With ``roots`` the noise after t steps has a rational root as well as the
    signal.
    """

    conditions = {"edge": "fixed edge step", "unit": "second moment 1"}  # noqa: RUF012

    def __init__(
        self,
        T: int = 2,
        dimension: int = 1,
        edge: bool = False,
        unit: bool = False,
        free: Sequence[Symbol] = (),
        exponents: Sequence[Symbol] = (),
        factor: str = "",
        roots: bool = False,
        *,
        domain: Any = Exact,
    ):
        self.checked_sizes(T=T, dimension=dimension)
        self.checked_factor(factor)
        positive, anything = (0.2, 2.0), (-2.0, 2.0)
        ranges = {"pi": (PI, PI), "mu_0": (-0.9, 0.9) if unit else anything}
        ranges |= {} if unit else {"v_0": positive}
        ranges |= {f"free {u}": positive if u.is_positive else anything for u in free}
        ranges |= {f"a{t}": (0.05, 0.9 / T) if roots else (0.1, 0.95) for t in range(1, T + 1)}
        for t in range(2 if edge else 1, T + 1):
            ranges |= {f"k{t}": anything, f"c{t}": anything, f"s{t}": positive}
        ranges |= {f"exp {u}": positive for u in exponents}
        for t in ("", *range(T + 1)) if factor else ():
            ranges |= {f"g{t}": anything, f"w{t}": positive}
        for t in range(1, T + 1) if factor else ():
            ranges |= {f"l{t}": anything, f"o{t}": anything, f"z{t}": positive}
        settings = {"T": T, "dimension": dimension, "edge": edge, "unit": unit, "free": free}
        settings |= {"exponents": exponents, "roots": roots}
        super().__init__(settings | ({"factor": factor} if factor else {}), ranges, domain)
        self.dimension, self.edge, self.roots = dimension, edge, roots
        self._number = self.domain.free
        self._zero, self._one, self._minus = (self.domain.constant(k) for k in (0, 1, -1))
        self._mean = self._number("mu_0")
        square = self._mean * self._mean
        self._variance = self._one + self._minus * square if unit else self._number("v_0")
        self.symbols = {u: self._plain(self._number(f"free {u}")) for u in free}
        self.symbols |= {u: self._plain(self._number(f"exp {u}").log()) for u in exponents}
        self.symbols[lang.mu_0] = self._plain(self._mean)
        self.symbols[lang.d] = self.constant(Fraction(dimension))
        self.symbols[lang.m_2] = self._plain(self._variance + square)
        self._joint: dict[Any, Gaussian] = {}
        self.claim |= {"d": dimension, "kernels": "Gaussian"}
        self.name = f"Gaussian chain, d={dimension}, T={T}, symbolic rates"
        self.name += ", second moment 1" if unit else ""
        self.name += ", fixed edge step" if edge else ""

    def _plain(self, scalar: Any) -> Gaussian:
        return Gaussian.plain(self.domain, Polynomial({(): scalar}))

    def constant(self, number: Fraction) -> Gaussian:
        """A number as a value of this world."""
        return self._plain(self.domain.constant(number))

    def signal(self, t: int) -> Gaussian:
        """alpha_t, a square, so that its square root is rational."""
        return self._plain(self._root(t) ** Fraction(2))

    def _root(self, t: int) -> Any:
        """The root of alpha_t, a free number; with roots the ratio of those of alpha-bar.

        These are (1 - u^2) / (1 + u^2) with growing u; those of beta-bar are 2u / (1 + u^2).
        """
        if not self.roots:
            return self._number(f"a{t}")
        total = [self._zero]
        for s in range(1, t + 1):
            total.append(total[-1] + self._number(f"a{s}"))
        late, early = (
            (self._one + self._minus * u * u) * (self._one + u * u) ** Fraction(-1)
            for u in (total[t], total[t - 1])
        )
        return late * early ** Fraction(-1)

    def spread(self, kept: Gaussian, lost: Gaussian) -> Gaussian:
        """v_t, the variance of a state at step t."""
        return kept * self._plain(self._variance) + lost

    def value(self, expr: Expr, env: Env) -> Gaussian:
        """The exact value of an expression, a function of its free states."""
        if expr is sp.pi:
            return self._plain(self._number("pi"))
        value: Gaussian = super().value(expr, env)
        return value

    def _names(self, state: Any) -> list[str]:
        """The names of the coordinates of a state."""
        self.known(state)
        stem = f"x{state.index}" if isinstance(state, lang.State) else state.args[0].name
        return [f"{stem}_{i}" for i in range(self.dimension)]

    def _vector(self, expr: Expr, env: Env) -> list[Polynomial]:
        """The coordinates of a vector."""
        return [
            self.value(expr, env | {"coordinate": i}).polynomial() for i in range(self.dimension)
        ]

    def _linear(self, names: list[str], slope: Any, shift: Any) -> list[Polynomial]:
        return [Polynomial({(name,): slope, (): shift}) for name in names]

    def _transition(self, law: str, t: int) -> Gaussian:
        before, after = self._names(lang.State(t - 1)), self._names(lang.State(t))
        if law == "p" and not (self.edge and t == 1):
            mean = self._linear(after, self._number(f"k{t}"), self._number(f"c{t}"))
            return Gaussian.normal(self.domain, before, mean, self._number(f"s{t}"))
        start, end = (before, after) if law == "q" else (after, before)
        a = self._root(t)
        noise = self._one + self._minus * a * a
        return Gaussian.normal(self.domain, end, self._linear(start, a, self._zero), noise)

    def density(
        self, expr: lang.Density, before: list[Any], after: list[Any], env: Env
    ) -> Gaussian:
        """A density, from the joint density of the chain, completing squares."""
        if expr.law == "pi":
            return self._standard(before[0])
        given = frozenset(int(v.index) for v in after)
        both = given | {int(v.index) for v in before}
        joint = self._marginal(expr.law, both)
        return joint * self._marginal(expr.law, given) ** Fraction(-1) if given else joint

    def _standard(self, state: Any) -> Gaussian:
        names = self._names(state)
        return Gaussian.normal(self.domain, names, [Polynomial({})] * len(names), self._one)

    def _marginal(self, law: str, keep: frozenset[int]) -> Gaussian:
        if (law, keep) not in self._joint:
            if law == "q":
                first, last = 0, max(keep)
                mean = [Polynomial({(): self._mean})] * self.dimension
                names = self._names(lang.State(0))
                joint = Gaussian.normal(self.domain, names, mean, self._variance)
            else:
                first, last = min(keep), self.T
                joint = self._standard(lang.State(self.T))
            for t in range(first + 1, last + 1):
                joint = joint * self._transition(law, t)
            for t in range(first, last + 1):
                for name in [] if t in keep else self._names(lang.State(t)):
                    joint = joint.integrate(name)
            self._joint[law, keep] = joint
        return self._joint[law, keep]

    def integral(self, body: Expr, states: list[Any], env: Env) -> Gaussian:
        """The integral over states, one coordinate at a time."""
        if isinstance(body, sp.Add):
            return reduce(add, [self.value(lang.Int(term, *states), env) for term in body.args])
        total = self.value(body, env)
        for state in states:
            for name in self._names(state):
                total = total.integrate(name)
        return total

    def leaf(self, expr: Expr, env: Env) -> Gaussian:
        """The kernel, Gaussian densities, states and squared lengths."""
        if isinstance(expr, lang.Kernel):
            to, start, rate = expr.args
            kept = self.value(1 - rate, env)
            slope = (kept ** Fraction(1, 2)).scalar()
            mean = self._linear(self._names(start), slope, self._zero)
            noise = self.value(rate, env).scalar()
            return Gaussian.normal(self.domain, self._names(to), mean, noise)
        if isinstance(expr, lang.Normal):
            state, mean, variance = expr.args
            means = self._vector(mean, env)
            noise = self.value(variance, env).scalar()
            return Gaussian.normal(self.domain, self._names(state), means, noise)
        if isinstance(expr, lang.Square | lang.Dot):
            pairs = zip(*(self._vector(expr.args[k], env) for k in (0, -1)), strict=True)
            return Gaussian.plain(self.domain, reduce(add, (u * w for u, w in pairs)))
        if isinstance(expr, lang.Variable):
            names = self._names(expr)
            if "coordinate" not in env and len(names) > 1:
                raise Outside(f"{expr} is a vector, a number was expected")
            return Gaussian.plain(
                self.domain, Polynomial({(names[env.get("coordinate", 0)],): self._one})
            )
        return super().leaf(expr, env)

    def free_factor(self, state: Any, step: Any, env: Env) -> Gaussian:
        """A Gaussian in the state, with a free place and width at each step."""
        names = self._names(state)
        place = [Polynomial({(): self._number(f"g{step}")})] * len(names)
        return Gaussian.normal(self.domain, names, place, self._number(f"w{step}"))

    def free_step(self, to: Any, start: Any, env: Env) -> Gaussian:
        """A linear Gaussian step back, free at each step."""
        slope, shift, spread = (self._number(f"{name}{start.index}") for name in "loz")
        mean = self._linear(self._names(start), slope, shift)
        return Gaussian.normal(self.domain, self._names(to), mean, spread)

    def assignments(self, states: list[Any]) -> Iterator[Env]:
        """States stay symbolic here: there is one assignment, and it is empty."""
        yield {}
