"""Rates and network are one model: saved, moved and copied together, exact in any precision."""

import copy
import math
import pickle
import shutil

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

import dpm_lib as dpm
from dpm_lib.kernels import independent

KINDS = [dpm.GaussianKernel, dpm.BinomialKernel]


def trained(kernel, generator, event=(2,)):
    """A model whose network is not the identity."""
    network = dpm.MLPNetwork(kernel, event, hidden=8, layers=1, generator=generator)
    for p in network.parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return dpm.ReverseProcess(kernel, network).requires_grad_(False)


def score(model, x0):
    return dpm.bound(model, x0, generator=torch.Generator().manual_seed(3)).K


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_model_carries_its_rates(kind, generator):
    """Its state gives the same model again, and goes into no model of other rates."""
    beta, x0 = dpm.schedules.erase_evenly(6), torch.ones(4, 2).double()
    model, again = trained(kind(beta), generator), trained(kind(beta), generator)
    before = {name: value.clone() for name, value in again.state_dict().items()}
    other = trained(kind(dpm.schedules.inverse(6)), generator)
    with pytest.raises(ValueError, match="state_dict must hold the rates"):
        again.load_state_dict(other.state_dict())
    assert all(torch.equal(again.state_dict()[name], value) for name, value in before.items())
    assert not torch.equal(score(again, x0), score(model, x0))
    again.load_state_dict(model.state_dict())
    assert torch.equal(score(again, x0), score(model, x0))


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_models(copied, generator):
    """A copy scores the same, and is as safe: its rates cannot be changed either."""
    model, x0 = trained(dpm.BinomialKernel(torch.full((5,), 0.3), 0.2), generator), torch.ones(4, 2)
    twin = copied(model)
    assert torch.equal(score(twin, x0), score(model, x0))
    assert twin.kernel.matches(model.kernel)
    assert twin.kernel is twin.network.kernel
    twin.kernel.beta.mul_(0.5)
    with pytest.raises(ValueError, match="beta must stay"):
        score(twin, x0)
    assert score(model, x0).isfinite().all()


def test_rates_belong_to_the_kernel():
    """Rates that the caller changes later do not reach into the kernel."""
    beta = torch.tensor([0.1, 0.2, 0.3], dtype=torch.float64)
    kernel = dpm.GaussianKernel(beta)
    before = kernel.marginal(torch.ones(1, 1).double(), 3).mean
    beta.mul_(0.5)
    assert torch.equal(kernel.marginal(torch.ones(1, 1).double(), 3).mean, before)
    assert kernel.beta.tolist() == [0.1, 0.2, 0.3]


def test_kernels_match_in_kind_and_rates():
    beta = torch.tensor([0.1, 0.2, 0.3]).double()
    kernel = dpm.BinomialKernel(beta, 0.2)
    assert kernel.matches(dpm.BinomialKernel(beta.clone(), 0.2))
    for other in (dpm.BinomialKernel(beta, 0.3), dpm.BinomialKernel(beta[:2], 0.2),
                  dpm.BinomialKernel(beta.flip(0), 0.2), dpm.GaussianKernel(beta)):  # fmt: skip
        assert not kernel.matches(other)
        assert not other.matches(kernel)


@pytest.mark.parametrize("kind", KINDS)
def test_no_table_can_be_changed(kind, generator):
    """In place, past torch's count of changes, or by another tensor; the same values may come."""
    model, x0 = trained(kind(dpm.schedules.erase_evenly(5)), generator), torch.ones(4, 2).double()
    right = score(model, x0)
    for name, table in list(model.kernel.named_buffers()):
        for change in (table.mul_, table.data.mul_):
            change(0.5)
            with pytest.raises(ValueError, match=f"^{name} must stay"):
                score(model, x0)
            with pytest.raises(ValueError, match=f"^{name} must stay"):
                model.state_dict()
            change(2)
        setattr(model.kernel, name, table.clone())
        assert torch.equal(score(model, x0), right)
        setattr(model.kernel, name, table * 0.5)
        with pytest.raises(ValueError, match=f"^{name} must stay"):
            score(model, x0)
        setattr(model.kernel, name, table)


