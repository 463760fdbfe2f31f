"""Conditioning: rules against posteriors that are known, weights against enumeration."""

import math
from contextlib import nullcontext
from dataclasses import fields
from itertools import product

import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

import dpm_lib as dpm
from dpm_lib.conditioning.rules import bit_odds

LIKE = {"dtype": torch.float64}
ZERO, ONE = torch.zeros(2, **LIKE), torch.ones(2, **LIKE)
VARIANCE = torch.tensor([0.25, 4.0], **LIKE)
FIRST = torch.tensor([True, False])
SEEN = dpm.Noisy(ONE, torch.tensor([1.0, 0.3], **LIKE))
HALF = dpm.Known(ONE, FIRST)
KERNEL = dpm.GaussianKernel(dpm.schedules.inverse(30, **LIKE))
LAW = dpm.GaussianLaw(ZERO + 0.3, VARIANCE)
MODEL = dpm.ReverseProcess(KERNEL, LAW.reversal(KERNEL))
PATTERNS = dpm.PatternLaw(
    torch.tensor([[1, 0, 0], [0, 1, 1], [1, 1, 1]], **LIKE), torch.tensor([1.0, 2.0, 3.0])
)
FLIPS = dpm.BinomialKernel(dpm.schedules.erase_evenly(4, **LIKE), rate=0.3)
BITS = dpm.ReverseProcess(FLIPS, PATTERNS.reversal(FLIPS))
STATES = torch.tensor(list(product((0.0, 1.0), repeat=3)), **LIKE)
TWO_BITS = dpm.Known(STATES[5], torch.tensor([True, False, True]))
SEEN_BITS = dpm.Flipped(STATES[6], 0.2)
MIXTURE = dpm.MixtureLaw(ONE, torch.tensor([[-1.0, 0.5], [1.0, -0.5]], **LIKE), 0.1 * ONE[0])
EVEN = dpm.GaussianKernel(dpm.schedules.erase_evenly(20, **LIKE))
MIXED = dpm.ReverseProcess(EVEN, MIXTURE.reversal(EVEN))


def posterior(law, y, noise):
    """Mean and variance of Gaussians given a noisy look."""
    gain = law.variance / (law.variance + noise)
    return law.mean + gain * (y - law.mean), gain * noise


def transition(model, t):
    """Probabilities of the reverse step between all states, (after, before)."""
    rows = STATES.repeat_interleave(8, 0)
    return model.step(rows, t).log_prob(STATES.repeat(8, 1)).exp().view(8, 8)


def data_law(model):
    """p(x0) of all states of three bits."""
    now = model.kernel.prior((8, 3)).log_prob(STATES).exp()
    for t in range(model.kernel.T, 0, -1):
        now = now @ transition(model, t)
    return now


def drawn_by(model, likelihood, rule):
    """The law of what a rule draws, of all states of three bits."""
    guide = rule(model, likelihood, 8)
    now = guide.start.log_prob(STATES).exp()
    rows, columns = STATES.repeat_interleave(8, 0), STATES.repeat(8, 1)
    for t in range(model.kernel.T, 0, -1):
        to = columns
        step = guide.look(rows, t).proposal.log_prob(to).exp().view(8, 8)
        if isinstance(likelihood, dpm.Known) and t == 1:
            index = [STATES.tolist().index(s) for s in likelihood.settle(STATES).tolist()]
            step = torch.zeros(8, 8, **LIKE).index_add(1, torch.tensor(index), step)
        now = now @ step
    return now


@pytest.mark.parametrize("likelihood", [SEEN, dpm.Noisy(-ONE, 0.1), dpm.Noisy(ONE, 30.0)])
def test_exact_rule_gives_the_posterior(likelihood):
    """Of Gaussian data, to rounding, edge step and start included."""
    found = dpm.moments_given(MODEL, likelihood, dpm.exact_rule(LAW))
    mean, variance = posterior(LAW.model_law(KERNEL), likelihood.y, likelihood.s**2 + 0 * ONE)
    assert torch.allclose(found.mean, mean, rtol=0, atol=1e-13)
    assert torch.allclose(found.covariance, variance.diag(), rtol=0, atol=1e-13)


