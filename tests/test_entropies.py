"""Entropies of the reverse steps: bounds, equality, repair, and every kind of kernel."""

import math

import pytest
import torch
from test_third_kernel import EVERY_STATE, CategoricalKernel, step_matrix, transitions
from torch.distributions import Laplace

import dpm_lib as dpm
from dpm_lib.kernels import independent

BETA = torch.tensor([0.1, 0.3, 0.5, 0.7]).double()
LATER = range(2, 5)


def entropy_of(p):
    return -torch.xlogy(p, p).sum()


def gaussian(variance, mean=0.0):
    return dpm.GaussianLaw(torch.tensor([mean]).double(), torch.tensor([variance]).double())


def words(generator, bits=4, count=5):
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * bits)
    return every[torch.randperm(2**bits, generator=generator)[:count]]


@pytest.mark.parametrize("variance", [1e-9, 0.25, 1.0, 4.0])
def test_gaussian_data_lie_between_unless_they_are_too_large(variance):
    """The variance of the reverse step is beta v_(t-1) / v_t, between those of the bounds."""
    kernel, law = dpm.GaussianKernel(BETA), gaussian(variance)
    v = kernel.alpha_bar * variance + kernel.beta_bar
    for t in LATER:
        bounds = dpm.reverse_entropy_bounds(kernel, torch.zeros(1, 1).double(), t)
        true = law.reverse_entropy(kernel, t)
        expected = 0.5 * torch.log(2 * math.pi * math.e * BETA[t - 1] * v[t - 1] / v[t])
        torch.testing.assert_close(true, expected)
        assert bounds.lower <= true + 1e-12
        assert (true <= bounds.upper + 1e-12) == (variance <= 1)
    if variance < 1e-8:
        torch.testing.assert_close(true, bounds.lower[0], atol=1e-6, rtol=0)
    if variance == 1:
        torch.testing.assert_close(true, bounds.upper[0])


@pytest.mark.parametrize(("rho", "seed"), [(0.2, 1), (0.5, 2), (0.9, 3)])
def test_corrected_bounds_hold_for_any_bits(rho, seed):
    """The lower and the corrected upper bound hold for all data; at 1/2 nothing is corrected."""
    g = torch.Generator().manual_seed(seed)
    patterns = words(g)
    law = dpm.PatternLaw(patterns, torch.rand(5, generator=g).double() + 0.1)
    kernel = dpm.BinomialKernel(BETA, rate=rho)
    for t in LATER:
        bounds = dpm.reverse_entropy_bounds(kernel, patterns, t)
        low, high = (law.weights @ b for b in (bounds.lower, bounds.upper_corrected))
        true = law.reverse_entropy(kernel, t)
        assert low - 1e-12 <= true <= high + 1e-12
        if rho == 0.5:
            torch.testing.assert_close(bounds.upper, bounds.upper_corrected)


@pytest.mark.parametrize("kernel", [dpm.BinomialKernel(BETA, 0.3), dpm.BinomialKernel(BETA)])
def test_corrected_bound_exceeds_by_the_divergence_from_the_kernel_run_backwards(kernel, generator):
    """By nothing else: summed over all pairs of states."""
    every = words(generator, 3, 8)
    patterns = every[:3]
    law = dpm.PatternLaw(patterns, torch.tensor([1.0, 2.0, 5.0]).double())
    before, after = every.repeat_interleave(8, 0), every.repeat(8, 1)
    for t in LATER:
        start = law.marginal(kernel, t - 1).log_prob(every).repeat_interleave(8)
        joint = (start + kernel.step(before, t).log_prob(after)).exp()
        reversal = joint / joint.view(8, 8).sum(0).repeat(8)
        backwards = kernel.step(after, t).log_prob(before)
        divergence = (joint * (reversal.log() - backwards)).sum()
        bound = law.weights @ dpm.reverse_entropy_bounds(kernel, patterns, t).upper_corrected
        torch.testing.assert_close(bound - law.reverse_entropy(kernel, t), divergence)


