"""The rules: each is proved, each is needed, and none lets a false statement through."""

from dataclasses import replace
from itertools import pairwise

import pytest
import sympy as sp
from sympy import S

from dpm_lib.symbolic import (
    KL,
    Bern,
    Derivation,
    Dot,
    Entropy,
    Expect,
    Factor,
    FiniteChain,
    GaussianChain,
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
    Unproved,
    Variable,
    Z,
    alpha,
    alpha_bar,
    at_least,
    beta,
    by,
    d,
    equals,
    exp,
    h,
    in_chains,
    latex,
    log,
    m_2,
    mu_0,
    p,
    pi,
    q,
    results,
    rho,
    sqrt,
    t,
    v,
    x,
)  # fmt: skip
from dpm_lib.symbolic.comparison import difference
from dpm_lib.symbolic.derivation import known
from dpm_lib.symbolic.proofs import probability
from dpm_lib.symbolic.rules import kernel, ring
from dpm_lib.symbolic.rules.kernel import Rule, flat, left_over, normal
from dpm_lib.symbolic.rules.steps import Steps, free

NAMES = [name for name in by.__all__ if isinstance(getattr(by, name), Rule)]
APPLIED = [name for name in NAMES if name not in ("algebra", "gibbs", "hypothesis", "tangent")]
F2, F3 = FiniteChain(2), FiniteChain(3)
y, z = Variable("y"), Variable("y'")
a, r = sp.symbols("a r", positive=True)
b = sp.Symbol("b", real=True)
H, path = Entropy(p(x[T])), q(x[0:T])
posterior = q(x[t - 1] | (x[t], x[0]))
turned = q(x[t] | x[t - 1]) * q(x[t - 1] | x[0]) / q(x[t] | x[0])
earlier, later = q(x[t - 1] | x[0]), q(x[t] | x[0])
score = Expect(q(x[0]), log(pi(x[0])))


def rest(left, right, *rules, first=1):
    """What the rules alone leave of an equation, at every step t from the first."""
    left, right = sp.sympify(left), sp.sympify(right)
    return left_over(left, right, flat(rules), known([left, right], first))


# each rule is proved


@pytest.mark.parametrize("name", [name for name in APPLIED if name not in results.__all__])
def test_every_rule_has_a_proof_that_holds(name):
    """It is shown in worlds, or by rules that are."""
    found = by.proof(getattr(by, name))
    assert all(shown.count for shown in found)
    assert found


FIRING = [n for n in APPLIED if n not in results.__all__ and getattr(by, n).rewrite]
FIRING.remove("coordinates")  # acts on whole sides


@pytest.mark.parametrize("name", FIRING)
def test_every_rule_is_shown_as_it_fires(name):
    """Beside any induction stands what the rule itself makes of an expression."""
    one = getattr(by, name)
    lines = [d._lines for d in by.proof(one) if isinstance(d, Derivation)]
    assert any(normal(first, [one], known([first], 1)) == last for first, *_, last in lines)


def in_finite_chains(name):
    """The proofs of a rule in finite chains, each with these chains, of three states, at points."""
    for one in by.proof(getattr(by, name)):
        worlds = one._worlds if isinstance(one, Derivation) else ()
        finite = [world for world in worlds if type(world) is FiniteChain]
        if finite:
            yield one, [w.twin(point, states=3) for w in finite for point in (0, 1)]


FINITE = [n for n in APPLIED if n not in results.__all__ and list(in_finite_chains(n))]


@pytest.mark.parametrize("name", FINITE)
def test_a_rule_shown_with_two_states_holds_with_three(name):
    """Or the proof would rest on what two numbers that sum to 1 have alone."""
    for one, worlds in in_finite_chains(name):
        for before, after in pairwise(one._lines):
            assert difference(worlds, before, after, one._first) is None


def test_three_states_refuse_what_two_allow():
    """Of two probabilities the cubes follow from the squares; of three they do not."""
    square, cube = (Int(q(x[0]) ** n, x[0]) for n in (2, 3))
    false = (3 * square - 1) / 2
    assert difference([F2.twin()], cube, false, 1) is None
    assert difference([F2.twin(states=3)], cube, false, 1)


