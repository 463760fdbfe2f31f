"""False statements, and statements that say nothing: the symbolic wing proves none of them."""

import os

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from dpm_lib import symbolic as sym
from dpm_lib.symbolic import (
    KL,
    Bern,
    BinomialChain,
    Derivation,
    Entropy,
    Expect,
    FiniteChain,
    GaussianChain,
    Induction,
    Int,
    Kernel,
    Normal,
    Product,
    Rational,
    Square,
    State,
    Sum,
    T,
    Unproved,
    Variable,
    alpha_bar,
    at_least,
    beta,
    beta_bar,
    by,
    d,
    equals,
    in_chains,
    log,
    mu_0,
    n,
    p,
    pi,
    q,
    sqrt,
    t,
    x,
)  # fmt: skip

F2, F3, G1, G2 = FiniteChain(2), FiniteChain(3), GaussianChain(1), GaussianChain(2)
PLANE = GaussianChain(1, dimension=2)
B1 = BinomialChain(1)
y, z = Variable("y"), Variable("y'")
CLAIMED = in_chains("it is claimed")


def proves(left, right, *worlds, **options):
    return Derivation(left, equals(right, CLAIMED), worlds=worlds, **options)


# steps that nobody looked at


@pytest.mark.parametrize(
    "claim",
    [
        lambda: Derivation(
            1, equals(q(x[t]), CLAIMED), equals(2, CLAIMED), worlds=[F2], steps_from=3
        ),
        lambda: Derivation(q(x[0]), equals(2 * q(x[0]), CLAIMED), worlds=[]),
        lambda: Derivation(q(x[0]), worlds=[F2]),
    ],
    ids=["no step t", "no world", "no step at all"],
)
def test_a_step_that_no_world_has_evaluated_is_not_proved(claim):
    with pytest.raises(Unproved):
        claim()


# signs

ratio = q(x[0]) / p(x[0])
divergence = KL(q(x[0]), p(x[0]))


@pytest.mark.parametrize(
    "gap",
    [
        lambda: -divergence,
        lambda: divergence - divergence.func(p(x[0]), q(x[0])),
        lambda: -ratio - 1 - log(-ratio),
        lambda: ratio - 1 - log(1 / ratio),
        lambda: (q(x[0]) - p(x[0])) - 1 - log(q(x[0]) - p(x[0])),
        lambda: Sum(divergence, (t, T, 1)),
        lambda: Expect(q(x[0]), log(ratio)),
        lambda: Int((q(x[0]) - p(x[0])) * divergence, x[0]),
    ],
)  # fmt: skip
def test_a_gap_that_may_be_negative_is_refused(gap):
    with pytest.raises(Unproved, match="gap"):
        at_least(0, by.gibbs, gap=gap())


def test_a_divergence_takes_two_normalised_laws_of_the_same_states():
    for first, second in (
        (q(x[0]), 2 * q(x[0])),
        (q(x[0]) * q(x[1]), q(x[0])),
        (sp.Integer(1),) * 2,
    ):
        with pytest.raises(TypeError, match="normalised law"):
            KL(first, second)
    with pytest.raises(ValueError, match="same states"):
        KL(q(x[0]), p(x[1]))


def test_a_step_made_by_hand_is_checked_as_well():
    """A Step that did not come through at_least meets the same demands."""
    with pytest.raises(Unproved, match="gap"):
        sym.Step(sp.Integer(0), (by.gibbs,), gap=-divergence)
    with pytest.raises(TypeError):
        sym.Step("0", (by.algebra,))


def test_the_sign_of_a_gap_is_measured_as_well(monkeypatch):
    """A form that passes by mistake is caught by its values."""
    monkeypatch.setattr("dpm_lib.symbolic.reasons._never_negative", lambda gap: True)
    gap = -KL(q(x[0]), p(x[0]))
    start = Expect(q(x[0]), log(p(x[0]) / q(x[0])))
    with pytest.raises(Unproved, match="negative"):
        Derivation(start, at_least(0, by.gibbs, gap=gap), worlds=[F2])


# what a world cannot represent, or does not know

root = sqrt(alpha_bar[t]) * sqrt(beta_bar[t])


