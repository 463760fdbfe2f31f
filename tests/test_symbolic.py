"""The symbolic room: exact arithmetic, worlds that agree with numbers, derivations."""

import math
from fractions import Fraction

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from sympy import Symbol

import dpm_lib as dpm
from dpm_lib import symbolic as sym
from dpm_lib.symbolic import (
    KL,
    Bern,
    BinomialChain,
    Derivation,
    Entropy,
    Expect,
    Factor,
    FiniteChain,
    GaussianChain,
    Induction,
    Int,
    Normal,
    Product,
    Slope,
    Sum,
    T,
    Unproved,
    alpha_bar,
    at_least,
    by,
    equals,
    in_chains,
    log,
    m_2,
    p,
    q,
    rho,
    sqrt,
    t,
    x,
)  # fmt: skip
from dpm_lib.symbolic.algebra import Exact, Gaussian, Number, Outside, Polynomial

CLAIMED = in_chains("it is claimed")
STEPS = p(x[t - 1] | x[t]) / q(x[t] | x[t - 1])


# --- algebra -------------------------------------------------------------------------------------


def scalars(*names):
    """The free scalars a, b, … in (0.1, 0.9), and a function that makes constants."""
    domain = Exact(dict.fromkeys(names, (0.1, 0.9)) | {"pi": (math.pi, math.pi)})
    return domain, *(domain.free(name) for name in names), domain.constant


def test_equal_logarithms_are_recognised_however_they_are_written():
    """log(12 a b^2) = log a + 2 log b + 2 log 2 + log 3: equality is decided."""
    _, a, b, number = scalars("a", "b")
    whole = (a * b * b * number(12)).log()
    parts = a.log() + b.log() * number(2) + number(2).log() * number(2)
    assert whole == parts + number(3).log()
    assert whole != parts


@given(st.lists(st.integers(1, 12), min_size=3, max_size=3), st.integers(0, 2))
def test_log_sums_have_the_value_of_the_logarithm(exponents, shift):
    """A logarithm split into irreducible factors has the value of the logarithm."""
    domain, a, b, number = scalars("a", "b")
    i, j, k = exponents
    f = (a + number(shift)) ** Fraction(2) * (a * b + number(k))
    f = f * (b ** Fraction(i) + number(j)) ** Fraction(-1)
    u, v = domain.points[0][:2]
    value = (u + shift) ** 2 * (u * v + k) / (v**i + j)
    assert math.isclose(f.log().at(0), math.log(value), rel_tol=1e-12)


def test_exponentials_undo_logarithms():
    """Of whole multiples they are fractions, positive and in lowest terms; others are refused."""
    _, a, b, number = scalars("a", "b")
    odds = (a * (number(1) + b * number(-1))) ** Fraction(1)
    for f in (odds, odds ** Fraction(-2), number(Fraction(3, 4)) * b):
        assert f.log().exp() == f
        assert (f.log() * number(-1)).exp() == f ** Fraction(-1)
    assert number(0).exp() == number(1)
    for other in (a, a.log() * number(Fraction(1, 2)), a.log() * b, a + a.log()):
        with pytest.raises(Outside, match="no rational function"):
            other.exp()
    assert math.isclose(Number(0.7).exp().value, math.exp(0.7))
    with pytest.raises(Outside, match="not finite"):
        Number(1e4).exp()


def test_powers_with_a_minus_are_in_lowest_terms():
    """Twice the inverse is the number itself, also where its leading sign is a minus."""
    _, a, number = scalars("a")
    rest = number(1) + a * number(-1)
    assert (rest ** Fraction(-1)) ** Fraction(-1) == rest
    assert rest ** Fraction(-2) * rest == rest ** Fraction(-1)