def test_what_changes_after_a_look_is_looked_at_again(generator):
    """Steps past torch's count of changes; a law of a head that its network has damaged."""
    kernel, x = dpm.GaussianKernel(dpm.schedules.erase_evenly(5)), torch.ones(2, 2).double()
    t = torch.tensor([2, 3])
    kernel.posterior(x, x, t)
    t.numpy()[:] = 99
    with pytest.raises(ValueError, match=r"t must lie in 2 … 5 .*got 99"):
        kernel.posterior(x, x, t)
    t.data[:] = 1
    with pytest.raises(ValueError, match=r"t must lie in 2 … 5 .*got 1"):
        kernel.posterior(x, x, t)

    def damaged(by):
        def formula(xt, t):
            law = kernel.head(xt, t, xt, xt)
            by(law.base_dist)
            return law

        model = dpm.ReverseProcess(kernel, dpm.ClosedForm(torch.Size([2]), formula))
        return model.sample(2, generator=generator)

    damaged(lambda law: None)
    for by in (lambda law: law.scale.neg_(), lambda law: setattr(law, "scale", -law.scale)):
        with pytest.raises(ValueError, match="network must return a law whose scale"):
            damaged(by)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_states_may_be_of_either_precision(kind, dtype, generator):
    """A float64 schedule serves float32 data, and the other way round: laws are as the states."""
    for rates in (torch.float32, torch.float64):
        kernel = kind(torch.full((5,), 0.3, dtype=rates))
        assert kernel.beta.dtype == kernel.alpha_bar.dtype == torch.float64
        x = (torch.rand(3, 2, generator=generator) > 0.5).to(dtype)
        t = torch.tensor([2, 3, 5])
        for law in (kernel.step(x, t), kernel.step(x, 2), kernel.marginal(x, t),
                    kernel.posterior(x, x, t), kernel.posterior(x, x, 3)):  # fmt: skip
            assert law.log_prob(x).dtype == law.mean.dtype == dtype
        model = trained(kernel, generator)
        assert dpm.bound(model, x, generator=generator).K.dtype == dtype
        assert model.sample(2, generator=generator).dtype == rates == model.dtype
        assert model.to(dtype).sample(2, generator=generator).dtype == dtype == kernel.dtype
        assert kernel.beta.dtype == torch.float64


@pytest.mark.parametrize("network", [dpm.MLPNetwork, dpm.RBFNetwork, dpm.StepwiseNetwork])
@pytest.mark.parametrize("kind", KINDS)
def test_a_state_may_be_one_number(kind, network, generator):
    """Events without an axis are as those of one coordinate."""
    kernel = kind(torch.tensor([0.1, 0.2, 0.4]).double())
    seeds = [torch.Generator().manual_seed(0) for _ in range(4)]
    scalar, row = (
        dpm.ReverseProcess(kernel, network(kernel, event, generator=g))
        for event, g in zip(((), (1,)), seeds, strict=False)
    )
    x = (torch.rand(5, generator=generator, dtype=torch.float64) > 0.5).double()
    found = dpm.bound(scalar, x, generator=seeds[2])
    torch.testing.assert_close(found.K, dpm.bound(row, x[:, None], generator=seeds[3]).K)
    assert scalar.sample(4, generator=generator).shape == (4,)


def test_mixtures_of_each_coordinate_take_many_steps(generator):
    """A law that is independent mixtures is answered for several steps, none of them the edge."""
    kernel = dpm.GaussianKernel(torch.full((4,), 0.2).double())

    def network(xt, t):
        parts = Normal(torch.stack([xt, -xt], -1), torch.ones(()).to(xt))
        choice = Categorical(torch.ones(*xt.shape, 2).to(xt))
        return Independent(MixtureSameFamily(choice, parts), 1)

    model = dpm.ReverseProcess(kernel, network, (3,))
    x = torch.randn(3, 3, generator=generator, dtype=torch.float64)
    mixed = model.step(x, torch.tensor([2, 3, 4]))
    torch.testing.assert_close(mixed.log_prob(x), model.step(x, 3).log_prob(x))
    assert dpm.bound(model, x, generator=generator).kl.isfinite().all()
    with pytest.raises(ValueError, match="t must be an int"):
        model.step(x, torch.tensor([1, 3, 4]))