def test_rules_of_signs_are_proved():
    """A divergence is at least 0, and no more; the tangent is a fact of one ratio."""
    (proof,) = by.proof(by.gibbs)
    assert proof.statement.endswith(r"\geq0")
    by.proof(by.tangent)
    ratio = p(x[0]) / q(x[0])
    with pytest.raises(Unproved):
        Derivation(
            Expect(q(x[0]), ratio - 1 - log(ratio)),
            at_least(1, by.tangent, gap=Expect(q(x[0]), ratio - 1 - log(ratio))),
            worlds=[F2],
        )


def test_a_proof_states_the_weakest_of_its_relations():
    """Of equal lines an equation is proved; with one line that is less, an inequality."""
    gap = KL(q(x[0]), p(x[0]))
    equal = Derivation(gap, equals(Expect(q(x[0]), log(q(x[0]) / p(x[0]))), by.divergence),
                       worlds=[F2])  # fmt: skip
    less = Derivation(gap, at_least(0, by.gibbs, gap=gap), worlds=[F2])
    assert equal.statement.startswith(f"{latex(gap)}=")
    assert less.statement == rf"{latex(gap)}\geq0"


@pytest.mark.parametrize("sign", [1, -1])
def test_the_variance_of_gaussian_data_after_many_steps(sign):
    """It is alpha-bar v_0 + 1 - alpha-bar, and not plus: no chapter is needed to notice."""
    claimed = alpha_bar[t] * v[0] + 1 - sign * alpha_bar[t]
    assert (rest(v[t], claimed, by.rates) is None) == (sign == 1)


@pytest.mark.parametrize(
    ("rate", "law"),
    [(r, True), (1 - r, True), (r * (1 - beta[1]) + rho * beta[1], True), (8 * r * (1 - r), False),
     (r**2, False), (2 * r, False), (v[0], False), (sp.exp(z), False)],
)  # fmt: skip
def test_a_bit_has_mass_one_only_with_a_probability(rate, law):
    """A number that may leave 0 … 1 makes no law, also where it is one at every corner."""
    assert (rest(Int(Bern(y, rate), y), 1, by.marginal) is None) == law


def test_an_entropy_is_a_number():
    """It depends on no state, whatever its law is given; an average depends on what is left."""
    assert free(Entropy(q(x[1] | x[0]))) == frozenset()
    assert free(Expect(q(x[1] | x[0]), log(p(x[1])))) == {x[0]}


@pytest.mark.parametrize("name", results.__all__)
def test_every_result_is_proved_by_rules_on_both_legs(name):
    proof = getattr(results, name).proof()
    assert proof.rules["steps"] == proof.count
    assert proof.rules["claim"]["T"] == "every"
    assert proof.worlds


def test_a_rule_without_a_proof_cannot_be_used():
    """Neither one made by hand, nor a real one that was given another meaning."""
    anything = Rule("anything", ("anything",), "0 is 1.", 0, {}, "anything", lambda e, s: S.One)
    forged = replace(by.markov, rewrite=lambda e, s: S.One)
    for rule in (anything, forged):
        with pytest.raises(Unproved, match="is not proved"):
            Derivation(q(x[0]), equals(q(x[0]), rule), worlds=[F2])


def test_a_proof_may_not_use_its_own_rule():
    rule = replace(by.bayes, name="circular")
    kernel.proves(rule)(lambda: kernel.follows(posterior, posterior, [rule], Steps()))
    with pytest.raises(Unproved, match="proof of circular uses it"):
        kernel.proof(rule)


def test_a_rule_may_be_printed_in_its_own_words_only():
    assert by.bayes.say("Bayes' rule") == by.bayes
    with pytest.raises(ValueError, match="words must be of conditional density"):
        by.bayes.say("trust me")


