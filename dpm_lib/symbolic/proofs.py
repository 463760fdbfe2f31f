r"""The proofs of the rules: each is shown in worlds, and by induction where it speaks of all steps.

A rule of a few states is applied to expressions that have every role it speaks of, and what it
makes of them is evaluated in chains with arbitrary transition probabilities.  That is enough for
all T: the states of a Markov chain that an expression names are again a Markov chain with arbitrary
transitions.  A proof runs when its rule is first used; a rule without one cannot be used.
"""

from collections.abc import Sequence

import sympy as sp
from sympy import Expr, Symbol

from dpm_lib.symbolic.derivation import Derivation, known
from dpm_lib.symbolic.induction import Induction
from dpm_lib.symbolic.language import (
    KL,
    Bern,
    Dot,
    Entropy,
    Expect,
    Factor,
    Int,
    Kernel,
    Logistic,
    Normal,
    Product,
    Slope,
    Square,
    Sum,
    T,
    Tilted,
    Variable,
    Z,
    alpha,
    alpha_bar,
    beta,
    beta_bar,
    d,
    exp,
    h,
    log,
    m_2,
    p,
    pi,
    q,
    s,
    t,
    v,
    x,
)
from dpm_lib.symbolic.reasons import (
    at_least,
    cases,
    equals,
    gibbs,
    hypothesis,
    in_chains,
    tangent,
)
from dpm_lib.symbolic.rules import diffusion as k
from dpm_lib.symbolic.rules import probability as r
from dpm_lib.symbolic.rules import tilting as tilt
from dpm_lib.symbolic.rules.kernel import Rule, Unproved, algebra, normal, proof, proves
from dpm_lib.symbolic.worlds import BinomialChain, FiniteChain, GaussianChain, World

__all__ = ["proof", "shown"]

y, z = Variable("y"), Variable("y'")
a, b, u = Symbol("a", positive=True), Symbol("b", real=True), Symbol("u", real=True)
m, variance, spread = Symbol("m", real=True), Symbol("v", positive=True), Symbol("w", positive=True)
rate, other = sp.symbols("r f", positive=True)
CHAINS = [FiniteChain(T=2), FiniteChain(T=3)]
LINE = [GaussianChain(T=2, free=[a, b, m, variance, spread])]
PLANE = [*LINE, GaussianChain(T=2, dimension=2, free=[a, b, m, variance, spread])]
BIT = [BinomialChain(T=2, free=[rate, other])]
BITS = [*BIT, BinomialChain(T=2, dimension=2, free=[rate, other])]
EDGE = [GaussianChain(T=2, edge=True), BinomialChain(T=2, edge=True)]
path = q(x[0:T])
pair = log(p(x[0], x[1]))
ratio = p(x[t - 1] | x[t]) / q(x[t] | x[t - 1])


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


def _in_worlds(one: Rule, *before: Expr, worlds: Sequence[World] = CHAINS, first: int = 1) -> None:
    proves(one)(lambda: shown(one, *before, worlds=worlds, first=first))


# probability -------------------------------------------------------------------------------------

_in_worlds(r.entropy, Entropy(q(x[1] | x[0])), Entropy(p(x[0:T])), Entropy(q(x[0] | (x[1], x[2]))))
_in_worlds(r.divergence, KL(q(x[0]), p(x[0])), KL(q(x[0:T]), p(x[0:T])),
           KL(q(x[0] | x[1]), p(x[0] | x[1])))  # fmt: skip
_in_worlds(r.average, Expect(q(x[0]), pair), Expect(path, log(p(x[0:T]))),
           Expect(q(x[0] | x[1]), q(x[1]) / q(x[0] | x[1])))  # fmt: skip
