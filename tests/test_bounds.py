import math

import pytest
import torch
from hypothesis import given, settings
from strategies import kernels, seeds, states
from torch.distributions import Bernoulli, Normal

import dpm_lib as dpm
from dpm_lib.bounds import divergence


def within(got, expected, error, z=5):
    """Equal within z standard errors, plus rounding."""
    assert abs(got - expected) <= z * error + 1e-9, (got, expected, error)


def scaled(n, d, generator):
    """Data of second moment exactly 1 and odd shape."""
    x = torch.rand(n, d, generator=generator, dtype=torch.float64) ** 3
    return x / x.square().mean().sqrt()


@pytest.mark.parametrize(("m2", "beyond"), [(1.0, 0.0), (2.0, 0.498504), (0.5, -0.249252)])
def test_identity_model(m2, beyond, generator):
    """The identity model scores L_null; eq. 14 alone is off by what the second moment says."""
    kernel = dpm.GaussianKernel(dpm.schedules.reference_code(1000))
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    x0 = scaled(400, 2, generator) * math.sqrt(m2)
    terms = dpm.bound(model, x0, generator=generator)
    null = dpm.null_log_likelihood(kernel, x0)
    error = (terms.K_corrected - null).std() / math.sqrt(len(x0))
    within(terms.K_corrected.mean(), null.mean(), error)
    at_one = -math.log(2 * math.pi * math.e) / 2
    within((at_one - terms.K.mean() / 2), beyond, error / 2)
    if m2 == 1:
        within(terms.kl.sum(1).mean() / 2, 3.10681, error / 2)
        assert dpm.correction(kernel, x0).mean().abs() < 1e-12


