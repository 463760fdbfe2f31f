"""Networks, training, evaluation and data."""

import json
import math

import pytest
import torch

import dpm_lib as dpm
from dpm_lib.learning import recipes
from dpm_lib.learning.evaluation import record, recorded
from dpm_lib.learning.networks import temporal_bumps


@pytest.mark.parametrize("kind", [dpm.GaussianKernel, dpm.BinomialKernel])
def test_untrained_networks_are_the_identity(kind, generator):
    """Zero output is the identity model, at every step and at a rate of 1."""
    kernel = kind(dpm.schedules.erase_evenly(7))
    networks = [n(kernel, (2,), generator=generator) for n in (dpm.MLPNetwork, dpm.RBFNetwork)]
    x = (torch.rand(5, 2, generator=generator) > 0.5).double()
    for network in networks:
        for t in (2, 7, torch.tensor([2, 3, 4, 5, 7])):
            law, same = network(x, t), kernel.step(x, t)
            torch.testing.assert_close(law.mean, same.mean)
            torch.testing.assert_close(law.variance, same.variance)


def test_heads_and_bumps(generator):
    """Variances lie in (0, 1]; bumps are a partition of unity; RBF has the paper's size."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(40))
    x, z = torch.randn(2, 50, 2, generator=generator, dtype=torch.float64)
    variance = kernel.head(x, 20, z, 5 * z).variance
    logit = torch.logit(kernel.beta[19])
    torch.testing.assert_close(variance, torch.sigmoid(5 * z + logit))
    assert (kernel.head(x, 40, z, 5 * z).variance == 1).all()
    bumps = temporal_bumps(torch.linspace(0, 40, 9).double(), 40, 10)
    torch.testing.assert_close(bumps.sum(1), torch.ones(9).double())
    network = dpm.RBFNetwork(kernel, generator=generator)
    assert network.weight.numel() + network.bias.numel() == 2 * 1360


def test_training_gets_better(device):
    """A short training raises K, twice the same way, and leaves it below the optimum."""
    law = dpm.swiss_roll(noise=0.2, nodes=100, device=device)
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(20, device=device))

    x0 = law.sample(500, torch.Generator(device).manual_seed(0))

    def run():
        g = torch.Generator(device).manual_seed(1)
        model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), hidden=32, generator=g))

        def score():  # the same noise before and after
            return dpm.evaluate(model, x0, generator=torch.Generator(device).manual_seed(2))

        before = score()
        trace = list(dpm.fit(model, law.sample, steps=200, generator=g, learning_rate=1e-2))
        return before, trace, score()

    before, trace, after = run()
    assert [step for step, _ in trace] == list(range(1, 201))
    assert after["K"] > before["K"] + 0.15
    assert after["K"] < dpm.bits(law.optimum(kernel)).item() + 4 * after["standard_error"]
    if device.type == "cpu":
        assert run()[1] == trace
    assert json.loads(json.dumps(after))["unit"] == "bits per example"
    null = dpm.bits(dpm.null_log_likelihood(kernel, x0)).mean().item()
    assert after["K_minus_L_null"] == pytest.approx(after["K"] - null, abs=1e-9)


def test_training_binary_and_rbf(generator):
    """The binomial MLP and the RBF network train, in single precision too."""
    beta = dpm.schedules.erase_evenly(10, dtype=torch.float32)
    kernel = dpm.BinomialKernel(beta)
    model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), hidden=16, generator=generator))
    x0 = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    trace = [K for _, K in dpm.fit(model, x0, steps=150, generator=generator, learning_rate=0.02)]
    assert sum(trace[-20:]) > sum(trace[:20]) + 1
    kernel = dpm.GaussianKernel(beta)
    model = dpm.ReverseProcess(kernel, dpm.RBFNetwork(kernel, generator=generator))
    law = dpm.swiss_roll(dtype=torch.float32)
    trace = [K for _, K in dpm.fit(model, law.sample, steps=100, generator=generator)]
    assert all(map(math.isfinite, trace))


def test_fit_refuses(generator):
    """Unscaled data, NaN, non-binary data and a model without parameters are refused at once."""
    beta = dpm.schedules.erase_evenly(5)
    kernel, bits = dpm.GaussianKernel(beta), dpm.BinomialKernel(beta)
    x0 = torch.randn(1000, 2, generator=generator, dtype=torch.float64)
    for k, data, match in (
        (kernel, 2 * x0, "second moment 1"),
        (kernel, x0 / 0, "finite"),
        (bits, x0, "0 or 1"),
        (kernel, x0.float(), "float64"),
    ):
        model = dpm.ReverseProcess(k, dpm.MLPNetwork(k, (2,), generator=generator))
        with pytest.raises(ValueError, match=match):
            dpm.fit(model, data, steps=1, generator=generator)
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    with pytest.raises(ValueError, match="model must have parameters"):
        dpm.fit(model, x0, steps=1, generator=generator)
    with pytest.raises(ValueError, match="x0 must have at least 2"):
        dpm.evaluate(model, x0[:1], generator=generator)


def test_networks_and_heads_refuse():
    """Things that are no generator, and outputs that do not fit the head, are refused."""
    bits = dpm.BinomialKernel(beta := dpm.schedules.erase_evenly(5))
    for network in (dpm.MLPNetwork, dpm.RBFNetwork):
        with pytest.raises(ValueError, match="generator must"):
            network(bits, (2,), generator=None)
    x = torch.zeros(3, 2).double()
    for kernel, outputs in ((bits, (x, x)), (dpm.GaussianKernel(beta), (x, x[:1]))):
        with pytest.raises(ValueError, match="outputs must be"):
            kernel.head(x, 2, *outputs)


def test_digits(generator):
    """Digits have second moment 1 in training, a fixed split, and noise one grey level wide."""
    pytest.importorskip("sklearn")
    data = dpm.digits(generator=generator)
    assert data.train.shape == (1500, 64)
    assert data.test.shape == (297, 64)
    assert dpm.second_moment(data.train).item() == pytest.approx(1, abs=1e-12)
    again = dpm.digits(generator=generator)
    grey = [(d.train * d.scale + d.shift) for d in (data, again)]
    assert torch.equal(grey[0].round(), grey[1].round())
    assert not torch.equal(grey[0], grey[1])


def test_digits_draw(generator):
    """Fresh draws are training digits with other noise, within half a grey level."""
    pytest.importorskip("sklearn")
    data = dpm.digits(generator=generator)
    assert torch.equal((data.train * data.scale + data.shift).round(), data.levels)
    x = data.draw(2000, generator)
    noise = x * data.scale + data.shift
    grey = noise.round()
    known = {tuple(row) for row in data.levels.int().tolist()}
    assert all(tuple(row) in known for row in grey.int().tolist())
    assert (noise - grey).abs().max() <= 0.5
    assert (noise - grey).var().item() == pytest.approx(1 / 12, rel=0.02)
    assert dpm.second_moment(x).item() == pytest.approx(1, abs=0.02)


def test_recipes_run_and_are_recorded(tmp_path):
    """A run gives a complete record, the same for the same seed, that survives the file."""
    runs = [recipes.run("swiss-roll-mlp", seed=seed, steps=3) for seed in (0, 0, 1)]
    assert runs[0]["K"] == runs[1]["K"] != runs[2]["K"]
    assert runs[0]["settings"]["steps"] == 3
    path = record("roll", runs, tmp_path)
    assert recorded("roll", tmp_path) == runs
    assert [file.name for file in path.parent.iterdir()] == ["roll.json"]
    with pytest.raises(ValueError, match="one lacks"):
        record("roll", [{"K": 1.0}], tmp_path)
    assert recorded("roll", tmp_path) == runs
    with pytest.raises(ValueError, match="recipe must be one of"):
        recipes.run("mnist", seed=0)
    pytest.importorskip("sklearn")
    run = recipes.run("digits-mlp", seed=0, steps=1)
    assert run["n"] == 297
    assert run["K_train"] == pytest.approx(run["K"], rel=0.1)


@pytest.mark.parametrize("name", ["swiss_roll", "digits"])
def test_records_on_file(name):
    """Records in results/experiments come from recipes that exist, and say what they measured."""
    for run in recorded(name):
        assert run["recipe"] in recipes.RECIPES
        assert run["settings"]["data"] == name
        assert run["standard_error"] > 0
