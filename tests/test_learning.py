"""Networks, training, evaluation and data."""

import json
import math
from collections import defaultdict
from dataclasses import replace

import pytest
import torch
from torch.distributions import Normal

import dpm_lib as dpm
from dpm_lib.kernels import independent
from dpm_lib.learning import experiments, recipes, runs, splits
from dpm_lib.learning.evaluation import record, recorded
from dpm_lib.learning.networks import temporal_bumps

NETWORKS = [dpm.MLPNetwork, dpm.RBFNetwork, dpm.StepwiseNetwork]


@pytest.mark.parametrize("kind", [dpm.GaussianKernel, dpm.BinomialKernel])
def test_untrained_networks_are_the_identity(kind, generator):
    """Zero output is the identity model, at every step and at a rate of 1."""
    kernel = kind(dpm.schedules.erase_evenly(7))
    networks = [n(kernel, (2,), 16, generator=generator) for n in NETWORKS]
    x = (torch.rand(5, 2, generator=generator) > 0.5).double()
    for network in networks:
        model = dpm.ReverseProcess(kernel, network)
        for t in (2, 7, torch.tensor([2, 3, 4, 5, 7])):
            law, same = model.step(x, t), kernel.step(x, t)
            torch.testing.assert_close(law.mean, same.mean)
            torch.testing.assert_close(law.variance, same.variance)


def test_gaussian_head_and_bumps(generator):
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


def test_bumps_are_gaussians_of_the_time():
    """Ratios of two bumps are those of Gaussians whose width is the spacing of the centres."""
    t, T, count = torch.tensor([3.0, 17.0, 40.0]).double(), 40, 6
    centres, width = [8.0 * j for j in range(count)], 8.0
    bumps = temporal_bumps(t, T, count)
    for j, k in ((0, 1), (2, 5), (4, 1)):
        expected = torch.exp(((t - centres[k]) ** 2 - (t - centres[j]) ** 2) / (2 * width**2))
        torch.testing.assert_close(bumps[:, j] / bumps[:, k], expected)


def test_scale_of_the_gaussian_head():
    """The exact mean has z of the head's docstring: the slope of log q over the prior, scaled."""
    kernel = dpm.GaussianKernel(torch.tensor([0.1, 0.3, 0.6, 1.0]).double())
    means = torch.tensor([[-1.0, 0.2], [0.5, 1.0]]).double()
    law = dpm.MixtureLaw(torch.ones(2).double(), means, torch.tensor(0.2).double())
    x = torch.tensor([[0.3, -0.4], [2.0, 1.0], [-1.0, 0.5]]).double().requires_grad_()
    for t in (2, 3):
        ratio = law.marginal(kernel, t).log_prob(x) - kernel.prior(x.shape).log_prob(x)
        (slope,) = torch.autograd.grad(ratio.sum(), x)
        z = (kernel.beta_bar[t] / (1 - kernel.beta[t - 1])).sqrt() * slope
        exact = law.reversal(kernel)(x, t).mean
        torch.testing.assert_close(kernel.head(x, t, z, 0 * z).mean, exact)


@pytest.mark.parametrize("network", NETWORKS)
def test_networks_know_the_time(network, generator):
    """At one state the outputs differ from step to step, and each row has those of its step."""
    kernel = dpm.GaussianKernel(torch.full((6,), 0.3).double())
    network = network(kernel, (2,), 8, generator=generator).requires_grad_(False)
    for p in network.parameters():
        p += torch.randn(p.shape, generator=generator, dtype=p.dtype)
    x = torch.ones(1, 2).double()
    rows = network(x.expand(5, 2), torch.arange(2, 7))
    groups = network(x.expand(10, 2), torch.arange(2, 7).repeat_interleave(2))
    torch.testing.assert_close(groups, rows.repeat_interleave(2, 0))
    mixed = network(x.expand(4, 2), torch.tensor([3, 2, 2, 6]))
    torch.testing.assert_close(mixed, rows[[1, 0, 0, 4]])
    for row, t in enumerate(range(2, 7)):
        same = network(x.expand(3, 2), torch.tensor([t]).expand(3))
        torch.testing.assert_close(rows[row].expand(3, -1), same)
    assert torch.diff(rows, dim=0).abs().amin() > 1e-3