_in_worlds(r.as_average, Int(q(x[0]) * pair, x[0]), Int(path * log(p(x[0:T])), x[0:T]))
_in_worlds(r.importance, sp.Mul(q(x[1:T] | x[0]), p(x[0:T]), 1 / q(x[1:T] | x[0]), evaluate=False))
_in_worlds(r.model_prior, p(x[T]))
_in_worlds(r.bayes, q(x[1] | x[0]), p(x[0] | x[1:T]), q(x[0], x[2] | x[1]), q(x[1:T] | x[0]))
_in_worlds(r.tower, Expect(q(x[0]), Expect(q(x[1] | x[0]), pair)),
           Expect(p(x[T]), Expect(p(x[0] | x[T]), log(q(x[0]) / q(x[T])))),
           Expect(q(x[0]), Expect(q(x[1:T] | x[0]), log(p(x[0:T])))),
           Expect(q(x[1] | x[0]), Expect(q(x[2] | (x[1], x[0])), log(p(x[0:2])))))  # fmt: skip
_in_worlds(r.nested, Expect(q(x[0], x[1]), pair), Expect(p(x[0], x[2]), log(q(x[0]) / q(x[2]))))
_in_worlds(
    r.chapman_kolmogorov, Int(q(x[1] | x[0]) * q(x[2] | x[1]), x[1]),
    Int(p(x[1] | x[2]) * p(x[0] | x[1]), x[1]),
    Expect(q(x[1] | x[0]), Expect(q(x[2] | x[1]), log(p(x[0], x[2])))),
    Expect(p(x[1] | x[2]), Expect(p(x[0] | x[1]), log(q(x[0], x[2])))),
)  # fmt: skip
_in_worlds(r.marginal, Expect(path, pair), Expect(path, log(p(x[0]))),
           Expect(q(x[0]), log(p(x[1]))), Expect(q(x[1:T] | x[0]), log(p(x[T]))),
           Int(q(x[0], x[1]), x[1]), Int(p(x[0:T]), x[1:T]), Int(p(x[0] | x[1]), x[0]),
           Int(pi(x[0]), x[0]))  # fmt: skip
_in_worlds(r.fubini, Int(p(x[0] | x[1]) * Int(p(x[1], x[2]), x[2]), x[1]),
           Int(p(x[T]) * Int(q(x[0:T]), x[0 : T - 1]), x[T]))  # fmt: skip
_in_worlds(r.linearity, Expect(q(x[0]), 2 * pair - 3 * q(x[1]) * pair + 1),
           Int(q(x[0]) * log(p(x[1])) + p(x[0]), x[0]),
           Sum(2 * log(q(x[t])) - q(x[0]) * log(p(x[t])), (t, 1, T)),
           Expect(path, Sum(log(q(x[t])), (t, 1, T))))  # fmt: skip
_in_worlds(r.constant_factor, Expect(q(x[0]), q(x[1]) * pair + q(x[1]) * log(p(x[0]))))
_in_worlds(r.log_product, log(p(x[0]) ** 2 * q(x[1]) / (6 * sp.sqrt(q(x[0])))),
           log(Product(ratio, (t, 1, T))), log(4 * p(x[0]) + 6 * q(x[0])))  # fmt: skip
_in_worlds(r.first_step, Sum(log(q(x[t])), (t, 1, T)), Product(ratio, (t, 1, T)))
_in_worlds(r.last_step, Sum(log(q(x[t])), (t, 1, T)), Product(ratio, (t, 1, T)))

NEIGHBOURS = [
    law(*states) if isinstance(states, tuple) else law(states)
    for law in (q, p)
    for states in (
        x[2] | (x[0], x[1]), x[0] | (x[1], x[2]), x[2] | (x[0], x[1], x[3]),
        x[1] | (x[0], x[2], x[3]), (x[0], x[1], x[2]), (x[0], x[2], x[3]),
    )
]  # fmt: skip
ROLES = x[2] | (x[0], x[1], x[3], x[4])


@proves(r.markov)
def _markov() -> list[Derivation]:
    """Five states have all roles: a state, its neighbours that are given, those beyond them."""
    spans = [q(x[T] | x[0 : T - 1]), p(x[0] | x[1:T])]
    return [
        *shown(r.markov, *NEIGHBOURS, worlds=CHAINS[1:]),
        *shown(r.markov, *spans, worlds=CHAINS),
        *shown(r.markov, q(ROLES), p(ROLES), worlds=[FiniteChain(T=4)]),
    ]


