"""Figures that move and figures to touch, in a page, with nothing to install.

What a figure shows is in its HTML, and the scripts beside these files play it.  Of a figure to
touch, the first picture and the numbers that it is checked against come from the library.
"""

from dpm_lib.explore.beats import heartbeat
from dpm_lib.explore.budget import bound
from dpm_lib.explore.clouds import chains
from dpm_lib.explore.film import Film
from dpm_lib.explore.small_steps import reversal
from dpm_lib.explore.studio import draw_and_train
from dpm_lib.explore.touch import Control, Curve, Panel, Touch
from dpm_lib.explore.twice import evidence_twice
from dpm_lib.explore.two_bells import posterior

__all__ = [
    "Control", "Curve", "Film", "Panel", "Touch", "bound", "chains", "draw_and_train",
    "evidence_twice", "figures", "heartbeat", "posterior", "reversal",
]  # fmt: skip


def figures() -> list[Touch]:
    """All figures to touch, each as it is at first."""
    return [
        chains(),
        posterior(),
        bound(),
        reversal(),
        evidence_twice(),
        heartbeat(),
        draw_and_train(),
    ]
