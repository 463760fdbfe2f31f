"""Perturbed steps: exact where they should be, and of the right order elsewhere."""

from itertools import product

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.distributions import Bernoulli, Independent, Normal

import dpm_lib as dpm

FLOATS = st.floats(-3, 3)


def gaussian(mean, variance, events=1):
    return Independent(Normal(mean, variance.sqrt()), events)


@given(FLOATS, FLOATS, st.floats(0.01, 4), st.floats(0.01, 4))
def test_a_straight_line_moves_the_mean(first, second, small, large):
    """By the variance of each coordinate times its slope, and nothing else."""
    mean = torch.tensor([[0.3, -0.7]]).double()
    variance, slope = torch.tensor([small, large]).double(), torch.tensor([first, second]).double()
    law = dpm.perturbed(gaussian(mean, variance.expand(1, 2)), lambda y: y @ slope + 5)
    torch.testing.assert_close(law.mean, mean + variance * slope)
    torch.testing.assert_close(law.variance, variance.expand(1, 2))


def test_rows_and_events_keep_their_shape(generator):
    """Each row has its own slope; pictures are events like any other; nothing is differentiated."""
    mean = torch.randn(5, 1, 3, 2, generator=generator, requires_grad=True)
    law = dpm.perturbed(gaussian(mean, torch.ones(()).expand_as(mean), 3),
                        lambda y: y.square().flatten(1).sum(1) / 2)  # fmt: skip
    assert law.event_shape == (1, 3, 2)
    torch.testing.assert_close(law.mean, 2 * mean)
    with torch.no_grad():
        again = dpm.perturbed(gaussian(mean, torch.ones_like(mean), 3),
                              lambda y: y.square().flatten(1).sum(1) / 2)  # fmt: skip
    torch.testing.assert_close(again.mean, law.mean)


def three(numbers):
    return st.lists(numbers, min_size=3, max_size=3)


@given(three(st.floats(0.02, 0.98)), three(FLOATS))
def test_bits_that_r_keeps_apart_are_exact(rates, pull):
    """For a product over bits, whatever its scale, enumeration gives the same rates."""
    rates, pull = torch.tensor([rates]).double(), torch.tensor(pull).double()
    patterns = torch.tensor([*product((0.0, 1.0), repeat=3)]).double()
    law = Independent(Bernoulli(rates), 1)
    chances = torch.softmax(law.log_prob(patterns) + patterns @ pull, 0)
    found = dpm.perturbed(law, lambda y: y @ pull - 3).mean[0]
    torch.testing.assert_close(found, chances @ patterns)


def test_each_bit_sees_the_others_at_their_likelier_value():
    """Where r ties bits together: of its values the two are compared that differ in one bit."""
    rates = torch.tensor([[0.9, 0.2, 0.6], [0.3, 0.8, 0.1]]).double()
    states = [(1, 0, 1), (0, 1, 0)]
    table = torch.randn(2, 2, 2, generator=torch.Generator().manual_seed(0)).double()
    found = dpm.perturbed(Independent(Bernoulli(rates), 1), lambda y: table[y.long().unbind(1)])
    for row, likely in enumerate(states):
        for i in range(3):
            zero, one = ((*likely[:i], bit, *likely[i + 1 :]) for bit in (0, 1))
            logit = rates[row, i].logit() + table[one] - table[zero]
            torch.testing.assert_close(found.base_dist.logits[row, i], logit)


@pytest.mark.parametrize("events", [0, 1, 2])
def test_bits_of_any_event(events):
    """A bit alone, a vector of bits, a picture of bits."""
    shape = (4, 2, 3)[: events + 1]
    law = Independent(Bernoulli(torch.full(shape, 0.25).double()), events)
    moved = dpm.perturbed(law, lambda y: 2 * y.reshape(4, -1).sum(1))
    torch.testing.assert_close(moved.base_dist.logits, law.base_dist.logits + 2)


def test_a_step_of_a_model_can_be_perturbed(generator):
    """What reverse steps return goes in, for both kernels; what comes out can be drawn from."""
    for kernel in (dpm.GaussianKernel, dpm.BinomialKernel):
        chain = kernel(dpm.schedules.erase_evenly(5))
        model = dpm.ReverseProcess(chain, dpm.identity_network(chain, (3,)))
        xt = chain.prior((7, 3)).sample()
        for t in (1, 3):
            law = dpm.perturbed(model.step(xt, t), lambda y: y[:, 0])
            assert dpm.draw(law, generator).shape == (7, 3)
            assert (law.mean[:, 0] > model.step(xt, t).mean[:, 0]).all()
            torch.testing.assert_close(law.mean[:, 1:], model.step(xt, t).mean[:, 1:])
