"""Evidence counted twice: what three rules make of Gaussian data and a noisy look at them."""

import torch
from torch import Tensor

from dpm_lib import schedules
from dpm_lib.conditioning import Noisy, exact_rule, moments_given, paper_rule, tempered_rule
from dpm_lib.conditioning.rules import Rule
from dpm_lib.exact import GaussianLaw
from dpm_lib.explore.mulberry import normals
from dpm_lib.explore.touch import Control, Curve, Panel, Point, Touch, line, one
from dpm_lib.kernels import GaussianKernel
from dpm_lib.reverse import ReverseProcess

__all__ = ["evidence_twice"]

T, POINTS, SEED = 100, 150, 7
RULES = {"paper": "red", "tempered": "grey", "exact": "blue"}
"""Names and colours of the rows, from above."""
LABELS = {"paper": "the paper's rule", "tempered": "tempered", "exact": "exact rule"}
INPUTS: list[Point] = [
    {"y": a, "s": b, "v0": c, "t": t}
    for a, b, c, t in ((1, 1, 1, 0), (-1.5, 0.4, 0.25, 30), (2, 1.6, 4, T), (0.5, 0.3, 0.1, 1))
]


def bell(mean: Tensor, variance: Tensor, x: Tensor) -> Tensor:
    """Density of a Gaussian on the line."""
    return (-((x - mean) ** 2) / (2 * variance)).exp() / (2 * torch.pi * variance).sqrt()


def evidence_twice() -> Touch:
    """The posterior, and where chains end that follow the paper's, the tempered and the exact rule.

    Source: :eq:`normalised-rule`, :eq:`evidence-twice`, :eq:`exact-conditioning`,
    :eq:`look-ahead`.
    """
    kernel = GaussianKernel(schedules.inverse(T))
    noise = normals(SEED, (T + 1) * POINTS).view(T + 1, POINTS, 1)
    noise = torch.cat([torch.zeros_like(noise[:, :1]), noise], 1)  # the first goes along the means
    first = {"y": 2.0, "s": 1.0, "v0": 1.0, "t": 0}
    now = moments(kernel, first)
    return Touch(
        "evidence_twice",
        [
            Control("y", "what is seen", -3, 3, 0.05, 2),
            Control("s", "its noise", 0.3, 2, 0.05, 1),
            Control("v0", "variance of the data", 0.1, 4, 0.05, 1),
            Control("t", "step t", 0, T, 1, 0, play=True),
        ],
        [*_bells(now), _running(points(kernel, noise, first), now[6])],
        {"beta": kernel.beta, "points": POINTS},
        INPUTS,
        [torch.cat([moments(kernel, at), *points(kernel, noise[:, :4], at)]) for at in INPUTS],
        "Evidence counted twice: the paper's rule trusts a noisy look more than it should.",
        "A bell for the data and one for the look; then the posterior, a narrower bell nearer to "
        "the look for the paper's rule, and the tempered rule between them; then points in three "
        "rows, those of the paper's rule beyond the mean of the posterior.",
    )  # fmt: skip


def by_rules(kernel: GaussianKernel, point: Point) -> tuple[ReverseProcess, Noisy, list[Rule]]:
    """Model, look, and the three rules."""
    law, look = GaussianLaw(one(0)[0], one(point["v0"])[0]), Noisy(one(point["y"])[0], point["s"])
    model = ReverseProcess(kernel, law.reversal(kernel))
    return model, look, [paper_rule, tempered_rule, exact_rule(law)]


def moments(kernel: GaussianKernel, point: Point) -> Tensor:
    """Mean and variance by the three rules, and of the posterior, ``(8,)``."""
    model, look, rules = by_rules(kernel, point)
    kept = point["v0"] / (point["v0"] + point["s"] ** 2)
    exact = one(kept * point["y"], kept * point["s"] ** 2)[:, 0]
    found = [moments_given(model, look, rule) for rule in rules]
    return torch.cat([*(torch.cat([m.mean, m.covariance.diag()]) for m in found), exact])


def points(kernel: GaussianKernel, noise: Tensor, point: Point) -> list[Tensor]:
    """Where noise ``(T + 1, count, 1)`` leads by each rule from T to the step t, ``(count,)``."""
    model, look, rules = by_rules(kernel, point)
    states = []
    for rule in rules:
        guide = rule(model, look, noise.shape[1])
        x = guide.start.mean + guide.start.stddev * noise[0]
        for n, t in enumerate(range(T, int(point["t"]), -1), start=1):
            step = guide.look(x, t).proposal
            x = step.mean + step.stddev * noise[n]
        states.append(x[:, 0])
    return states


def _bells(now: Tensor) -> list[Panel]:
    """What is known before, and the three answers."""
    x = line(-4, 4)
    before = Panel(
        (-4, 4), (0, 1.6), "before: data and look", ((-3, 0, 3), (0, 0.5, 1, 1.5)),
        [
            Curve("prior", "data", "grey", x, bell(one(0)[0], one(1)[0], x)),
            Curve("look", "look", "black dashed", x, bell(one(2)[0], one(1)[0], x)),
        ],
        handles=("y",),
    )  # fmt: skip
    after = Panel(
        (-4, 4), (0, 1.6), "after: three answers", ((-3, 0, 3), (0, 0.5, 1, 1.5)),
        [
            Curve("posterior", "posterior", "blue", x, bell(now[6], now[7], x)),
            Curve("paper", "the paper's rule", "red", x, bell(now[0], now[1], x)),
            Curve("tempered", "tempered", "grey dashed", x, bell(now[2], now[3], x)),
        ],
    )  # fmt: skip
    return [before, after]


def _running(states: list[Tensor], mean: Tensor) -> Panel:
    """A row of points for each rule, which begin with their mean; the mean of the posterior."""
    apart = 0.7 * ((0.618 * torch.arange(POINTS, dtype=torch.float64)) % 1 - 0.5)
    rows = []
    for row, (rule, colour), at in zip((2, 1, 0), RULES.items(), states, strict=True):
        rows += [
            Curve(f"ran_{rule}", LABELS[rule], f"{colour} dots", at[1:], row + 0.5 + apart),
            Curve(f"mean_{rule}", "", colour, at[:1].expand(2), row + torch.tensor([0.05, 0.95])),
        ]
    goal = Curve("goal", "aim", "black dashed", mean.expand(2), torch.tensor([0.0, 3.2]))
    return Panel(
        (-4, 4), (0, 4.1), "points on their way, bars at their means", ((-3, 0, 3), ()),
        [*rows, goal],
    )  # fmt: skip
