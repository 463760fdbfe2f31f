"""Rates that are learned: their slopes, what stays, and what is kept."""

from dataclasses import replace

import pytest
import torch

import dpm_lib as dpm
from dpm_lib.learning import diffusions, recipes, runs
from dpm_lib.learning.learned_rates import LearnedRates

T = 6
BETA = dpm.schedules.linear(T, 0.1, 0.5)
KERNELS = [dpm.GaussianKernel(BETA), dpm.BinomialKernel(BETA, 0.4)]


def made(kernel, generator):
    """A model of two coordinates that is not the identity, and data for it."""
    network = dpm.MLPNetwork(kernel, (2,), hidden=8, layers=1, generator=generator)
    for p in network.parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    x0 = torch.tensor([[-1.0, 1.0], [1.0, 1.0]]).double()
    bits = isinstance(kernel, dpm.BinomialKernel)
    return dpm.ReverseProcess(kernel, network), ((x0 > 0).double() if bits else x0)


@pytest.mark.parametrize("kernel", KERNELS)
def test_a_kernel_with_other_rates_is_one_made_of_them(kernel):
    """Of the same kind, base rate and dtype; its tables follow the rates, and it is fixed."""
    rates = (BETA / 2).requires_grad_()
    other = kernel.float().with_rates(rates)
    assert type(other) is type(kernel)
    assert other.dtype == torch.float32
    assert torch.equal(other.beta, rates)
    if isinstance(kernel, dpm.BinomialKernel):
        assert other.rate == kernel.rate
    (slope,) = torch.autograd.grad(other.alpha_bar[-1], rates)
    torch.testing.assert_close(slope, -other.alpha_bar[-1].detach() / (1 - rates.detach()))
    other.check_tables(values=True)
    kernel.double()


@pytest.mark.parametrize("v_0", [0.25, 1.0, 4.0])
def test_slopes_of_the_optimum(v_0, generator):
    """For Gaussian data they are known, and 0 if the data are their own prior."""
    rates = BETA.clone().requires_grad_()
    law = dpm.GaussianLaw(torch.zeros(3).double(), torch.full((3,), v_0).double())
    (slope,) = torch.autograd.grad(law.optimum(dpm.GaussianKernel(rates)), rates)
    end = 1 + (v_0 - 1) * (1 - BETA).prod()
    expected = 1.5 * (1 - end) / ((1 - BETA[1:]) * end)
    torch.testing.assert_close(slope[1:], expected, atol=1e-12, rtol=0)


def test_frozen_noise_differentiates_the_measured_bound():
    """The slope is that of the number that dpm.bound gives with the same noise, also in chunks."""
    g = torch.Generator().manual_seed(0)
    model, x0 = made(KERNELS[0], g)
    x0 = x0.repeat(300, 1)
    model.rows = 700

    def bound(rates):
        other, _ = made(dpm.GaussianKernel(rates), torch.Generator().manual_seed(0))
        other.rows = 700
        terms = dpm.bound(other, x0, generator=torch.Generator().manual_seed(1))
        return terms.K_corrected.mean()

    found = dpm.rate_gradient(model, x0, generator=torch.Generator().manual_seed(1))
    for t, slope in enumerate(found, start=2):
        step = torch.zeros(T).double()
        step[t - 1] = 1e-5
        ratio = (bound(BETA + step) - bound(BETA - step)) / 2e-5
        torch.testing.assert_close(slope, ratio.detach(), rtol=1e-6, atol=1e-7)
    assert model.kernel is KERNELS[0]
    assert model.network.kernel is KERNELS[0]