def test_the_exponential_of_a_polynomial_is_that_of_its_values():
    """Up to squares; a constant in it is kept, as a number where it is one."""
    domain, a, b, number = scalars("a", "b")
    inside = Polynomial({("u", "u"): a * number(-1), ("u",): b, (): b.log() + a})
    whole = Gaussian.plain(domain, inside).exp()
    assert math.isclose(whole.at(0), math.exp(inside.at(0)), rel_tol=1e-12)
    assert whole.log() == Gaussian.plain(domain, inside)
    fraction = Gaussian.plain(domain, Polynomial({(): b.log()})).exp()
    assert fraction == Gaussian.plain(domain, Polynomial({(): b}))
    with pytest.raises(Outside, match="more than squares"):
        Gaussian.plain(domain, Polynomial({("u", "u", "u"): a})).exp()


def test_roots_and_logarithms_know_their_sign():
    """The root is the positive one; a sign that changes in the domain is not decided."""
    _, a, b, number = scalars("a", "b")
    minus = number(-1)
    below = a + minus
    assert (below * below) ** Fraction(1, 2) == below * minus
    with pytest.raises(Outside, match="sign that depends"):
        (a + b * minus).log()
    with pytest.raises(Outside, match="not positive"):
        below.log()
    with pytest.raises(Outside, match="sign that depends"):
        ((a + b * minus) * (a + b * minus)) ** Fraction(1, 2)


def test_gaussian_integral_is_that_of_quadrature():
    """Completing the square with a quadratic polynomial in front agrees with quadrature."""
    domain, a, b, number = scalars("a", "b")
    half = number(Fraction(-1, 2))
    exponent = Polynomial({("u", "u"): a * half, ("u",): b})
    weight = Polynomial({(): number(1), ("u",): number(1), ("u", "u"): a})
    form = Gaussian(domain, exponent, number(0), weight)
    k, m = domain.points[0][:2]
    exact, _ = quad(lambda v: (1 + v + k * v**2) * math.exp(-k * v**2 / 2 + m * v), -60, 60)
    assert math.isclose(form.integrate("u").at(0), exact, rel_tol=1e-9)


def test_algebra_refuses_what_it_cannot_decide():
    """Products of logarithms, logarithms of zero and divergent integrals raise."""
    domain, a, number = scalars("a")
    with pytest.raises(Outside, match="two logarithms"):
        a.log() * a.log()
    with pytest.raises(Outside, match="not positive"):
        (a + a * number(-1)).log()
    for exponent in ({("u",): a}, {("u", "u"): a}):
        with pytest.raises(Outside, match="does not converge"):
            Gaussian(domain, Polynomial(exponent), a, Polynomial({(): a})).integrate("u")
    with pytest.raises(Outside, match="no rational function"):
        a ** Fraction(1, 2)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_number_that_is_not_positive_has_no_logarithm_and_no_root(value):
    """Outside this algebra, as for exact scalars; 0 has no inverse either."""
    for refused in (Number.log, lambda number: number ** Fraction(1, 2)):
        with pytest.raises(Outside, match="not positive"):
            refused(Number(value))
    with pytest.raises(Outside, match="not positive"):
        Number(0.0) ** Fraction(-1)


# --- worlds --------------------------------------------------------------------------------------


def test_finite_chain_sums_to_one_and_marginals_are_matrix_products():
    """The joint law sums to 1; q(x^(2)) is the start times two transition matrices."""
    world = FiniteChain(T=2, states=3)
    assert world.value(Int(q(sym.Span(0, 2)), sym.Span(0, 2)), {}) == world.constant(Fraction(1))

    def numbers(rows):
        return torch.tensor([[v.at(0) for v in row] for row in rows], dtype=torch.float64)

    law = numbers([world.law]) @ numbers(world.forward[1]) @ numbers(world.forward[2])
    values = [world.value(q(x[2]), {x[2]: k}).at(0) for k in world.values]
    torch.testing.assert_close(law[0], torch.tensor(values, dtype=torch.float64))


def numbers_of(world):
    """The free numbers of a world at its first point."""
    return dict(zip(world.domain.names, world.domain.points[0], strict=True))


def gaussian_numbers(world):
    """The kernel and the numbers that a Gaussian world has at its first point."""
    g = numbers_of(world)
    beta = torch.tensor([1 - g[f"a{i}"] ** 2 for i in range(1, world.T + 1)], dtype=torch.float64)
    return dpm.GaussianKernel(beta), g


