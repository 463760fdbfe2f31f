"""Figures to touch, as the library draws them, and the networks that one of them shows."""

import json
import math
import re

import pytest
import torch

import dpm_lib as dpm
from dpm_lib import explore
from dpm_lib.explore import clouds, touch
from dpm_lib.explore.shapes import forty_steps, known_laws
from dpm_lib.explore.trained import UNIT, numbers, taught

NAMES = [*known_laws()]


def test_what_a_page_holds_is_the_trained_network():
    """Each number of each table, short enough for a page; and nothing is loaded beside it."""
    html = explore.chains()._repr_html_()
    stored = json.loads(re.search(r'application/json">(.*?)</script>', html, re.S)[1])["data"]
    networks = [law["network"] for law in stored["laws"]]
    assert len(json.dumps(networks, separators=(",", ":"))) < 60_000
    for name, network in zip(NAMES, networks, strict=True):
        for key, table in taught(name).model.network.named_parameters():
            assert torch.equal(torch.tensor(network[key]).double() / UNIT, table.flatten()), key
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


def test_parameters_in_their_unit():
    """Whole numbers, of which each table has as many as the network."""
    model = taught("moons").model
    found = numbers(model)
    assert {key: len(table) for key, table in found.items()} == {
        key: p.numel() for key, p in model.network.named_parameters()
    }
