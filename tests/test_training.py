"""What a training lowers, from which data, and what it leaves."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import dpm_lib as dpm
from dpm_lib.learning.batches import LOOKED_AT, batches_of
from dpm_lib.learning.objectives import OBJECTIVES

T = 7
BETA = dpm.schedules.geometric(T, 0.02, 0.6)


def trained(kernel, generator, event=(2,)):
    """A model that is not the identity."""
    network = dpm.MLPNetwork(kernel, event, hidden=8, layers=1, generator=generator)
    for p in network.parameters():
        p.data += 0.3 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return dpm.ReverseProcess(kernel, network)


def drawn_steps(objective, rows, generator):
    """Steps of so many examples."""
    x0 = torch.arange(rows)[:, None].double()
    examples, t = OBJECTIVES[objective].rows(x0, T, generator)
    assert len(examples) == len(t)
    return examples, t


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_step_is_drawn_and_no_other(objective, generator):
    """t = 2 … T, each as often as the others: step 2 and step T too."""
    _, t = drawn_steps(objective, 6 * 1000, generator)
    counts = t.bincount(minlength=T + 1)
    assert counts[:2].tolist() == [0, 0]
    expected = len(t) / (T - 1)
    assert ((counts[2:] - expected).abs() < 5 * expected**0.5).all()
    assert len(counts) == T + 1


def test_strata_are_even_and_full_batches_whole(generator):
    """Six examples of a chain of seven steps have six different steps; a full batch has all."""
    for _ in range(20):
        _, t = drawn_steps("stratified", T - 1, generator)
        assert t.tolist() == list(range(2, T + 1))
        _, t = drawn_steps("stratified", 3, generator)
        assert [(s - 2) // 2 for s in t.tolist()] == [0, 1, 2]
    examples, t = drawn_steps("full", 2, generator)
    assert t.tolist() == [s for s in range(2, T + 1) for _ in range(2)]
    assert examples[:, 0].tolist() == (T - 1) * [0.0, 1.0]


@pytest.mark.parametrize("kind", [dpm.GaussianKernel, dpm.BinomialKernel])
@pytest.mark.parametrize("objective", ["bound", "stratified", "full"])
def test_the_mean_over_batches_is_the_bound(kind, objective, generator):
    """K of the batches of a model that stands still is K over all steps: no step is left out."""
    model = trained(kind(BETA), generator)
    x0 = torch.tensor([[-1.0, 1.0], [1.0, 1.0]]).double()
    x0 = x0 if kind is dpm.GaussianKernel else (x0 > 0).double()
    settings = dpm.Settings(400, batch=64, learning_rate=1e-12, objective=objective)
    trainer = dpm.Trainer(model, x0, settings, generator=generator)
    K = dpm.mean_and_error(torch.tensor([trainer.update() for _ in range(400)]))
    whole = dpm.bound(model, x0.repeat(2000, 1), generator=generator).K
    exact = dpm.mean_and_error(whole)
    gap = (K.estimate - exact.estimate).abs()
    assert gap < 5 * (K.standard_error**2 + exact.standard_error**2) ** 0.5
    assert K.standard_error < 0.02 * exact.estimate.abs()


def test_noise_weights_make_the_loss_the_error_of_predicted_noise(generator):
    """With one output, it is the squared error of epsilon up to a constant."""
    kernel = dpm.GaussianKernel(BETA)
    weights = OBJECTIVES["noise"].weights(kernel)
    t = torch.arange(2, T + 1)
    x0, noise, z = torch.randn(3, T - 1, 4, generator=generator, dtype=torch.float64)
    keep, scale = kernel.alpha_bar[t].sqrt()[:, None], kernel.beta_bar[t].sqrt()[:, None]
    xt = keep * x0 + scale * noise
    predicted = scale * xt - (1 - kernel.beta[t - 1]).sqrt()[:, None] * z
    error = (noise - predicted).square().sum(1)
    loss = (T - 1) * weights[t] * kernel.divergence(x0, xt, t, (z,))
    again = (T - 1) * weights[t] * kernel.divergence(x0, xt, t, (2 * z,))
    others = (noise - scale * xt + 2 * (scale * xt - predicted)).square().sum(1)
    torch.testing.assert_close(again - loss, others - error)


def test_noise_weights_of_a_chain_with_one_step_to_learn():
    """It has all the weight."""
    kernel = dpm.GaussianKernel(BETA[:2])
    weight = 2 * kernel.beta_bar[2] * (1 - kernel.beta[1]) / kernel.beta[1]
    torch.testing.assert_close(OBJECTIVES["noise"].weights(kernel)[2], weight.to(kernel.dtype))


def test_noise_prediction_learns_the_noise(generator):
    """Of a law whose best prediction is known, by its own loss."""
    kernel = dpm.GaussianKernel(BETA)
    law = dpm.GaussianLaw(torch.zeros(1).double(), torch.ones(1).double())

    class Line(torch.nn.Module):
        """One slope for each step."""

        event_shape = (1,)

        def __init__(self):
            super().__init__()
            self.slope = torch.nn.Parameter(torch.ones(T + 1).double())

        def forward(self, xt, t):
            return self.slope[t][:, None] * xt

    model = dpm.ReverseProcess(kernel, Line())
    options = {"steps": 1500, "learning_rate": 0.03, "objective": "noise", "batch": 512}
    dpm.fit(model, law.sample, generator=generator, **options)
    t = torch.arange(2, T + 1)
    # q(x) is the prior at every t, so its slope over the prior's is 0: z = 0
    assert (model.network.slope[t].abs() < 0.1).all()


def test_averages_follow_the_parameters(generator):
    """They are what the recursion gives, and the model has them in the end."""
    kernel = dpm.GaussianKernel(BETA)
    model, x0 = trained(kernel, generator), torch.ones(8, 2).double()
    trainer = dpm.Trainer(model, x0, dpm.Settings(5, average=0.9), generator=generator)
    expected = [p.detach().clone() for p in trainer.parameters]
    for _ in range(5):
        trainer.update()
        expected = [
            0.9 * e + 0.1 * p.detach() for e, p in zip(expected, trainer.parameters, strict=True)
        ]
    last = [p.detach().clone() for p in trainer.parameters]
    with trainer.finished() as seen:
        for e, p in zip(expected, seen.parameters(), strict=False):
            torch.testing.assert_close(p.detach(), e)
    for p, value in zip(trainer.parameters, last, strict=True):
        assert torch.equal(p, value)
    trainer.finish()
    for e, p in zip(expected, trainer.parameters, strict=True):
        torch.testing.assert_close(p.detach(), e)


def test_data_may_be_an_array_or_a_loader(generator):
    """An array gives what its tensor gives; a loader gives its examples, epoch after epoch."""
    kernel = dpm.BinomialKernel(BETA.float(), 0.4)
    x0 = (torch.rand(40, 2, generator=generator) > 0.5).float()
    traces = []
    for data in (x0, x0.numpy(), x0.numpy().astype(int)):
        g = torch.Generator().manual_seed(1)
        model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), 8, generator=g))
        traces.append(dpm.fit(model, data, steps=4, batch=8, generator=g))
    assert torch.equal(traces[0], traces[1])
    assert torch.equal(traces[0], traces[2])
    seen = []

    class Counted(TensorDataset):
        def __getitem__(self, i):
            seen.append(i)
            return super().__getitem__(i)

    loader = DataLoader(Counted(x0, torch.arange(40)), batch_size=16)
    model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), 8, generator=generator))
    trace = dpm.fit(model, loader, steps=4, batch=30, generator=generator)
    assert trace.isfinite().all()
    assert seen[:80] == 2 * list(range(40))
    assert np.bincount(seen).min() >= 100


def test_a_loader_gives_each_example_in_turn(generator):
    """None is lost where batches of a training end within one of the loader; labels are left."""
    kernel = dpm.GaussianKernel(BETA)
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (1,)))
    x0 = torch.arange(40.0)[:, None]
    for rows in (x0, TensorDataset(x0, torch.arange(40))):
        source, first = batches_of(model, DataLoader(rows, batch_size=16), generator)
        drawn = torch.cat([first, *(source(n, generator) for n in (30, 7, 1, 100))])
        assert drawn.dtype == torch.float64
        assert torch.equal(drawn[:, 0], torch.arange(LOOKED_AT + 138).double() % 40)


def test_examples_to_look_at_leave_the_noise_of_the_training(generator):
    """A function is asked beside it, with its seed; of a tensor each row is drawn as often."""
    kernel, before = dpm.GaussianKernel(BETA), generator.get_state()
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    draw = lambda n, g: torch.randn(n, 2, generator=g).double()  # noqa: E731
    _, first = batches_of(model, draw, generator)
    again = torch.Generator().manual_seed(generator.initial_seed())
    assert torch.equal(first, draw(LOOKED_AT, again))
    assert torch.equal(generator.get_state(), before)
    source, first = batches_of(model, torch.arange(10).double().view(5, 2), generator)
    assert len(first) == 5
    counts = source(5000, generator)[:, 0].long().bincount(minlength=9)
    assert counts[1::2].sum() == 0
    assert ((counts[::2] - 1000).abs() < 4 * 800**0.5).all()


def test_fit_reports_and_updates_can_be_left(generator, capsys):
    """A callback sees every update; an iterator that is not used trains nothing."""
    kernel = dpm.GaussianKernel(BETA)
    model, x0, seen = trained(kernel, generator), torch.ones(8, 2).double(), []
    before = model.network.clock.bias.clone()
    dpm.updates(model, x0, steps=9, generator=generator)
    assert torch.equal(model.network.clock.bias, before)
    trace = dpm.fit(model, x0, steps=3, generator=generator,
                    report=lambda step, K: seen.append((step, K)), progress=True)  # fmt: skip
    assert seen == list(enumerate(trace.tolist(), 1))
    shown = capsys.readouterr().err
    assert "3/3" in shown
    assert "bits" in shown


def test_autocast_trains_nearly_the_same(generator):
    """In bfloat16 the network computes, and nothing else: K of the first batch agrees."""
    kernel = dpm.GaussianKernel(BETA.float())
    first = []
    for autocast in (False, True):
        g = torch.Generator().manual_seed(3)
        model = trained(kernel, g)
        x0 = torch.ones(64, 2)
        first.append(dpm.fit(model, x0, steps=1, generator=g, autocast=autocast).item())
        assert model.network.clock.bias.dtype == torch.float32
    assert first[0] != first[1]
    assert first[1] == pytest.approx(first[0], rel=0.02)


def test_networks_are_asked_in_chunks_of_their_own_size(generator):
    """A network with large inner layers gets few rows at once, a small one many; K is the same."""

    class Wide(torch.nn.Module):
        event_shape = torch.Size([2])

        def __init__(self, inner):
            super().__init__()
            self.out = torch.nn.Linear(2, inner)
            self.back = torch.nn.Linear(inner, 2)
            self.most = 0

        def forward(self, xt, t):
            self.most = max(self.most, len(xt))
            return 0 * self.back(self.out(xt))

    kernel = dpm.GaussianKernel(BETA.float())
    torch.manual_seed(0)
    small, large = (dpm.ReverseProcess(kernel, Wide(inner)) for inner in (1, 2**17))
    x0 = torch.ones(100, 2)
    K = [dpm.bound(m, x0, generator=torch.Generator().manual_seed(0)).kl for m in (small, large)]
    assert small.network.most == 600
    assert large.network.most <= 2**22 / 2**17
    torch.testing.assert_close(K[0].mean(), K[1].mean(), rtol=0.2, atol=0.05)


def test_a_gradient_that_is_nan_changes_nothing(generator):
    """Also where K is finite: the training stops, and the parameters are as they were."""

    class Cusp(torch.nn.Module):
        """Finite at 0, where its slope is not."""

        event_shape = torch.Size([2])

        def __init__(self):
            super().__init__()
            self.p = torch.nn.Parameter(torch.zeros(2).double())

        def forward(self, xt, t):
            return xt * self.p.square().sqrt()

    model = dpm.ReverseProcess(dpm.GaussianKernel(BETA), Cusp())
    with pytest.raises(ValueError, match=r"finite K, its gradient is nan at step 1"):
        dpm.fit(model, torch.ones(8, 2).double(), steps=3, generator=generator)
    assert torch.equal(model.network.p, torch.zeros(2).double())


def test_a_state_of_another_training_is_refused(generator):
    """Other sizes, no moments, averages or rates too many or too few; it goes on with its own."""

    def trainer(hidden=8, **settings):
        kernel = dpm.GaussianKernel(BETA)
        seed = torch.Generator().manual_seed(0)
        model = dpm.ReverseProcess(kernel, dpm.MLPNetwork(kernel, (2,), hidden, generator=seed))
        x = torch.randn(64, 2, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        settings = dpm.Settings(9, batch=8, **settings)
        return dpm.Trainer(model, x, settings, generator=torch.Generator().manual_seed(2))

    first = trainer()
    first.update()
    state = first.state()
    bare = {key: value for key, value in state.items() if not key.startswith("adam")}
    others = [trainer(9), trainer(average=0.9), trainer(learn_rates=True)]
    for other, found in [*((t, state) for t in others), (trainer(), bare), (trainer(), {})]:
        with pytest.raises(ValueError, match="state must be that of this training, it differs in"):
            other.restore(found)
    for settings in ({"average": 0.9}, {"learn_rates": True}):
        richer = trainer(**settings)
        richer.update()
        with pytest.raises(ValueError, match="state must be"):
            trainer().restore(richer.state())
    again = trainer()
    with first.finished() as model:
        again.model.load_state_dict(model.state_dict())
    again.restore(state)
    assert again.update() == first.update()