def test_radial_readouts_belong_to_their_step(generator):
    """A step of the RBF network learns from its own weights and biases alone."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(5))
    network = dpm.RBFNetwork(kernel, generator=generator)
    network(torch.ones(4, 2).double(), torch.full((4,), 3)).sum().backward()
    for readout in (network.weight, network.bias):
        assert readout.grad.flatten(1).any(1).tolist() == [False, False, True, False, False]


def test_radial_units_start_half_a_unit_wide(generator):
    """One width from its centre the first unit has the weight that the others leave it."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(5))
    network = dpm.RBFNetwork(kernel, (1,), 2, generator=generator).requires_grad_(False)
    network.centres[:] = torch.tensor([[0.0], [3.0]])
    network.weight[2, 0] = 1.0  # both outputs of step 3 are the weight of the unit at 0
    x = torch.tensor([[1.5], [1.0]]).double()
    z = torch.tensor([[0.5], [1 / (1 + math.exp((1.0 - 4.0) / (2 * 0.5**2)))]]).double()
    torch.testing.assert_close(network(x, torch.tensor([3, 3])), z.expand(2, 2))


def test_stepwise_readouts_are_a_shared_one_and_their_own(generator):
    """Of each step, as the formula says; what is its own hears of no other step."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(30))
    network = dpm.StepwiseNetwork(kernel, (3,), hidden=4, layers=1, generator=generator)
    for part in (network.shared, network.own):
        part.data.normal_(generator=generator)
    x, t = torch.randn(6, 3, generator=generator).double(), torch.tensor([2, 2, 9, 9, 30, 30])
    h = torch.sigmoid(x @ network.weights[0] + network.biases[0]) - 0.5
    g = temporal_bumps(t.double(), 30, 16)
    both = (8 * g @ network.shared + network.own[t] / 8).view(6, 5, 6)
    z = torch.einsum("bu,buo->bo", h, both[:, :4]) + both[:, 4]
    torch.testing.assert_close(network(x, t), z)
    z.square().sum().backward()
    assert network.own.grad.any(1).nonzero().flatten().tolist() == [2, 9, 30]
    assert network.shared.grad.any(1).all()


def test_initial_layers_keep_the_scale(generator):
    """Each hidden layer starts with weights of variance one over its inputs."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(5))
    network = dpm.MLPNetwork(kernel, (64,), hidden=256, layers=2, generator=generator)
    for weight in (*network.weights[:2], network.clock.weight[:, :512]):
        assert weight.var().item() * len(weight) == pytest.approx(1, rel=0.05)
    assert (network.clock.bias == 0).all()


def test_sigmoid_units_start_in_the_middle_of_their_range(generator):
    """On states of the prior every layer's units have mean about 1/2 and are not all the same."""
    kernel = dpm.BinomialKernel(dpm.schedules.erase_evenly(5), 0.2)
    network = dpm.StepwiseNetwork(kernel, (20,), generator=generator).requires_grad_(False)
    h = dpm.draw(kernel.prior((4000, 20)), generator)
    for weight, bias in zip(network.weights, network.biases, strict=True):
        h = torch.sigmoid(h @ weight + bias)
        assert h.mean().item() == pytest.approx(0.5, abs=0.05)
        assert (h.mean(0) - 0.5).abs().max() < 0.2
        assert h.std(0).min() > 0.1


def displacements(model, **options):
    """How far each update of a training moves the parameters, and its gradient's norm."""
    before = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    for _ in dpm.updates(model, **options):
        now = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
        gradient = torch.cat([p.grad.flatten() for p in model.parameters()])
        yield (now - before).norm().item(), gradient.norm().item()
        before = now


