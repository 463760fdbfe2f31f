r"""The language of the derivations: chains, densities, integrals and entropies as SymPy objects.

An expression such as ``Int(q(x[0]) * log(p(x[0])), x[0])`` is written once.  It is printed on the
page, and :mod:`dpm_lib.symbolic.worlds` computes its exact value in chains with symbolic
transition probabilities, so that the printed formula is the object that was proved.

>>> p(x[0:T])
p(x0..T)
>>> q(x[t - 1] | (x[t], x[0])).latex()
'q(x^{(t-1)}\\mid x^{(t)},x^{(0)})'
"""

from functools import lru_cache
from typing import Any

import sympy as sp
from sympy import Expr, Symbol, Tuple

from dpm_lib.symbolic.entry import Product, Rational, Sum, log, sqrt, step, strict
from dpm_lib.symbolic.printing import latex

__all__ = [
    "KL", "Bern", "Density", "Entropy", "Expect", "Int", "Kernel", "Normal", "Product", "Rate",
    "Rational", "Span", "Square", "State", "Sum", "T", "Variable", "alpha", "alpha_bar", "beta",
    "beta_bar", "d", "e", "free_states", "h", "log", "m_2", "mu_0", "n", "p", "pi", "pi_number",
    "q", "rho", "s", "sqrt", "t", "v", "x",
]  # fmt: skip

T, t, s, n = sp.symbols("T t s n", integer=True, positive=True)
d, rho = sp.symbols("d rho", positive=True)
m_2 = Symbol("m_2", positive=True)
mu_0 = Symbol("mu_0", real=True)
e, pi_number = sp.E, sp.pi


class Node(Expr):
    """A positive, commutative expression of the language."""

    is_commutative = True
    is_positive: bool | None = True
    is_number = False

    def __new__(cls, *args: Any) -> "Node":
        """Make the expression; plain numbers become numbers of SymPy."""
        return Expr.__new__(cls, *map(strict, args))

    def latex(self) -> str:
        """LaTeX of the expression."""
        return latex(self)

    def _sympystr(self, printer: Any) -> str:
        return self.latex()


class Variable(Node):
    """A state that is not tied to a step of the chain, such as y and y' in equation 1."""

    is_positive = None
    is_real = True

    def __new__(cls, name: str | Symbol) -> "Variable":
        """Make the state with this name."""
        return Expr.__new__(cls, name if isinstance(name, Symbol) else Symbol(name, real=True))

    def __or__(self, given: Any) -> "Given":
        return Given(self, given)

    def _latex(self, printer: Any) -> str:
        return self.args[0].name


class State(Variable):
    """The state of the chain after t steps."""

    def __new__(cls, index: Any) -> "State":
        """Make the state with this index."""
        return Expr.__new__(cls, step(index))

    @property
    def index(self) -> Expr:
        """The step."""
        return self.args[0]

    def _latex(self, printer: Any) -> str:
        return f"x^{{({printer.index(self.index)})}}"

    def _sympystr(self, printer: Any) -> str:
        return f"x{self.index}"


class Span(Variable):
    """All states of the chain from one step to another, both included."""

    def __new__(cls, first: Any, last: Any) -> "Span":
        """Make the span of these two steps."""
        return Expr.__new__(cls, step(first), step(last))

    def states(self) -> list[State]:
        """The states one by one, once both ends are numbers."""
        if not all(end.is_Integer for end in self.args) or self.args[1] < self.args[0] - 1:
            raise ValueError(f"a span runs upwards between whole numbers, got {self}")
        return [State(i) for i in range(int(self.args[0]), int(self.args[1]) + 1)]

    def _latex(self, printer: Any) -> str:
        first, last = (printer.index(a) for a in self.args)
        return f"x^{{({first}\\cdots {last})}}"

    def _sympystr(self, printer: Any) -> str:
        return f"x{self.args[0]}..{self.args[1]}"


class Given(Node):
    """States before and after the bar of a conditional density."""

    def __new__(cls, target: Any, given: Any) -> "Given":
        """Join what stands before the bar and what stands after it."""
        many = given if isinstance(given, tuple | Tuple) else (given,)
        return Expr.__new__(cls, target, Tuple(*map(strict, many)))


