import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from strategies import base_rates, inner_rates, kernels, rates, seeds, states
from torch.distributions import (
    Bernoulli,
    Categorical,
    Independent,
    MixtureSameFamily,
    Normal,
    kl_divergence,
)

import dpm_lib as dpm
from dpm_lib import BinomialKernel, GaussianKernel, draw, schedules

CLOSE = {"rtol": 1e-9, "atol": 1e-9}


@given(rates, st.floats(-3, 3))
def test_steps_compose_gaussian(beta, x):
    """Mean and variance pushed through t steps are those of the marginal."""
    kernel, mean, variance = GaussianKernel(beta), torch.full((1, 1), x).double(), 0.0
    x0 = mean
    for t in range(1, kernel.T + 1):
        step = kernel.step(mean, t)
        mean, variance = step.mean, (1 - beta[t - 1]) * variance + step.variance
        torch.testing.assert_close(kernel.marginal(x0, t).mean, mean, **CLOSE)
        torch.testing.assert_close(kernel.marginal(x0, t).variance, variance, **CLOSE)


@given(rates, base_rates)
def test_steps_compose_binomial(beta, rate):
    """The rate pushed through t steps is that of the marginal (the step is linear in the bit)."""
    kernel, x0 = BinomialKernel(beta, rate), torch.tensor([[0.0, 1.0]]).double()
    x = x0
    for t in range(1, kernel.T + 1):
        x = kernel.step(x, t).mean
        torch.testing.assert_close(kernel.marginal(x0, t).mean, x, **CLOSE)


@given(kernels, seeds)
def test_bayes(kernel, seed):
    """Posterior times marginal of x_t equals step times marginal of x_(t-1)."""
    x0, before, after = states(kernel, 12, 3, seed).split(4)
    t = torch.randint(2, kernel.T + 1, (4,), generator=torch.Generator().manual_seed(seed))
    left = kernel.posterior(x0, after, t).log_prob(before) + kernel.marginal(x0, t).log_prob(after)
    right = kernel.step(before, t).log_prob(after) + kernel.marginal(x0, t - 1).log_prob(before)
    torch.testing.assert_close(left, right, rtol=1e-7, atol=1e-7)


@given(kernels, seeds)
def test_detailed_balance(kernel, seed):
    """Both kernels are reversible, step by step and over many steps."""
    x, y = states(kernel, 8, 3, seed).split(4)
    prior = kernel.prior(x.shape)
    for t in range(1, kernel.T + 1):
        for law in (kernel.step, kernel.marginal):
            left = law(x, t).log_prob(y) + prior.log_prob(x)
            right = law(y, t).log_prob(x) + prior.log_prob(y)
            torch.testing.assert_close(left, right, **CLOSE)


@given(rates, base_rates)
def test_stationarity(beta, rate):
    """A step leaves the mean and variance of the prior unchanged."""
    binomial, gaussian = BinomialKernel(beta, rate), GaussianKernel(beta)
    x = torch.ones(1, 1).double()
    for t in range(1, len(beta) + 1):
        torch.testing.assert_close(binomial.step(rate * x, t).mean, rate * x, **CLOSE)
        gain, noise = gaussian.step(x, t).mean, gaussian.step(x, t).variance
        torch.testing.assert_close(gain**2 + noise, x, **CLOSE)


@given(rates, base_rates)
def test_posterior_binomial_by_enumeration(beta, rate):
    """The posterior is Bayes' rule over the two states, also at a rate of 1."""
    kernel = BinomialKernel(beta, rate)
    for x0, xt in itertools.product((0.0, 1.0), repeat=2):
        x0, xt = torch.tensor([[x0]]).double(), torch.tensor([[xt]]).double()
        for t in range(2, kernel.T + 1):
            joint = [
                (kernel.marginal(x0, t - 1).log_prob(k) + kernel.step(k, t).log_prob(xt)).exp()
                for k in (torch.zeros_like(x0), torch.ones_like(x0))
            ]
            got = kernel.posterior(x0, xt, t).mean[0]
            torch.testing.assert_close(got, joint[1] / sum(joint), rtol=1e-7, atol=1e-9)