def place(t, dimension):
    """Where the state t is when a value of a Gaussian world is taken at the first point."""
    names = [Polynomial({(f"x{t}_{i}",): Number(1.0)}) for i in range(dimension)]
    return torch.tensor([[name.at(0) for name in names]], dtype=torch.float64)


def test_gaussian_chain_agrees_with_the_numeric_kernel():
    """Step, marginal and posterior densities of the world are those of dpm_lib."""
    world = GaussianChain(T=3, dimension=2)
    kernel, _ = gaussian_numbers(world)
    state = {i: place(i, 2) for i in range(4)}
    pairs = [
        (q(x[2] | x[1]), kernel.step(state[1], 2).log_prob(state[2])),
        (q(x[3] | x[0]), kernel.marginal(state[0], 3).log_prob(state[3])),
        (q(x[2] | (x[3], x[0])), kernel.posterior(state[0], state[3], 3).log_prob(state[2])),
    ]
    for density, log_prob in pairs:
        assert math.isclose(world.value(density, {}).at(0), log_prob.exp().item())


def test_binomial_chain_agrees_with_the_numeric_kernel():
    """Step, marginal and posterior probabilities of the world are those of dpm_lib."""
    world = BinomialChain(T=3)
    g = numbers_of(world)
    beta = torch.tensor([g[f"b{i}"] for i in (1, 2, 3)], dtype=torch.float64)
    kernel = dpm.BinomialKernel(beta, rate=g["rho"])
    for a in (0, 1):
        for b in (0, 1):
            one, two = (torch.tensor([[float(v)]], dtype=torch.float64) for v in (a, b))
            env = {x[0]: a, x[3]: b, x[2]: 1}
            value = world.value(q(x[2] | (x[3], x[0])), env).at(0)
            assert math.isclose(value, kernel.posterior(one, two, 3).mean.item())
            value = world.value(q(x[3] | x[0]), env | {x[3]: 1}).at(0)
            assert math.isclose(value, kernel.marginal(one, 3).mean.item())


def test_entropy_and_divergence_of_the_worlds_agree_with_torch():
    """Entropies and divergences by symbolic integration are those of torch.distributions."""
    world = GaussianChain(T=2)
    kernel, g = gaussian_numbers(world)
    entropy = world.value(Entropy(q(x[2] | x[0])), {}).at(0)
    x0, x2 = place(0, 1), place(2, 1)
    assert math.isclose(entropy, kernel.marginal_entropy(x0, 2).item())
    mean = g["k2"] * x2 + g["c2"]
    scale = torch.tensor(g["s2"], dtype=torch.float64).sqrt()
    model = torch.distributions.Normal(mean, scale)
    divergence = world.value(KL(q(x[1] | (x[2], x[0])), p(x[1] | x[2])), {}).at(0)
    posterior = kernel.posterior(x0, x2, 2).base_dist
    expected = torch.distributions.kl_divergence(posterior, model).item()
    assert math.isclose(divergence, expected, rel_tol=1e-9)


WORLDS = [
    FiniteChain(3), FiniteChain(2, states=3), BinomialChain(3), BinomialChain(2, dimension=2),
    GaussianChain(3), GaussianChain(2, dimension=2), GaussianChain(2, edge=True, unit=True),
]  # fmt: skip


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_twin_has_the_values_of_its_world_at_a_point(world):
    """Numbers and exact values come from one formula and meet at every point of the domain."""
    K = Expect(q(x[0:T]), log(p(x[T]) * Product(STEPS, (t, 1, T))))
    for formula in (K, Entropy(q(x[T] | x[0])), Int(q(x[0]) * KL(q(x[1] | x[0]), p(x[1])), x[0])):
        fixed = formula.subs(T, world.T)
        exact = world.value(fixed, {})
        for point in range(3):
            number = world.twin(point).value(fixed, {})
            assert math.isclose(exact.at(point), number.at(point), rel_tol=1e-9)


