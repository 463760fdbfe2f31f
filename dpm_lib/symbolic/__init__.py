"""The symbolic twin of the library: expressions, the worlds that check them, derivations.

Imports nothing numeric, and no numeric room imports it.
"""

from dpm_lib.symbolic.derivation import Derivation, Induction, Step, Unproved, at_least, equals
from dpm_lib.symbolic.language import (
    KL,
    Bern,
    Density,
    Entropy,
    Expect,
    Int,
    Kernel,
    Normal,
    Product,
    Rate,
    Rational,
    Span,
    Square,
    State,
    Sum,
    T,
    Variable,
    alpha,
    alpha_bar,
    beta,
    beta_bar,
    d,
    e,
    free_states,
    h,
    log,
    m_2,
    mu_0,
    n,
    p,
    pi,
    pi_number,
    q,
    rho,
    s,
    sqrt,
    t,
    v,
    x,
)  # fmt: skip
from dpm_lib.symbolic.printing import latex
from dpm_lib.symbolic.worlds import BinomialChain, FiniteChain, GaussianChain, World

__all__ = [
    "KL", "Bern", "BinomialChain", "Density", "Derivation", "Entropy", "Expect", "FiniteChain",
    "GaussianChain", "Induction", "Int", "Kernel", "Normal", "Product", "Rate", "Rational",
    "Span", "Square", "State", "Step", "Sum", "T", "Unproved", "Variable", "World", "alpha",
    "alpha_bar", "at_least", "beta", "beta_bar", "d", "e", "equals", "free_states", "h", "latex",
    "log", "m_2", "mu_0", "n", "p", "pi", "pi_number", "q", "rho", "s", "sqrt", "t", "v", "x",
]  # fmt: skip