# each reason is needed


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        ([by.bayes], "does not follow by conditional density"),
        ([by.markov], "does not follow by Markov property"),
        ([by.bayes, by.markov, by.tower], "tower rule is not needed"),
        ([by.bayes, by.markov, by.routine], "is not needed"),
        ([by.bayes, by.product_rule], "does not follow|undo one another"),
    ],
)
def test_a_reason_that_is_missing_wrong_or_spare_is_refused(reasons, message):
    options = {"worlds": [F2, F3], "steps_from": 2}
    Derivation(posterior, equals(turned, by.bayes, by.markov), **options)
    with pytest.raises(Unproved, match=message):
        Derivation(posterior, equals(turned, *reasons), **options)


def test_free_words_are_no_reason():
    for reason in ("Markov property", None, [by.markov], (by.markov, "words")):
        with pytest.raises(TypeError, match="reasons must be rules"):
            equals(turned, reason)


# false statements, and the nearest true one that the same rules accept

middle = Product(earlier / later, (t, 2, T))
entropies = Sum(Entropy(later), (t, 2, T)) - Sum(Entropy(earlier), (t, 2, T))
step_of_p = Product(p(x[t - 1] | x[t]), (t, 1, T))
gaussian = (by.step, by.gaussian_kernel, by.rates)
tilted_step = p(x[t - 1] | x[t]) * Z[t] * Factor(x[t - 1]) / (Z[t - 1] * Factor(x[t]))
later_factor = Expect(p(x[t - 1] | x[t]), Factor(x[t - 1]))
FALSE = {
    "E15": (Expect(q(x[T]), log(pi(x[T]))), -H, -H + alpha_bar[T] * (score + H), [by.prior_score]),
    "E17": (p(x[0] | x[1]), q(x[1] | x[0]), pi(x[0]) * q(x[1] | x[0]) / pi(x[1]),
            [by.edge, by.detailed_balance, by.read_step]),
    "E18": (Expect(path, log(p(x[0] | x[1]) / q(x[1] | x[0]))), 0, beta[1] * (score + H),
            [by.edge_term]),
    "E19": (q(x[t - 1] | x[t]) * q(x[t]) / q(x[t - 1]),
            posterior * q(x[t] | x[0]) / q(x[t - 1] | x[0]), q(x[t - 1], x[t]) / q(x[t - 1]),
            [by.bayes]),
    "posterior upside down": (posterior, q(x[t] | x[t - 1]) * later / earlier, turned,
                              [by.bayes, by.markov]),
    "a memory that q lacks": (q(x[t] | (x[t - 1], x[0])), later, q(x[t] | x[t - 1]), [by.markov]),
    "a step of the model for one of q": (p(x[0] | (x[1], x[2])), q(x[0] | x[1]), p(x[0] | x[1]),
                                         [by.markov]),
    "telescoping shifted": (middle, q(x[1] | x[0]) / q(x[T - 1] | x[0]),
                            q(x[1] | x[0]) / later.subs(t, T), [by.telescoping]),
    "telescoping sum, one end": (entropies, Entropy(later.subs(t, T)),
                                 Entropy(later.subs(t, T)) - Entropy(q(x[1] | x[0])),
                                 [by.telescoping_sum]),
    "a trajectory without its first step": (
        path, q(x[0]) * Product(q(x[t] | x[t - 1]), (t, 2, T)),
        q(x[0]) * Product(q(x[t] | x[t - 1]), (t, 1, T)), [by.product_rule, by.markov]),
    "one state too many integrated": (Int(path, x[0 : T - 1]), q(x[T - 1]), q(x[T]), [by.marginal]),
    "the mass of steps up to the wrong state": (
        Int(step_of_p, x[0 : T - 1]), p(x[T]), 1, [by.unit_steps, by.marginal]),
    "mass in the other argument": (Int(Kernel(y, z, beta[1]), z), 1, None, [by.marginal]),
    "mass of what is no law": (Int(Kernel(y, z, 2 - beta[1]), y), 1, None, [by.marginal]),
    "a kernel that knows where it goes": (Int(Normal(z, 0, 1 + z**2), z), 1, None, [by.marginal]),
    "logarithm of a difference": (log(q(x[0]) - p(x[0])), log(q(x[0])) - log(p(x[0])), None,
                                  [by.log_product]),
    "logarithm of a negative number": (log(-q(x[0])), log(q(x[0])), None, [by.log_product]),
    "logarithm of a square that may be 0": (log(b**2), 2 * log(b), None, [by.log_product]),
    "logarithm of a logarithm": (
        log(q(x[0]) * log(q(x[1]))), log(q(x[0])) + log(log(q(x[1]))), None, [by.log_product]),
    "root of a square": (sqrt(b**2), b, None, [by.algebra]),
    "an average of a square": (
        Expect(q(x[0]), log(p(x[0])) ** 2), Expect(q(x[0]), log(p(x[0]))) ** 2, None,
        [by.linearity, by.marginal]),
    "entropies of dependent states add": (
        Entropy(q(x[0], x[1])), Entropy(q(x[0])) + Entropy(q(x[1])),
        Entropy(q(x[0])) + Entropy(q(x[1] | x[0])), [by.entropy, by.bayes, *by.routine[:3]]),
    "an average over states as if independent": (
        Expect(q(x[0]), Expect(q(x[1]), log(p(x[0], x[1])))),
        Expect(q(x[0], x[1]), log(p(x[0], x[1]))), None, [by.tower]),
    "a divergence turned": (KL(q(x[0]), p(x[0])), KL(p(x[0]), q(x[0])),
                            Expect(q(x[0]), log(q(x[0]) / p(x[0]))), [by.divergence]),
    "the second moment of a number": (Expect(q(x[0]), x[0] ** 2), m_2, None, [by.second_moment]),
    "signal without its root": (later, Normal(x[t], alpha_bar[t] * x[0], 1 - alpha_bar[t]),
                                Normal(x[t], sqrt(alpha_bar[t]) * x[0], 1 - alpha_bar[t]),
                                [by.forward_marginal]),
    "noise of one step": (q(x[t]), Normal(x[t], mu_0 * sqrt(alpha_bar[t]), v[1]),
                          Normal(x[t], mu_0 * sqrt(alpha_bar[t]), v[t]), [by.data_marginal]),
    "variance that depends on what is integrated": (
        Int(Normal(y, z, a) * Normal(z, 0, z), z), Normal(y, 0, a + z), None,
        [by.gaussian_integral]),
    "the rate of another step": (q(x[2] | x[1]), Normal(x[2], sqrt(alpha[1]) * x[1], beta[1]),
                                 Normal(x[2], sqrt(alpha[2]) * x[1], beta[2]), gaussian),
    "a bit of probability": (Int(Bern(y, r) * log(Bern(y, r)), y), h(r), -h(r),
                             [by.both_values, by.binary_entropy]),
    "the base rate lost": (score, -d * h(rho) + d * rho, None, [by.prior_entropy_binomial]),
    "a sum with a term too few": (
        Sum(Entropy(later), (t, 1, T)), Sum(Entropy(later), (t, 2, T)),
        Entropy(q(x[1] | x[0])) + Sum(Entropy(later), (t, 2, T)), [by.first_step]),
    "a step that is normalised alone": (
        Int(tilted_step, x[t - 1]), 1, Z[t] / (Z[t - 1] * Factor(x[t])) * later_factor,
        [by.linearity, by.as_average]),
    "a tilted law without its mass": (Tilted(x[t]), p(x[t]) * Factor(x[t]),
                                      p(x[t]) * Factor(x[t]) / Z[t], [by.tilted]),
    "a mass below 1": (log(1 - Z[t]), log(1 - Z[t] * (1 - Z[t])) - log(1 + Z[t]), None,
                       [by.log_product]),
    "a mass as a rate of a bit": (Int(Bern(y, Z[1]), y), 1, None, [by.marginal]),
    "a factor of another step": (
        Int(Bern(x[1], rho) * Factor(x[1]), x[1]), Int(Bern(x[2], rho) * Factor(x[2]), x[2]),
        (1 - rho) * Factor(x[1]).subs(x[1], 0) + rho * Factor(x[1]).subs(x[1], 1),
        [by.both_values]),
    "a factor that looks back": (later_factor, Factor(x[t - 1]), Factor(x[t]),
                                 [by.ahead, by.chapman_kolmogorov]),
    "a factor of the data that looks ahead": (Factor(x[0]), Expect(p(x[0] | x[1]), Factor(x[0])),
                                              None, [by.ahead]),
    "a slope without its inner slope": (
        Slope(log(v[T]), beta[t]), (1 - v[0]) * alpha_bar[T] / v[T],
        (1 - v[0]) * alpha_bar[T] / (alpha[t] * v[T]), [by.differentiate]),
    "the slope of the logarithm of a negative number": (
        Slope(log(-v[T]), beta[t]), (1 - v[0]) * alpha_bar[T] / (alpha[t] * v[T]), None,
        [by.differentiate]),
    "the slope of a rate in another": (Slope(beta[t], beta[1]), 1, 0, [by.differentiate]),
    "the slope of signal with the wrong sign": (
        Slope(alpha_bar[t], beta[t]), alpha_bar[t - 1], -alpha_bar[t - 1],
        [by.differentiate, by.rates]),
    "a product of sums over coordinates": (
        Square(x[0]) * Square(x[1]), d * Square(x[0]), None, [by.coordinates]),
    "an inner product as large as the vectors": (
        Square(x[0]) * Square(x[1]), Dot(x[0], x[1]) ** 2, None, [by.coordinates]),
    "the same in an exponent": (
        exp(Square(x[0]) * Square(x[1])), exp(Dot(x[0], x[1]) ** 2), None, [by.coordinates]),
    "a mean that mixes coordinates": (
        Normal(y, Dot(z, z) * z, 1), Normal(y, z**3, 1), None, [by.coordinates]),
    "a rate that mixes coordinates": (
        Bern(y, Dot(z, z)), Bern(y, z**2), None, [by.coordinates]),
    "a square not completed": (
        Square(y) + 2 * Dot(y, z), Square(y + z), Square(y + z) - Square(z), [by.coordinates]),
    "a tilt without its half": (
        Normal(y, 0, 1) * exp(Dot(y, z)), exp(Square(z)) * Normal(y, z, 1),
        exp(Square(z) / 2) * Normal(y, z, 1),
        [by.coordinates, by.by_logarithms, by.log_gaussian, by.log_product]),
    "the exponential of a sum": (exp(b + mu_0), exp(b) + exp(mu_0), exp(b) * exp(mu_0),
                                 [by.algebra]),
    "the other side of the log-odds": (Logistic(b), Logistic(-b), 1 - Logistic(-b), [by.logistic]),
    "a factor that is no constant": (
        Expect(q(x[0]), Factor(x[0])), Factor(x[0]), None, [by.linearity, by.marginal]),
    "the factor of another state": (
        Int(q(x[0]) * Factor(x[1]), x[0]), Expect(q(x[0]), Factor(x[0])), Factor(x[1]),
        [by.as_average, by.linearity, by.marginal]),
}  # fmt: skip