class Density(Node):
    """A joint, marginal or conditional density of the chain q, of the chain p, or of the prior."""

    def __new__(cls, law: Symbol, targets: Tuple, given: Tuple) -> "Density":
        """Make the density of the law q, p or pi."""
        if law.name not in ("q", "p", "pi"):
            raise ValueError(f"law must be q, p or pi, got {law}")
        if not all(isinstance(u, Variable) for u in (*targets, *given)) or not targets:
            raise TypeError(f"a density is one of states, got {targets} given {given}")
        return Expr.__new__(cls, law, targets, given)

    @property
    def law(self) -> str:
        """Whose density it is, q, p or pi."""
        return self.args[0].name

    @property
    def targets(self) -> Tuple:
        """The states before the bar."""
        return self.args[1]

    @property
    def given(self) -> Tuple:
        """The states after the bar."""
        return self.args[2]

    def _latex(self, printer: Any) -> str:
        name = r"\pi" if self.law == "pi" else self.law
        return f"{name}({_bar(self, printer)})"

    def _sympystr(self, printer: Any) -> str:
        inside = ", ".join(map(str, self.targets))
        bar = " | " + ", ".join(map(str, self.given)) if self.given else ""
        return f"{self.law}({inside}{bar})"


class _Law:
    """The densities of one law: ``q(x[t] | x[t - 1])`` is a :class:`Density`."""

    def __init__(self, name: str):
        self.name = Symbol(name)

    def __call__(self, *states: Any) -> Density:
        *rest, last = map(strict, states)
        if isinstance(last, Given):
            return Density(self.name, Tuple(*rest, last.args[0]), last.args[1])
        return Density(self.name, Tuple(*rest, last), Tuple())


class _States:
    """The states of the chain: ``x[t]`` is a :class:`State`, ``x[1:T]`` a :class:`Span`."""

    def __getitem__(self, key: Any) -> Any:
        return Span(key.start, key.stop) if isinstance(key, slice) else State(key)


x = _States()
q, p, pi = _Law("q"), _Law("p"), _Law("pi")


RATES = (r"\alpha", r"\beta", r"\bar\alpha", r"\bar\beta", "v")


class Rate(Node):
    """A number tied to a step: beta, alpha, their cumulative versions, the variance v."""

    def __new__(cls, name: Symbol, index: Any) -> "Rate":
        """Make the rate of a step."""
        if name.name not in RATES:
            raise ValueError(f"a rate is one of {RATES}, got {name}")
        return Expr.__new__(cls, name, step(index))

    def _latex(self, printer: Any) -> str:
        return f"{self.args[0].name}_{{{printer.index(self.args[1])}}}"


class _Rates:
    """A quantity with one value for each step: ``beta[t]`` is a :class:`Rate`."""

    def __init__(self, name: str):
        self.name = Symbol(name)

    def __getitem__(self, index: Any) -> Rate:
        return Rate(self.name, index)


beta, alpha = _Rates(r"\beta"), _Rates(r"\alpha")
beta_bar, alpha_bar = _Rates(r"\bar\beta"), _Rates(r"\bar\alpha")
v = _Rates("v")


class Kernel(Node):
    """The diffusion kernel T_pi(y | y'; beta)."""

    def _latex(self, printer: Any) -> str:
        to, start, rate = (printer.doprint(a) for a in self.args)
        return f"T_\\pi({to}\\mid {start};{rate})"


class Normal(Node):
    """The density of a Gaussian at a state, with isotropic covariance."""

    def _latex(self, printer: Any) -> str:
        u, mean, variance = self.args
        matrix = printer.bracketed(variance) + " I" if variance != 1 else "I"
        return f"\\mathcal N({printer.doprint(u)};\\,{printer.doprint(mean)},\\,{matrix})"


class Bern(Node):
    """The probability of bits under independent Bernoullis with the given rate."""

    def _latex(self, printer: Any) -> str:
        return f"\\mathcal B({printer.doprint(self.args[0])};\\,{printer.doprint(self.args[1])})"


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
        return f"H_{density.law}({_bar(density, printer).replace('x', 'X')})"


class Square(Node):
    """The squared length of a state."""

    def _latex(self, printer: Any) -> str:
        return f"\\Vert {printer.doprint(self.args[0])}\\Vert^2"


class h(Node):
    """The entropy of one bit that is 1 with the given probability."""

    def definition(self) -> Expr:
        """The two terms that it abbreviates."""
        r = self.args[0]
        return -r * log(r) - (1 - r) * log(1 - r)

    def _latex(self, printer: Any) -> str:
        return f"h({printer.doprint(self.args[0])})"


def targets(law: Any) -> tuple[Expr, ...]:
    """The states that a law is one of: those before its bar.

    Raises:
        TypeError: it is no law (a multiple of a law is none: it is not normalised).
    """
    if isinstance(law, Density):
        return tuple(law.targets)
    if isinstance(law, Kernel | Normal | Bern):
        return (law.args[0],)
    raise TypeError(f"a normalised law was expected, got {law}")


def _bar(density: Density, printer: Any) -> str:
    before, after = (
        ",".join(printer.doprint(u) for u in group) for group in (density.targets, density.given)
    )
    return f"{before}\\mid {after}" if after else before


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