def test_exact_rule_leaves_independent_coordinates_alone():
    """A known coordinate is put in, the other has its own law."""
    found = dpm.moments_given(MODEL, HALF, dpm.exact_rule(LAW))
    truth = LAW.model_law(KERNEL)
    assert found.mean[0] == 1
    assert found.mean[1].item() == pytest.approx(truth.mean[1].item(), abs=1e-13)
    assert found.covariance[1, 1].item() == pytest.approx(truth.variance[1].item(), abs=1e-13)


@pytest.mark.parametrize("likelihood", [TWO_BITS, SEEN_BITS])
def test_exact_rule_gives_the_posterior_of_bits(likelihood):
    """By enumeration of all states at all steps; the last rate is 1."""
    wanted = data_law(BITS) * likelihood.log_prob(STATES).exp()
    found = drawn_by(BITS, likelihood, dpm.exact_rule(PATTERNS))
    assert torch.allclose(found, wanted / wanted.sum(), rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("model", "law", "likelihood"),
    [(MODEL, LAW, SEEN), (MODEL, LAW, HALF), (MIXED, MIXTURE, SEEN), (MIXED, MIXTURE, HALF),
     (BITS, PATTERNS, TWO_BITS), (BITS, PATTERNS, SEEN_BITS)],
)  # fmt: skip
def test_weights_of_the_exact_rule_are_equal(model, law, likelihood, generator):
    """Each is the evidence, so that there is nothing to correct."""
    found = dpm.particles(model, likelihood, 50, generator=generator, rule=dpm.exact_rule(law))
    assert torch.allclose(found.log_weights, found.log_evidence.expand(50), rtol=0, atol=1e-11)
    assert found.effective_sample_size.item() == pytest.approx(50)


@pytest.mark.filterwarnings("ignore:weighted means")
@pytest.mark.parametrize(
    ("model", "likelihood", "rule"),
    [(BITS, TWO_BITS, dpm.predicted_rule), (BITS, SEEN_BITS, dpm.predicted_rule),
     (BITS, SEEN_BITS, dpm.paper_rule), (BITS, SEEN_BITS, dpm.tempered_rule)],
)  # fmt: skip
def test_evidence_is_unbiased(model, likelihood, rule, generator):
    """For 6 samples: the mean of many estimates is the sum over all states."""
    truth = (data_law(model) * likelihood.log_prob(STATES).exp()).sum()
    found = torch.stack([
        dpm.particles(model, likelihood, 6, generator=generator, rule=rule, resample_below=below)
        .log_evidence.exp()
        for below in (0.0, 0.9) for _ in range(150)
    ])  # fmt: skip
    mean, error = dpm.mean_and_error(found)
    assert abs(mean - truth) < 4 * error
    assert error < 0.1 * truth


def test_evidence_of_gaussians_is_unbiased(generator):
    """The paper's rule is wrong by far, its weights are right."""
    truth = LAW.model_law(KERNEL)
    for noise, rule in ((0.3, dpm.predicted_rule), (1.5, dpm.tempered_rule), (1.5, dpm.paper_rule)):
        seen = dpm.Noisy(ONE, noise)
        log_r = Normal(truth.mean, (truth.variance + noise**2).sqrt()).log_prob(ONE).sum()
        found = dpm.particles(MODEL, seen, 4000, generator=generator, rule=rule)
        assert abs(found.log_evidence - log_r) < 0.2
        mean, variance = posterior(truth, ONE, noise**2)
        error = (variance / found.effective_sample_size).sqrt()
        assert ((found.mean() - mean).abs() < 4 * error).all()


@pytest.mark.parametrize("rule", [dpm.paper_rule, dpm.tempered_rule, dpm.predicted_rule])
def test_a_function_is_a_likelihood(rule):
    """The slope of a Gaussian log r moves the mean as the closed form does, for a wide r."""
    wide = dpm.Noisy(ONE, 20.0)
    by_slope = dpm.moments_given(MODEL, wide.log_prob, rule)
    closed = dpm.moments_given(MODEL, wide, rule)
    assert torch.allclose(by_slope.mean, closed.mean, atol=5e-4)
    assert torch.allclose(by_slope.covariance, closed.covariance, atol=0.04)