def test_scores_differentiate_the_bound_of_bits(generator):
    """On average they give the slope of the sum over all states."""
    model, x0 = made(KERNELS[1], torch.Generator().manual_seed(0))
    states = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 2)
    begin, end = x0.repeat_interleave(4, 0), states.repeat(2, 1)

    def bound(rates):
        kernel = dpm.BinomialKernel(rates, 0.4)
        other, _ = made(kernel, torch.Generator().manual_seed(0))
        total = dpm.bound(other, x0, generator=generator).ceiling.mean()
        total = total + dpm.correction(kernel, x0).mean()
        for t in range(2, T + 1):
            mass = kernel.marginal(begin, t).log_prob(end).exp() / 2
            gap = dpm.divergence(kernel.posterior(begin, end, t), other.step(end, t), generator)
            total = total - (mass * gap).sum()
        return total

    rates = BETA.clone().requires_grad_()
    with torch.no_grad():
        steps = 1e-5 * torch.eye(T).double()[1:]
        exact = torch.stack([(bound(rates + s) - bound(rates - s)) / 2e-5 for s in steps])
    many = x0.repeat(2000, 1)
    drawn = [dpm.rate_gradient(model, many, generator=generator) for _ in range(30)]
    mean, error = dpm.mean_and_error(torch.stack(drawn).T)
    assert ((mean - exact).abs() < 5 * error).all()
    assert (error < 0.1 * exact.abs().max()).all()


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("objective", ["bound", "stratified", "full"])
def test_training_moves_all_rates_but_the_first(kernel, objective, generator):
    """The kernel that the model began with is as it was; the new one is fixed, and in float64."""
    model, x0 = made(kernel, generator)
    trainer = dpm.Trainer(
        model, x0, dpm.Settings(5, batch=8, objective=objective, learn_rates=True),
        generator=generator,
    )  # fmt: skip
    assert torch.tensor([trainer.update() for _ in range(5)]).isfinite().all()
    assert torch.equal(kernel.beta, BETA)
    assert model.kernel is model.network.kernel
    assert not model.kernel.beta.requires_grad
    assert model.kernel.beta[0] == BETA[0]
    assert (model.kernel.beta[1:] != BETA[1:]).all()
    model.sample(3, generator=generator)