def test_a_network_may_have_no_event_shape_of_its_own():
    """None is as if it had none."""
    network = torch.nn.Identity()
    network.event_shape = None
    network.forward = lambda xt, t: xt
    kernel = dpm.GaussianKernel(torch.full((3,), 0.2))
    assert dpm.ReverseProcess(kernel, network, (3,)).event_shape == (3,)
    network.event_shape = (4,)
    with pytest.raises(ValueError, match="network must be made for events"):
        dpm.ReverseProcess(kernel, network, (3,))


@pytest.mark.parametrize("quiet", [torch.no_grad, torch.inference_mode])
def test_a_look_without_gradients_costs_none(quiet):
    """Tables that are cast once keep what they were made of."""
    rates = torch.tensor([0.1, 0.2, 0.4]).requires_grad_()
    kernel = dpm.GaussianKernel(rates * 1)
    y, t = torch.ones(2, 3), torch.tensor([2, 3])
    with quiet():
        kernel.divergence(y, y, t, [y])
    kernel.divergence(y, y, t, [y]).sum().backward()
    assert rates.grad.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_at_a_rate_of_1_the_variance_is_1_whatever_the_network_says(dtype):
    """Nothing teaches it there, so it may say anything."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(5))
    y, z = torch.ones(1, 3, dtype=dtype), torch.zeros(1, 3, dtype=dtype)
    found = [
        (
            kernel.head(y, 5, z, z + s).variance,
            kernel.divergence(y, y, torch.tensor([5]), [z, z + s]),
        )
        for s in (-2000.0, 0.0)
    ]
    torch.testing.assert_close(found[0], found[1])


def test_states_have_the_precision_of_the_parameters(generator):
    """Where the kernel and a network of one's own differ."""
    kernel = dpm.GaussianKernel(torch.full((3,), 0.3).double())

    class Own(torch.nn.Module):
        """A line, in float32."""

        event_shape = (2,)

        def __init__(self):
            super().__init__()
            self.line = torch.nn.Linear(2, 2)

        def forward(self, xt, t):
            return self.line(xt)

    model = dpm.ReverseProcess(kernel, Own())
    assert (kernel.dtype, model.dtype) == (torch.float64, torch.float32)
    assert model.sample(2, generator=generator).dtype == torch.float32


@pytest.mark.parametrize("network", [dpm.MLPNetwork, dpm.RBFNetwork])
@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", KINDS)
def test_half_precision_keeps_the_truth(kind, half, network, generator):
    """An identity network in half precision is the prior, to rounding in float32, for T = 1000."""
    kernel = kind(dpm.schedules.reference_code(1000))
    model = dpm.ReverseProcess(kernel, network(kernel, (2,), 8, generator=generator)).to(half)
    x0 = (torch.rand(20, 2, generator=generator) > 0.5).float()
    got = dpm.log_likelihood(model, x0, trajectories=2, generator=generator)
    null = dpm.null_log_likelihood(kernel, x0)
    torch.testing.assert_close(got.estimate, null, rtol=0, atol=1e-3)
    assert model.sample(2, generator=generator).dtype == torch.float32
    z = torch.randn(20, kernel.outputs, 2, generator=generator)
    wide, narrow = (kernel.head(x0, 700, *y.unbind(1)) for y in (z.to(half).float(), z.to(half)))
    assert torch.equal(wide.mean, narrow.mean)
    assert narrow.mean.dtype == torch.float32


def test_a_half_network_is_near_the_full_one(generator):
    """Only the network's own rounding remains: no error that grows with T."""
    kernel = dpm.GaussianKernel(dpm.schedules.reference_code(1000))
    full = trained(kernel, generator).float()
    half, x0 = copy.deepcopy(full).bfloat16(), torch.randn(50, 2, generator=generator)
    ours, theirs = (score(m, x0).mean().item() for m in (full, half))
    assert ours == pytest.approx(theirs, abs=0.01 * abs(ours))