@pytest.mark.parametrize(
    ("model", "likelihood"),
    [(MODEL, SEEN), (MIXED, SEEN), (MIXED, dpm.Noisy(ONE, 0.4)), (BITS, SEEN_BITS),
     (dpm.ReverseProcess(FLIPS, dpm.identity_network(FLIPS, (3,))), SEEN_BITS)],
)  # fmt: skip
@pytest.mark.parametrize("rule", [dpm.paper_rule, dpm.tempered_rule])
def test_steps_are_the_models_times_a_power_of_r(model, likelihood, rule, generator):
    """Up to one factor for each state, whatever the state before; so is the start."""
    T, shape = model.kernel.T, (6, *model.event_shape)
    x, before = (dpm.draw(model.kernel.prior(shape), generator) for _ in "ab")
    guide = rule(model, likelihood, 1)
    log_r = likelihood.log_prob(before)
    for t in (1, 2, T):
        now, then = (1.0, 1.0) if rule is dpm.paper_rule else ((T - t) / T, (T - t + 1) / T)
        found = guide.look(x[:1], t)
        more = found.proposal.log_prob(before) - found.law.log_prob(before) - then * log_r
        assert torch.allclose(more, more[:1].expand(6), rtol=0, atol=1e-10)
        torch.testing.assert_close(found.log_factor, now * likelihood.log_prob(x[:1]))
    more = guide.start.log_prob(before) - model.kernel.prior(shape).log_prob(before) - now * log_r
    assert torch.allclose(more, more[:1].expand(6), rtol=0, atol=1e-10)


def test_exact_rule_is_for_the_law_that_is_reversed():
    """Also in a chain with one learned step only."""
    two = dpm.GaussianKernel(torch.tensor([0.4, 0.7], **LIKE))
    model = dpm.ReverseProcess(two, LAW.reversal(two))
    assert dpm.exact_rule(LAW)(model, SEEN, 3).start.batch_shape == (3,)
    for other in (dpm.GaussianLaw(ZERO, VARIANCE), dpm.GaussianLaw(ZERO + 0.3, 2 * VARIANCE)):
        with pytest.raises(ValueError, match="law must be the one that the model reverses"):
            dpm.exact_rule(other)(model, SEEN, 3)


def test_what_is_known_moves_what_depends_on_it(generator):
    """The other coordinate of a mixture follows the known one, nearly as under the exact rule."""
    found, exact = (
        dpm.sample_given(MIXED, HALF, 2000, generator=generator, rule=rule)[:, 1]
        for rule in (dpm.predicted_rule, dpm.exact_rule(MIXTURE))
    )
    assert exact.mean() < -0.4
    assert abs(found.mean() - exact.mean()) < 0.1
    assert abs(found.std() - exact.std()) < 0.1


def test_a_bit_of_which_the_model_is_certain_may_be_known_otherwise():
    """Its factor is the least there is, not 0, and the step is the one towards what is known."""
    sure = dpm.PatternLaw(torch.ones(1, 3, **LIKE), torch.ones(1))
    model = dpm.ReverseProcess(FLIPS, sure.reversal(FLIPS))
    for value in (0.0, 1.0):
        known = dpm.Known(torch.full((3,), value, **LIKE), torch.tensor([True, False, False]))
        guide = dpm.predicted_rule(model, known, 8)
        for t in (2, 3, 4):
            found, least = guide.look(STATES, t), torch.finfo(torch.float64).eps
            wanted = STATES.new_full((8,), math.log(least if value == 0 else 1 - least))
            torch.testing.assert_close(found.log_factor, wanted, rtol=0, atol=1e-15)
            towards = torch.tensor([value, 1.0, 1.0], **LIKE).expand(8, 3)
            torch.testing.assert_close(
                found.proposal.mean, FLIPS.posterior(towards, STATES, t).mean
            )


def test_rules_agree_where_there_is_one_step():
    """Then each of them multiplies the edge step by r; so does the exact rule."""
    one = dpm.GaussianKernel(torch.tensor([0.4], **LIKE))
    model = dpm.ReverseProcess(one, LAW.reversal(one))
    laws = [
        dpm.moments_given(model, SEEN, rule) for rule in (dpm.tempered_rule, dpm.predicted_rule)
    ]
    assert torch.equal(laws[0].mean, laws[1].mean)
    exact = dpm.moments_given(model, SEEN, dpm.exact_rule(LAW))
    mean, variance = posterior(dpm.GaussianLaw(ZERO, ONE), SEEN.y, SEEN.s**2)
    assert torch.allclose(exact.mean, mean)
    assert torch.allclose(exact.covariance, variance.diag())