def test_posterior_gaussian_by_quadrature():
    """Mean and variance of the Gaussian posterior are those of the normalised product."""
    kernel = GaussianKernel(torch.tensor([0.2, 0.3, 0.4]).double())
    x0, xt = torch.tensor([[0.7]]).double(), torch.tensor([[-0.4]]).double()

    def joint(y):
        y = torch.tensor([[y]]).double()
        return (kernel.marginal(x0, 2).log_prob(y) + kernel.step(y, 3).log_prob(xt)).exp().item()

    m = [integrate.quad(lambda y, k=k: y**k * joint(y), -9, 9, epsabs=1e-12)[0] for k in range(3)]
    law = kernel.posterior(x0, xt, 3)
    assert law.mean.item() == pytest.approx(m[1] / m[0], abs=1e-8)
    assert law.variance.item() == pytest.approx(m[2] / m[0] - (m[1] / m[0]) ** 2, abs=1e-8)


def test_against_diffusers():
    """Marginals and posteriors agree with the DDPM scheduler of diffusers."""
    diffusers = pytest.importorskip("diffusers")
    scheduler = diffusers.DDPMScheduler(
        50, beta_start=1e-3, beta_end=0.2, clip_sample=False, prediction_type="sample"
    )
    kernel = GaussianKernel(scheduler.betas.double())
    x0, noise, xt = states(kernel, 12, 3, 0).split(4)
    for t in (2, 17, 50):
        theirs = scheduler.add_noise(x0, noise, torch.full((4,), t - 1))
        law = kernel.marginal(x0, t)
        ours = law.mean + law.stddev * noise
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)
        law = kernel.posterior(x0, xt, t)
        variance = scheduler._get_variance(t - 1).double()
        torch.testing.assert_close(law.variance, variance.expand_as(xt), rtol=1e-4, atol=1e-7)
        g = torch.Generator().manual_seed(1)
        z = torch.randn(x0.shape, generator=g, dtype=x0.dtype)
        g = torch.Generator().manual_seed(1)
        step = scheduler.step(x0, t - 1, xt, generator=g).prev_sample
        torch.testing.assert_close(law.mean + law.stddev * z, step, rtol=1e-4, atol=1e-5)


@given(kernels, seeds)
def test_int_and_tensor_steps_agree(kernel, seed):
    """An int t and a tensor full of it give the same law."""
    x0, xt = states(kernel, 6, 2, seed).split(3)
    t = torch.full((3,), kernel.T)
    for name, args in (("step", (x0,)), ("marginal", (x0,)), ("posterior", (x0, xt))):
        law, same = getattr(kernel, name)(*args, kernel.T), getattr(kernel, name)(*args, t)
        torch.testing.assert_close(law.log_prob(xt), same.log_prob(xt))
        assert law.batch_shape == same.batch_shape == (3,)


@given(kernels, seeds)
def test_entropies(kernel, seed):
    """Entropies equal the closed forms of the page."""
    x0 = states(kernel, 4, 3, seed)
    for t in (1, kernel.T):
        if isinstance(kernel, GaussianKernel):
            variance = kernel.beta_bar[t].expand(4)
            expected = 1.5 * torch.log(2 * torch.pi * torch.e * variance)
            prior = 1.5 * torch.tensor(2 * torch.pi * torch.e, dtype=torch.float64).log()
        else:
            r = kernel.alpha_bar[t] * x0 + kernel.rate * kernel.beta_bar[t]
            expected = -(r * r.log() + (1 - r) * (1 - r).log()).sum(1)
            r = kernel.rate
            prior = -3 * (r * r.log() + (1 - r) * (1 - r).log())
        torch.testing.assert_close(kernel.marginal_entropy(x0, t), expected, **CLOSE)
        torch.testing.assert_close(kernel.prior_entropy((3,)), prior, **CLOSE)


@given(inner_rates, base_rates, seeds)
def test_expected_log_prior(beta, rate, seed):
    """The cross entropy to the prior is that of enumeration (bits) and of moments (Gaussian)."""
    kernel = BinomialKernel(beta, rate)
    x0, T = states(kernel, 4, 2, seed), kernel.T
    one = kernel.marginal(x0, T).mean
    r = x0.new_tensor(rate)
    expected = (one * r.log() + (1 - one) * (1 - r).log()).sum(1)
    torch.testing.assert_close(kernel.expected_log_prior(x0, T), expected, **CLOSE)
    kernel = GaussianKernel(beta)
    law = kernel.marginal(x0, T)
    square = law.mean**2 + law.variance
    expected = -0.5 * (square + math.log(2 * torch.pi)).sum(1)
    torch.testing.assert_close(kernel.expected_log_prior(x0, T), expected, **CLOSE)


