"""The bound of known data under their exact reversal, by rates, steps and variance."""

import math
from typing import Any

import torch
from torch import Tensor

from dpm_lib import bounds, likelihood, schedules
from dpm_lib.exact import GaussianLaw, MixtureLaw
from dpm_lib.explore.touch import Control, Curve, Panel, Point, Touch, line, one
from dpm_lib.kernels import GaussianKernel

__all__ = ["bound"]


SCHEDULES = ("erase evenly", "as the authors' program", "linear", "geometric", "draw your own")
DATA = ("Gaussian", "two points", "two bells")
KNOTS, LEAST, MOST = 13, -3.0, -0.02
"""A drawn curve of rates: its points, and the powers of ten between which they lie."""
SHARE = 0.04
"""Of the variance of two bells, that of one; two points have none, but for a number near 0."""
PARTS = 64


def rates(point: Point) -> Tensor:
    """Rates of one of the schedules that the figure of the bound offers."""
    choice, T = int(point["schedule"]), int(point["T"])
    if choice < 4:
        return (
            schedules.erase_evenly(T),
            schedules.inverse(T),
            schedules.linear(T, 0.01, 0.5),
            schedules.geometric(T, 0.01, 0.5),
        )[choice]
    knots = torch.tensor([point[f"b{n}"] for n in range(KNOTS)], dtype=torch.float64)
    return 10 ** _between(knots, line(0, 1, T))


def _between(heights: Tensor, u: Tensor) -> Tensor:
    """Heights at equal distances, joined by straight lines, at places between 0 and 1."""
    place = u * (len(heights) - 1)
    n = place.long().clamp(max=len(heights) - 2)
    return heights[n] + (place - n) * (heights[n + 1] - heights[n])


def known(point: Point) -> GaussianLaw | MixtureLaw:
    """The data that were chosen."""
    v0, kind = point["v0"], int(point["data"])
    if kind == 0:
        return GaussianLaw(one(0)[0], one(v0)[0])
    variance = (1e-300, SHARE * v0)[kind - 1]
    places = math.sqrt(v0 - variance) * one(-1, 1)
    return MixtureLaw(torch.ones(2, dtype=torch.float64), places, one(variance)[0, 0])


def model_score(data: GaussianLaw | MixtureLaw, kernel: GaussianKernel) -> Tensor:
    r"""Expected log likelihood of data under their own exact reversal, a scalar, nats.

    .. math:: p(x^{(0)}) = \int \pi(x^{(T)})\, q(x^{(1)} \mid x^{(T)})\, p(x^{(0)} \mid x^{(1)})

    Exact reversals of steps compose to that of one long step, so a sum over the last state is all
    that a mixture needs.
    """
    if isinstance(data, GaussianLaw):
        return data.model_law(kernel).log_likelihood(data)
    first, left = kernel.beta[0], kernel.alpha_bar[-1]
    short = GaussianKernel(torch.stack([first, 1 - left / (1 - first)]))
    last = line(-9, 9, 4001)
    step: Any = data.reversal(short)(last[:, None], 2)
    bells = step.component_distribution
    mean = (1 - first).sqrt() * bells.mean[:, :, 0]
    spread = ((1 - first) * bells.variance[:, :, 0] + first).sqrt()
    prior = (-(last**2) / 2).log_softmax(0)[:, None]
    weights = step.mixture_distribution.logits + prior
    std = data.variance[0].sqrt()
    from_mean = line(-8, 8, 201)
    place, share = data.means[1, 0] + std * from_mean, (-(from_mean**2) / 2).softmax(0)
    if std < 1e-9:
        place, share = data.means[1], torch.ones(1, dtype=torch.float64)
    each = [torch.distributions.Normal(mean, spread).log_prob(x) + weights for x in place]
    logs = torch.stack([log.flatten().logsumexp(0) for log in each])
    return (share * logs).sum()


def scores(data: GaussianLaw | MixtureLaw, kernel: GaussianKernel, v0: float) -> Tensor:
    """L, K of equation 12, K of equation 14, ceiling, L_null: nats, one dimension."""
    points = math.sqrt(v0) * one(-1, 1)
    K = data.optimum(kernel)
    return torch.stack([
        model_score(data, kernel),
        K + bounds.correction(kernel, points).mean(),
        K,
        bounds.ceiling(kernel, points).mean(),
        likelihood.null_log_likelihood(kernel, points).mean(),
    ])  # fmt: skip


