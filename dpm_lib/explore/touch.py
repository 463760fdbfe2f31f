"""Figures to touch: sliders and handles, curves that follow, and a check of their arithmetic.

The library draws the first picture and stores inputs with its own results.  The script computes
them anew as the page loads, and the figure says how far it is from the library at most.
"""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

__all__ = ["Control", "Curve", "Panel", "Point", "Touch", "density", "line", "one"]

Point = Mapping[str, float]
"""Values of the controls, by name."""

LEFT, RIGHT, TOP, BOTTOM = 34.0, 332.0, 12.0, 196.0
"""The plane of a panel in a picture of 340 by 230."""


@dataclass(frozen=True)
class Control:
    """A number that the reader moves: its name in the script, its label, its range.

    Attributes:
        options: names of what the numbers 0, 1, ... choose, if it is a choice.
        play: whether a button lets it run from its largest value to its least.
        hidden: whether only the script moves it; the address keeps it all the same.
    """

    name: str
    label: str
    low: float
    high: float
    step: float
    value: float
    options: tuple[str, ...] = ()
    play: bool = False
    hidden: bool = False


@dataclass(frozen=True)
class Curve:
    """A curve of a panel as it is at first.

    Attributes:
        name: its name in the script.
        label: what the legend says.
        kind: "blue", "red", "grey" or "black"; "bars", "dots" (of what is in the plane
            and not 0) or "dashed" may follow.
        x, y: its points; NaN in both is a gap.
    """

    name: str
    label: str
    kind: str
    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Panel:
    """A plane with curves.

    Attributes:
        handles: controls that stand in it as lines to drag.
    """

    x: tuple[float, float]
    y: tuple[float, float]
    xlabel: str
    ticks: tuple[Mapping[float, str] | Sequence[float], Sequence[float]]
    curves: Sequence[Curve]
    handles: tuple[str, ...] = field(default=())

    def place(self, x: float, y: float) -> tuple[float, float]:
        """Where a point of the plane is in the picture."""
        across = LEFT + (RIGHT - LEFT) * (x - self.x[0]) / (self.x[1] - self.x[0])
        up = BOTTOM + (TOP - BOTTOM) * (y - self.y[0]) / (self.y[1] - self.y[0])
        return across, up

    def holds(self, x: float, y: float) -> bool:
        """Whether a point lies in the plane."""
        return self.x[0] <= x <= self.x[1] and self.y[0] <= y <= self.y[1]


class Touch:
    """A figure that the reader moves.

    Args:
        name: of the script beside this file.
        controls: what can be moved.
        panels: what is shown.
        data: numbers that the script needs, by name; tensors become lists, at any depth.
        inputs: what the arithmetic of the page is checked at, one mapping of names for each.
        outputs: what the library says there, a vector for each.
        words: what the figure shows, in a sentence or two.
        alt: the first picture in words.
    """

    def __init__(
        self,
        name: str,
        controls: Sequence[Control],
        panels: Sequence[Panel],
        data: Mapping[str, Any],
        inputs: Sequence[Point],
        outputs: Sequence[Tensor],
        words: str,
        alt: str,
    ) -> None:
        self.name, self.controls, self.panels = name, controls, panels
        self.data, self.inputs, self.outputs = data, inputs, outputs
        self.words, self.alt = words, alt

    def __repr__(self) -> str:
        return f"[figure to touch: {self.words}]"

    def _repr_html_(self) -> str:
        """The first picture, the controls, the numbers and the scripts."""
        scripts = "".join(
            f"<script>{files(__package__).joinpath(name).read_text(encoding='utf8')}</script>"
            for name in ("touch.js", f"{self.name}.js")
        )
        numbers = json.dumps(
            {
                "data": _listed(self.data),
                "inputs": list(self.inputs),
                "outputs": [_listed(row) for row in self.outputs],
                "panels": [{"x": p.x, "y": p.y} for p in self.panels],
            },
            separators=(",", ":"),
        )
        panels = "".join(
            _svg(panel, self.alt if n == 0 else "") for n, panel in enumerate(self.panels)
        )
        controls = "".join(map(_control, self.controls))
        return (
            f'<figure class="dpm-figure dpm-touch" id="touch-{self.name}" '
            f'data-figure="{self.name}"><div class="dpm-panels">{panels}</div>'
            f'<div class="dpm-controls" hidden>{controls}</div>'
            f'<p class="dpm-reading" role="status"></p><p class="dpm-parity"></p>'
            f'<script type="application/json">{numbers}</script></figure>{scripts}'
        )


