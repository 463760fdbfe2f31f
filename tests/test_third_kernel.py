"""A kernel that the library does not know: all that makes it one stands in this file."""

import itertools

import pytest
import torch
from torch.distributions import Categorical

import dpm_lib as dpm
from dpm_lib import forward
from dpm_lib.kernels import independent

K, T, D = 3, 4, 2
EVERY_STATE = torch.tensor(list(itertools.product(range(K), repeat=D))).double()  # (K^D, D)


class CategoricalKernel(dpm.Kernel):
    """States 0 … K - 1 as floats; with probability beta a state is drawn anew from a prior."""

    family, arguments = Categorical, ("logits",)

    def __init__(self, beta, rates):
        super().__init__(beta)
        self.rates, self.outputs = rates, len(rates)

    def rates_after(self, x, kept):
        one_hot = torch.nn.functional.one_hot(x.long(), self.outputs)
        return kept[..., None] * one_hot + (1 - kept[..., None]) * self.rates

    def law(self, rates):
        return independent(Categorical, rates.ndim - 2, probs=rates)

    def prior(self, shape, dtype=None):
        return self.law(self.rates.expand(*shape, -1))

    def step(self, x_prev, t):
        self.check(t, x_prev=x_prev)
        kept = self.coefficient(1 - self.beta, t - 1, x_prev)
        return self.law(self.rates_after(x_prev, kept))

    def marginal(self, x0, t):
        self.check(t, x0=x0)
        return self.law(self.rates_after(x0, self.coefficient(self.alpha_bar, t, x0)))

    def posterior(self, x0, xt, t):
        self.check(t, first=2, x0=x0, xt=xt)
        kept = self.coefficient(1 - self.beta, t - 1, xt)[..., None]
        same = torch.nn.functional.one_hot(xt.long(), self.outputs)
        likelihood = kept * same + (1 - kept) * self.rates[xt.long()][..., None]
        kept_before = self.coefficient(self.alpha_bar, t - 1, x0)
        return self.law(self.rates_after(x0, kept_before) * likelihood)

    def head(self, xt, t, *outputs):
        z = torch.stack(self._check_outputs(xt, outputs), -1)
        logits = z + self.step(xt, t).base_dist.logits
        return independent(Categorical, xt.ndim - 1, logits=logits)


@pytest.fixture
def kernel():
    beta = torch.tensor([0.1, 0.3, 0.5, 0.7]).double()
    return CategoricalKernel(beta, torch.tensor([0.2, 0.3, 0.5]).double())


@pytest.fixture
def wrong_model(kernel, generator):
    """A model that is not the identity."""
    network = dpm.MLPNetwork(kernel, (D,), hidden=8, layers=1, generator=generator)
    for p in network.parameters():
        p.data += 0.1 * torch.randn(p.shape, generator=generator, dtype=p.dtype)
    return dpm.ReverseProcess(kernel, network).requires_grad_(False)


def transitions(law):
    """Probability of each state y in column y, given each state x in row x, ``(K^D, K^D)``."""
    rows = [law(y.expand_as(EVERY_STATE)) for y in EVERY_STATE]
    return torch.stack(rows, 1).exp()


def step_matrix(kernel, t):
    return transitions(lambda y: kernel.step(EVERY_STATE, t).log_prob(y))


def model_probability(model):
    """p(x0) of every state, by the product of the transition matrices."""
    p = model.kernel.prior(EVERY_STATE.shape).log_prob(EVERY_STATE).exp()
    for t in range(model.kernel.T, 0, -1):
        p = p @ transitions(lambda y, t=t: model.step(EVERY_STATE, t).log_prob(y))
    return p


def index(x):
    return (x @ x.new_tensor([K, 1])).long()


def test_many_steps_are_the_product_of_steps(kernel):
    """Marginals are products of transition matrices; the prior stays as it is."""
    product = torch.eye(K**D).double()
    prior = kernel.prior(EVERY_STATE.shape).log_prob(EVERY_STATE).exp()
    for t in range(1, T + 1):
        product = product @ step_matrix(kernel, t)
        marginal = transitions(lambda y, t=t: kernel.marginal(EVERY_STATE, t).log_prob(y))
        torch.testing.assert_close(marginal, product)
        torch.testing.assert_close(prior @ product, prior)


