"""Figures to touch: as the library draws them, and what they compute beyond it, by other routes."""

import json
import math
import re
from base64 import b64decode

import pytest
import torch

import dpm_lib as dpm
from dpm_lib import explore, schedules
from dpm_lib.exact import MixtureLaw
from dpm_lib.explore import budget, clouds, touch
from dpm_lib.explore.mulberry import normals
from dpm_lib.explore.shapes import forty_steps, known_laws
from dpm_lib.explore.trained import UNIT, taught
from dpm_lib.kernels import GaussianKernel

NAMES = [*known_laws()]
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
    """And always the same."""
    drawn = normals(7, 20000)
    assert abs(drawn.mean()) < 4 / 20000**0.5
    assert abs(drawn.var() - 1) < 4 * (2 / 20000) ** 0.5
    assert torch.equal(drawn[:5], normals(7, 5))


def test_what_a_page_holds_is_the_trained_network():
    """Each number of each table, short enough for a page; and nothing is loaded beside it."""
    html = explore.chains()._repr_html_()
    stored = json.loads(re.search(r'application/json">(.*?)</script>', html, re.S)[1])["data"]
    networks = [law["network"] for law in stored["laws"]]
    assert len(json.dumps(networks, separators=(",", ":"))) < 30_000
    for name, network in zip(NAMES, networks, strict=True):
        for key, table in taught(name).model.network.named_parameters():
            numbers = torch.frombuffer(bytearray(b64decode(network[key])), dtype=torch.int16)
            assert torch.equal(numbers.double() / UNIT, table.flatten()), key
    assert not re.search(r"(src|href)=", html)


@pytest.mark.parametrize("name", NAMES)
def test_networks_are_as_good_as_their_record(name):
    """K is measured anew on fresh data; no K is above the optimum, and a network is near it."""
    model, notes, _ = taught(name)
    assert notes in dpm.recorded("chains")
    law, kernel = known_laws()[name], forty_steps()
    assert torch.equal(model.kernel.beta, kernel.beta)
    g = torch.Generator().manual_seed(11)
    found = dpm.evaluate(model, law.sample(4000, g), generator=g)
    error = math.hypot(found["standard_error"], notes["standard_error"])
    assert found["K"] == pytest.approx(notes["K"], abs=4 * error)
    assert notes["optimum"] == pytest.approx(dpm.bits(law.optimum(kernel)).item(), abs=1e-6)
    assert notes["K"] < notes["best_gaussian_steps"] + 4 * notes["standard_error"]
    assert notes["best_gaussian_steps"] < notes["optimum"] < notes["K"] + 0.3


@pytest.mark.parametrize("name", NAMES)
def test_networks_draw_their_law(name):
    """Nearly as likely under it as its own draws, few of them far off, and spread over it alike.

    Of the mean of the log density they lack 0.1 (moons, three) to 0.2 (roll).
    """
    model, law = taught(name).model, known_laws()[name]
    g = torch.Generator().manual_seed(12)
    t = torch.full((4000,), 2)
    drawn, own = model.sample(4000, generator=g), model.kernel.noised(law.sample(4000, g), t, g)
    of_drawn, of_own = (law.marginal(model.kernel, 2).log_prob(x) for x in (drawn, own))
    assert (of_own - of_drawn).mean() < 0.3
    assert (of_drawn < of_own.quantile(0.01)).double().mean() < 0.05
    apart = torch.cdist(drawn, law.means)
    reached = torch.bincount(apart.argmin(1), minlength=len(law.means)) / len(drawn)
    assert (reached - law.weights).abs().max() < 0.02


def test_covariance_of_a_mixture_and_the_ellipse_around_it():
    """The moments of draws; the line is two standard deviations away in each direction."""
    law, kernel = known_laws()["moons"], forty_steps()
    model = dpm.ReverseProcess(kernel, law.reversal(kernel))
    x = torch.tensor([[0.5, 0.1]], dtype=torch.float64)
    mean, covariance = clouds.moments(model, x, 38)
    torch.manual_seed(0)
    draws = model.step(x.expand(40_000, 2), 38).sample()
    xx, xy, yy = covariance[0]
    matrix = torch.stack([xx, xy, xy, yy]).view(2, 2)
    assert (draws.T.cov() - matrix).abs().max() < 0.02
    assert (draws.mean(0) - mean[0]).abs().max() < 0.02
    line = clouds.ellipses(mean, covariance)[:-1] - mean
    torch.testing.assert_close(
        (line @ matrix.inverse() * line).sum(1), line.new_full((len(line),), 4.0)
    )


def test_a_gap_lifts_the_pen():
    """NaN ends a line; dots outside of the plane are not shown."""
    nan = math.nan
    x = torch.tensor([0.0, 1.0, nan, 0.5, 1.0])
    line, dots = (touch.Curve("a", "", kind, x, x) for kind in ("blue", "blue dots"))
    panel = touch.Panel((0, 0.6), (0, 0.6), "", ((), ()), ())
    assert re.sub(r"[^ML]", "", touch._path(panel, line)) == "MLML"
    assert touch._path(panel, dots).count("M") == 1


def test_draws_of_a_law_are_its_bells_in_their_shares():
    """Each bell has its weight of the points, but for less than one; they lie around its middle."""
    law = known_laws()["roll"]
    drawn = clouds.cloud_of(law)
    nearest = torch.cdist(drawn, law.means).argmin(1).bincount(minlength=len(law.means))
    assert (nearest.cumsum(0) - len(drawn) * law.weights.cumsum(0)).abs().max() < 8
    moments = drawn.mean(0), drawn.square().mean()
    assert moments[0].abs().max() < 0.02
    assert abs(moments[1] - 1) < 0.02