def costs(data: GaussianLaw | MixtureLaw, kernel: GaussianKernel) -> Tensor:
    """Mean divergence of the exact reversal of steps 2 ... T, ``(T - 1,)``, nats."""
    steps = range(2, kernel.T + 1)
    given = torch.stack([kernel.posterior(one(0), one(0), t).entropy()[0] for t in steps])
    return torch.stack([data.reverse_entropy(kernel, t) for t in steps]) - given


def split(kernel: GaussianKernel, parts: float) -> GaussianKernel:
    """The same chain with each step in equal parts."""
    beta = -torch.expm1(torch.log1p(-kernel.beta) / parts)
    return GaussianKernel(beta.repeat_interleave(int(parts)))


def ends(kernel: GaussianKernel) -> Tensor:
    """The entropies of K with their signs: of the last state, of the first, of the prior."""
    zero = one(0)
    after, first = kernel.marginal_entropy(zero, kernel.T), kernel.marginal_entropy(zero, 1)
    return torch.cat([after, -first, -kernel.prior_entropy((1,))[None]])


def numbers(point: Point) -> Tensor:
    """What the arithmetic of the page is compared with."""
    data, kernel = known(point), GaussianKernel(rates(point))
    finer = scores(data, split(kernel, 3), point["v0"])
    rest = [costs(data, kernel).sum()[None], ends(kernel), (finer[0] - finer[1])[None]]
    return torch.cat([scores(data, kernel, point["v0"]), *rest])


FIRST: dict[str, float] = {"schedule": 0, "data": 0, "T": 40, "v0": 0.25}
WAVE = {f"b{n}": -1.2 + 0.9 * math.sin(0.7 * n) for n in range(KNOTS)}
INPUTS: list[Point] = [
    {"schedule": a, "T": b, "v0": c, "data": d, **WAVE}
    for a, b, c, d in (
        (0, 10, 0.25, 0), (1, 10, 4, 0), (2, 77, 1, 0), (3, 200, 0.05, 0), (0, 2, 2.2, 0),
        (4, 23, 0.5, 0), (0, 12, 1, 1), (1, 40, 0.3, 1), (4, 9, 2.5, 1), (0, 7, 1, 2),
        (2, 30, 3.1, 2), (4, 17, 0.6, 2),
    )
]  # fmt: skip


def bound() -> Touch:
    """Terms of K, L and the gap, for data of which all is known and rates that are drawn.

    Source: :eq:`jensen-bound`, :eq:`bound-correction`, :eq:`bound-ceiling`, :eq:`optimal-bound`,
    :eq:`bound-entropies`.
    """
    data, kernel = known(FIRST), GaussianKernel(rates(FIRST))
    log_rates, lost = kernel.beta.log10(), costs(data, kernel)
    knots = _between(log_rates, line(0, 1, KNOTS))
    begun = knots.clamp(LEAST, MOST).mul(100).round().div(100).tolist()
    return Touch(
        "bound", _controls({f"b{n}": height for n, height in enumerate(begun)}),
        [
            _rates(log_rates, knots, lost.log10()),
            *_bars(scores(data, kernel, FIRST["v0"]), lost.sum(), ends(kernel)),
            _gaps(data, kernel),
        ],
        {"knots": KNOTS, "least": LEAST, "most": MOST, "share": SHARE},
        INPUTS, [numbers(point) for point in INPUTS],
        "The bound of data of which all is known: draw the rates; the gap to L falls as steps are "
        "split, and for a variance above 1 equation 14 may lie above L.",
        "First: rates that rise, drawn by blue points, and the divergences of the steps below "
        "them. Then bars: the terms of K; K of equations 12 and 14, L, and the ceiling, the "
        "highest. Last the gap between L and K on logarithmic axes, along a line of slope -1.",
    )  # fmt: skip