@proves(r.product_rule)
def _product_rule() -> list[Derivation]:
    """A span by induction on its length, forwards and backwards; a few states one by one."""
    forwards = Derivation(
        q(x[0:t]),
        equals(q(x[0 : t - 1]) * q(x[t] | x[0 : t - 1]), r.bayes),
        equals(
            q(x[0]) * Product(q(x[s] | x[0 : s - 1]), (s, 1, t)), hypothesis, r.last_step
        ),
        worlds=CHAINS, steps_from=2, base=[r.bayes],
    )  # fmt: skip
    start = Derivation(
        q(x[1:t] | x[0]),
        equals(q(x[0:t]) / q(x[0]), r.bayes),
        equals(Product(q(x[s] | x[0 : s - 1]), (s, 1, t)), forwards.result("product rule")),
        worlds=CHAINS,
    )
    backwards = Derivation(
        p(x[T - t : T]),
        equals(p(x[T - t + 1 : T]) * p(x[T - t] | x[T - t + 1 : T]), r.bayes),
        equals(
            p(x[T]) * Product(p(x[s - 1] | x[s:T]), (s, T - t + 1, T)), hypothesis, r.first_step
        ),
        worlds=CHAINS, steps_from=2, base=[r.bayes],
    )  # fmt: skip
    few = shown(r.product_rule, q(x[0], x[1], x[2]), p(x[0], x[2], x[3]), worlds=CHAINS[1:])
    spans = [q(x[0:t]), q(x[1:t] | x[0]), p(x[0:T]), p(x[t:T])]
    return [forwards, start, backwards, *few, *shown(r.product_rule, *spans, worlds=CHAINS)]


@proves(r.unit_steps)
def _unit_steps() -> list[Derivation]:
    """By induction: the earliest step is integrated first."""
    step = p(x[s - 1] | x[s])
    earlier = Int(Product(step, (s, 1, t - 1)), x[0 : t - 2])
    whole = Int(Product(step, (s, 1, t)), x[0 : t - 1])
    return [
        Derivation(
            whole,
            equals(Int(p(x[t - 1] | x[t]) * earlier, x[t - 1]), r.last_step, r.fubini),
            equals(1, hypothesis, r.marginal),
            worlds=CHAINS, steps_from=2, base=[r.marginal],
        ),
        *shown(r.unit_steps, whole, worlds=CHAINS),
    ]  # fmt: skip


@proves(r.products)
def _products() -> list[Derivation]:
    """By induction on the number of steps."""
    above, below = p(x[s - 1] | x[s]), q(x[s] | x[s - 1])
    return [
        Derivation(
            Product(above / below, (s, 1, t)),
            equals(
                Product(above / below, (s, 1, t - 1)) * above.subs(s, t) / below.subs(s, t),
                r.last_step,
            ),
            equals(
                Product(above, (s, 1, t)) / Product(below, (s, 1, t)), hypothesis, r.last_step
            ),
            worlds=CHAINS, base=[algebra],
        ),
        *shown(r.products, Product(above**2 / below, (s, 2, t)), worlds=CHAINS),
    ]  # fmt: skip


@proves(r.telescoping)
def _telescoping() -> list[Induction | Derivation]:
    later, sooner = q(x[t] | x[0]), q(x[t - 1] | x[0])
    last, first = q(x[T] | x[0]), q(x[1] | x[0])
    return [
        Induction(Product(later / sooner, (t, 2, T)), last / first),
        Induction(Product(sooner / later, (t, 2, T)), first / last),
        *shown(
            r.telescoping, Product(q(x[t] | x[t - 1]) * later / sooner, (t, 2, T)),
            Product((sooner / later) ** 2, (t, 2, T)), worlds=CHAINS,
        ),
    ]  # fmt: skip


@proves(r.telescoping_sum)
def _telescoping_sum() -> list[Induction | Derivation]:
    later, sooner = Entropy(q(x[t] | x[0])), Entropy(q(x[t - 1] | x[0]))
    last, first = Entropy(q(x[T] | x[0])), Entropy(q(x[1] | x[0]))
    sums = Sum(later, (t, 2, T)) - Sum(sooner, (t, 2, T)) + Sum(log(q(x[0])), (t, 2, T))
    return [
        Induction(Sum(later - sooner, (t, 2, T)), last - first),
        *shown(r.telescoping_sum, 3 * sums, worlds=CHAINS),
    ]


