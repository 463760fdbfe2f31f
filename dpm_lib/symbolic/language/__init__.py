r"""The language of the derivations: chains, densities, integrals and entropies as SymPy objects.

An expression such as ``Int(q(x[0]) * log(p(x[0])), x[0])`` is written once.  It is printed on the
page, and :mod:`dpm_lib.symbolic.worlds` computes its exact value in chains with symbolic
transition probabilities, so that the printed formula is the object that was proved.

>>> p(x[0:T])
p(x0..T)
>>> q(x[t - 1] | (x[t], x[0])).latex()
'q(x^{(t-1)}\\mid x^{(t)},x^{(0)})'
"""

from dpm_lib.symbolic.entry import Product, Rational, Sum, exp, log, sqrt
from dpm_lib.symbolic.language.averages import (
    KL,
    Dot,
    Entropy,
    Expect,
    Int,
    Logistic,
    Slope,
    Square,
    free_states,
    h,
    repeated,
)  # fmt: skip
from dpm_lib.symbolic.language.laws import (
    RATES,
    UNBOUNDED,
    Bern,
    Density,
    Factor,
    Kernel,
    Normal,
    Rate,
    Tilted,
    Z,
    alpha,
    alpha_bar,
    beta,
    beta_bar,
    p,
    pi,
    q,
    r,
    targets,
    v,
)  # fmt: skip
from dpm_lib.symbolic.language.states import (
    Span,
    State,
    T,
    Variable,
    d,
    e,
    m_2,
    mu_0,
    n,
    pi_number,
    rho,
    s,
    t,
    x,
)  # fmt: skip

__all__ = [
    "KL", "RATES", "UNBOUNDED", "Bern", "Density", "Dot", "Entropy", "Expect", "Factor", "Int",
    "Kernel", "Logistic", "Normal", "Product", "Rate", "Rational", "Slope", "Span", "Square",
    "State", "Sum", "T", "Tilted", "Variable", "Z", "alpha", "alpha_bar", "beta", "beta_bar", "d",
    "e", "exp", "free_states", "h", "log", "m_2", "mu_0", "n", "p", "pi", "pi_number", "q", "r",
    "repeated", "rho", "s", "sqrt", "t", "targets", "v", "x",
]  # fmt: skip
