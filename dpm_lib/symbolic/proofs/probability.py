"""The proofs of the rules of probability, and of the two inequalities."""

import sympy as sp

from dpm_lib.symbolic.derivation import Derivation
from dpm_lib.symbolic.induction import Induction
from dpm_lib.symbolic.language import (
    KL,
    Entropy,
    Expect,
    Int,
    Product,
    Sum,
    T,
    log,
    p,
    pi,
    q,
    s,
    t,
    x,
)
from dpm_lib.symbolic.proofs.trials import CHAINS, in_worlds, path, shown
from dpm_lib.symbolic.reasons import at_least, equals, gibbs, hypothesis, tangent
from dpm_lib.symbolic.rules import book as r
from dpm_lib.symbolic.rules.kernel import Unproved, algebra, proves
from dpm_lib.symbolic.worlds import FiniteChain

__all__: list[str] = []

pair = log(p(x[0], x[1]))
ratio = p(x[t - 1] | x[t]) / q(x[t] | x[t - 1])

in_worlds(r.entropy, Entropy(q(x[1] | x[0])), Entropy(p(x[0:T])), Entropy(q(x[0] | (x[1], x[2]))))
in_worlds(r.divergence, KL(q(x[0]), p(x[0])), KL(q(x[0:T]), p(x[0:T])),
           KL(q(x[0] | x[1]), p(x[0] | x[1])))  # fmt: skip
in_worlds(r.average, Expect(q(x[0]), pair), Expect(path, log(p(x[0:T]))),
           Expect(q(x[0] | x[1]), q(x[1]) / q(x[0] | x[1])))  # fmt: skip
in_worlds(r.as_average, Int(q(x[0]) * pair, x[0]), Int(path * log(p(x[0:T])), x[0:T]))
in_worlds(r.importance, sp.Mul(q(x[1:T] | x[0]), p(x[0:T]), 1 / q(x[1:T] | x[0]), evaluate=False))
in_worlds(r.model_prior, p(x[T]))
in_worlds(r.bayes, q(x[1] | x[0]), p(x[0] | x[1:T]), q(x[0], x[2] | x[1]), q(x[1:T] | x[0]))
in_worlds(r.tower, Expect(q(x[0]), Expect(q(x[1] | x[0]), pair)),
           Expect(p(x[T]), Expect(p(x[0] | x[T]), log(q(x[0]) / q(x[T])))),
           Expect(q(x[0]), Expect(q(x[1:T] | x[0]), log(p(x[0:T])))),
           Expect(q(x[1] | x[0]), Expect(q(x[2] | (x[1], x[0])), log(p(x[0:2])))))  # fmt: skip
in_worlds(r.nested, Expect(q(x[0], x[1]), pair), Expect(p(x[0], x[2]), log(q(x[0]) / q(x[2]))))
in_worlds(
    r.chapman_kolmogorov, Int(q(x[1] | x[0]) * q(x[2] | x[1]), x[1]),
    Int(p(x[1] | x[2]) * p(x[0] | x[1]), x[1]),
    Expect(q(x[1] | x[0]), Expect(q(x[2] | x[1]), log(p(x[0], x[2])))),
    Expect(p(x[1] | x[2]), Expect(p(x[0] | x[1]), log(q(x[0], x[2])))),
)  # fmt: skip
in_worlds(r.marginal, Expect(path, pair), Expect(path, log(p(x[0]))),
           Expect(q(x[0]), log(p(x[1]))), Expect(q(x[1:T] | x[0]), log(p(x[T]))),
           Int(q(x[0], x[1]), x[1]), Int(p(x[0:T]), x[1:T]), Int(p(x[0] | x[1]), x[0]),
           Int(pi(x[0]), x[0]))  # fmt: skip
in_worlds(r.fubini, Int(p(x[0] | x[1]) * Int(p(x[1], x[2]), x[2]), x[1]),
           Int(p(x[T]) * Int(q(x[0:T]), x[0 : T - 1]), x[T]))  # fmt: skip
in_worlds(r.linearity, Expect(q(x[0]), 2 * pair - 3 * q(x[1]) * pair + 1),
           Int(q(x[0]) * log(p(x[1])) + p(x[0]), x[0]),
           Sum(2 * log(q(x[t])) - q(x[0]) * log(p(x[t])), (t, 1, T)),
           Expect(path, Sum(log(q(x[t])), (t, 1, T))))  # fmt: skip
in_worlds(r.constant_factor, Expect(q(x[0]), q(x[1]) * pair + q(x[1]) * log(p(x[0]))))
in_worlds(r.log_product, log(p(x[0]) ** 2 * q(x[1]) / (6 * sp.sqrt(q(x[0])))),
           log(Product(ratio, (t, 1, T))), log(4 * p(x[0]) + 6 * q(x[0])))  # fmt: skip
in_worlds(r.first_step, Sum(log(q(x[t])), (t, 1, T)), Product(ratio, (t, 1, T)))
in_worlds(r.last_step, Sum(log(q(x[t])), (t, 1, T)), Product(ratio, (t, 1, T)))

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


# inequalities ------------------------------------------------------------------------------------


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