def test_the_step_of_a_training_is_the_slope(generator):
    """One step of an update is in the direction of the slope of K of its batch, of every rate."""
    model, x0 = made(KERNELS[0], torch.Generator().manual_seed(0))
    x0 = x0.repeat(64, 1)
    settings = dpm.Settings(1, batch=128, objective="full", learn_rates=True, learning_rate=1e-4)
    source = lambda n, g: x0.repeat(n // 128, 1)  # noqa: E731
    trainer = dpm.Trainer(model, source, settings, generator=generator)
    g = torch.Generator()
    g.set_state(trainer.generator.get_state())
    model.rows = 10**6
    slope = dpm.rate_gradient(model, x0, generator=g)
    trainer.update()
    moved = model.kernel.beta[1:] - BETA[1:]
    assert torch.equal(moved.sign(), slope.sign())


def test_the_finished_model_has_the_averaged_rates(generator):
    """For as long as it is looked at; then the training goes on with its own."""
    model, x0 = made(KERNELS[0], generator)
    settings = dpm.Settings(20, batch=8, learning_rate=0.05, average=0.9, learn_rates=True)
    trainer = dpm.Trainer(model, x0, settings, generator=generator)
    for _ in range(20):
        trainer.update()
    own = model.kernel.beta.clone()
    with trainer.finished() as found:
        average = found.kernel.beta.clone()
        assert not found.kernel.beta.requires_grad
    assert ((average - BETA).abs() < (own - BETA).abs())[1:].any()
    assert not torch.equal(average, own)
    torch.testing.assert_close(model.kernel.beta, own)
    trainer.finish()
    torch.testing.assert_close(model.kernel.beta, average)


def test_a_failed_update_leaves_fixed_rates(generator):
    """Also where K is not finite the model has the kernel of its rates."""
    model, x0 = made(KERNELS[0], generator)
    trainer = dpm.Trainer(model, x0, dpm.Settings(3, learn_rates=True), generator=generator)
    next(model.parameters()).data.fill_(float("nan"))
    with pytest.raises(ValueError, match="finite K"):
        trainer.update()
    assert not model.kernel.beta.requires_grad
    torch.testing.assert_close(model.kernel.beta, BETA)


@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("data", ["swiss-roll-10", "heartbeat-50"])
def test_stopped_and_resumed_it_is_the_same_run(tmp_path, monkeypatch, data, average):
    """To the last bit, the rates and what moves them included; the file is a model like any."""
    recipe = recipes.RECIPES[f"{data}-learned"]
    tiny = replace(recipe, settings=replace(recipe.settings, average=average, batch=4))
    monkeypatch.setitem(recipes.RECIPES, "tiny", tiny)

    class Stop(Exception):
        pass

    def stop(step, K):
        if step == 3:
            raise Stop

    def run(folder, report):
        made = recipes.make("tiny", seed=1, steps=6)
        return runs.train(made, folder, report=report, resume=True, seconds=0)

    whole = run(tmp_path / "whole", lambda step, K: None)
    with pytest.raises(Stop):
        run(tmp_path / "torn", stop)
    torn = run(tmp_path / "torn", lambda step, K: None)
    for name, value in whole.state_dict().items():
        assert torch.equal(value, torn.state_dict()[name]), name
    loaded = dpm.load(tmp_path / "torn" / runs.LAST)
    assert torch.equal(loaded.kernel.beta, whole.kernel.beta)
    begun = recipes.make("tiny", seed=1).model.kernel.beta
    assert loaded.kernel.beta[0] == begun[0]
    assert (loaded.kernel.beta[1:] != begun[1:]).all()


def test_what_cannot_be_learned_is_refused(generator):
    even = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    model = dpm.ReverseProcess(even, dpm.identity_network(even, (2,)))
    with pytest.raises(ValueError, match=r"rates below 1 .* got beta_4 = 1"):
        LearnedRates(model)
    with pytest.raises(ValueError, match="objective must lower the bound itself"):
        dpm.Settings(3, objective="noise", learn_rates=True)
    with pytest.raises(TypeError, match="learn_rates must be True or False"):
        dpm.Settings(3, learn_rates=1)


def test_a_schedule_begins_with_the_rate_that_is_asked_for():
    beta = dpm.schedules.begun(0.01, dpm.schedules.erase_evenly(4))
    kept = dpm.schedules.signal(beta)[1:]
    torch.testing.assert_close(kept, 0.99 * (1 - torch.arange(5).double() / 4))


@pytest.mark.parametrize("name", diffusions.FIXED)
def test_rivals_have_as_many_rates_and_begin_with_the_same(name):
    """All of them keep the first rate, which decides what thin data are worth."""
    beta = diffusions.FIXED[name](7, 0.013)
    assert beta.shape == (7,)
    assert beta[0].item() == pytest.approx(0.013)
    assert (beta[1:] > beta[0]).all()
    assert (beta <= 1).all()


@pytest.mark.parametrize("stem", recipes.LEARNED)
def test_the_record_compares_like_with_like(stem):
    """Three seeds of each; the schedule differs, and nothing else; the first rate is the same."""
    found = [run for run in dpm.recorded("rates") if run["recipe"].startswith(f"{stem}-")]
    learned = [run for run in found if run["recipe"] == f"{stem}-learned"]
    assert [run["seed"] for run in learned] == [0, 1, 2]
    assert sorted(run["seed"] for run in found) == sorted(len(found) // 3 * [0, 1, 2])
    for run in found:
        same = run["settings"] | {"kernel": None, "learn_rates": None}
        assert same == learned[0]["settings"] | {"kernel": None, "learn_rates": None}
        kernel, begun = (one["settings"]["kernel"] for one in (run, learned[0]))
        assert kernel | {"schedule": None} == begun | {"schedule": None}
    for run in learned:
        assert run["beta"][0] == pytest.approx(run["settings"]["kernel"]["first"])
        assert len(run["beta"]) == run["T"]