class Wobbly(torch.nn.Module):
    """A network that draws anew in training mode, and counts what it has seen."""

    event_shape = torch.Size([2])

    def __init__(self, kernel):
        super().__init__()
        self.kernel, self.drop = kernel, torch.nn.Dropout(0.5)
        self.norm = torch.nn.BatchNorm1d(2, dtype=torch.float64)

    def forward(self, xt, t):
        z = self.norm(self.drop(xt))
        return self.kernel.head(xt, t, z, 0 * z)


def test_models_are_measured_in_evaluation_mode(generator):
    """Dropout and batch norm stand still while a model is measured, and are as before after it."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    model, x0 = dpm.ReverseProcess(kernel, Wobbly(kernel)), torch.ones(6, 2).double()
    model.network.norm.eval()
    modes = [part.training for part in model.modules()]
    for measure in (
        lambda g: dpm.evaluate(model, x0, generator=g)["K"],
        lambda g: model.sample(6, generator=g).sum().item(),
        lambda g: model.trajectory(6, generator=g).sum().item(),
        lambda g: dpm.draw_log_weights(model, x0, trajectories=3, generator=g).sum().item(),
    ):
        found = []
        for training in (True, False):
            model.network.drop.train(training)
            found.append(measure(torch.Generator().manual_seed(1)))
        assert found[0] == found[1]
        model.network.drop.train()
        assert [part.training for part in model.modules()] == modes
    assert model.network.norm.num_batches_tracked == 0
    dpm.fit(model, x0, steps=1, generator=generator)
    assert model.network.norm.training
    assert model.network.norm.num_batches_tracked == 1


@pytest.mark.parametrize("kind", KINDS)
def test_samples_are_drawn_in_parts_that_fit(kind, generator):
    """A network is given no more states at once than fit; the samples are those drawn at once."""
    kernel, seen = kind(dpm.schedules.erase_evenly(5)), []
    model = trained(kernel, generator)
    model.network.register_forward_pre_hook(lambda _, given: seen.append(len(given[0])))
    found = {}
    for rows in (3, 8):
        model.most = rows
        found[rows] = model.trajectory(8, generator=torch.Generator().manual_seed(2))
    assert seen == [3, 3, 2] * 4 + [8] * 4
    torch.testing.assert_close(found[3], found[8])


def test_laws_are_asked_of_all_states_at_once(generator):
    """Then they are drawn from in one go, whatever fits."""
    law = dpm.GaussianLaw(torch.zeros(2).double(), torch.tensor([0.5, 1.5]).double())
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(5))
    model = dpm.ReverseProcess(kernel, law.reversal(kernel))
    g = [torch.Generator().manual_seed(2) for _ in "ab"]
    whole = model.sample(8, generator=g[0])
    model.most = 3
    assert torch.equal(model.sample(8, generator=g[1]), whole)


def test_a_training_that_leads_nowhere_stops(generator):
    """NaN ends a training at once; what it trained is finite still."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), 8, generator=generator))
    updates = dpm.updates(model, torch.ones(8, 2).double(), steps=5, generator=generator)
    next(updates)
    model.network.weights[0].data[0, 0] = math.nan
    weights = model.network.weights[1].clone()
    with pytest.raises(ValueError, match=r"network must .* it is nan at step 2"):
        next(updates)
    assert torch.equal(model.network.weights[1], weights)


def test_two_results_of_one_generator_are_told_apart(generator):
    """They have the same seed and another state; the same state gives the same result."""
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(4))
    model, x0 = trained(kernel, generator), torch.ones(6, 2).double()
    runs = [dpm.evaluate(model, x0, generator=generator) for _ in range(2)]
    again = dpm.evaluate(model, x0, generator=torch.Generator().manual_seed(7))
    first = dpm.evaluate(model, x0, generator=torch.Generator().manual_seed(7))
    assert len({run["seed"] for run in [*runs, again]}) == 1
    assert len({run["generator"] for run in [*runs, again]}) == 3
    assert (again["generator"], again["K"]) == (first["generator"], first["K"])