def _controls(bends: dict[str, float]) -> list[Control]:
    """Rates, data, T, variance, and the points of a drawn curve, of which the ends have names."""
    ends_of_it = {"b0": "first rate", f"b{KNOTS - 1}": "last rate"}
    hidden = [name for name in bends if name not in ends_of_it]
    return [
        Control("schedule", "rates", 0, 4, 1, FIRST["schedule"], SCHEDULES),
        Control("data", "data", 0, 2, 1, FIRST["data"], DATA),
        *(Control(b, label, LEAST, MOST, 0.01, bends[b]) for b, label in ends_of_it.items()),
        Control("T", "steps T", 2, 200, 1, FIRST["T"]),
        Control("v0", "variance of the data", 0.05, 4, 0.05, FIRST["v0"]),
        *(Control(b, "", LEAST, MOST, 0.01, bends[b], hidden=True) for b in hidden),
    ]


def _rates(log_rates: Tensor, knots: Tensor, log_lost: Tensor) -> Panel:
    """Rates of all steps, points by which they are drawn, and what the steps from 2 on cost."""
    steps, places = line(0, 1, len(log_rates)), line(0, 1, KNOTS)
    return Panel(
        (-0.04, 1.04), (-4, 1.2), "step, from the first to the last",
        ({0: "1", 1: "T"}, (-3, -2, -1, 0)),
        [
            Curve("beta", "rate, power of ten", "blue", steps, log_rates),
            Curve("knots", "", "blue dots", places, knots.where(knots != 0, -1e-9)),
            Curve("costs", "divergence, nats", "red dashed", steps[1:], log_lost),
        ],
    )  # fmt: skip


def _bars(found: Tensor, lost: Tensor, entropies: Tensor) -> list[Panel]:
    """Terms of K; and what its two forms, L and the ceiling are above the score of nothing."""
    L, K, K_14, top, null = found
    terms = Panel(
        (-0.6, 4.6), (-4.6, 3), "terms of K, nats",
        ({0: "−ΣKL", 1: "H(T|0)", 2: "−H(1|0)", 3: "−H(prior)", 4: "12−14"}, (-4, -2, 0, 2)),
        [
            Curve("kl", "", "red bars", torch.zeros(1), -lost[None]),
            Curve("ends", "", "blue bars", torch.arange(1.0, 4), entropies),
            Curve("rest", "", "grey bars", torch.tensor([4.0]), (K - K_14)[None]),
        ],
    )  # fmt: skip
    sums = Panel(
        (-0.6, 3.6), (-0.2, 3.2), "nats above the score of knowing nothing",
        ({0: "K, (12)", 1: "K, (14)", 2: "L", 3: "ceiling"}, (0, 1, 2, 3)),
        [
            Curve("bounds", "", "blue bars", torch.arange(2.0), torch.stack([K, K_14]) - null),
            Curve("truth", "", "black bars", torch.tensor([2.0]), (L - null)[None]),
            Curve("top", "", "grey bars", torch.tensor([3.0]), (top - null)[None]),
        ],
    )  # fmt: skip
    return [terms, sums]


def _gaps(data: GaussianLaw | MixtureLaw, kernel: GaussianKernel) -> Panel:
    """The gap as each step is split, beside a line of slope -1; logarithmic axes."""
    most = math.log2(PARTS)
    halvings = line(0, most, 13)
    gaps = torch.stack([_gap(data, kernel, 2.0**n, FIRST["v0"]) for n in halvings.tolist()]).log10()
    like_1_T = gaps[:1] - one(0, math.log10(PARTS))[:, 0]
    return Panel(
        (0, most), (-5, 0.6), "each step split into equal parts",
        ({0: "1", 2: "4", 4: "16", 6: "64"}, (-4, -2, 0)),
        [
            Curve("gaps", "gap L − K (12), power of ten", "black", halvings, gaps),
            Curve("slope", "like 1/T", "grey dashed", one(0, most)[:, 0], like_1_T),
        ],
    )  # fmt: skip


def _gap(data: GaussianLaw | MixtureLaw, kernel: GaussianKernel, parts: float, v0: float) -> Tensor:
    """L - K of equation 12 with the first step split: no other rate matters, as steps compose."""
    first = -torch.expm1(torch.log1p(-kernel.beta[0]) / parts)
    rest = 1 - kernel.alpha_bar[-1] / (1 - first)
    found = scores(data, GaussianKernel(torch.stack([first, rest])), v0)
    return found[0] - found[1]
