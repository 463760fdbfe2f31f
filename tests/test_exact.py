import math

import pytest
import torch
from scipy import integrate, stats

import dpm_lib as dpm
from dpm_lib.bounds import Bound


def gaussian(variance):
    return dpm.GaussianLaw(torch.zeros(1).double(), torch.tensor([variance]).double())


@pytest.mark.parametrize(
    ("T", "gaps"),
    [(10, (0.0503, 0.1121, 0)), (40, (0.0223, 0.0287, 0)), (200, (0.00535, 0.00566, 0)),
     (1000, (0.00111, 0.00112, 0))],
)  # fmt: skip
def test_gap_of_gaussian_data(T, gaps):
    """L - K in closed form falls like 1/T, and is 0 for data that are the prior."""
    kernel = dpm.GaussianKernel(dpm.schedules.inverse(T))
    for variance, gap in zip((0.25, 4.0, 1.0), gaps, strict=True):
        law = gaussian(variance)
        correction = 0.5 * (kernel.beta[0] + kernel.alpha_bar[-1]) * (1 - variance)
        K = law.optimum(kernel) + correction
        L = law.model_law(kernel).log_likelihood(law)
        assert (L - K).item() == pytest.approx(gap, abs=8e-6 if T > 99 else 6e-5)


@pytest.mark.parametrize(("mean", "variance"), [(0.0, 0.25), (0.7, 4.0), (-0.3, 1.0)])
@pytest.mark.parametrize("name", ["inverse", "linear"])
def test_gap_is_L_minus_K(mean, variance, name):
    """For any schedule, two coordinates, and data with a mean."""
    rates = {"inverse": (9,), "linear": (9, 0.05, 0.6)}[name]
    kernel = dpm.GaussianKernel(getattr(dpm.schedules, name)(*rates))
    law = dpm.GaussianLaw(
        torch.tensor([mean, 0.1]).double(), torch.tensor([variance, 2.0]).double()
    )
    moment = (law.mean**2 + law.variance).sum()
    correction = 0.5 * (kernel.beta[0] + kernel.alpha_bar[-1]) * (2 - moment)
    L = law.model_law(kernel).log_likelihood(law)
    assert law.gap(kernel).item() == pytest.approx(
        (L - law.optimum(kernel) - correction).item(), abs=1e-13
    )
    assert law.gap(kernel) > 0


def test_step_losses_are_what_the_best_steps_lose(generator):
    """K* less the losses of the steps is the bound of the best steps; Gaussian data lose none."""
    beta = torch.tensor([0.1, 0.3, 0.5, 1.0]).double()
    weights, means = torch.tensor([0.3, 0.7]).double(), torch.tensor([[-1.0, 0], [0.8, 1]]).double()
    mixture = dpm.MixtureLaw(weights, means, weights / 3)
    bits = dpm.PatternLaw(torch.tensor([[0, 0, 1], [1, 1, 0]]).double(), weights)
    for law, kernel, best in (
        (mixture, dpm.GaussianKernel(beta), "moment_matched"),
        (bits, dpm.BinomialKernel(beta, 0.3), "factorised"),
    ):
        lost = torch.stack([law.step_loss(kernel, t) for t in (2, 3, 4)])
        assert (lost > 0).all()
        model = dpm.ReverseProcess(kernel, getattr(law, best)(kernel))
        K = dpm.bound(model, law.sample(20_000, generator), generator=generator).K
        error = K.std() / math.sqrt(20_000)
        assert abs(K.mean() - (law.optimum(kernel) - lost.sum())) < 5 * error
        assert lost.max() > 10 * error
    assert abs(gaussian(3.0).step_loss(dpm.GaussianKernel(beta), 3)) < 1e-14


@pytest.mark.parametrize(("variance", "optimum"), [(0.25, -0.88772), (4.0, -1.96612)])
def test_optimum_is_reached(variance, optimum, generator):
    """The exact reversal reaches K*, on average over data."""
    kernel = dpm.GaussianKernel(dpm.schedules.inverse(10))
    law = gaussian(variance)
    assert law.optimum(kernel).item() == pytest.approx(optimum, abs=6e-6)
    model = dpm.ReverseProcess(kernel, law.reversal(kernel))
    terms: Bound = dpm.bound(model, law.sample(20_000, generator), generator=generator)
    assert abs(terms.K.mean() - optimum) < 5 * terms.K.std() / math.sqrt(20_000)


@pytest.mark.parametrize(
    ("T", "best", "start"), [(50, -3.499, 1.0754), (200, -2.682, 0.3330)]
)  # fmt: skip
def test_heartbeat(T, best, start, generator):
    """The heartbeat's best factorised K, and what it leaves of the unrestricted optimum."""
    law, n = dpm.heartbeat(), 2000
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(T), rate=0.2)
    model = dpm.ReverseProcess(kernel, law.factorised(kernel))
    x0 = law.sample(n, generator)
    terms = dpm.bound(model, x0, generator=generator)
    assert dpm.bits(terms.entropy_start).mean().item() == pytest.approx(start, abs=1e-4)
    assert abs(terms.bits.mean() - best) < 5 * terms.bits.std() / math.sqrt(n) + 0.002
    null = dpm.bits(dpm.null_log_likelihood(kernel, x0))
    assert null.mean().item() == pytest.approx(-14.4386, abs=1e-4)


def test_heartbeat_optimum():
    """Enumeration of all 2^20 states gives the entropy of the first step."""
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(50), rate=0.2)
    assert dpm.bits(dpm.heartbeat().optimum(kernel)).item() == pytest.approx(-3.401, abs=3 * 0.004)