@pytest.mark.parametrize(
    ("left", "right", "world"),
    [
        # roots, logarithms and constants beside a rational mean or variance
        (q(x[t] | x[0]), Normal(x[t], root * x[0], 1 - alpha_bar[t]), G1),
        (q(x[t] | x[0]), Normal(x[t], sqrt(alpha_bar[t]) * x[0] + log(7), 1 - alpha_bar[t]), G1),
        (pi(x[0]), Normal(x[0], 0, sqrt(beta_bar[1])), G1),
        (pi(x[0]), Normal(x[0], 0, -1), G1),
        (Kernel(y, z, beta[1]), Bern(y, log(2) * z), B1),
        # integrals that diverge
        (Int(1 / pi(x[0]), x[0]), 2 * sp.pi, G1),
        (Int(q(x[1] | x[0]) / q(x[1]), x[1]), 1, G1),
        # signs of roots and logarithms
        (sqrt((1 - mu_0) ** 2), mu_0 - 1, G1),
        (sqrt((1 - mu_0) ** 2), 1 - mu_0, G1),
        (sqrt(Square(x[0])), x[0], G1),
        (sp.Pow(x[0] ** 2, Rational(1, 2), evaluate=False), x[0], G1),
        (log(-q(x[0])), log(q(x[0])), F2),
        (log(q(x[0]) - p(x[0])), log(p(x[0]) - q(x[0])), F2),
        # laws, states, rates and orders of indices
        (pi(x[1], x[2]), pi(x[1]), F2),
        (pi(Variable("u")), pi(y), G1),
        (alpha_bar[t - 5], 1, G1),
        (alpha_bar[t + 5], alpha_bar[t], G1),
        (q(x[2:0]), 1, F2),
        (q(x[0] | (x[1], x[0])), 1, F2),
        (q(x[1], x[1]), q(x[1]), F2),
        (q(x[5]), q(x[5]) * 2, F2),
        (Int(q(x[0]), x[0], x[0]), 1, F2),
        (q(x[1] | y), q(x[1] | y) + 1, F2),
        # vectors that are taken for numbers
        (Int(pi(x[0]) * x[0] ** 2, x[0]), 1, PLANE),
        # sums that run downwards, which SymPy takes for a minus
        (Sum(q(x[t]), (t, 2, 0)), -q(x[1]), F2),
        # probabilities outside 0 … 1
        (Kernel(y, z, beta[1]), Bern(y, 1 + z), B1),
    ],
)  # fmt: skip
def test_a_world_refuses_what_it_does_not_know(left, right, world):
    with pytest.raises(Unproved):
        proves(left, right, world)


def test_unknown_laws_and_rates_cannot_be_written():
    with pytest.raises(ValueError, match="law must be q, p or pi"):
        sym.Density(sp.Symbol("r"), sp.Tuple(x[0]), sp.Tuple())
    with pytest.raises(ValueError, match="rate is one of"):
        sym.Rate(sp.Symbol("gamma"), 1)


def test_what_depends_on_T_or_d_is_not_decided_by_too_few_of_them():
    """p = p + 7 (T-2)(T-3) holds for T = 2, 3; d/2 and d^7/2 agree for d = 1."""
    with pytest.raises(Unproved, match="index or a limit only"):
        proves(p(x[0]), p(x[0]) + 7 * (T - 2) * (T - 3), F2, F3)
    with pytest.raises(ValueError, match="linear in the steps"):
        State((T - 2) * (T - 3))
    entropy = Entropy(pi(x[0]))
    with pytest.raises(Unproved, match="more than 1 d"):
        proves(entropy, d / 2 * log(2 * sp.pi * sp.E), G1)
    two = (G1, PLANE)
    proves(entropy, d / 2 * log(2 * sp.pi * sp.E), *two)
    for power in (2, 3, 7):
        with pytest.raises(Unproved, match="more than 2 d"):
            proves(entropy, (d + (d - 1) * (d - 2) * d**power) / 2 * log(2 * sp.pi * sp.E), *two)


def test_chains_of_one_length_do_not_decide_what_depends_on_T():
    """For T = 2 alone x^(T) is x^(2); limits may not hide a polynomial in T either."""
    for formula in (q(x[T]), q(x[t]), Sum(q(x[t]), (t, 0, T))):
        with pytest.raises(Unproved, match="more than one T"):
            proves(formula, formula, F2, FiniteChain(2, states=3))
    hidden = T + (T - 2) * (T - 3)
    with pytest.raises((Unproved, ValueError), match="linear"):
        proves(Sum(q(x[t]), (t, 0, T)), sp.Sum(q(x[t]), (t, 0, hidden)), F2, F3)