@pytest.mark.parametrize("name", FALSE)
def test_rules_alone_refuse_what_is_false(name):
    """With the worlds switched off; the nearest true statement follows by the same rules."""
    left, wrong, right, rules = FALSE[name]
    assert rest(left, wrong, *rules, first=2) is not None
    if right is not None:
        assert rest(left, right, *rules, first=2) is None


def test_the_range_of_a_step_counts():
    """From t = 1 on the earlier state may be the start, so the Markov property says nothing."""
    both, plain = q(x[t] | (x[t - 1], x[0])), q(x[t] | x[t - 1])
    assert rest(both, plain, by.markov, first=1) is not None
    assert rest(both, plain, by.markov, first=2) is None


def test_a_factor_looks_ahead_after_the_data_only():
    """At t - 1, which may be 0, it is left alone for t from 1 and looks ahead for t from 2."""
    start = Expect(p(x[0] | x[t - 1]), Factor(x[0]))
    assert rest(Factor(x[t - 1]), start, by.ahead, first=2) is None
    assert rest(Factor(x[t - 1]), start, by.ahead, first=1) is not None


def test_a_result_holds_in_its_range_only():
    """Proved from t = 2 on, it says nothing of t = 1, and nothing of the state after."""
    proved = Derivation(
        posterior, equals(turned, by.bayes, by.markov), worlds=[F2, F3], steps_from=2
    ).result("the posterior")
    assert rest(posterior, turned, proved, first=2) is None
    assert rest(posterior, turned, proved, first=1) is not None
    after = [side.subs(t, t + 1) for side in (posterior, turned)]
    assert rest(*after, proved, first=1) is not None