@pytest.mark.parametrize("T", [300, 600])
def test_predicted_rule_tends_to_the_exact_one(T):
    """The error of its moments for Gaussian data falls like 1/T."""
    kernel = dpm.GaussianKernel(dpm.schedules.inverse(T, **LIKE))
    model = dpm.ReverseProcess(kernel, LAW.reversal(kernel))
    found = dpm.moments_given(model, SEEN, dpm.predicted_rule)
    exact = dpm.moments_given(model, SEEN, dpm.exact_rule(LAW))
    assert (found.mean - exact.mean).abs().max() < 6 / T
    assert (found.covariance - exact.covariance).abs().max() < 6 / T


def test_evidence_is_counted_twice_at_equilibrium():
    """The paper's rule: pi r^2 where data are the prior, as the square of r; r^(1/2) is right."""
    kernel = dpm.GaussianKernel(dpm.schedules.inverse(1000, **LIKE))
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (2,)))
    prior = dpm.GaussianLaw(ZERO, ONE)
    for seen, truly in ((SEEN, 2), (dpm.Noisy(SEEN.y, SEEN.s * 2**0.5), 1)):
        found = dpm.moments_given(model, seen, dpm.paper_rule)
        mean, variance = posterior(prior, SEEN.y, SEEN.s**2 / truly)
        assert torch.allclose(found.mean, mean, atol=5e-3)
        assert torch.allclose(found.covariance, variance.diag(), atol=5e-3)


def test_known_coordinates_are_there(generator):
    for model, likelihood in ((MODEL, HALF), (MIXED, HALF), (BITS, TWO_BITS)):
        for rule in (dpm.paper_rule, dpm.predicted_rule):
            x = dpm.sample_given(model, likelihood, 7, generator=generator, rule=rule)
            assert torch.equal(likelihood.settle(x), x)
            assert x.dtype == torch.float64


def test_each_sample_may_have_its_own(generator):
    """Values (n, *event) are those of each sample."""
    values = torch.randn(7, 2, generator=generator, **LIKE)
    x = dpm.sample_given(MODEL, dpm.Known(values, FIRST), 7, generator=generator)
    assert torch.equal(x[:, 0], values[:, 0])
    exact = dpm.exact_rule(MIXTURE)
    seen = dpm.Noisy(values, 1e-3)
    x = dpm.sample_given(MIXED, seen, 7, generator=generator, rule=exact)
    assert (x - values).abs().max() < 0.01


def own(likelihood, n):
    """The likelihood of one sample among many."""
    take = lambda u: u[n] if isinstance(u, torch.Tensor) and u.ndim == 2 else u  # noqa: E731
    return type(likelihood)(*(take(getattr(likelihood, f.name)) for f in fields(likelihood)))


NUMBERS = torch.tensor([[0.3, -1.0], [2.0, 0.1], [-0.6, 0.8]], **LIKE)
WIDTHS = torch.tensor([[0.3, 1.0], [0.2, 0.7], [2.0, 0.5]], **LIKE)
ONES = STATES[[1, 4, 6]]