def test_few_trajectories_give_no_error_bar(generator):
    """Far from the truth the result says so; errors that are given hold the truth."""
    d = 64
    kernel = dpm.GaussianKernel(dpm.schedules.erase_evenly(10))
    law = dpm.GaussianLaw(torch.zeros(d).double(), torch.linspace(0.5, 1.5, d).double())

    def estimate(strength, trajectories):
        def wrong(xt, t):
            exact = law.reversal(kernel)(xt, t)
            return independent(Normal, 1, loc=exact.mean, scale=(1 + strength) * exact.stddev)

        model = dpm.ReverseProcess(kernel, dpm.ClosedForm(torch.Size([d]), wrong))
        x0 = law.sample(40, generator)
        return dpm.log_likelihood(model, x0, trajectories=trajectories, generator=generator)

    with pytest.warns(
        UserWarning, match=r"40 of 40 log likelihoods .*effective sample size"
    ) as warned:
        got = estimate(0.3, 50)
    assert warned[0].filename == __file__
    assert not got.reliable.any()
    assert got.standard_error.isinf().all()
    assert got.estimate.isfinite().all()
    assert (got.effective_sample_size < 20).all()


@pytest.mark.filterwarnings("ignore:.* log likelihoods rest on")
def test_errors_that_are_given_hold_the_truth(generator):
    """Of log-normal weights, whose mean is known: within 3 errors in 19 of 20 cases at least."""
    kernel = dpm.GaussianKernel(torch.tensor([0.5]).double())
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (1,)))
    given = 0
    for n in (20, 100, 1000):
        for spread in torch.linspace(0.2, 3, 15).tolist():

            def weights(*_, n=n, spread=spread, **__):
                noise = torch.randn(200, n, generator=generator, dtype=torch.float64)
                return spread * noise - spread**2 / 2  # of mean weight 1

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("dpm_lib.likelihood.draw_log_weights", weights)
                got = dpm.log_likelihood(
                    model, torch.ones(200, 1).double(), trajectories=n, generator=generator
                )
            assert torch.equal(got.reliable, got.standard_error.isfinite())
            if got.reliable.sum() > 20:
                z = (got.estimate / got.standard_error)[got.reliable]
                assert (z.abs() > 3).double().mean() <= 0.05 + 3 * (0.05 / len(z)) ** 0.5
                given += 1
            if spread == 3:
                assert got.reliable.sum() < 10
    assert given > 15


def test_rows_do_not_depend_on_how_a_network_is_written(generator):
    """As many rows for modules as for their products alone; fewer for wider ones."""
    kernel = dpm.GaussianKernel(torch.tensor([0.2, 0.4]))

    def rows(width, apart):
        layers = torch.nn.Sequential(
            torch.nn.Linear(2, width), torch.nn.SiLU(), torch.nn.Linear(width, 4)
        )
        inner, outer = (
            (layer.weight.detach(), layer.bias.detach()) for layer in (layers[0], layers[2])
        )

        def products(x, t):
            h = torch.nn.functional.silu(torch.nn.functional.linear(x, *inner))
            return torch.nn.functional.linear(h, *outer)

        network = products if apart else lambda x, t: layers(x)
        return dpm.ReverseProcess(kernel, network, (2,)).rows

    assert rows(1000, apart=True) == rows(1000, apart=False)
    assert rows(100, apart=True) == pytest.approx(10 * rows(1000, apart=True), rel=0.1)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler itself
def test_a_compiled_network_is_compiled_and_gives_the_same_samples(tmp_path, monkeypatch):
    """A model asks its network once before all else, and does not keep it from being compiled."""
    counters = pytest.importorskip("torch._dynamo.utils").counters
    if shutil.which("g++") is None and shutil.which("clang++") is None:
        pytest.skip("no compiler")
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    kernel = dpm.GaussianKernel(dpm.schedules.geometric(5, 0.05, 0.5, dtype=torch.float32))
    g = torch.Generator().manual_seed(0)
    network = dpm.MLPNetwork(kernel, (2,), hidden=8, layers=1, generator=g)
    torch.nn.init.normal_(network.weights[-1], generator=g)
    before = counters["frames"]["ok"]
    compiled = dpm.ReverseProcess(kernel, torch.compile(network))
    drawn = [
        model.sample(16, generator=torch.Generator().manual_seed(1))
        for model in (compiled, dpm.ReverseProcess(kernel, network))
    ]
    assert counters["frames"]["ok"] > before
    torch.testing.assert_close(*drawn)