def test_exact_reversal_is_bayes(generator):
    """Reversals satisfy Bayes' rule with the marginals of the law, at every state."""
    beta = torch.tensor([0.2, 0.3, 1.0]).double()
    patterns = torch.tensor([[0, 0, 1], [1, 0, 1], [1, 1, 0]]).double()
    weights = torch.tensor([0.2, 0.3, 0.5]).double()
    means = torch.tensor([[-1.0, 0.0], [1.0, 0.5], [0.3, 2.0]]).double()
    for kernel, law in (
        (dpm.BinomialKernel(beta, 0.3), dpm.PatternLaw(patterns, weights)),
        (dpm.GaussianKernel(beta), dpm.MixtureLaw(weights, means, 0.1 + weights)),
        (dpm.GaussianKernel(beta), dpm.GaussianLaw(means[0], weights[:2])),
    ):
        x, y = dpm.draw(kernel.prior((14, *law.event_shape)), generator).split(7)
        network = law.reversal(kernel)
        for t in (2, 3):
            left = network(y, t).log_prob(x) + law.marginal(kernel, t).log_prob(y)
            right = kernel.step(x, t).log_prob(y) + law.marginal(kernel, t - 1).log_prob(x)
            torch.testing.assert_close(left, right, rtol=1e-6, atol=1e-6)
            same = network(y, torch.full((7,), t)).log_prob(x)
            torch.testing.assert_close(same, network(y, t).log_prob(x))


def test_mixture_entropy():
    """The grid agrees with adaptive quadrature (d = 1) and with a Gaussian (d = 2)."""
    kernel = dpm.GaussianKernel(torch.tensor([0.01, 0.5]).double())
    weights = torch.tensor([0.3, 0.7]).double()
    law = dpm.MixtureLaw(weights, torch.tensor([[-1.0], [0.5]]).double(), weights / 10)
    q = law.marginal(kernel, 1)

    def integrand(y):
        log_q = q.log_prob(torch.tensor([[y]]).double()).item()
        return -math.exp(log_q) * log_q

    expected = integrate.quad(integrand, -3, 3, epsabs=1e-9, limit=200)[0]
    assert law.entropy(kernel, 1).item() == pytest.approx(expected, abs=1e-7)
    one = dpm.MixtureLaw(weights[:1], torch.zeros(1, 2).double(), weights[1])
    variance = kernel.alpha_bar[2] * weights[1] + kernel.beta_bar[2]
    expected = math.log(2 * math.pi * math.e * variance)
    assert one.entropy(kernel, 2).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("variance", [900.0, 1e-6])
def test_mixture_entropy_at_any_width(variance):
    """The grid follows the width of the data, from broad to narrow."""
    kernel = dpm.GaussianKernel(torch.tensor([1e-9, 0.5]).double())
    one = torch.ones(1).double()
    law = dpm.MixtureLaw(one, one[:, None], variance * one)
    expected = 0.5 * math.log(2 * math.pi * math.e * (variance + 1e-9 * (1 - variance)))
    assert law.entropy(kernel, 1).item() == pytest.approx(expected, abs=1e-9)


def test_samples_follow_the_law(generator):
    """Draws of Gaussian and mixture data pass the test of Kolmogorov and Smirnov."""
    weights, means = torch.tensor([0.3, 0.7]).double(), torch.tensor([[-1.0], [2.0]]).double()
    variance = torch.tensor([0.04, 4.0]).double()
    mixture = [(0.3, stats.norm(-1, 0.2)), (0.7, stats.norm(2, 2))]
    for law, cdf in (
        (dpm.GaussianLaw(means[1], variance[:1]), stats.norm(2, 0.2).cdf),
        (
            dpm.MixtureLaw(weights, means, variance),
            lambda x: sum(weight * part.cdf(x) for weight, part in mixture),
        ),
    ):
        draws = law.sample(4000, generator)[:, 0].numpy()
        assert stats.kstest(draws, cdf).pvalue > 1e-4


def test_moment_matched_is_best_gaussian(generator):
    """The moment-matched network beats another Gaussian one, and stays below K*."""
    law = dpm.swiss_roll(noise=0.1, nodes=150)
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(20))
    x0 = law.sample(1500, generator)
    bounds = {}
    for name in ("moment_matched", "reversal"):
        model = dpm.ReverseProcess(kernel, getattr(law, name)(kernel))
        bounds[name] = dpm.bound(model, x0, generator=generator).K
    error = {k: v.std() / math.sqrt(1500) for k, v in bounds.items()}
    optimum = law.optimum(kernel)
    assert abs(bounds["reversal"].mean() - optimum) < 5 * error["reversal"]
    assert bounds["moment_matched"].mean() < optimum + 3 * error["moment_matched"]
    identity = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    worse = dpm.bound(identity, x0, generator=generator).K.mean()
    assert worse < bounds["moment_matched"].mean()


def test_samples_have_the_density(generator):
    """Second moments of samples, and the integral of the density, are right."""
    law = dpm.swiss_roll()
    assert abs(dpm.second_moment(law.sample(50_000, generator)) - 1) < 0.02
    samples = dpm.heartbeat().sample(1000, generator)
    assert (dpm.heartbeat().log_prob(samples).exp() - 0.2).abs().max() < 1e-12
    assert dpm.heartbeat().log_prob(torch.zeros(1, 20).double()) == -math.inf


def test_patterns_are_bits():
    """Halves are none, also where all rows differ."""
    with pytest.raises(ValueError, match=r"patterns must be 0 or 1 everywhere, got 0\.5"):
        dpm.PatternLaw(torch.eye(3).double() / 2, torch.ones(3).double())