def test_a_bit_that_must_come_down_breaks_the_upper_bound():
    """From rate 1/2 to the base rate 0.2 entropy falls, from 1 to 0.722 bits."""
    law = dpm.PatternLaw(torch.tensor([[0.0], [1.0]]).double(), torch.ones(2).double())
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(10), rate=0.2)
    bits = dpm.bits(torch.stack([law.entropy(kernel, t) for t in range(1, 11)]))
    assert (bits.diff() < 0).all()
    assert bits[-1].item() == pytest.approx(0.7219, abs=1e-4)
    bounds = dpm.reverse_entropy_bounds(kernel, law.patterns, 5)
    assert law.reverse_entropy(kernel, 5) > law.weights @ bounds.upper


def test_one_point_is_the_lower_bound_and_the_prior_the_upper():
    kernel = dpm.BinomialKernel(BETA, rate=0.3)
    point = dpm.PatternLaw(torch.tensor([[1.0, 0.0]]).double(), torch.ones(1).double())
    every = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 2)
    prior = dpm.PatternLaw(every, kernel.prior(every.shape).log_prob(every).exp())
    for t in LATER:
        ends = [
            law.weights @ getattr(dpm.reverse_entropy_bounds(kernel, law.patterns, t), name)
            for law, name in ((point, "lower"), (prior, "upper"))
        ]
        torch.testing.assert_close(point.reverse_entropy(kernel, t), ends[0])
        torch.testing.assert_close(prior.reverse_entropy(kernel, t), ends[1])


@pytest.mark.parametrize("kind", ["gaussian", "binomial"])
def test_steps_of_rows_and_shapes_of_events(kind, generator):
    """One step for each row gives what the steps give one by one; coordinates add."""
    kernel = dpm.GaussianKernel(BETA) if kind == "gaussian" else dpm.BinomialKernel(BETA, 0.2)
    x0 = torch.randint(0, 2, (3, 2, 2), generator=generator).double()
    rows = torch.tensor([2, 4, 3])
    together = dpm.reverse_entropy_bounds(kernel, x0, rows)
    for name in ("lower", "upper", "correction"):
        single = [getattr(dpm.reverse_entropy_bounds(kernel, x0[i : i + 1], int(t)), name)
                  for i, t in enumerate(rows)]  # fmt: skip
        torch.testing.assert_close(getattr(together, name), torch.cat(single))
    flat = dpm.step_entropy(kernel, x0.flatten(1), 3)
    torch.testing.assert_close(dpm.step_entropy(kernel, x0, 3), flat)
    alone = dpm.step_entropy(kernel, x0.flatten(), 3).view(3, -1).sum(1)
    torch.testing.assert_close(alone, flat)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_results_have_the_dtype_of_the_data(dtype):
    x0 = torch.zeros(2, 3, dtype=dtype)
    for kernel in (dpm.GaussianKernel(BETA), dpm.BinomialKernel(BETA)):
        for t in (2, torch.tensor([2, 3])):
            bounds = dpm.reverse_entropy_bounds(kernel, x0, t)
            found = {b.dtype for b in (bounds.lower, bounds.upper, bounds.upper_corrected)}
            assert found == {dtype}


def test_a_kernel_of_three_states():
    """A kernel that the library does not know has the entropies of its listed states."""
    kernel = CategoricalKernel(BETA, torch.tensor([0.2, 0.3, 0.5]).double())
    t = 3
    before = transitions(lambda y: kernel.marginal(EVERY_STATE, t - 1).log_prob(y))
    step = step_matrix(kernel, t)
    for row, x0 in zip(before, EVERY_STATE, strict=True):
        joint = row[:, None] * step
        there = entropy_of(joint) - entropy_of(joint.sum(1))
        back = entropy_of(joint) - entropy_of(joint.sum(0))
        torch.testing.assert_close(dpm.step_entropy(kernel, x0[None], t)[0], there)
        torch.testing.assert_close(dpm.posterior_entropy(kernel, x0[None], t)[0], back)


def test_a_kernel_of_unknown_noise_is_refused():
    """Noise that may depend on the state has no entropy to be read off."""

    class LaplaceKernel(CategoricalKernel):
        family = Laplace

        def marginal(self, x0, t):
            return independent(Laplace, x0.ndim - 1, loc=x0, scale=torch.ones_like(x0))

    kernel = LaplaceKernel(BETA, torch.tensor([0.5, 0.5]).double())
    with pytest.raises(ValueError, match="kernel must be Gaussian, or have states of a finite"):
        dpm.step_entropy(kernel, torch.zeros(1, 2).double(), 2)
