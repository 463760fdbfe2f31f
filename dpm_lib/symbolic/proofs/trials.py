"""How a rule is shown: what it makes of an expression is equal to it in worlds."""

from collections.abc import Sequence

from sympy import Expr, Symbol, symbols

from dpm_lib.symbolic.derivation import Derivation, known
from dpm_lib.symbolic.language import T, Variable, q, x
from dpm_lib.symbolic.reasons import equals, in_chains
from dpm_lib.symbolic.rules.kernel import Rule, Unproved, normal, proves
from dpm_lib.symbolic.worlds import BinomialChain, FiniteChain, GaussianChain, World

# fmt: off
__all__ = [
    "BIT", "BITS", "CHAINS", "LINE", "PLANE", "a", "b", "in_worlds", "m", "other", "path", "rate",
    "shown", "spread", "u", "variance", "y", "z",
]
# fmt: on

y, z = Variable("y"), Variable("y'")
a, b, u = Symbol("a", positive=True), Symbol("b", real=True), Symbol("u", real=True)
m, variance, spread = Symbol("m", real=True), Symbol("v", positive=True), Symbol("w", positive=True)
rate, other = symbols("r f", positive=True)
CHAINS = [FiniteChain(T=2), FiniteChain(T=3)]
LINE = [GaussianChain(T=2, free=[a, b, m, variance, spread])]
PLANE = [*LINE, GaussianChain(T=2, dimension=2, free=[a, b, m, variance, spread])]
BIT = [BinomialChain(T=2, free=[rate, other])]
BITS = [*BIT, BinomialChain(T=2, dimension=2, free=[rate, other])]
path = q(x[0:T])


def shown(one: Rule, *before: Expr, worlds: Sequence[World], first: int = 1) -> list[Derivation]:
    """What a rule makes of expressions is equal to them in worlds.

    Raises:
        Unproved: it is not equal, or the rule does not fire.
    """
    made = []
    for expr in before:
        after = normal(expr, [one], known([expr], first))
        if after == expr:
            raise Unproved(f"{one.name} does not fire on {expr}")
        reason = in_chains(one.phrases[0])
        made.append(Derivation(expr, equals(after, reason), worlds=worlds, steps_from=first))
    return made


def in_worlds(one: Rule, *before: Expr, worlds: Sequence[World] = CHAINS, first: int = 1) -> None:
    """Give a rule its proof: what it makes of these expressions is equal to them in worlds."""
    proves(one)(lambda: shown(one, *before, worlds=worlds, first=first))
