"""Integrals, averages, divergences and entropies, and the states that an expression depends on."""

from functools import lru_cache
from typing import Any

import sympy as sp
from sympy import Expr, Tuple

from dpm_lib.symbolic.entry import log, step, strict
from dpm_lib.symbolic.language.laws import Density, Rate, bar, targets
from dpm_lib.symbolic.language.states import Node, Span, Variable

__all__ = [
    "KL", "Dot", "Entropy", "Expect", "Int", "Logistic", "Slope", "Square", "free_states", "h",
    "repeated",
]  # fmt: skip


class Int(Node):
    """An integral over states (for bits, a sum over their values)."""

    is_positive = None
    is_real = True

    def __new__(cls, body: Any, *states: Any) -> "Int":
        """Integrate the body over the states."""
        group = states[0] if isinstance(states[0], Tuple) else Tuple(*map(strict, states))
        if not all(isinstance(u, Variable) for u in group):
            raise TypeError(f"integrals run over states, got {group}")
        return Expr.__new__(cls, strict(body), group)

    def _latex(self, printer: Any) -> str:
        measure = r"\,".join("d" + printer.doprint(u) for u in self.args[1])
        return f"\\int {measure}\\;{printer.bracketed(self.args[0])}"


class Expect(Node):
    """The expectation of the body under a density."""

    is_positive = None
    is_real = True

    def __new__(cls, density: Any, body: Any) -> "Expect":
        """Average the body over the states before the bar of the density."""
        targets(density)
        return Expr.__new__(cls, density, strict(body))

    def definition(self) -> Expr:
        """The integral that it abbreviates."""
        density, body = self.args
        return Int(density * body, *targets(density))

    def _latex(self, printer: Any) -> str:
        density, body = (printer.doprint(a) for a in self.args)
        return f"E_{{{density}}}\\Big[{body}\\Big]"


class KL(Node):
    """The Kullback-Leibler divergence of two densities of the same state."""

    is_positive = None
    is_nonnegative = True

    def __new__(cls, first: Any, second: Any) -> "KL":
        """Compare two laws of the same states."""
        if set(targets(first)) != set(targets(second)):
            raise ValueError(f"both laws must be of the same states, got {first} and {second}")
        return Expr.__new__(cls, first, second)

    def definition(self) -> Expr:
        """The integral that it abbreviates."""
        first, second = self.args
        return Int(first * log(first / second), *targets(first))

    def _latex(self, printer: Any) -> str:
        first, second = (printer.doprint(a) for a in self.args)
        return f"D_{{KL}}\\big({first}\\,\\Vert\\,{second}\\big)"


class Entropy(Node):
    """The entropy of a density, averaged over what stands after its bar."""

    is_positive = None
    is_real = True

    def __new__(cls, density: Density) -> "Entropy":
        """Take the entropy of a density of a chain."""
        if not isinstance(density, Density):
            raise TypeError(f"an entropy is one of a density of a chain, got {density}")
        return Expr.__new__(cls, density)

    def definition(self) -> Expr:
        """The integral that it abbreviates."""
        density = self.args[0]
        joint = Density(density.args[0], Tuple(*density.targets, *density.given), Tuple())
        return -Int(joint * log(density), *joint.targets)

    def _latex(self, printer: Any) -> str:
        density = self.args[0]
        law = r"{\pi}" if density.law == "pi" else density.law
        return f"H_{law}({bar(density, printer).replace('x', 'X')})"


class Square(Node):
    """The squared length of a state, or of a sum of multiples of states."""

    def _latex(self, printer: Any) -> str:
        return f"\\Vert {printer.doprint(self.args[0])}\\Vert^2"


class Dot(Node):
    """The inner product of two vectors: states, or sums of multiples of states."""

    is_positive = None
    is_real = True

    def _latex(self, printer: Any) -> str:
        first, second = (
            f"\\left({text}\\right)" if isinstance(vector, sp.Add | sp.Mul) else text
            for vector, text in zip(self.args, map(printer.doprint, self.args), strict=True)
        )
        return f"{first}\\cdot {second}"


class Logistic(Node):
    """The logistic function, which makes a probability of log-odds."""

    def definition(self) -> Expr:
        """The fraction that it abbreviates."""
        return 1 / (1 + sp.exp(-self.args[0]))

    def _latex(self, printer: Any) -> str:
        return f"\\sigma\\left({printer.doprint(self.args[0])}\\right)"


