r""":math:`x^{(T)} \to x^{(0)}` to watch: a cloud of points, one frame for each step."""

from base64 import b64encode
from html import escape
from importlib.resources import files

from torch import Tensor

from dpm_lib import doors

__all__ = ["Film"]

REACH = 3.0
"""Half the side of the square that is shown."""


class Film:
    r"""Points that move from step T to step 0, one frame for each step.

    In a notebook and on a page it plays once, and can be played again, dragged to any step, or read
    as a still picture of step 0 where nothing moves (print, no scripts, reduced motion).

    Args:
        states: points at steps 0 … T, ``(T + 1, n, 2)``; those outside of the square
            :math:`[-3, 3]^2` stand at its edge.
        alt: what the film shows, in words.

    Raises:
        TypeError: states is no tensor, or alt no text.
        ValueError: states has another shape or is not finite, or alt is empty.
    """

    def __init__(self, states: Tensor, alt: str) -> None:
        doors.tensor("states", states, "(T + 1, n, 2)", ndim=3)
        if states.shape[2] != 2:
            raise ValueError(f"states must have shape (T + 1, n, 2), got {tuple(states.shape)}")
        if not isinstance(alt, str):
            raise TypeError(f"alt must be a text, got {doors.name_of(alt)}")
        if not alt.strip():
            raise ValueError(f"alt must say what the film shows, got {alt!r}")
        self.states, self.alt = states, alt

    def __repr__(self) -> str:
        steps, n, _ = self.states.shape
        return f"[film of {n} points in {steps} frames: {self.alt}]"

    def _repr_html_(self) -> str:
        """A figure whose points are in hundredths, bytes of (frame, point, axis)."""
        T, n = len(self.states) - 1, self.states.shape[1]
        inside = (self.states.detach().cpu() / REACH).clamp(-1, 1)
        frames = (inside * 100).round().char().contiguous().numpy()
        data = b64encode(frames.tobytes()).decode()
        still = "".join(f"M{x} {-y}h0" for x, y in frames[0].tolist())
        script = files(__package__).joinpath("film.js").read_text(encoding="utf8")
        return (
            f'<figure class="dpm-figure dpm-film" data-points="{n}" data-frames="{data}">'
            f'<svg viewBox="-104 -104 208 208" role="img" aria-label="{escape(self.alt)}">'
            f'<path d="{still}"/></svg><div hidden><button type="button">Play</button> '
            f'<input type="range" min="0" max="{T}" value="0" aria-label="step t of the film"> '
            f"<output>t = 0</output></div></figure><script>{script}</script>"
        )