def test_a_slope_is_taken_where_the_order_of_steps_is_known():
    """Of the signal at t by the second rate nothing is said: t may come before it, or not."""
    undecided = Slope(alpha_bar[t], beta[2])
    assert normal(undecided, [by.differentiate], known([undecided], 1)) == undecided
    assert rest(Slope(alpha_bar[t - 1], beta[t]), 0, by.differentiate) is None
    assert rest(undecided, -alpha_bar[t] / alpha[2], by.differentiate, first=2) is None


def test_indices_that_are_not_linear_are_not_ordered():
    """(t - 2)^2 - 1 is not negative at 1 and 3, but it is at 2."""
    steps = Steps().bound(t, sp.Integer(1), sp.Integer(3))
    assert not steps.never_negative((t - 2) ** 2 - 1)
    assert steps.never_negative(t - 1)
    assert not steps.never_negative(t - 2)


def test_the_ring_decides_and_does_not_guess():
    one = 1 / (1 - r) + 1 / (1 + r)
    assert ring.is_zero(one - 2 / (1 - r**2))
    assert not ring.is_zero(one - 2 / (1 + r**2))
    assert not ring.is_zero(sqrt((1 - 2 * r) ** 2) - (1 - 2 * r))


@pytest.mark.parametrize(("one", "other", "equal"), [(a, r, True), (b, mu_0, False)])
def test_roots_are_taken_apart_for_positive_numbers_only(one, other, equal):
    """At -1 and -1 the root of the product is 1, the product of the roots -1."""
    whole = sp.Pow(one * other, S.Half, evaluate=False)
    assert ring.is_zero(whole - sqrt(one) * sqrt(other)) == equal
    assert ring.is_zero(sp.Pow(one**2, S.Half, evaluate=False) - one) == equal