def test_each_bound_has_its_ceiling(generator):
    """K of eq. 12 may pass the ceiling of eq. 14, by the correction, and never its own."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(10))
    law = dpm.GaussianLaw(torch.zeros(1).double(), torch.tensor([1e-6]).double())
    model = dpm.ReverseProcess(kernel, law.reversal(kernel))
    terms = dpm.bound(model, law.sample(1000, generator), generator=generator)
    assert (terms.ceiling >= terms.K).all()
    assert (terms.K_corrected <= terms.ceiling_corrected).all()
    assert (terms.K_corrected > terms.ceiling + 0.04).all()
    assert terms.K_corrected.mean().item() == pytest.approx(-0.2177, abs=1e-4)
    assert terms.ceiling.mean().item() == pytest.approx(-0.2676, abs=1e-4)


def test_identity_model_is_exactly_null(generator):
    """With the noise integrated exactly, K = L_null to rounding for data of second moment 1.

    The divergences of the identity model are quadratic in the noise of each coordinate, so the
    two points +1 and -1 integrate it exactly.
    """
    kernel = dpm.GaussianKernel(dpm.schedules.reference_code(100))
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (3,)))
    x0 = scaled(50, 3, generator)
    kl = torch.zeros(len(x0), dtype=x0.dtype)
    for t in range(2, 101):
        law = kernel.marginal(x0, t)
        for sign in (-1, 1):
            xt = law.mean + sign * law.stddev
            kl += divergence(kernel.posterior(x0, xt, t), model.step(xt, t), generator) / 2
    K = dpm.bound(model, x0, generator=generator).ceiling - kl
    null = dpm.null_log_likelihood(kernel, x0)
    assert (K.mean() - null.mean()).abs() < 1e-12
    torch.testing.assert_close(K + dpm.correction(kernel, x0), null, rtol=1e-12, atol=1e-12)


@settings(max_examples=10)
@given(kernels, seeds)
def test_two_routes_to_the_bound(kernel, seed):
    """Eq. 12 over trajectories equals eq. 14 plus the correction, for a model that is wrong."""
    g = torch.Generator().manual_seed(seed)
    network = dpm.MLPNetwork(kernel, (2,), hidden=8, layers=1, generator=g)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=g, dtype=p.dtype))
    model = dpm.ReverseProcess(kernel, network)
    x0 = states(kernel, 1, 2, seed)
    with torch.no_grad():
        terms = dpm.bound(model, x0.expand(4000, 2), generator=g)
        few = [
            dpm.sampled_bound(model, x0.expand(4000, 2), generator=g, steps=steps)
            for steps in (1, 4)
        ]
    mean, error = terms.K_corrected.mean(), terms.K_corrected.std() / math.sqrt(4000)
    eq12 = dpm.trajectory_bound(model, x0, trajectories=4000, generator=g)
    within(eq12.estimate[0], mean, math.hypot(error, eq12.standard_error[0]))
    for sampled in few:
        single = sampled.std() / math.sqrt(4000)
        within(sampled.mean(), terms.K.mean(), math.hypot(error, single))
    assert (terms.kl >= -1e-12).all()
    assert (terms.ceiling + 1e-9 >= terms.K).all()
    torch.testing.assert_close(terms.bits * math.log(2), terms.K)


@given(kernels, seeds)
def test_split(kernel, seed):
    """Edge term, prior term and correction agree with each other and with expectations."""
    x0 = states(kernel, 5, 3, seed)
    entropy = kernel.prior_entropy((3,))
    assert torch.allclose(
        dpm.edge_term(kernel, x0),
        dpm.null_log_likelihood(kernel, x0) - kernel.expected_log_prior(x0, 1),
        atol=1e-9,
    )
    both = dpm.edge_term(kernel, x0) + dpm.prior_term(kernel, x0) + entropy
    torch.testing.assert_close(dpm.correction(kernel, x0), both, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_step_is_drawn(steps, generator):
    """The sampled bound draws the steps 2 … T, each as often as the others, in equal parts."""
    kernel, seen = dpm.GaussianKernel(dpm.schedules.erase_evenly(5)), []

    def network(xt, t):
        seen.append(t)
        return kernel.step(xt, t)

    model = dpm.ReverseProcess(kernel, dpm.ClosedForm(torch.Size([1]), network))
    n = 8000
    seen.clear()
    dpm.sampled_bound(model, torch.ones(n, 1).double(), generator=generator, steps=steps)
    times = torch.cat(seen).bincount(minlength=6)
    assert times[:2].tolist() == [0, 0]
    assert ((times[2:] - steps * n / 4).abs() < 5 * math.sqrt(steps * n * 3 / 16)).all()
    parts = torch.cat(seen).view(steps, n)
    for k, part in enumerate(parts):
        assert part.min() == 2 + 4 * k // steps
        assert part.max() == 2 + (4 * (k + 1) - 1) // steps


def test_mean_and_error(generator):
    """The standard error is that of the jackknife; two values are the fewest."""
    values = torch.rand(3, 50, generator=generator, dtype=torch.float64) ** 2
    mean, error = dpm.mean_and_error(values)
    left_out = (values.sum(1, keepdim=True) - values) / 49
    jackknife = (49 / 50 * (left_out - mean[:, None]).square().sum(1)).sqrt()
    torch.testing.assert_close(error, jackknife)
    torch.testing.assert_close(mean, left_out.mean(1))
    for few in (torch.ones(1), torch.ones(5, 1), torch.tensor(1.0)):
        with pytest.raises(ValueError, match="values must be at least 2"):
            dpm.mean_and_error(few)


def test_chain_of_one_step(generator):
    """With T = 1 there is no divergence, and K is the ceiling."""
    kernel = dpm.GaussianKernel(torch.tensor([0.3]).double())
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    x0 = scaled(3, 2, generator)
    terms = dpm.bound(model, x0, generator=generator)
    assert terms.kl.shape == (3, 0)
    torch.testing.assert_close(terms.K, terms.ceiling)
    torch.testing.assert_close(dpm.sampled_bound(model, x0, generator=generator), terms.K)
    torch.testing.assert_close(terms.K_corrected, dpm.null_log_likelihood(kernel, x0))


@pytest.mark.parametrize("last", [0.6, 1.0])
def test_gradient_of_the_bound_in_the_rates(last, generator):
    """With frozen noise, dK/dbeta is the finite difference, also before a last rate of 1."""
    x0 = scaled(6, 2, generator)
    law = dpm.GaussianLaw(torch.zeros(2).double(), torch.tensor([0.25, 1.75]).double())

    def K(head):
        kernel = dpm.GaussianKernel(torch.cat([head, head.new_tensor([last])]))
        model = dpm.ReverseProcess(kernel, law.reversal(kernel))
        return dpm.bound(model, x0, generator=torch.Generator().manual_seed(1)).K_corrected.sum()

    head = torch.tensor([0.05, 0.2, 0.4]).double().requires_grad_()
    assert torch.autograd.gradcheck(K, (head,))


def test_divergence_closed_forms(generator):
    """The divergences are the formulas of the page."""
    m, s, u, v = torch.rand(4, 5, generator=generator, dtype=torch.float64) + 0.1
    expected = (v / s).log() + (s**2 + (m - u) ** 2) / (2 * v**2) - 0.5
    torch.testing.assert_close(divergence(Normal(m, s), Normal(u, v), generator), expected)
    q, p = m / 1.2, u / 1.2
    expected = q * (q / p).log() + (1 - q) * ((1 - q) / (1 - p)).log()
    torch.testing.assert_close(divergence(Bernoulli(q), Bernoulli(p), generator), expected)
