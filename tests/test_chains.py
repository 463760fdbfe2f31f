"""Forward and reverse chains, and the likelihood by their weights."""

import pytest
import torch
from hypothesis import given
from strategies import kernels, seeds, states

import dpm_lib as dpm
from dpm_lib import forward


@given(kernels, seeds)
def test_forward_reads_both_ways(kernel, seed):
    """A trajectory has one log probability, read forwards or, by Bayes and telescoping, back."""
    g = torch.Generator().manual_seed(seed)
    x = forward.trajectory(kernel, x0 := states(kernel, 4, 2, seed), g)
    assert x.shape == (kernel.T + 1, 4, 2)
    assert torch.equal(x[0], x0)
    there, back = forward.log_prob(kernel, x), forward.log_prob_backwards(kernel, x)
    assert there.shape == back.shape == (kernel.T, 4)
    torch.testing.assert_close(there.sum(0), back.sum(0), rtol=1e-7, atol=1e-7)


@given(kernels, seeds)
def test_identity_model_has_constant_weight(kernel, seed):
    """The identity model is exactly the prior: each weight is pi(x0), with no variance."""
    g = torch.Generator().manual_seed(seed)
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    x0 = states(kernel, 3, 2, seed)
    got = dpm.log_likelihood(model, x0, trajectories=4, generator=g)
    expected = dpm.null_log_likelihood(kernel, x0)
    torch.testing.assert_close(got.estimate, expected, rtol=1e-8, atol=1e-8)
    assert (got.standard_error < 1e-7).all()
    each = dpm.log_weights(model, forward.trajectory(kernel, x0, g))
    torch.testing.assert_close(each, expected, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(got.effective_sample_size, torch.full((3,), 4.0).double())


def test_mean_weight_is_the_model_probability(generator):
    """For Gaussian data, exactly reversed, the mean weight is the density in closed form."""
    kernel = dpm.GaussianKernel(dpm.schedules.inverse(10))
    law = dpm.GaussianLaw(torch.tensor([0.5, 0.0]).double(), torch.tensor([0.25, 2.0]).double())
    model = dpm.ReverseProcess(kernel, law.reversal(kernel))
    x0 = law.sample(4, generator)
    got = dpm.log_likelihood(model, x0, trajectories=20_000, generator=generator)
    expected = law.model_law(kernel).log_prob(x0)
    assert ((got.estimate - expected).abs() < 5 * got.standard_error).all()
    samples = model.sample(40_000, generator=generator)
    assert ((samples.mean(0) - law.model_law(kernel).mean).abs() < 0.03).all()
    torch.testing.assert_close(samples.var(0), law.model_law(kernel).variance, rtol=0.05, atol=0)


def test_edge_step_is_fixed(generator):
    """Step 1 is the forward kernel; a tensor t that mixes steps gives each row its own law."""
    beta = dpm.schedules.erase_evenly(5)
    for kernel in (dpm.GaussianKernel(beta), dpm.BinomialKernel(beta, 0.3)):
        network = dpm.MLPNetwork(kernel, (2,), hidden=4, layers=1, generator=generator)
        torch.nn.init.constant_(network.clock.bias[-4:], 0.7)
        model = dpm.ReverseProcess(kernel, network)
        x, y = states(kernel, 6, 2, 1).split(3)
        mixed = model.step(x, torch.tensor([1, 3, 5])).log_prob(y)
        for row, t in enumerate((1, 3, 5)):
            torch.testing.assert_close(mixed[row], model.step(x, t).log_prob(y)[row])
        edge = kernel.step(x, 1).log_prob(y)
        torch.testing.assert_close(model.step(x, 1).log_prob(y), edge)


def test_networks_are_asked_for_learned_steps_alone(generator):
    """Where a tensor t holds 1, a network that knows only t = 2 … T still serves."""
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(4), 0.3)
    law = dpm.PatternLaw(torch.eye(3).double(), torch.ones(3).double())
    model = dpm.ReverseProcess(kernel, law.factorised(kernel))
    x = law.sample(4, generator)
    mixed = model.step(x, torch.tensor([1, 2, 4, 1])).log_prob(x)
    for row, t in enumerate((1, 2, 4, 1)):
        torch.testing.assert_close(mixed[row], model.step(x, t).log_prob(x)[row])


def test_log_prob_rows(generator):
    """Row t - 1 of log_prob is the reverse step t of a trajectory, also for mixtures."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    law = dpm.MixtureLaw(torch.ones(2), torch.tensor([[-1.0], [1.0]]).double(), torch.tensor(0.1))
    model = dpm.ReverseProcess(kernel, law.reversal(kernel))
    x = model.trajectory(3, generator=generator)
    rows = model.log_prob(x)
    for t in range(1, 5):
        torch.testing.assert_close(rows[t - 1], model.step(x[t], t).log_prob(x[t - 1]))
    with pytest.raises(ValueError, match="t must be an int where"):
        model.step(x[1], torch.tensor([1, 2, 2]))


def test_same_seed_same_result(device):
    """Sampling depends on nothing but the generator, and stays on its device."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(6, device=device))

    def run():
        g = torch.Generator(device).manual_seed(5)
        network = dpm.MLPNetwork(kernel, (3,), hidden=4, generator=g)
        model = dpm.ReverseProcess(kernel, network)
        x = model.sample(4, generator=g)
        return x, dpm.bound(model, x, generator=g).K, model.trajectory(2, generator=g)

    for a, b in zip(run(), run(), strict=True):
        assert torch.equal(a, b)
        assert a.device.type == device.type


@pytest.mark.parametrize(("T", "progress", "shown"), [
    (999, None, False), (1000, None, True), (1000, False, False), (3, True, True),
])  # fmt: skip
def test_long_chains_show_a_bar(T, progress, shown, generator, capsys):
    """From 1000 steps on a draw shows how far it is, unless it is told not to."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(T))
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (1,)))
    model.sample(1, generator=generator, progress=progress)
    assert ("sample: 100%" in capsys.readouterr().err) == shown