@pytest.mark.parametrize(
    ("decay", "part"),
    [("cosine", lambda n: (1 + math.cos(math.pi * n / 20)) / 2), ("constant", lambda n: 1)],
)
def test_learning_rate_falls_like_a_cosine_or_stays(decay, part, generator):
    """With one gradient throughout, each update is as long as the learning rate says."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(2))

    class Slope(torch.nn.Module):
        """A network of one number, whose gradient is the same in every update."""

        event_shape = torch.Size([3])

        def __init__(self):
            super().__init__()
            self.number = torch.nn.Parameter(torch.zeros(()).double())

        def forward(self, xt, t):
            broad = torch.exp(10 + self.number)  # so broad that log scale alone counts
            return independent(Normal, 1, loc=0 * xt, scale=broad)

    options = {"x0": torch.ones(4, 3).double(), "learning_rate": 0.01, "batch": 4, "decay": decay}
    moves, slopes = zip(
        *displacements(
            dpm.ReverseProcess(kernel, Slope()), steps=20, generator=generator, **options
        ),
        strict=True,
    )
    assert moves == pytest.approx([0.01 * part(n) for n in range(20)], rel=1e-4)
    assert slopes == pytest.approx([1.0] * 20, rel=1e-4)  # of K per dimension


def test_gradients_are_clipped(generator):
    """A batch far from all data cannot throw the model: the gradient's norm is cut to 10."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(5))
    model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), generator=generator))

    def source(n, g):
        x = torch.randn(n, 2, generator=g, dtype=torch.float64)
        return x if n == 4096 else 100 * x  # 4096: what the check of the moments sees

    x0 = source(64, generator)
    (-dpm.sampled_bound(model, x0, generator=generator).mean() / 2).backward()
    assert torch.cat([p.grad.flatten() for p in model.parameters()]).norm() > 100
    options = {"x0": source, "steps": 2, "batch": 64, "generator": generator}
    (_, first), _ = displacements(model, **options)
    assert first == pytest.approx(10, rel=1e-3)
    options["x0"] = lambda n, g: source(4096, g)[:n]
    (_, first), _ = displacements(model, **options)
    assert 0 < first < 10


def test_standard_error_of_an_evaluation(generator):
    """Evaluations of fresh data and noise scatter by the standard error that each gives."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    law = dpm.GaussianLaw(torch.zeros(2).double(), torch.tensor([0.25, 1.75]).double())
    model = dpm.ReverseProcess(kernel, law.reversal(kernel))
    runs = [
        dpm.evaluate(model, law.sample(100, generator), generator=generator) for _ in range(200)
    ]
    scatter = torch.tensor([run["K"] for run in runs]).std().item()
    claimed = sum(run["standard_error"] for run in runs) / len(runs)
    assert scatter == pytest.approx(claimed, rel=0.25)  # 5 errors of a scatter of 200


def test_an_evaluation_of_an_array_is_that_of_its_tensor(generator):
    """In any dtype: it becomes one of the model's."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    x = torch.randn(20, 2, generator=generator).float()
    found = [
        dpm.evaluate(model, data, generator=torch.Generator().manual_seed(1))["K"]
        for data in (x.double(), x.numpy(), x.double().numpy())
    ]
    assert found[0] == found[1] == found[2]


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
        options = {"steps": 200, "generator": g, "learning_rate": 1e-2}
        trace = dpm.fit(model, law.sample, **options).tolist()
        return before, trace, score()

    before, trace, after = run()
    assert len(trace) == 200
    assert after["K"] > before["K"] + 0.15
    assert after["K"] < dpm.bits(law.optimum(kernel)).item() + 4 * after["standard_error"]
    if device.type == "cpu":
        assert run()[1] == trace
    assert json.loads(json.dumps(after))["unit"] == "bits per example"
    null = dpm.bits(dpm.null_log_likelihood(kernel, x0)).mean().item()
    assert after["K_minus_L_null"] == pytest.approx(after["K"] - null, abs=1e-9)