def test_trajectories_and_their_probability(kernel, generator):
    """Draws are states in floating point and as frequent as they should be; read both ways."""
    n = 20_000
    x = forward.trajectory(kernel, EVERY_STATE[1:2].repeat(n, 1), generator)
    assert x.dtype == torch.float64
    expected = kernel.marginal(EVERY_STATE[1:2].expand(K**D, D), T).log_prob(EVERY_STATE).exp()
    found = index(x[T]).bincount(minlength=K**D) / n
    assert ((found - expected).abs() < 5 * (expected * (1 - expected) / n).sqrt()).all()
    there = forward.log_prob(kernel, x[:, :50])
    for t in range(1, T + 1):
        by_matrix = step_matrix(kernel, t)[index(x[t - 1, :50]), index(x[t, :50])].log()
        torch.testing.assert_close(there[t - 1], by_matrix)
    back = forward.log_prob_backwards(kernel, x[:, :50])
    torch.testing.assert_close(there.sum(0), back.sum(0))


def test_identity_network_scores_the_prior(kernel, generator):
    """The identity model is the prior: exactly by weights, and within the noise by the bound."""
    model = dpm.ReverseProcess(kernel, dpm.identity_network(kernel, (D,)))
    null = dpm.null_log_likelihood(kernel, EVERY_STATE)
    got = dpm.log_likelihood(model, EVERY_STATE, trajectories=5, generator=generator)
    torch.testing.assert_close(got.estimate, null)
    x0 = EVERY_STATE.repeat(2000, 1)
    score = dpm.bound(model, x0, generator=generator).K_corrected.view(2000, -1).T
    mean, error = dpm.mean_and_error(score)
    assert ((mean - null).abs() < 5 * error).all()


def test_model_against_enumeration(kernel, wrong_model, generator):
    """Samples, likelihood and both routes to the bound agree with the sum over all chains."""
    p, n = model_probability(wrong_model), 40_000
    found = index(wrong_model.sample(n, generator=generator)).bincount(minlength=K**D) / n
    assert ((found - p).abs() < 5 * (p * (1 - p) / n).sqrt()).all()
    got = dpm.log_likelihood(wrong_model, EVERY_STATE, trajectories=4000, generator=generator)
    assert got.reliable.all()
    assert ((got.estimate - p.log()).abs() < 5 * got.standard_error).all()
    terms = dpm.bound(wrong_model, EVERY_STATE.repeat(2000, 1), generator=generator)
    mean, error = dpm.mean_and_error(terms.K_corrected.view(2000, -1).T)
    exact = expected_log_weight(kernel, wrong_model)
    assert ((mean - exact).abs() < 5 * error).all()
    assert (exact < p.log()).all()
    eq12 = dpm.trajectory_bound(wrong_model, EVERY_STATE, trajectories=4000, generator=generator)
    assert ((eq12.estimate - exact).abs() < 5 * eq12.standard_error).all()


def expected_log_weight(kernel, model):
    """K of eq. 12 for every x0: a sum over all states before and after each step."""
    reached = torch.eye(K**D).double()
    total = torch.zeros(K**D).double()
    for t in range(1, T + 1):
        step = step_matrix(kernel, t)
        back = transitions(lambda y, t=t: model.step(EVERY_STATE, t).log_prob(y))
        total += reached @ (step * (back.T.log() - step.log())).sum(1)
        reached = reached @ step
    return total + reached @ kernel.prior(EVERY_STATE.shape).log_prob(EVERY_STATE)


def test_edge_rows_are_blended(kernel, wrong_model):
    """A tensor t that mixes steps gives each row its own law."""
    x, t = EVERY_STATE[:4], torch.tensor([1, 2, 1, 4])
    mixed = wrong_model.step(x, t).log_prob(x)
    for row, s in enumerate(t.tolist()):
        torch.testing.assert_close(mixed[row], wrong_model.step(x, s).log_prob(x)[row])


@pytest.mark.parametrize("network", [dpm.MLPNetwork, dpm.RBFNetwork])
def test_training_and_evaluation(kernel, network, generator):
    """Both networks start as the identity, learn two equal states, and stay below the truth."""
    model = dpm.ReverseProcess(kernel, network(kernel, (D,), 32, generator=generator))
    x0 = torch.tensor([[0.0, 0.0], [1.0, 1.0], [2.0, 2.0]]).double().repeat(400, 1)
    null = dpm.bits(dpm.null_log_likelihood(kernel, x0)).mean().item()
    before = dpm.evaluate(model, x0, generator=generator)
    assert abs(before["K_minus_L_null"]) < 5 * before["standard_error"]
    dpm.fit(model, x0, steps=200, generator=generator, learning_rate=0.03)
    after = dpm.evaluate(model, x0, generator=generator)
    assert after["K"] > before["K"] + 5 * after["standard_error"]
    assert after["K_minus_L_null"] == pytest.approx(after["K"] - null)
    with torch.no_grad():
        truth = dpm.bits(model_probability(model)[index(x0)].log()).mean().item()
    assert after["K"] < truth + 5 * after["standard_error"]