@pytest.mark.parametrize(
    ("model", "law", "likelihood"),
    [*((model, law, likelihood) for model, law in ((MODEL, LAW), (MIXED, MIXTURE))
       for likelihood in (dpm.Noisy(NUMBERS, 0.7), dpm.Noisy(NUMBERS, WIDTHS),
                          dpm.Known(NUMBERS, FIRST))),
     (BITS, PATTERNS, dpm.Flipped(ONES, 0.2)), (BITS, PATTERNS, dpm.Known(ONES, ONES > 0)),
     (BITS, PATTERNS, dpm.Known(ONES, torch.tensor([True, True, False])))],
)  # fmt: skip
def test_rows_heed_their_own_look_alone(model, law, likelihood, generator):
    """A batch of looks gives each state the step and the factor that its look alone would give."""
    x = dpm.draw(model.kernel.prior((3, *model.event_shape)), generator)
    rules = [dpm.predicted_rule, dpm.exact_rule(law)]
    if law is not MIXTURE or isinstance(likelihood, dpm.Noisy):
        rules.append(dpm.paper_rule)
    for rule in rules:
        together = rule(model, likelihood, 3)
        alone = [rule(model, own(likelihood, n), 1) for n in range(3)]
        for t in (1, 2, model.kernel.T):
            found = together.look(x, t)
            each = [guide.look(x[n : n + 1], t) for n, guide in enumerate(alone)]
            torch.testing.assert_close(found.log_factor, torch.cat([e.log_factor for e in each]))
            for part in ("mean", "variance"):
                single = [getattr(e.proposal, part) for e in each]
                torch.testing.assert_close(getattr(found.proposal, part), torch.cat(single))
        starts = torch.cat([guide.start.mean for guide in alone])
        torch.testing.assert_close(together.start.mean, starts)


@pytest.mark.parametrize("likelihood", [SEEN, HALF])
@pytest.mark.parametrize("rule", [dpm.paper_rule, dpm.predicted_rule])
def test_draws_of_a_rule_have_its_law(likelihood, rule, generator):
    """Means and variances of draws are those that are carried along the chain."""
    x = dpm.sample_given(MODEL, likelihood, 4000, generator=generator, rule=rule)
    mean, covariance = dpm.moments_given(MODEL, likelihood, rule)
    variance = covariance.diagonal()
    assert ((x.mean(0) - mean).abs() <= 4 * (variance / 4000).sqrt()).all()
    assert ((x.var(0) - variance).abs() <= 4 * (2 / 4000) ** 0.5 * variance).all()


def test_too_few_samples_are_warned_of(generator):
    """Where all samples go back to a few first states; the warning is of the line that asked."""
    far = dpm.Noisy(8 * ONE, 0.1)
    with pytest.warns(UserWarning, match="rest on too few") as caught:
        dpm.particles(MODEL, far, 200, generator=generator, rule=dpm.paper_rule)
    assert caught[0].filename == __file__


@pytest.mark.parametrize(
    ("n", "weights", "few"),
    [(60, [1.0] * 10 + [0.5], False), (60, [1.0] * 9, True), (20, [1.0] * 6, False),
     (20, [1.0] * 4 + [0.5], True)],
)  # fmt: skip
def test_few_are_less_than_10_or_a_quarter(n, weights, few):
    """Samples' worth of weights that are given; the evidence is their mean."""
    given = torch.tensor(weights + [1e-200] * (n - len(weights)), **LIKE)
    one = dpm.GaussianKernel(torch.tensor([0.4], **LIKE))
    model = dpm.ReverseProcess(one, LAW.reversal(one))
    expected = pytest.warns(UserWarning, match="rest on too few") if few else nullcontext()
    with expected:
        found = dpm.particles(
            model, lambda u: given.log() + 0 * u.sum(1), n, rule=dpm.tempered_rule,
            generator=torch.Generator().manual_seed(0),
        )  # fmt: skip
    torch.testing.assert_close(found.weights, given / given.sum())
    size = given.sum() ** 2 / given.square().sum()
    torch.testing.assert_close(found.effective_sample_size, size)
    torch.testing.assert_close(found.log_evidence, given.mean().log())
    torch.testing.assert_close(found.mean(torch.sign), found.weights @ found.samples.sign())


@pytest.mark.filterwarnings("ignore:weighted means")
def test_samples_drawn_anew_are_as_many_as_their_weights_say():
    """In a chain that hardly moves one sees who comes from whom; a family counts as one sample."""
    n, still = 60, dpm.GaussianKernel(torch.full((3,), 1e-8, **LIKE))
    prior = dpm.GaussianLaw(ZERO, ONE)
    model = dpm.ReverseProcess(still, prior.reversal(still))
    first = dpm.draw(still.prior((n, 2)), torch.Generator().manual_seed(0))
    seen = dpm.Noisy(ONE, 0.7)
    found = dpm.particles(
        model, seen, n, generator=torch.Generator().manual_seed(0), resample_below=1.0
    )
    apart = torch.cdist(found.samples, first)
    assert apart.amin(1).max() < 0.01
    family = apart.argmin(1)
    share = seen.log_prob(first).softmax(0)
    assert n * share[-1] > 2
    assert (torch.bincount(family, minlength=n) - n * share).abs().max() < 1.01
    weights = torch.zeros(n, **LIKE).index_add(0, family, found.weights)
    torch.testing.assert_close(found.effective_sample_size, 1 / weights.square().sum())
    log_evidence = seen.log_prob(first).logsumexp(0) - math.log(n)
    assert abs(found.log_evidence - log_evidence) < 0.01


