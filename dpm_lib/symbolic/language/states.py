"""Letters, and the states of a chain."""

from typing import Any

import sympy as sp
from sympy import Expr, Symbol, Tuple

from dpm_lib.symbolic.entry import step, strict
from dpm_lib.symbolic.printing import latex

__all__ = [
    "Given", "Node", "Span", "State", "T", "Variable", "d", "e", "m_2", "mu_0", "n", "pi_number",
    "rho", "s", "t", "x",
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


class _States:
    """The states of the chain: ``x[t]`` is a :class:`State`, ``x[1:T]`` a :class:`Span`."""

    def __getitem__(self, key: Any) -> Any:
        return Span(key.start, key.stop) if isinstance(key, slice) else State(key)


x = _States()