# --- derivations ---------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [rho, x[0:T], q(x[0])])
def test_a_factor_is_one_of_a_single_state(what):
    """Neither of a number nor of a trajectory; and a world must know it."""
    with pytest.raises(TypeError, match="of a state, got"):
        Factor(what)
    for world in (FiniteChain(1), BinomialChain(1), GaussianChain(1)):
        with pytest.raises(ValueError, match="has no factor"):
            world.value(Factor(x[0]), {x[0]: 0})


def test_a_wrong_sign_is_refused_in_the_gaussian_world():
    """A formula and its negative differ, whether or not their constants have the same form."""
    world = GaussianChain(T=1)
    with pytest.raises(Unproved):
        Derivation(alpha_bar[1], equals(-alpha_bar[1], CLAIMED), worlds=[world])
    moment, root = world.value(m_2, {}), world.value(sqrt(m_2), {})
    cube, other = root * root * root, moment * root
    assert cube.constant != other.constant
    assert cube == other
    assert cube != other * world.constant(Fraction(-1))


def test_a_wrong_step_is_unproved():
    """A derivation with one damaged step cannot be made."""
    right = q(x[0]) * Product(q(x[t] | x[t - 1]), (t, 1, T))
    Derivation(q(x[0:T]), equals(right, CLAIMED), worlds=[FiniteChain(2), FiniteChain(3)])
    with pytest.raises(Unproved, match="finite chain"):
        Derivation(
            q(x[0:T]),
            equals(right / q(x[0]), CLAIMED),
            worlds=[FiniteChain(2), FiniteChain(3)],
        )


def test_a_step_that_needs_the_markov_property_fails_without_it():
    """q(x2 | x1) = q(x2 | x1, x0) holds in a chain, p(x1 | x2) = p(x1 | x2, x0) does not."""
    Derivation(q(x[2] | x[1]), equals(q(x[2] | (x[1], x[0])), CLAIMED), worlds=[FiniteChain(3)])
    with pytest.raises(Unproved):
        Derivation(p(x[1] | x[2]), equals(p(x[1] | (x[2], x[0])), CLAIMED), worlds=[FiniteChain(3)])


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_slope_is_that_of_differences(k):
    """Of a function of three rates, exactly and at a point."""
    body = log(sym.v[3] / sym.v[1]) + alpha_bar[2] ** 2 / sym.beta[2]
    world = GaussianChain(T=3)
    exact = world.value(Slope(body, sym.beta[k]), {}).at(0)
    point = world.domain.points[0]
    place = world.domain.names.index(f"a{k}")

    def value(change):
        rate = 1 - point[place] ** 2 + change
        world.domain.points[0] = [*point]
        world.domain.points[0][place] = math.sqrt(1 - rate)
        return world.value(body, {}).at(0)

    ratio = (value(1e-6) - value(-1e-6)) / 2e-6
    assert exact == pytest.approx(ratio, rel=1e-6, abs=1e-8)
    assert world.twin().value(Slope(body, sym.beta[k]), {}).at(0) == pytest.approx(exact)


def test_a_slope_is_one_of_a_function_of_rates_by_a_rate():
    assert Slope(sym.v[t], sym.beta[t]).latex() == (
        r"\frac{\partial}{\partial \beta_{t}}\Big[v_{t}\Big]"
    )
    with pytest.raises(TypeError, match="by beta at a step"):
        Slope(sym.v[t], alpha_bar[t])
    with pytest.raises(TypeError, match="a function of rates"):
        Slope(Entropy(q(x[1])), sym.beta[1])
    with pytest.raises(Outside, match="does not exist"):
        GaussianChain(T=2).value(Slope(sym.v[2], sym.beta[3]), {})


@pytest.mark.parametrize("T", [1, 2, 3])
def test_a_chain_with_roots_is_a_chain(T):
    """The roots of signal and noise are numbers, and the marginal is what it is in any chain."""
    world = GaussianChain(T=T, roots=True)
    for step in range(1, T + 1):
        kept, lost = (world.value(r[step], {}).at(0) for r in (alpha_bar, sym.beta_bar))
        assert world.value(sqrt(sym.beta_bar[step]), {}).at(0) == pytest.approx(math.sqrt(lost))
        assert kept + lost == pytest.approx(1)
        assert 0 < world.value(sym.beta[step], {}).at(0) < 1


