"""Figures to touch: as the library draws them, and what they compute beyond it, by other routes."""

import json
import math
import re
from base64 import b64decode

import numpy as np
import pytest
import torch

import dpm_lib as dpm
from dpm_lib import explore, schedules
from dpm_lib.exact import MixtureLaw
from dpm_lib.explore import budget, clouds, studio, touch, twice
from dpm_lib.explore.mulberry import normals, uniforms
from dpm_lib.explore.shapes import forty_steps, known_laws
from dpm_lib.explore.trained import UNIT, taught
from dpm_lib.kernels import GaussianKernel

NAMES = [*known_laws()]
FIGURES = [name for name in explore.__all__ if name[0].islower() and name != "figures"]
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


def test_arrows_have_their_heads_at_the_tip():
    """Two strokes of one length end there, from beside the shaft, not more than half way back."""
    tails = torch.tensor([[0.0, 0.0], [1.0, -1.0]]).double()
    tips = torch.tensor([[2.0, 0.0], [1.5, 0.2]]).double()
    for part, tail, tip in zip(clouds.arrows(tails, tips).split(7), tails, tips, strict=True):
        assert part.isnan().all(1).nonzero()[:, 0].tolist() == [2, 6]
        assert torch.equal(part[[0, 1, 4]], torch.stack([tail, tip, tip]))
        one, other = part[3] - tip, part[5] - tip
        torch.testing.assert_close(one.norm(), other.norm())
        back = (one + other) / 2 / (tail - tip)
        assert ((back > 0.1) & (back < 0.5) | back.isnan()).all()
        assert abs((one - other) @ (tail - tip)) < 1e-12
        assert (one - other).norm() > 0.1 * (tail - tip).norm()


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


def test_numbers_of_the_page_are_those_of_mulberry32():
    """In arithmetic of 32 bits, as in its first form; a normal number is made of two of them."""

    def first_form(a):
        while True:
            a = (a + 0x6D2B79F5) & 0xFFFFFFFF
            t = np.uint32(a)
            t = (t ^ (t >> np.uint32(15))) * (t | np.uint32(1))
            t ^= t + (t ^ (t >> np.uint32(7))) * (t | np.uint32(61))
            yield int(t ^ (t >> np.uint32(14))) / 2**32

    with np.errstate(over="ignore"):
        wanted = [u for u, _ in zip(first_form(12345), range(8), strict=False)]
    drawn = uniforms(12345, 8)
    assert drawn.tolist() == wanted
    radius, angle = drawn[0::2], drawn[1::2]
    rayleigh = (-2 * (1 - radius).log()).sqrt()
    torch.testing.assert_close(normals(12345, 4), rayleigh * torch.cos(2 * math.pi * angle))


@pytest.mark.parametrize("name", NAMES)
def test_laws_in_the_plane_have_mean_0_and_second_moment_1(name):
    law = known_laws()[name]
    mean = law.weights @ law.means
    second = (law.weights @ law.means.square()).mean() + law.variance.mean()
    assert mean.abs().max() < 0.02
    assert second.item() == pytest.approx(1, abs=0.02)
    assert law.variance.sqrt().max().item() == pytest.approx(0.08)


@pytest.mark.parametrize("name", FIGURES)
def test_figures_begin_and_are_checked_within_their_controls(name):
    """Each control is set to a step of its range; ticks stand in their panels."""
    figure = getattr(explore, name)()
    names = {control.name for control in figure.controls}
    ranges = {control.name: (control.low, control.high) for control in figure.controls}
    for control in figure.controls:
        assert control.low <= control.value <= control.high
        steps = (control.value - control.low) / control.step
        assert steps == pytest.approx(round(steps), abs=1e-6)
        if control.options:
            assert (control.low, control.high, control.step) == (0, len(control.options) - 1, 1)
    assert len(figure.inputs) == len(figure.outputs)
    for at, output in zip(figure.inputs, figure.outputs, strict=True):
        assert output.isfinite().all()
        for moved in names & set(at):
            low, high = ranges[moved]
            assert low <= at[moved] <= high
    for panel in figure.panels:
        for values, (low, high) in ((panel.ticks[0], panel.x), (panel.ticks[1], panel.y)):
            assert all(low <= value <= high for value in values)