def _listed(value: Any) -> Any:
    """Numbers as lists, at any depth."""
    if isinstance(value, Mapping):
        return {key: _listed(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_listed(each) for each in value]
    return value.double().tolist() if isinstance(value, Tensor) else value


def _control(c: Control) -> str:
    if c.hidden:
        return f'<input type="hidden" name="{c.name}" value="{c.value:g}">'
    label = f"<label><span>{c.label}</span> "
    if c.options:
        chosen = "".join(
            f'<option value="{n}"{" selected" * (n == c.value)}>{escape(name)}</option>'
            for n, name in enumerate(c.options)
        )
        return f'{label}<select name="{c.name}">{chosen}</select></label>'
    button = f'<button type="button" data-play="{c.name}">Play</button>' if c.play else ""
    return (
        f'{label}<input type="range" name="{c.name}" min="{c.low:g}" max="{c.high:g}" '
        f'step="{c.step:g}" value="{c.value:g}"> <output></output></label>{button}'
    )


def _svg(panel: Panel, alt: str) -> str:
    role = f'role="img" aria-label="{escape(alt)}"' if alt else 'aria-hidden="true"'
    frame = f'<path class="frame" d="M{LEFT} {TOP}V{BOTTOM}H{RIGHT}"/>'
    below = panel.ticks[0]
    named = below if isinstance(below, Mapping) else {x: f"{x:g}" for x in below}
    ticks = "".join(
        f'<text x="{panel.place(x, panel.y[0])[0]:.1f}" y="{BOTTOM + 14}">{text}</text>'
        for x, text in named.items()
    )
    for y in panel.ticks[1]:
        (_, height) = panel.place(panel.x[0], y)
        ticks += f'<text class="up" x="{LEFT - 4}" y="{height + 3.5:.1f}">{y:g}</text>'
    name = f'<text x="{(LEFT + RIGHT) / 2}" y="{BOTTOM + 29}">{panel.xlabel}</text>'
    curves = "".join(
        f'<path class="{c.kind}" data-curve="{c.name}" d="{_path(panel, c)}"/>'
        for c in panel.curves
    )
    legend = "".join(
        f'<tspan class="{c.kind}" x="{RIGHT - 2}" dy="{13 if n else 0}">{c.label}</tspan>'
        for n, c in enumerate([c for c in panel.curves if c.label])
    )
    handles = "".join(f'<line class="handle" data-handle="{name}"/>' for name in panel.handles)
    return (
        f'<svg viewBox="0 0 340 230" {role}>{frame}{ticks}{name}{curves}{handles}'
        f'<text class="legend" y="{TOP + 9}">{legend}</text></svg>'
    )


def _path(panel: Panel, curve: Curve) -> str:
    pairs = list(zip(curve.x.tolist(), curve.y.tolist(), strict=True))
    if "dots" in curve.kind:
        places = [panel.place(x, y) for x, y in pairs if y and panel.holds(x, y)]
        return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in places)
    points = [panel.place(x, y) for x, y in pairs]
    if "bars" in curve.kind:
        (_, foot) = panel.place(0, max(0.0, panel.y[0]))
        return "".join(f"M{x:.1f} {foot:.1f}V{y:.1f}" for x, y in points)
    drawn, pen = "", "M"
    for x, y in points:
        drawn += "" if math.isnan(x) else f"{pen}{x:.1f} {y:.1f}"
        pen = "M" if math.isnan(x) else "L"
    return drawn


def one(*values: float) -> Tensor:
    """Numbers as states of one coordinate, ``(B, 1)``, float64."""
    return torch.tensor(values, dtype=torch.float64)[:, None]


def density(law: Distribution, x: Tensor) -> Tensor:
    """Density of a law of one state, batch 1, at many places, scaled to height 1."""
    log = law.expand((len(x),)).log_prob(x[:, None])
    return (log - log.max()).exp()


def line(low: float, high: float, count: int = 161) -> Tensor:
    """Places at which curves are drawn, ``(count,)``, float64."""
    return torch.linspace(low, high, count, dtype=torch.float64)