@pytest.mark.parametrize("last", [0.6, 1.0])
def test_gradient_in_beta(last):
    """Gradients in beta match finite differences; with a last rate of 1, for all earlier rates."""
    x0, xt = states(GaussianKernel(torch.ones(1).double()), 6, 2, 3).split(3)

    def value(head):
        kernel = GaussianKernel(torch.cat([head, head.new_tensor([last])]))
        laws = [kernel.posterior(x0, xt, t) for t in (2, 3)] + [kernel.marginal(x0, 3)]
        return sum(law.log_prob(xt).sum() for law in laws) + kernel.step(x0, 3).entropy().sum()

    head = torch.tensor([0.1, 0.3]).double().requires_grad_()
    assert torch.autograd.gradcheck(value, (head,))
    beta = torch.tensor([0.1, 0.3, last]).double().requires_grad_()
    kernel = GaussianKernel(beta)
    kernel.posterior(x0, xt, 3).log_prob(xt).sum().backward()
    assert beta.grad.isfinite().all()


@pytest.mark.parametrize("T", [1, 2, 5000])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_lengths_and_dtypes(T, dtype, device):
    """Chains of 1 and 5000 steps, both dtypes and devices: finite, and nothing changes dtype."""
    beta = schedules.erase_evenly(T, dtype=dtype, device=device)
    for kernel in (GaussianKernel(beta), BinomialKernel(beta)):
        x = torch.ones(2, 3, dtype=dtype, device=device)
        laws = [kernel.step(x, T), kernel.marginal(x, 1), kernel.prior(x.shape)]
        laws += [kernel.posterior(x, x, T)] if T > 1 else []
        for law in laws:
            assert law.mean.dtype == dtype
            assert law.mean.device == x.device
            assert law.log_prob(x).isfinite().all()


@given(kernels)
def test_last_rate_one_forgets(kernel):
    """At a rate of 1 the posterior is the marginal of the step before, whatever x_t is."""
    beta = torch.cat([kernel.beta[:-1], torch.ones(1).double()])
    kernel = type(kernel)(beta)
    x0, xt, y = states(kernel, 6, 2, 1).split(2)
    expected = kernel.marginal(x0, kernel.T - 1).log_prob(y)
    torch.testing.assert_close(kernel.posterior(x0, xt, kernel.T).log_prob(y), expected, **CLOSE)


@settings(max_examples=5)
@given(seeds)
def test_draw_has_the_moments_of_the_law(seed):
    """Draws of normals, bits and mixtures have the mean and variance of their law."""
    g, n = torch.Generator().manual_seed(seed), 20_000
    normal = Independent(Normal(torch.full((n, 2), 0.3), torch.full((n, 2), 2.0)), 1)
    bits = Independent(Bernoulli(torch.full((n, 2), 0.3)), 1)
    weights = Categorical(torch.tensor([0.2, 0.8]).expand(n, 2))
    means = torch.tensor([[0.0, 1.0], [3.0, -1.0]]).expand(n, 2, 2)
    mixture = MixtureSameFamily(weights, Independent(Normal(means, torch.ones(n, 2, 2)), 1))
    for law in (normal, bits, mixture):
        x = draw(law, g)
        assert x.shape == (n, 2)
        error = (law.variance[0] / n).sqrt()
        assert ((x.mean(0) - law.mean[0]).abs() < 5 * error).all()
        torch.testing.assert_close(x.var(0), law.variance[0], rtol=0.06, atol=0)