# the chain, its kernels and their rates ----------------------------------------------------------

_in_worlds(k.step, q(x[t] | x[t - 1]), worlds=[*PLANE, *BITS, GaussianChain(3), BinomialChain(3)])
_in_worlds(k.read_step, Kernel(x[t], x[t - 1], beta[t]),
           worlds=[*PLANE, *BITS, GaussianChain(3), BinomialChain(3)])  # fmt: skip
_in_worlds(k.edge, p(x[0] | x[1]), worlds=EDGE)
_in_worlds(k.gaussian_kernel, Kernel(y, z, beta[1]), pi(y), worlds=PLANE)
_in_worlds(k.binomial_kernel, Kernel(y, z, beta[1]), pi(y), worlds=BITS)
_in_worlds(k.gaussian_data, q(x[0]), worlds=PLANE)


@proves(k.detailed_balance)
def _detailed_balance() -> list[Derivation]:
    """For each kernel, in one coordinate and so in all."""
    gaussian = [k.gaussian_kernel, k.log_gaussian, r.log_product, k.by_logarithms, k.coordinates]
    bits = [k.binomial_kernel, k.both_values, k.coordinates]
    both = Kernel(y, z, beta[t]) * pi(z)
    worlds = [*PLANE, *BITS, GaussianChain(3), BinomialChain(3)]
    return [
        Derivation(
            both, equals(Kernel(z, y, beta[t]) * pi(y), cases(gaussian, bits)), worlds=worlds
        ),
        *shown(k.detailed_balance, both, worlds=worlds),
    ]


@proves(k.rates)
def _rates() -> list[Derivation]:
    """They are defined so: the worlds have their own definition."""
    pairs = [
        (beta[t], 1 - alpha[t]), (beta_bar[t], 1 - alpha_bar[t]),
        (alpha_bar[t], alpha[t] * alpha_bar[t - 1]), (v[t], alpha[t] * v[t - 1] + beta[t]),
        (v[t], alpha_bar[t] * v[0] + beta_bar[t]),
    ]  # fmt: skip
    worlds = [GaussianChain(T=2), GaussianChain(T=3)]
    reason = in_chains("definition of the rates")
    return [Derivation(left, equals(right, reason), worlds=worlds) for left, right in pairs]


@proves(k.differentiate)
def _differentiate() -> list[Derivation]:
    """Three steps have all roles: that of the rate, those before it, and those after it.

    Many steps in a row leave what one leaves whose alpha is their product, whatever it is.
    """
    worlds = [GaussianChain(T=3), GaussianChain(T=4), GaussianChain(T=2)]
    of_t = [beta[t] ** 2 / alpha[t], alpha_bar[t - 1] * log(alpha_bar[t]), v[t] + beta_bar[T]]
    of_t += [log(v[T] / v[t - 1]), sp.sqrt(alpha_bar[T]) + alpha_bar[0] * v[0]]
    of_one = [log(beta_bar[T] / beta[1]) + alpha[2] * v[2], beta_bar[1] ** 2 * v[T]]
    return [
        *shown(k.differentiate, *(Slope(e, beta[t]) for e in of_t), worlds=worlds),
        *shown(k.differentiate, *(Slope(e, beta[1]) for e in of_one), worlds=worlds),
    ]


# Gaussians ---------------------------------------------------------------------------------------

law = Normal(y, a * z + b, spread)
_in_worlds(k.log_gaussian, log(law), worlds=LINE)
_in_worlds(k.gaussian_integral, Int(law * Normal(z, m, variance), z), worlds=PLANE)
_in_worlds(k.other_argument, Int(law.subs(b, 0), z), worlds=LINE)
_in_worlds(k.gaussian_mean, Expect(law, y), Expect(law, y**2), worlds=LINE)
_in_worlds(k.second_moment, Expect(q(x[0]), Square(x[0])), worlds=PLANE)
_in_worlds(k.unit_moment, m_2, worlds=[GaussianChain(T=1, unit=True)])

# bits --------------------------------------------------------------------------------------------