@pytest.mark.parametrize("name", FIGURES)
def test_first_pictures_are_in_their_panels(name):
    """All of each line and bar, and all but 1 % of dots; of the panels the first is in words."""
    figure = getattr(explore, name)()
    for panel in figure.panels:
        for curve in panel.curves:
            places = [pair for pair in zip(curve.x.tolist(), curve.y.tolist(), strict=True)
                      if not math.isnan(pair[0])]  # fmt: skip
            inside = [panel.holds(x, y) for x, y in places]
            assert len(inside) - sum(inside) <= ("dots" in curve.kind) * 0.01 * len(inside)
    drawn = re.findall(r"<svg .*?>", figure._repr_html_())
    assert len(drawn) == len(figure.panels)
    assert ['role="img"' in each for each in drawn] == [True] + [False] * (len(drawn) - 1)


def test_a_circle_in_the_plane_is_drawn_as_one():
    """To 2 %: points of both coordinates have one scale."""
    for panel in (*explore.chains().panels, *explore.draw_and_train().panels[:2]):
        (left, low), (right, high) = panel.place(0, 0), panel.place(1, 1)
        assert (low - high) / (right - left) == pytest.approx(1, abs=0.02)


def test_rows_of_points_are_those_of_their_rule():
    """Each rule has a row of height 1: its points, a bar at their mean; the aim is through all."""
    *rows, goal = explore.evidence_twice().panels[2].curves
    now = twice.moments(GaussianKernel(schedules.inverse(twice.T)), {"y": 2, "s": 1, "v0": 1})
    for n, row in ((0, 2), (1, 1), (2, 0)):
        points, mean = rows[2 * n : 2 * n + 2]
        assert ((points.y > row) & (points.y < row + 1)).all()
        assert ((mean.y > row) & (mean.y < row + 1)).all()
        assert mean.y[1] - mean.y[0] > 0.8
        torch.testing.assert_close(mean.x, now[2 * n].expand(2))
        error = (now[2 * n + 1] / len(points.x)).sqrt()
        assert abs(points.x.mean() - now[2 * n]) < 4 * error
    torch.testing.assert_close(goal.x, now[6].expand(2))
    assert goal.y.tolist()[0] == 0
    assert goal.y[1] > 3


def test_a_panel_puts_points_and_ticks_where_they_belong():
    """Corners on corners, ticks at their numbers, bars from their foot, legends in a column."""
    x, y = torch.tensor([-1.0, 3.0]), torch.tensor([1.0, 2.0])
    curves = [touch.Curve("a", "one", "blue bars", x, y), touch.Curve("b", "two", "red", x, y)]
    panel = touch.Panel((-1, 3), (0, 2), "axis", ((1,), (2,)), curves, handles=("h",))
    assert panel.place(-1, 0) == (touch.LEFT, touch.BOTTOM) == (34, 196)
    assert panel.place(3, 2) == (touch.RIGHT, touch.TOP) == (332, 12)
    assert panel.place(0, 0.5) == pytest.approx((34 + 298 / 4, 196 - 184 / 4))
    assert panel.holds(-1, 2)
    assert not panel.holds(-1.1, 1)
    assert not panel.holds(0, 2.1)
    drawn = touch._svg(panel, "words")
    assert 'class="blue bars" data-curve="a" d="M34.0 196.0V104.0M332.0 196.0V12.0"' in drawn
    assert 'class="red" data-curve="b" d="M34.0 104.0L332.0 12.0"' in drawn
    assert '<text x="183.0" y="210.0">1</text>' in drawn
    assert '<text class="up" x="30.0" y="15.5">2</text>' in drawn
    assert re.findall(r'x="330.0" dy="(\d+)">(\w+)', drawn) == [("0", "one"), ("13", "two")]
    assert 'data-handle="h"' in drawn
    assert 'aria-label="words"' in drawn
    assert 'aria-hidden="true"' in touch._svg(panel, "")


def test_controls_are_sliders_choices_and_hidden_numbers():
    slider = touch._control(touch.Control("t", "step", 2, 40, 1, 7, play=True))
    assert 'min="2" max="40" step="1" value="7"' in slider
    assert 'data-play="t"' in slider
    assert "data-play" not in touch._control(touch.Control("t", "step", 2, 40, 1, 7))
    choice = touch._control(touch.Control("c", "kind", 0, 1, 1, 1, ("a", "b<")))
    assert '<option value="0">a</option><option value="1" selected>b&lt;</option>' in choice
    hidden = touch._control(touch.Control("h", "", 0, 1, 0.1, 0.5, hidden=True))
    assert hidden == '<input type="hidden" name="h" value="0.5">'


def test_a_film_holds_its_points_in_hundredths():
    """Of half its side, 3; what lies outside stands at the edge; step 0 is the still picture."""
    states = torch.tensor([[[0.3, -1.5], [9.0, 0.0]], [[3.0, 1.2], [-4.0, -0.6]]])
    html = explore.Film(states, "two <points>")._repr_html_()
    (data,) = re.findall(r'data-frames="(.*?)"', html)
    assert list(b64decode(data)) == [10, 256 - 50, 100, 0, 100, 40, 256 - 100, 256 - 20]
    assert 'data-points="2"' in html
    assert 'd="M10 50h0M100 0h0"' in html
    assert 'max="1"' in html
    assert 'aria-label="two &lt;points&gt;"' in html
    assert "2 points in 2 frames" in repr(explore.Film(states, "a"))


