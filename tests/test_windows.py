"""The Parzen estimate: the density it says, and what it cannot tell."""

import math

import pytest
import torch

import dpm_lib as dpm
from dpm_lib.learning.windows import best_width, parzen


def test_parzen_is_the_density_of_a_mixture(generator):
    """Of as many Gaussians as there are centres, whatever the shape of the events."""
    x = torch.randn(1500, 2, 3, generator=generator, dtype=torch.float64)
    centres = torch.randn(40, 2, 3, generator=generator, dtype=torch.float64)
    law = dpm.MixtureLaw(torch.ones(40).double(), centres.flatten(1), torch.tensor(0.3**2).double())
    torch.testing.assert_close(parzen(x, centres, 0.3), law.log_prob(x.flatten(1)))


def test_parzen_estimates_a_likelihood_where_it_can(generator):
    """In one dimension and with many samples it is that of the law, blurred by the width."""
    centres, x = (torch.randn(4000, 1, generator=generator).double() for _ in "ab")
    width = 0.2
    exact = torch.distributions.Normal(0.0, math.sqrt(1 + width**2)).log_prob(x[:, 0])
    found = parzen(x, centres, width) - exact
    assert found.mean().abs() < 0.02


def test_the_best_width_is_that_of_the_data(generator):
    """Of points of known spread around known centres; the others lose."""
    centres = torch.randn(9, 5, generator=generator).double() * 10
    noise = torch.randn(1000, 5, generator=generator).double()
    x = centres[torch.arange(1000) % 9] + 0.3 * noise
    widths = torch.tensor([0.1, 0.2, 0.3, 0.5, 1.0]).double()
    assert best_width(x, centres, widths) == pytest.approx(0.3)


def test_parzen_prefers_means_to_the_truth(generator):
    """In many dimensions one mean outscores as many true samples as there are data."""
    mean = torch.zeros(1, 200).double()
    x, truth = (torch.randn(300, 200, generator=generator).double() for _ in "ab")
    widths = torch.logspace(-1, 0.3, 14).double()
    score = {
        name: parzen(x, centres, best_width(x, centres, widths)).mean()
        for name, centres in (("truth", truth), ("mean", mean))
    }
    assert score["mean"] > score["truth"] + 20


def test_far_from_the_origin_no_digits_are_lost(generator):
    """A score depends on distances alone; many rows are multiplied as matrices."""
    x, centres = torch.randn(2, 40, 2, generator=generator)
    near, far = parzen(x, centres, 0.5), parzen(x + 1024, centres + 1024, 0.5)
    torch.testing.assert_close(near, far, rtol=1e-3, atol=1e-2)
    assert parzen(torch.zeros(3), torch.zeros(4), 1.0).shape == (3,)
