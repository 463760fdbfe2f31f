"""Laws and rates: the densities of the chains and of the prior, kernels, Gaussians and bits."""

from typing import Any

from sympy import Expr, Symbol, Tuple

from dpm_lib.symbolic.entry import step, strict
from dpm_lib.symbolic.language.states import Given, Node, Span, State, Variable

__all__ = [
    "RATES", "UNBOUNDED", "Bern", "Density", "Factor", "Kernel", "Normal", "Rate", "Tilted", "Z",
    "alpha", "alpha_bar", "bar", "beta", "beta_bar", "p", "pi", "q", "r", "targets", "v",
]  # fmt: skip


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
        return f"{name}({bar(self, printer)})"

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


q, p, pi = _Law("q"), _Law("p"), _Law("pi")


UNBOUNDED = ("v", r"\tilde Z")
"""Those of the rates that may be larger than 1."""

RATES = (r"\alpha", r"\beta", r"\bar\alpha", r"\bar\beta", *UNBOUNDED)


class Rate(Node):
    """A number of a step: beta, alpha, their cumulative versions, the variance v, the mass Z."""

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
v, Z = _Rates("v"), _Rates(r"\tilde Z")


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


class Factor(Node):
    """The positive function r, of its own at each step, at the state of that step.

    At a state that is not tied to a step it is one function, the same at every step.  It keeps its
    step where a bit is replaced by its value.
    """

    def __new__(cls, state: Any, at: Any = None) -> "Factor":
        """Take the factor of a state, or of the value 0 or 1 of a bit at a step."""
        state = strict(state)
        if isinstance(state, Span) or (not isinstance(state, Variable) and state not in (0, 1)):
            raise TypeError(f"a factor is one of a state, got {state}")
        at = state.index if isinstance(state, State) else at
        return Expr.__new__(cls, state, *([] if at is None else [step(at)]))

    def _latex(self, printer: Any) -> str:
        return f"r({printer.doprint(self.args[0])})"


r = Factor


class Tilted(Node):
    """The law of a state times its factor; given the state after it, any step in its place."""

    def __new__(cls, state: Any, given: Any = None) -> "Tilted":
        """Tilt the law of a state; given the next, whatever step is to be used."""
        states = (state,) if given is None else (state, given)
        if not all(isinstance(u, State) for u in states):
            raise TypeError(f"a law is tilted at states of the chain, got {states}")
        return Expr.__new__(cls, *states)

    def _latex(self, printer: Any) -> str:
        states = r"\mid ".join(map(printer.doprint, self.args))
        return rf"\tilde p({states})"


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


def bar(density: Density, printer: Any) -> str:
    """The states of a density as they are printed, before and after its bar."""
    before, after = (
        ",".join(printer.doprint(u) for u in group) for group in (density.targets, density.given)
    )
    return f"{before}\\mid {after}" if after else before