@pytest.mark.parametrize(
    ("factor", "positive"),
    [(sqrt(1 - beta[t]), True), (sqrt(1 - beta[t]) * q(x[t] | x[t - 1]), True),
     (sqrt(1 - v[t]), False), (sqrt(1 - v[t]) * q(x[t] | x[t - 1]), False)],
)  # fmt: skip
def test_a_product_over_steps_has_a_logarithm_if_its_factors_are_positive(factor, positive):
    """A rate lies between 0 and 1, a variance may be larger."""
    whole, parts = log(Product(factor, (t, 1, T))), Sum(log(factor), (t, 1, T))
    assert (rest(whole, parts, by.log_product) is None) == positive


@pytest.mark.parametrize(
    "law", [q(x[1:t]), q(x[2:t] | x[0]), q(x[0:t] | x[T]), q(x[1:t] | (x[0], x[T])), p(x[0:t]),
            p(x[1:T] | x[0])],
)  # fmt: skip
def test_the_product_rule_reads_a_trajectory_in_its_direction(law):
    """From the start for q, from the prior for p; what begins elsewhere it leaves alone."""
    assert normal(law, [by.product_rule], known([law], 2)) == law


@pytest.mark.parametrize(
    ("name", "expr"),
    [("product_rule", q(x[1], x[t])), ("nested", Expect(q(x[1], x[t]), log(p(x[1], x[t])))),
     ("markov", q(x[t] | (x[0], x[1])))],
)  # fmt: skip
def test_states_whose_order_is_not_decided_stay_together(name, expr):
    """From t = 1 on, x^(1) may be x^(t); from t = 2 on it comes before."""
    one = getattr(by, name)
    assert normal(expr, [one], known([expr], 1)) == expr
    assert normal(expr, [one], known([expr], 2)) != expr


# one rule's name for another's