_in_worlds(k.log_bit, log(Bern(y, rate)), worlds=BIT)
_in_worlds(k.bit_mean, Expect(Bern(y, rate), y), worlds=BIT)
_in_worlds(k.base_rate, Expect(q(x[0]), x[0]), worlds=[BinomialChain(T=1, unit=True)])
_in_worlds(k.binary_entropy, h(rate), worlds=BIT)
_in_worlds(k.logistic, Logistic(u), Logistic(log(a) - u),
           worlds=[GaussianChain(T=1, free=[a], exponents=[u])])  # fmt: skip
_in_worlds(k.both_values, Int(Bern(y, rate) * log(Bern(y, other)), y),
           Expect(Bern(y, rate), log(Bern(y, other))), worlds=BIT)  # fmt: skip

# tilted laws -------------------------------------------------------------------------------------

TILTED = [FiniteChain(T=2, factor="any"), FiniteChain(T=3, factor="any"),
          GaussianChain(T=2, factor="any")]  # fmt: skip
AHEAD = [FiniteChain(T=2, factor="ahead"), FiniteChain(T=3, factor="ahead"),
         GaussianChain(T=2, factor="ahead")]  # fmt: skip
_in_worlds(tilt.tilted, Tilted(x[t]), worlds=TILTED, first=0)
_in_worlds(tilt.mass, Z[t], worlds=TILTED, first=0)
_in_worlds(tilt.ahead, Factor(x[t]), worlds=AHEAD)

# every dimension ---------------------------------------------------------------------------------

_in_worlds(k.one_dimension, Square(y), Dot(y, a * z + b), worlds=LINE)


@proves(k.by_logarithms)
def _by_logarithms() -> list[Derivation]:
    """The logarithm is injective; the worlds know what undoes it."""
    law = q(x[0] | x[1])
    reason = in_chains("the exponential undoes the logarithm")
    return [Derivation(law, equals(sp.exp(log(law)), reason), worlds=CHAINS)]


@proves(k.coordinates)
def _coordinates() -> list[Derivation]:
    """Worlds of one coordinate and of two: products multiply and sums add."""
    reason = in_chains("one factor, or one term, for each coordinate")
    back, divergence = Kernel(z, y, beta[1]) * pi(y), rate * log(rate / other)
    divergence += (1 - rate) * log((1 - rate) / (1 - other))
    pairs: list[tuple[Expr, Expr, Sequence[World]]] = [
        (Kernel(y, z, beta[1]) * pi(z), back, [*PLANE, *BITS]),
        (log(Int(Normal(y, a * z, spread), z)), -d * log(a), PLANE),
        (Entropy(q(x[1] | x[0])), d / 2 * log(2 * sp.pi * sp.E * beta[1]), PLANE),
        (KL(Bern(y, rate), Bern(y, other)), d * divergence, BITS),
        (Expect(q(x[0]), Square(x[0])), d * m_2, PLANE),
        (Square(y - a * z) + Dot(a * y, 2 * z), Square(y) + a**2 * Square(z), PLANE),
        (Normal(y, 0, 1) * exp(Dot(y, z)), exp(Square(z) / 2) * Normal(y, z, 1), PLANE),
    ]  # fmt: skip
    return [Derivation(one, equals(two, reason), worlds=worlds) for one, two, worlds in pairs]


@proves(tangent)
def _tangent() -> None:
    """r - 1 - log r is 0 at r = 1, as is its slope, and it is convex."""
    ratio = sp.Symbol("r", positive=True)
    gap = ratio - 1 - sp.log(ratio)
    slope = gap.diff(ratio)
    if gap.subs(ratio, 1) != 0 or slope.subs(ratio, 1) != 0 or not slope.diff(ratio).is_positive:
        raise Unproved(f"{gap} may be negative")


@proves(gibbs)
def _gibbs() -> list[Derivation]:
    """A divergence is the average of r - 1 - log r."""
    ratio = p(x[0]) / q(x[0])
    excess = Expect(q(x[0]), ratio - 1 - log(ratio))
    return [
        Derivation(
            KL(q(x[0]), p(x[0])),
            equals(Expect(q(x[0]), log(q(x[0]) / p(x[0]))), r.divergence),
            equals(excess, r.log_product, r.linearity, r.average, r.marginal),
            at_least(0, tangent, gap=excess),
            worlds=CHAINS,
        )
    ]
