"""Figures to touch: what they compute beyond the library, by other routes."""

import math

import pytest
import torch

from dpm_lib import schedules
from dpm_lib.exact import MixtureLaw
from dpm_lib.explore import budget, twice
from dpm_lib.kernels import GaussianKernel

POINT = {"schedule": 0, "T": 5, "v0": 1.0}


@pytest.mark.parametrize("kind", [1, 2])
def test_model_score_is_that_of_a_chain_of_single_steps(kind):
    """The density of the model, carried from the prior through each step on a grid."""
    data, kernel = budget.known({**POINT, "data": kind}), GaussianKernel(budget.rates(POINT))
    grid = torch.linspace(-7, 7, 1401, dtype=torch.float64)
    density = (-(grid**2) / 2).exp() / math.sqrt(2 * math.pi)
    for t in range(kernel.T, 1, -1):
        step = data.reversal(kernel)(grid[:, None], t)
        chance = torch.stack([step.log_prob(x.expand(len(grid), 1)).exp() for x in grid])
        density = chance @ density * (grid[1] - grid[0])
    first = kernel.beta[0]
    kept = (grid[:, None] - (1 - first).sqrt() * grid).square() / (2 * first)
    density = (-kept).exp() @ density * (grid[1] - grid[0]) / (2 * math.pi * first).sqrt()
    if kind == 1:
        (at,) = (grid.sub(1).abs() < 1e-9).nonzero()[0]
        direct = density[at].log()
    else:
        own = data.log_prob(grid[:, None]).exp()
        direct = (own * density.log()).sum() * (grid[1] - grid[0])
    torch.testing.assert_close(budget.model_score(data, kernel), direct, rtol=0, atol=1e-9)


def test_points_have_a_gap_that_no_step_closes():
    """Near a point the law is too narrow: KL of a Gaussian to one of half its variance."""
    data = budget.known({**POINT, "data": 1})
    limit = 0.5 * (1 - math.log(2))
    for T in (200, 2000):
        L, K, *_ = budget.scores(data, GaussianKernel(schedules.erase_evenly(T)), 1.0)
        assert abs(L - K - limit) < 0.02 / T


@pytest.mark.parametrize("kind", [0, 2])
def test_split_steps_close_the_gap_of_data_with_a_density(kind):
    """Like 1/T; and a chain that is split whole gives what its first step alone does."""
    data = budget.known({**POINT, "data": kind, "v0": 0.5})
    kernel = GaussianKernel(budget.rates(POINT))
    gaps = [budget._gap(data, kernel, parts, 0.5) for parts in (4, 4096, 8192)]
    L, K, *_ = budget.scores(data, budget.split(kernel, 4), 0.5)
    assert abs(L - K - gaps[0]) < 1e-11
    assert 0.49 < gaps[2] / gaps[1] < 0.51


def test_costs_add_up_to_what_the_optimum_is_below_the_ceiling():
    data, kernel = budget.known({**POINT, "data": 2}), GaussianKernel(budget.rates(POINT))
    top = budget.ends(kernel).sum()
    assert isinstance(data, MixtureLaw)
    assert abs(top - budget.costs(data, kernel).sum() - data.optimum(kernel)) < 1e-12


def test_normals_are_normal():
    """And always the same: the first three, from the script of the figure."""
    drawn = twice.normals(7, 20000)
    assert abs(drawn.mean()) < 4 / 20000**0.5
    assert abs(drawn.var() - 1) < 4 * (2 / 20000) ** 0.5
    assert torch.equal(drawn[:5], twice.normals(7, 5))