REALLY_APPLY = {
    ("tower", "nested"),  # the same average, read from the other side
    ("nested", "tower"),
    ("marginal", "chapman_kolmogorov"),
    ("chapman_kolmogorov", "marginal"),
    ("read_step", "step"),  # both sides as kernels, instead of as forward steps
}
STEPS = {
    "bayes and Markov": (posterior, turned, ["bayes", "markov"]),
    "product rule": (path, q(x[0]) * Product(q(x[t] | x[0 : t - 1]), (t, 1, T)), ["product_rule"]),
    "tower": (Expect(q(x[0]), Expect(q(x[1] | x[0]), log(p(x[0], x[1])))),
              Expect(q(x[0], x[1]), log(p(x[0], x[1]))), ["tower"]),
    "marginal": (Expect(path, log(p(x[T]))), Expect(q(x[T]), log(p(x[T]))), ["marginal"]),
    "telescoping": (middle, q(x[1] | x[0]) / q(x[T] | x[0]), ["telescoping"]),
    "divergence": (KL(q(x[0]), p(x[0])), Expect(q(x[0]), log(q(x[0]) / p(x[0]))), ["divergence"]),
    "edge": (p(x[0] | x[1]), pi(x[0]) * q(x[1] | x[0]) / pi(x[1]),
             ["edge", "detailed_balance", "read_step"]),
    "one step": (q(x[t] | x[t - 1]), Normal(x[t], sqrt(alpha[t]) * x[t - 1], beta[t]),
                 ["step", "gaussian_kernel", "rates"]),
    "surplus": (score, -H + d / 2 * (1 - m_2), ["mean_score"]),
}  # fmt: skip


@pytest.mark.parametrize("name", STEPS)
def test_no_other_name_stands_for_a_rule(name):
    """Each rule of a step replaced by each other rule: refused, unless that one really applies."""
    left, right, rules = STEPS[name]
    assert rest(left, right, *(getattr(by, n) for n in rules), first=2) is None
    for place, right_one in enumerate(rules):
        for other in set(APPLIED) - set(rules):
            swapped = [*rules[:place], other, *rules[place + 1 :]]
            try:
                found = rest(left, right, *(getattr(by, n) for n in swapped), first=2)
            except RecursionError:
                continue  # these rules undo one another, which is refused
            assert found is not None or (right_one, other) in REALLY_APPLY, other


# both legs refuse every slip


@pytest.mark.parametrize("name", ["forward_marginal", "edge_term", "prior_entropy_binomial"])
def test_each_leg_alone_refuses_every_slip(name):
    slips = getattr(results, name).proof().slips()
    assert slips.refused == slips.by_rules > 20


def test_rules_that_do_not_notice_a_slip_stop_the_proof(monkeypatch):
    proof = results.prior_entropy_binomial.proof()
    monkeypatch.setattr("dpm_lib.symbolic.derivation.left_over", lambda *sides: None)
    with pytest.raises(Unproved, match="rules of its step do not notice a slip"):
        proof.slips()


@pytest.mark.parametrize("name", ["middle_steps", "edge_term", "product_rule", "unit_steps"])
def test_every_firing_is_true_in_worlds(name, monkeypatch):
    """What a rule makes of a part outside sums and averages has the same value there."""
    fired = []
    real = kernel.rewritten.__wrapped__

    def watched(expr, rules, steps):
        for one in rules:
            new = one.rewrite(expr, steps)
            if new is not None and new != expr:
                fired.append((one.name, expr, new, steps))
        return real(expr, rules, steps)

    proofs = (
        [getattr(results, name).proof()] if name in results.__all__ else by.proof(getattr(by, name))
    )
    monkeypatch.setattr(kernel, "rewritten", watched)
    for proof in proofs:
        proof._check_rules()
    looked_at = 0
    worlds = [F2, F3] if name != "edge_term" else [GaussianChain(2, edge=True)]
    for rule, before, after, steps in fired:
        bound = {step for step, *_ in steps.ranges} - {t}
        if not bound & (before.free_symbols | after.free_symbols):
            try:
                assert difference(worlds, before, after, 2) is None, (rule, before, after)
            except (ValueError, TypeError):
                continue  # a held product, or a constant beyond the world
            looked_at += 1
    assert looked_at