class h(Node):
    """The entropy of one bit that is 1 with the given probability."""

    def definition(self) -> Expr:
        """The two terms that it abbreviates."""
        r = self.args[0]
        return -r * log(r) - (1 - r) * log(1 - r)

    def _latex(self, printer: Any) -> str:
        return f"h({printer.doprint(self.args[0])})"


class Slope(Node):
    """The derivative of a function of the rates by the rate of one step, all others held."""

    is_positive = None
    is_real = True

    def __new__(cls, body: Any, rate: Any) -> "Slope":
        """Differentiate a function of the rates, which holds no state, by beta at a step."""
        if isinstance(rate, Rate) and rate.args[0].name != r"\beta":
            raise TypeError(f"a slope is one by beta at a step, got {rate}")
        index = rate.args[1] if isinstance(rate, Rate) else step(rate)
        if strict(body).has(Variable, Density, sp.Sum, sp.Product):
            raise TypeError(f"a slope is one of a function of rates, got {body}")
        return Expr.__new__(cls, strict(body), index)

    @property
    def rate(self) -> Rate:
        """By which it is differentiated."""
        return Rate(sp.Symbol(r"\beta"), self.args[1])

    def definition(self) -> Expr:
        """The derivative, once all steps are numbers."""
        body = self.args[0]
        letters = {k: sp.Symbol(f"b{k}", positive=True) for k in _steps_up_to(self)}
        body = body.xreplace({r: _of_rates(r, letters) for r in body.atoms(Rate)})
        found = sp.diff(body, letters[int(self.args[1])])
        return found.xreplace({b: Slope(0, k).rate for k, b in letters.items()})

    def _latex(self, printer: Any) -> str:
        body, rate = (printer.doprint(a) for a in (self.args[0], self.rate))
        return f"\\frac{{\\partial}}{{\\partial {rate}}}\\Big[{body}\\Big]"


def _steps_up_to(expr: Slope) -> range:
    steps = [expr.args[1], *(rate.args[1] for rate in expr.atoms(Rate))]
    if not all(k.is_Integer and k >= 0 for k in steps):
        raise ValueError(f"the steps of {expr} must be numbers")
    return range(1, max(map(int, steps)) + 1)


def _of_rates(rate: Rate, letters: dict[int, Any]) -> Expr:
    """A quantity of the schedule as a function of the rates; the variance of the data stays."""
    name, k = rate.args[0].name, int(rate.args[1])
    if name in (r"\alpha", r"\beta"):
        return letters[k] if name == r"\beta" else 1 - letters[k]
    kept = sp.Mul(*(1 - letters[s] for s in range(1, k + 1)))
    if name == "v":
        data = Rate(sp.Symbol("v"), 0)
        return kept * data + 1 - kept
    return kept if name == r"\bar\alpha" else 1 - kept


def repeated(expr: sp.Sum | sp.Product) -> list[Expr]:
    """The terms of a sum (the factors of a product) over steps, once both ends are numbers.

    Raises:
        ValueError: it runs over more than one index, its ends are no whole numbers, or it runs
            downwards, which SymPy would read as a sum with a minus.
    """
    if len(expr.limits) != 1 or len(expr.limits[0]) != 3:
        raise ValueError(f"a sum runs over one step from its first to its last, got {expr}")
    index, first, last = expr.limits[0]
    if not (first.is_Integer and last.is_Integer and last >= first - 1):
        raise ValueError(f"a sum runs upwards between whole numbers, got {first} to {last}")
    return [expr.function.subs(index, k) for k in range(int(first), int(last) + 1)]


@lru_cache(maxsize=100_000)
def free_states(expr: Any) -> frozenset[Variable]:
    """The states that an expression depends on (those that no integral or entropy binds)."""
    if isinstance(expr, Entropy):
        return frozenset()
    if isinstance(expr, Span):
        return frozenset(expr.states())
    if isinstance(expr, Variable):
        return frozenset({expr})
    if isinstance(expr, sp.Sum | sp.Product):
        return _union(repeated(expr))
    if isinstance(expr, Int):
        return free_states(expr.args[0]) - _union(expr.args[1])
    if isinstance(expr, Expect | KL):
        return _union(expr.args) - _union(targets(expr.args[0]))
    return _union(expr.args)


def _union(expressions: Any) -> frozenset[Variable]:
    return frozenset(state for one in expressions for state in free_states(one))