def test_a_slope_moves_what_a_network_expects_by_3_standard_deviations_at_most(generator):
    """They are those of the expected example, of a tenth of the noise's variance at least."""
    wide = torch.tensor([-5.0, 1.0], **LIKE)  # the second alone
    model = dpm.ReverseProcess(EVEN, lambda xt, t: torch.stack([0.3 * xt, wide + 0 * xt], 1), (2,))
    guide = dpm.predicted_rule(model, lambda u: 1e6 * u.sum(1), 5)
    x = torch.randn(5, 2, generator=generator, **LIKE)
    for t in (2, 7, 20):
        found = guide.look(x, t)
        kept, lost = EVEN.alpha_bar[t - 1], EVEN.beta_bar[t]
        gain = kept.sqrt() * EVEN.beta[t - 1] / lost
        rest = EVEN.beta[t - 1] * EVEN.beta_bar[t - 1] / lost
        variance = (model.step(x, t).variance - rest) / gain**2
        least = max(EVEN.beta[0].item(), 0.1 * lost.item())
        assert t == 20 or [each.all() for each in (variance < least).T] == [True, False]
        std = variance.clamp(min=least).sqrt()
        moved = (found.proposal.mean - found.law.mean).abs()
        torch.testing.assert_close(moved, 3 * gain * std)
        torch.testing.assert_close(found.proposal.variance, found.law.variance)


def test_same_seed_same_samples():
    draws = [
        dpm.particles(MODEL, SEEN, 9, generator=torch.Generator().manual_seed(3)).samples
        for _ in range(2)
    ]
    assert torch.equal(*draws)


def test_log_r_of_likelihoods():
    """As torch has them."""
    x = torch.tensor([[0.2, 0.5], [1.0, 3.0]], **LIKE)
    wanted = Normal(x, SEEN.s).log_prob(SEEN.y).sum(1)
    assert torch.allclose(SEEN.log_prob(x), wanted)
    assert HALF.log_prob(x).tolist() == [-math.inf, 0.0]
    assert SEEN_BITS.log_prob(STATES[6:7]).exp().item() == pytest.approx(0.8**3)


@pytest.mark.parametrize("resample_below", [0.0, 1.0])
@pytest.mark.parametrize("rule", [dpm.paper_rule, dpm.predicted_rule])
def test_weights_refuse_a_factor_that_may_be_0(rule, resample_below, generator):
    """A sample where r is 0 would be lost, and with it what it could have become."""

    def hard(x):
        return torch.where(x[:, 0] > 0, 0 * x[:, 0], -torch.inf)

    with pytest.raises(ValueError, match="likelihood must be above 0 at every state"):
        dpm.particles(
            MODEL, hard, 500, generator=generator, rule=rule, resample_below=resample_below
        )


@pytest.mark.parametrize(
    "rates",
    [
        dpm.schedules.geometric(30, 1e-7, 0.5),
        torch.tensor([1e-7] * 5 + [0.3] + [1e-7] * 5 + [1.0] + [0.5] * 18, **LIKE),
    ],
)
def test_the_exact_rule_knows_its_law_by_every_step(rates):
    """Reversals are near the identity where rates are small, and alike where all is erased."""
    kernel = dpm.GaussianKernel(rates)
    laws = [dpm.GaussianLaw(ZERO, v * ONE) for v in (1.0, 0.3)]
    model = dpm.ReverseProcess(kernel, laws[0].reversal(kernel))
    dpm.moments_given(model, SEEN, dpm.exact_rule(laws[0]))
    with pytest.raises(ValueError, match="law must be the one that the model reverses"):
        dpm.moments_given(model, SEEN, dpm.exact_rule(laws[1]))