def test_noise_of_0_goes_along_the_means_and_its_parts_make_the_variance():
    """Points of each rule, as its moments say; those of the exact rule tend to the posterior."""
    kernel = GaussianKernel(schedules.inverse(twice.T))
    for at in ({"y": 2.0, "s": 1.0, "v0": 1.0, "t": 0}, {"y": -1.5, "s": 0.4, "v0": 0.25, "t": 0}):
        rules, posterior = twice.moments(kernel, at).split([6, 2])
        one_by_one = torch.eye(twice.T + 1, dtype=torch.float64)
        noise = torch.cat([torch.zeros(twice.T + 1, 1), one_by_one], 1)[..., None]
        for x, (mean, variance) in zip(
            twice.points(kernel, noise, at), rules.view(3, 2), strict=True
        ):
            torch.testing.assert_close(x[0], mean)
            torch.testing.assert_close((x[1:] - x[0]).square().sum(), variance)
        assert (rules[4:] - posterior).abs().max() < 4 / twice.T


def test_two_bells_make_their_product():
    """Curves of height 1 of the two, multiplied, are the third but for one factor."""
    figure = explore.posterior()
    ahead, seen, both = (curve.y for curve in figure.panels[0].curves)
    kept = both > 1e-6
    ratio = (ahead * seen / both)[kept]
    torch.testing.assert_close(ratio, ratio[:1].expand_as(ratio))
    assert both.max().item() == pytest.approx(1)


def test_small_steps_are_those_of_a_grid():
    """Mean, variance and a density of two clusters before a step, by sums over a fine grid."""
    figure = explore.reversal()
    x = torch.linspace(-8, 8, 200_001, dtype=torch.float64)
    for at, found in zip(figure.inputs, figure.outputs, strict=True):
        kept, rate = at["kept"], 10 ** at["power"]
        spread = kept * figure.data["variance"] + 1 - kept
        bells = [(-((x - m * kept**0.5) ** 2) / (2 * spread)).exp() for m in (-1, 1)]
        density = sum(bells) * (-((at["xt"] - (1 - rate) ** 0.5 * x) ** 2) / (2 * rate)).exp()
        density = density / (density.sum() * (x[1] - x[0]))
        mean = torch.trapezoid(density * x, x)
        variance = torch.trapezoid(density * (x - mean) ** 2, x)
        near = density[(x - 0.3).abs().argmin()].log()
        torch.testing.assert_close(found[:2], torch.stack([mean, variance]), rtol=1e-8, atol=1e-10)
        torch.testing.assert_close(found[2], near, rtol=1e-3, atol=1e-3)


def test_an_update_of_the_page_is_one_of_adam():
    """Its first step is the learning rate against the sign of the slope, a slope of the bound."""
    figure = explore.draw_and_train()
    loss, *rest = figure.outputs[0]
    slope, moved = torch.stack(rest).view(2, -1)
    count = sum(math.prod(shape) for shape in studio.SHAPES)
    begun = 0.3 * (1.7 * torch.arange(count, dtype=torch.float64)).sin()
    chosen = begun[list(studio.LOOKED_AT)]
    torch.testing.assert_close(moved - chosen, -studio.RATE * slope.sign(), rtol=1e-3, atol=0)
    kernel = GaussianKernel(figure.data["beta"])
    x0, noise, t = figure.data["x0"], figure.data["noise"], torch.tensor(figure.data["t"])

    def cost(parameters):
        kept, lost = kernel.alpha_bar[t, None], kernel.beta_bar[t, None]
        xt, level = kept.sqrt() * x0 + lost.sqrt() * noise, (kept / lost).log() / 4
        step = kernel.head(xt, t, studio.network(parameters, xt, level))
        each = torch.distributions.kl_divergence(kernel.posterior(x0, xt, t), step)
        return (kernel.T - 1) * each.mean()

    torch.testing.assert_close(loss, cost(begun))
    for place, expected in zip(studio.LOOKED_AT, slope, strict=True):
        nudge = torch.zeros(count, dtype=torch.float64)
        nudge[place] = 1e-5
        ratio = (cost(begun + nudge) - cost(begun - nudge)) / 2e-5
        torch.testing.assert_close(ratio, expected, rtol=1e-5, atol=1e-7)