def test_draw_is_reproducible_and_differentiable():
    """The same seed gives the same draw; gradients reach mean and scale of a normal."""
    mean, scale = torch.zeros(3, requires_grad=True), torch.ones(3, requires_grad=True)
    law = Normal(mean, scale)
    x, y = (draw(law, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(x, y)
    x.sum().backward()
    torch.testing.assert_close(mean.grad, torch.ones(3))
    torch.testing.assert_close(scale.grad, x.detach())


@given(kernels, st.sampled_from([torch.float32, torch.float64]), seeds)
def test_few_operators_give_what_the_laws_say(kernel, dtype, seed):
    """Noising, divergence and step back, as training and sampling call them, are those of laws."""
    g = torch.Generator().manual_seed(seed)
    n, again = kernel.T - 1, torch.Generator().manual_seed(seed + 1)
    t = torch.arange(2, kernel.T + 1)
    x0 = states(kernel, n, 3, seed).to(dtype)
    xt = draw(kernel.marginal(x0, t), again)
    torch.testing.assert_close(kernel.noised(x0, t, again.manual_seed(seed + 1)), xt)
    for count in kernel.numbers:
        z = torch.randn(count, *x0.shape, generator=g, dtype=dtype)
        expected = kl_divergence(kernel.posterior(x0, xt, t), kernel.head(xt, t, *z))
        got, rounding = kernel.divergence(x0, xt, t, z), 1e-3 if dtype == torch.float32 else 1e-9
        torch.testing.assert_close(got, expected, rtol=rounding, atol=rounding)
        for row, step in enumerate(range(2, kernel.T + 1)):
            only = slice(row, row + 1)
            law = kernel.head(xt[only], step, *z[:, only])
            noise = next(kernel.noises(xt[only], again.manual_seed(row)))
            normal = isinstance(kernel, dpm.GaussianKernel)
            expected = law.mean + law.stddev * noise if normal else (noise < law.mean).to(dtype)
            got = kernel.back(xt[only], step, z[:, only], noise)
            torch.testing.assert_close(got, expected)
            same = torch.tensor([step]).expand(n)
            torch.testing.assert_close(
                kernel.divergence(x0, xt, same, z), kernel.divergence(x0, xt, same.clone(), z)
            )


@given(kernels, seeds)
def test_gradients_of_the_divergence_are_those_of_the_laws(kernel, seed):
    """Also through the few operators: in every output, at every step."""
    g, t = torch.Generator().manual_seed(seed), torch.arange(2, kernel.T + 1)
    x0 = states(kernel, len(t), 2, seed)
    xt = kernel.noised(x0, t, g)
    for count in kernel.numbers:
        z = torch.randn(count, *x0.shape, generator=g, dtype=x0.dtype).requires_grad_()
        law = kl_divergence(kernel.posterior(x0, xt, t), kernel.head(xt, t, *z))
        (expected,) = torch.autograd.grad(law.sum(), z)
        (got,) = torch.autograd.grad(kernel.divergence(x0, xt, t, z).sum(), z)
        torch.testing.assert_close(got, expected, rtol=1e-7, atol=1e-9)


def test_a_rate_of_one_stays_finite_in_few_operators(generator):
    """At a step that erases all, divergence, its gradient and the step back are finite."""
    for kind in (dpm.GaussianKernel, dpm.BinomialKernel):
        kernel = kind(torch.tensor([0.5, 1.0, 1.0]).double())
        x, t = torch.ones(4, 2).double(), torch.tensor([2, 2, 3, 3])
        for count in kernel.numbers:
            z = torch.zeros(count, 4, 2).double().requires_grad_()
            divergence = kernel.divergence(x, x, t, z)
            (slope,) = torch.autograd.grad(divergence.sum(), z)
            assert divergence.isfinite().all()
            assert slope.isfinite().all()
            noise = next(kernel.noises(x, generator))
            assert kernel.back(x, 3, z.detach(), noise).isfinite().all()


def test_outliers_do_not_widen_the_tolerance_of_the_moment():
    """Beyond 2 % it is 4 standard errors of a normal sample, though the data vary more."""
    kernel, n = GaussianKernel(torch.ones(1).double()), 400
    outliers = torch.zeros(n, 1).double()
    outliers[::8] = math.sqrt(8)
    allowed = 0.02 + 4 * stats.chi2(1).std() / math.sqrt(n)
    for m2 in (1 - 0.99 * allowed, 1 + 0.99 * allowed):
        assert kernel.check_moments(math.sqrt(m2) * outliers).shape == (n, 1)
    for m2 in (1 - 1.01 * allowed, 1 + 1.01 * allowed):
        with pytest.raises(ValueError, match="x0 must have second moment 1"):
            kernel.check_moments(math.sqrt(m2) * outliers)