def test_the_first_error_of_the_notes_on_the_prior_is_refused():
    """K2 is not minus the entropy of the prior, whatever steps_from is."""
    K2 = Expect(q(x[T]), log(pi(x[T])))
    worlds = [GaussianChain(2, 1), GaussianChain(2, 2)]
    for first in (1, 2, 3):
        with pytest.raises(Unproved):
            Derivation(K2, equals(-Entropy(p(x[T])), CLAIMED), worlds=worlds, steps_from=first)


# inductions


def test_an_induction_refuses_a_term_that_knows_the_last_index():
    k = sp.Symbol("k", integer=True, positive=True)
    wrong = (n - 1) * n * (2 * n - 1) / 6
    with pytest.raises(Unproved):
        Induction(Sum((k - 1) * n, (k, 1, n)), wrong)
    with pytest.raises(Unproved):
        Induction(n * (n + 1) / 2, n * (n + 1) / 2)


def test_an_induction_refuses_densities_that_say_nothing():
    with pytest.raises(Unproved):
        Induction(
            Product(q(x[t - 1] | x[0]) / q(x[t] | x[0]), (t, 1, T)),
            q(x[0] | x[0]) / q(x[T] | x[0]),
        )


# worlds


@pytest.mark.parametrize(
    "make",
    [
        lambda: FiniteChain(2, states=1),
        lambda: FiniteChain(0),
        lambda: GaussianChain(0),
        lambda: GaussianChain(2, dimension=0),
        lambda: BinomialChain(2, dimension=0),
        lambda: FiniteChain(True),
        lambda: FiniteChain(2.0),
    ],
)
def test_a_world_that_cannot_tell_anything_is_refused(make):
    with pytest.raises(ValueError, match="must be a whole number"):
        make()


def test_a_free_symbol_is_no_number_of_the_world():
    """A symbol may have the name of a rate or of the base rate; it is free all the same."""
    for name in ("b1", "q0_0"):
        symbol = sp.Symbol(name, positive=True)
        world = BinomialChain(2, free=[symbol])
        for number in (sym.rho, beta[1]):
            with pytest.raises(Unproved):
                proves(symbol, number, world)
    variance = sp.Symbol("v_0", positive=True)
    with pytest.raises(Unproved):
        proves(sym.v[0], variance, GaussianChain(2, free=[variance]))


def test_only_worlds_of_the_library_count():
    class Yes:
        T, name, claim = 2, "yes", {}

    with pytest.raises(TypeError, match="worlds must be worlds"):
        proves(q(x[0]), p(x[0]), Yes())


def test_signs_are_looked_at_far_out_too():
    """A root whose sign changes beyond the middle of the domain is not decided."""
    for far in (3, 10, 40):
        for side in (far - mu_0, mu_0 - far):
            with pytest.raises(Unproved):
                proves(sqrt(sp.expand((mu_0 - far) ** 2)), side, G1)


def test_a_derivation_keeps_the_lines_that_were_checked():
    """What is printed cannot be exchanged after the proof."""
    proved = proves(q(x[0]), Int(q(x[0:T]), x[1:T]), F2, F3)
    for name in ("start", "steps", "worlds", "claim", "count"):
        with pytest.raises(AttributeError):
            setattr(proved, name, 1)


def test_the_claim_says_in_which_chains_and_under_which_conditions():
    proved = proves(
        p(x[0] | x[1]),
        Kernel(x[0], x[1], beta[1]),
        GaussianChain(2, 2, edge=True),
        GaussianChain(3, edge=True, unit=True),
        BinomialChain(2, edge=True),
    )
    assert proved.claim == {
        "T": [2, 3],
        "d": [1, 2],
        "kernels": ["Gaussian", "binomial"],
        "given": ["fixed edge step", "second moment 1"],
    }


# strings

HOSTILE = "__import__('os').environ.__setitem__('DPM_WAS_RUN', '1')"