# claims


def test_a_claim_is_no_larger_than_its_rules():
    worlds = [GaussianChain(T=2), GaussianChain(T=3)]
    line = Derivation(
        Expect(q(x[t] | x[0]), x[t]),
        equals(sqrt(alpha_bar[t]) * x[0], by.forward_marginal, by.gaussian_mean),
        worlds=worlds,
    )
    assert line.rules["claim"]["d"] == [1]
    assert results.prior_entropy.proof().rules["claim"]["d"] == "every"
    assert results.data_marginal.proof().rules["claim"]["given"] == ["Gaussian data"]
    assert by.edge_term.claim["given"] == ["fixed edge step"]
    assert by.edge_term.claim["kernels"] == ["Gaussian", "binomial"]
    assert by.prior_entropy.claim["kernels"] == ["Gaussian"]


def test_cases_must_speak_of_different_kernels():
    for each in ([[by.gaussian_kernel]], [[by.gaussian_kernel], [by.gaussian_kernel]],
                 [[by.gaussian_kernel], [by.bayes]]):  # fmt: skip
        with pytest.raises(TypeError, match="rules of another kernel"):
            by.cases(*each)


def test_what_stands_in_chains_only_is_counted_and_is_no_rule():
    proof = Derivation(
        posterior, equals(turned, in_chains("looked at")), worlds=[F2, F3], steps_from=2
    )
    assert proof.rules == {"steps": 0, "claim": {}, "names": [], "chains_only": ["looked at"]}
    with pytest.raises(Unproved, match="only what follows by rules is a rule"):
        proof.result("the posterior")


def test_the_hypothesis_needs_a_base():
    right = Normal(x[t], sqrt(alpha_bar[t]) * x[0], 1 - alpha_bar[t])
    with pytest.raises(Unproved, match="needs its base"):
        Derivation(
            later,
            equals(right, by.hypothesis, *gaussian),
            worlds=[GaussianChain(2), GaussianChain(3)],
        )


def test_coordinates_are_compared_in_one_shape():
    """A product for all coordinates equals no sum over them, though for d = 1 it may."""
    left = Int(Normal(y, a * z, r), z)
    rules = [by.coordinates, by.gaussian_integral, by.other_argument]
    assert by.coordinates.first(left, 1 / a**d) is not None
    for other in (d / a, Square(x[0]) * Square(x[1])):
        assert by.coordinates.first(left, other) is None
    assert by.coordinates.first(sp.sin(a), sp.sin(a)) is None
    assert rest(left, d / a, *rules) is not None


@pytest.mark.parametrize(
    ("law", "body", "splits"),
    [(q(x[0]), Square(x[0]), True), (q(x[1] | x[0]), log(pi(x[1])), True),
     (p(x[0] | x[1]), Square(x[0]), False), (q(x[0]), Square(x[0]) * Square(x[1]), False)],
)  # fmt: skip
def test_an_average_splits_into_coordinates_if_its_law_and_its_body_do(law, body, splits):
    """A reverse step of the model may mix coordinates, and so does a product of sums."""
    assert (by.coordinates.first(Expect(law, body), d * m_2) is not None) == splits


def test_states_are_integrated_out_of_laws_alone():
    """An average over what is no law is not its body."""
    assert rest(Expect(Bern(y, r), a), a, by.marginal) is None
    assert rest(Expect(Bern(y, 2 * r), a), a, by.marginal) is not None
    assert rest(q(x[0], x[1]), q(x[0]) * q(x[1] | x[0]), by.product_rule) is None


def test_the_tangent_is_looked_at(monkeypatch):
    """Another function in the place of the logarithm is no tangent at 1."""
    plain = sp.log
    probability._tangent()
    for wrong in (lambda r: 2 * plain(r), lambda r: r - 1 + (r - 1) ** 2, lambda r: r):
        with monkeypatch.context() as patched:
            patched.setattr(probability.sp, "log", wrong)
            with pytest.raises(Unproved, match="may be negative"):
                probability._tangent()