@pytest.mark.parametrize("event", [(), (1,), (2, 3), (2, 1, 2)])
def test_components_of_a_mixture_see_their_own_coordinates(event):
    """Whatever the shape of an event: a mixture of one is its component."""
    kernel = dpm.GaussianKernel(torch.tensor([0.1, 0.3, 0.6], **LIKE))
    d = math.prod(event)
    y = torch.arange(d, **LIKE).view(event)

    def parts(xt, t):
        each = Normal(xt[:, None] - 1, torch.full_like(xt[:, None], 0.5))
        choice = Categorical(torch.ones(len(xt), 1, **LIKE))
        return MixtureSameFamily(choice, Independent(each, len(event)))

    def alone(xt, t):
        return Independent(Normal(xt - 1, torch.full_like(xt, 0.5)), len(event))

    x = torch.zeros(4, *event, **LIKE)
    for look in (dpm.Noisy(y, 1.0), dpm.Known(y, y > -1)):
        guides = [
            dpm.paper_rule(dpm.ReverseProcess(kernel, network, event), look, 4)
            for network in (parts, alone)
        ]
        mixed, single = (guide.look(x, 2).proposal for guide in guides)
        torch.testing.assert_close(mixed.mean, single.mean)


def test_a_channel_may_turn_hardly_any_bit():
    """Its logarithms are those of c and 1 - c, and it treats both values of a bit alike."""
    for dtype, c in ((torch.float32, 1e-10), (torch.float64, 1e-20)):
        look = dpm.Flipped(torch.ones(2, dtype=dtype), c)
        found = look.log_prob(torch.tensor([[1.0, 0.0]], dtype=dtype))
        torch.testing.assert_close(found, found.new_tensor([math.log(c)]))
    one, zero = (bit_odds(dpm.Flipped(torch.tensor([y]), 1e-10), ONE[:1]) for y in (1.0, 0.0))
    assert (one[0], one[1]) == (zero[1], zero[0])


def test_a_state_of_one_number_is_conditioned(generator):
    """An event without an axis, under each rule."""
    law = dpm.GaussianLaw(ZERO[0], VARIANCE[0])
    model = dpm.ReverseProcess(KERNEL, law.reversal(KERNEL))
    row = dpm.GaussianLaw(ZERO[:1], VARIANCE[:1])
    wide = dpm.ReverseProcess(KERNEL, row.reversal(KERNEL))
    for look, other in (
        (dpm.Noisy(ONE[0], 1.0), dpm.Noisy(ONE[:1], 1.0)),
        (dpm.Known(ONE[0], FIRST[0]), dpm.Known(ONE[:1], FIRST[:1])),
    ):
        for rule, same in (
            (dpm.predicted_rule, dpm.predicted_rule), (dpm.exact_rule(law), dpm.exact_rule(row)),
        ):  # fmt: skip
            seeds = (torch.Generator().manual_seed(0) for _ in "ab")
            one, two = (
                dpm.particles(m, r, 20, generator=g, rule=how)
                for (m, r, how), g in zip(
                    ((model, look, rule), (wide, other, same)), seeds, strict=True
                )
            )
            torch.testing.assert_close(one.samples, two.samples[:, 0])
            torch.testing.assert_close(one.log_evidence, two.log_evidence)
    positive = one.mean(lambda x: x > 0)
    assert 0 <= positive <= 1


@pytest.mark.parametrize("rates", [[1.0], [1.0, 0.5], [0.5, 1.0, 0.5]])
def test_the_exact_rule_takes_a_rate_of_1(rates):
    """Nothing of the data passes it: the evidence is that of the prior, or of the edge step."""
    kernel = dpm.GaussianKernel(torch.tensor(rates, **LIKE))
    model = dpm.ReverseProcess(kernel, LAW.reversal(kernel))
    found = dpm.moments_given(model, SEEN, dpm.exact_rule(LAW))
    made = LAW.model_law(kernel)
    mean, variance = posterior(made, SEEN.y, SEEN.s**2)
    torch.testing.assert_close(found.mean, mean)
    torch.testing.assert_close(found.covariance.diag(), variance)