@pytest.mark.parametrize(
    "enter",
    [
        lambda text: equals(text, CLAIMED),
        lambda text: at_least(text, by.gibbs, gap=divergence),
        lambda text: Derivation(text, equals(1, CLAIMED), worlds=[F2]),
        lambda text: Derivation(1, equals(1, CLAIMED), worlds=[F2]).refuses(text),
        lambda text: Induction(Sum(2 * t - 1, (t, 1, T)), T**2).refuses(text),
        lambda text: x[text],
        lambda text: x[0:text],
        lambda text: beta[text],
        lambda text: q(text),
        lambda text: q(x[0] | text),
        lambda text: q(x[0] | (x[1], text)),
        lambda text: Int(text, x[0]),
        lambda text: Int(q(x[0]), text),
        lambda text: Expect(q(x[0]), text),
        lambda text: Expect(text, q(x[0])),
        lambda text: KL(text, text),
        lambda text: Entropy(text),
        lambda text: Normal(x[0], text, 1),
        lambda text: Bern(x[0], text),
        lambda text: Kernel(x[0], x[1], text),
        lambda text: Square(text),
        lambda text: sym.h(text),
        lambda text: log(text),
        lambda text: sqrt(text),
        lambda text: Rational(text),
        lambda text: Sum(text, (t, 1, T)),
        lambda text: Product(q(x[t]), (t, 1, text)),
        lambda text: q(x[0]) * text,
    ],
)  # fmt: skip
def test_a_string_is_refused_and_never_run(enter, monkeypatch):
    monkeypatch.delenv("DPM_WAS_RUN", raising=False)
    with pytest.raises((TypeError, ValueError, AttributeError)):
        enter(HOSTILE)
    assert "DPM_WAS_RUN" not in os.environ


def test_numbers_are_exact():
    for number in (0.5, float("nan"), float("inf")):
        with pytest.raises(TypeError, match="exact numbers"):
            equals(number, CLAIMED)


# slips

step = Normal(x[t], sqrt(1 - beta[t]) * x[t - 1], beta[t])


def test_every_slip_of_a_proved_formula_is_refused_or_equal():
    """The machine damages each line; what it does not refuse is the same formula."""
    refused, _, _, same = proves(q(x[t] | x[t - 1]), step, GaussianChain(3, 2), G2).slips()
    assert refused > 40
    assert same == []


def test_worlds_that_are_too_small_for_a_slip_are_named():
    """Chains of two steps cannot tell (-1)^T from 1; the derivation says so."""
    weight = Product(q(x[t] | x[t - 1]), (t, 1, T))
    worlds = [FiniteChain(2), FiniteChain(4)]
    with pytest.raises(Unproved, match="larger worlds alone"):
        Derivation(weight, equals(q(x[1:T] | x[0]), CLAIMED), worlds=worlds).slips()


def test_equal_slips_are_listed():
    """p(x^(T)) and the prior are one law, so that slip is none."""
    refused, _, _, same = proves(p(x[T]), pi(x[T]), F2, F3).slips()
    assert refused
    assert any("p for pi" in name for name in same)


@settings(max_examples=30)
@given(st.sampled_from([step, Expect(q(x[0:T]), log(p(x[T]))), Sum(q(x[t - 1] | x[0]), (t, 2, T)),
                        d / 2 * log(2 * sp.pi * sp.E * beta_bar[T])]), st.data())  # fmt: skip
def test_a_slip_is_another_expression(formula, data):
    """No slip is the formula itself, none comes twice."""
    found = [damaged for _, damaged in sym.every_slip(formula)]
    assert formula not in found
    assert len(set(found)) == len(found) > 5
    assert data.draw(st.sampled_from(found)) != formula


def test_slips_know_what_people_confuse():
    """A sign, an index by one, the bar, a root, q and p, a lost condition, T, a half, a d."""
    found = {damaged for _, damaged in sym.every_slip(step)}
    assert Normal(x[t], (1 - beta[t]) * x[t - 1], beta[t]) in found
    assert Normal(x[t], sqrt(1 - beta[t]) * x[t - 1], beta_bar[t]) in found
    assert Normal(x[t], sqrt(1 - beta[t - 1]) * x[t - 1], beta[t]) in found
    assert Normal(x[t], sqrt(1 + beta[t]) * x[t - 1], beta[t]) in found
    assert Normal(x[t], sqrt(1 - beta[t]) * x[t - 1], beta[t] ** 2) in found
    inner = KL(q(x[t] | x[0]), p(x[t]))
    total = {damaged for _, damaged in sym.every_slip(d / 2 * Sum(inner, (t, 2, T)))}
    for damaged in (
        d * Sum(inner, (t, 2, T)),
        Sum(inner, (t, 2, T)) / 2,
        d / 2 * Sum(inner, (t, 1, T)),
        d / 2 * Sum(inner, (t, 2, T - 1)),
        d / 2 * Sum(KL(p(x[t]), q(x[t] | x[0])), (t, 2, T)),
        d / 2 * Sum(KL(q(x[t]), p(x[t])), (t, 2, T)),
        d / 2 * Sum(KL(p(x[t] | x[0]), p(x[t])), (t, 2, T)),
    ):
        assert damaged in total