def test_an_inequality_needs_its_true_gap():
    """The bound is proved with the divergence of the trajectories, refused with another gap."""
    K = Int(q(x[0:T]) * log(p(x[T]) * Product(STEPS, (t, 1, T))), x[0:T])
    L = Int(q(x[0]) * log(p(x[0])), x[0])
    gap = Int(q(x[0]) * KL(q(x[1:T] | x[0]), p(x[1:T] | x[0])), x[0])
    worlds = [FiniteChain(1), FiniteChain(2)]
    Derivation(L, at_least(K, CLAIMED, by.gibbs, gap=gap), worlds=worlds)
    with pytest.raises(Unproved):
        Derivation(L, at_least(K, CLAIMED, by.gibbs, gap=2 * gap), worlds=worlds)
    with pytest.raises(Unproved, match="not a KL divergence"):
        at_least(K, by.gibbs, gap=L)
    with pytest.raises(Unproved, match="not a KL divergence"):
        at_least(K, by.gibbs, gap=-gap)


def test_a_mutant_equal_in_every_world_is_not_refused():
    """refuses() gives None for the proved formula itself and a size for a damaged one."""
    right = Normal(x[t], sqrt(alpha_bar[t]) * x[0], 1 - alpha_bar[t])
    proved = Derivation(
        q(x[t] | x[0]),
        equals(right, CLAIMED),
        worlds=[GaussianChain(1), GaussianChain(2)],
    )
    assert proved.refuses(right) is None
    assert proved.refuses(Normal(x[t], alpha_bar[t] * x[0], 1 - alpha_bar[t])) > 1e-3


def test_induction_needs_base_and_step():
    """A sum with a wrong constant fails at the base, one with a wrong slope in the step."""
    n = Symbol("n", integer=True, positive=True)
    k = Symbol("k", integer=True, positive=True)
    proof = Induction(Sum(2 * k - 1, (k, 1, n)), n**2)
    assert proof.refuses(n**2 + 1) > 0
    assert proof.refuses(n**2 + n - 1) > 0
    assert proof.refuses((n + 1) ** 2 - 2 * n - 1) is None
    with pytest.raises(Unproved):
        Induction(Sum(2 * k - 1, (k, 1, n)), n**2 + n)


@settings(deadline=None, max_examples=20)
@given(st.integers(1, 3), st.integers(1, 2))
def test_marginal_holds_for_every_length_and_dimension(length, dimension):
    """The closed forms of the marginal hold for T = 1, 2, 3 and one or two coordinates."""
    signal = alpha_bar[T]
    Derivation(
        q(x[T] | x[0]),
        equals(Normal(x[T], sqrt(signal) * x[0], 1 - signal), CLAIMED),
        worlds=[GaussianChain(length, dimension), GaussianChain(length % 3 + 1)],
    )
    Derivation(
        q(x[T] | x[0]),
        equals(Bern(x[T], signal * x[0] + sym.rho * (1 - signal)), CLAIMED),
        worlds=[BinomialChain(length, min(dimension, 4 - length)), BinomialChain(length % 3 + 1)],
    )


@pytest.mark.parametrize("power", range(7))
def test_moments_of_a_gaussian(power):
    """The average of a power is that of quadrature, up to the sixth."""
    mean, variance = 1.5, 0.4
    found = Polynomial({("y",) * power: Number(1.0)}).average(
        "y", Polynomial({(): Number(mean)}), Number(variance), Number(1.0)
    )

    def weighted(y):
        density = math.exp(-((y - mean) ** 2) / (2 * variance)) / math.sqrt(2 * math.pi * variance)
        return y**power * density

    assert found.terms[()].value == pytest.approx(quad(weighted, -8, 11)[0], rel=1e-9)