def test_an_evaluation_in_parts_is_that_of_the_whole(generator, monkeypatch):
    """Parts of two examples give what all give at once, to the noise; errors are of each mean."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    law = dpm.GaussianLaw(torch.zeros(2).double(), torch.tensor([0.25, 1.75]).double())
    model, x0 = dpm.ReverseProcess(kernel, law.reversal(kernel)), law.sample(400, generator)
    whole = dpm.evaluate(model, x0, generator=generator, repeats=20)
    monkeypatch.setattr("dpm_lib.learning.evaluation.DIVERGENCES", 8)
    parts = dpm.evaluate(model, x0, generator=generator, repeats=20)
    noise = 5 * whole["standard_error"] / 20**0.5
    assert parts["K"] == pytest.approx(whole["K"], abs=noise)
    assert parts["K"] != whole["K"]
    gain = whole["K_minus_L_null"]
    assert parts["K_minus_L_null"] == pytest.approx(gain, abs=noise)
    assert 0 < whole["standard_error_of_difference"] < 2 * whole["standard_error"]


def test_training_binary_and_rbf(generator):
    """The binomial MLP and the RBF network train, in single precision too."""
    beta = dpm.schedules.erase_evenly(10, dtype=torch.float32)
    kernel = dpm.BinomialKernel(beta)
    model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), hidden=16, generator=generator))
    x0 = torch.tensor([[0.0, 0.0], [1.0, 1.0]])
    trace = dpm.fit(model, x0, steps=150, generator=generator, learning_rate=0.02)
    assert trace[-20:].sum() > trace[:20].sum() + 1
    kernel = dpm.GaussianKernel(beta)
    model = dpm.ReverseProcess(kernel, dpm.RBFNetwork(kernel, generator=generator))
    law = dpm.swiss_roll(dtype=torch.float32)
    assert dpm.fit(model, law.sample, steps=100, generator=generator).isfinite().all()


def test_heartbeat_has_a_one_in_every_fifth_place(generator):
    """Each of five beats of equal weight is 0 but for every fifth place, and no two agree there."""
    law = dpm.heartbeat(23)
    assert torch.equal(law.patterns.sum(0), torch.ones(23).double())
    assert torch.equal(law.patterns[:, 5:], law.patterns[:, :-5])
    assert torch.equal(law.patterns[:, :5].sum(1), torch.ones(5).double())
    torch.testing.assert_close(
        law.log_prob(law.sample(9, generator)).exp(), law.weights[:1].expand(9)
    )
    assert law.weights.tolist() == [0.2] * 5
    with pytest.raises(ValueError, match="length must be an integer >= 5"):
        dpm.heartbeat(4)


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


def test_textbook_digits(generator):
    """The first 1000 rows of the file and its last 447, in their order; scaled by the former."""
    datasets = pytest.importorskip("sklearn.datasets")
    grey, data = datasets.load_digits().data, dpm.learning.data.textbook_digits(generator=generator)
    for x, rows in ((data.train, grey[:1000]), (data.test, grey[1350:])):
        assert (data.scaler.inverse(x) - torch.from_numpy(rows)).abs().max() <= 0.5 + 1e-9
    assert dpm.second_moment(data.train).item() == pytest.approx(1, abs=1e-12)


def test_digits_draw(generator):
    """Fresh draws are training digits with other noise, within half a grey level."""
    pytest.importorskip("sklearn")
    data = dpm.digits(generator=generator)
    assert torch.equal((data.train * data.scale + data.shift).round(), data.levels.double())
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
    found = [
        experiments.run("swiss-roll", tmp_path / f"run{n}", seed=seed, steps=3)
        for n, seed in enumerate((0, 0, 1))
    ]
    assert found[0]["K"] == found[1]["K"] != found[2]["K"]
    assert found[0]["settings"]["steps"] == 3
    folder = tmp_path / "records"
    path = record("roll", found, folder)
    assert recorded("roll", folder) == found
    assert [file.name for file in path.parent.iterdir() if file.suffix != ".lock"] == ["roll.json"]
    with pytest.raises(ValueError, match="runs must give"):
        record("roll", [{"K": 1.0}], folder)
    assert recorded("roll", folder) == found
    with pytest.raises(ValueError, match="recipe must be one of"):
        experiments.run("cifar", folder, seed=0)
    pytest.importorskip("sklearn")
    run = experiments.run("digits", tmp_path / "digits", seed=0, steps=1)
    assert run["n"] == 297
    assert run["K_train"] == pytest.approx(run["K"], rel=0.1)


def test_a_recipe_is_not_measured_with_the_noise_of_its_data(monkeypatch):
    """The best model of all comes out at the optimum, to the noise, whatever the seed."""
    law = dpm.GaussianLaw(torch.zeros(2), torch.tensor([0.1, 1.9]))

    def gaussian_data(device, dtype, generator):
        return splits.Data(law.sample, law.sample(20_000, generator))

    recipe = replace(recipes.RECIPES["swiss-roll"], data=gaussian_data)
    monkeypatch.setitem(recipes.RECIPES, "gaussian", recipe)
    for seed in range(3):
        made = recipes.make("gaussian", seed=seed, steps=1)
        kernel = made.model.kernel
        found = experiments.measured(made, dpm.ReverseProcess(kernel, law.reversal(kernel)))
        best = dpm.bits(law.optimum(kernel)).item()
        assert found["K"] == pytest.approx(best, abs=4 * found["standard_error"])
        exact = dpm.ReverseProcess(kernel, law.reversal(kernel))
        x0, g = made.data.held_out[: runs.MOST], torch.Generator().manual_seed(seed)
        noise = dpm.sampled_bound(exact, x0, generator=g, steps=runs.STEPS).std().item()
        assert runs.score(made, exact) == pytest.approx(
            law.optimum(kernel).item(), abs=4 * noise / runs.MOST**0.5
        )


def test_data_in_words_and_numbers():
    """What is drawn for ever, and what is one set of rows, as many as there are."""
    assert splits.described("heartbeat", 3) == {
        "data": "Sequences of 20 bits with a 1 in every fifth place; 1000 more held out.",
        "one example": (20,), "to train on": "drawn for ever", "held out": 1000,
        "second moment, held out": 0.2,
    }  # fmt: skip
    pytest.importorskip("sklearn")
    digits = splits.described("digits", 0)
    assert (digits["to train on"], digits["held out"]) == (1500, 297)
    parts = recipes.make("digits", seed=0).data
    second_moment = dpm.second_moment(parts.held_out).item()
    assert digits["second moment, held out"] == pytest.approx(second_moment, abs=5.1e-5)
    assert parts.picture == (8, 8)


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_records_on_file(name):
    """They are all runs of an experiment, of recipes as they stand, with seeds from 0 on."""
    found, seeds = recorded(name), defaultdict(list)
    for run in found:
        seeds[run["recipe"], run["settings"]["steps"]].append(run["seed"])
    assert [*seeds] == [*experiments.EXPERIMENTS[name]]
    assert all(of_it == [*range(len(of_it))] for of_it in seeds.values())
    for run in found:
        recipe = recipes.RECIPES[run["recipe"]].as_dict() | {"steps": run["settings"]["steps"]}
        assert {"learn_rates": False} | run["settings"] == json.loads(json.dumps(recipe))
        assert run["standard_error"] > 0


def test_recipes_are_of_the_length_that_is_on_record():
    """But for two that are shorter there: more radial units, beside the 16 of as many updates."""
    recorded_steps = [each for plan in experiments.EXPERIMENTS.values() for each in plan]
    others = {
        name for name, recipe in recipes.RECIPES.items()
        if (name, recipe.settings.steps) not in recorded_steps
    }  # fmt: skip
    assert {name for name in others if not name.startswith("swiss-roll-40-")} == {
        "swiss-roll-rbf-32", "swiss-roll-rbf-64",
    }  # fmt: skip


@pytest.mark.parametrize("recipe", [name for name in recipes.RECIPES if "mnist" not in name])
def test_what_was_held_out_can_be_made_again(recipe):
    """From the seed on record: as many examples, of the same second moment."""
    if "digits" in recipe:
        pytest.importorskip("sklearn")
    every = [run for name in experiments.EXPERIMENTS for run in recorded(name)]
    found = [run for run in every if run["recipe"] == recipe]
    assert found or recipe.startswith("swiss-roll-40-")
    for seed in {run["seed"] for run in found}:
        made = recipes.make(recipe, seed=seed)
        x0 = made.data.held_out
        for run in (run for run in found if run["seed"] == seed):
            assert (run["n"], run["T"]) == (len(x0), made.model.kernel.T)
            assert run["second_moment"] == pytest.approx(dpm.second_moment(x0).item(), rel=1e-6)
