r""":math:`x^{(0)}, x^{(T/2)}, x^{(T)}` to look at: a few figures of matplotlib.

Figures are dark lines on nothing: a light page shows them as they are, a dark one inverted.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn.functional import pad

from dpm_lib.evidence.storage import replace_file

__all__ = ["Table", "chain", "image_grid", "use_style", "write_samples"]


class Table:
    """Rows of text that a notebook shows as a table; the first row is the header.

    >>> Table(("K", "bits"), ("trained", "-1.47"))
    | K | bits |
    |---|---|
    | trained | -1.47 |
    """

    def __init__(self, *rows: Sequence[str]) -> None:
        self.rows = rows

    def _repr_markdown_(self) -> str:
        lines = [f"| {' | '.join(row)} |" for row in self.rows]
        return "\n".join([lines[0], "|---" * len(self.rows[0]) + "|", *lines[1:]])

    __repr__ = _repr_markdown_


def use_style() -> None:
    """Set the style of all figures of the book; in a notebook they have two pixels for each point.

    Notebooks keep the size at which such a picture is meant to be shown.
    """
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        from matplotlib_inline.backend_inline import set_matplotlib_formats

        set_matplotlib_formats("retina")
    plt.rcParams.update(
        {
            "figure.dpi": 110,
            "figure.facecolor": "none",
            "savefig.facecolor": "none",
            "axes.facecolor": "none",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.color": "#e4e4de",
            "axes.axisbelow": True,
            "font.family": "DejaVu Sans",
            "font.size": 9,
            "image.cmap": "gray",
        }
    )


def chain(
    trajectory_q: Tensor, trajectory_p: Tensor, points: Tensor, drift: Mapping[int, Tensor]
) -> Figure:
    r"""Forward chain, reverse chain and drift at t = 0, T/2, T, after the paper's Figure 1.

    Args:
        trajectory_q: forward states, ``(T + 1, n, 2)``, index t.
        trajectory_p: reverse states, ``(T + 1, m, 2)``, index t.
        points: where the drift is drawn, ``(k, 2)``.
        drift: t to :math:`f_\mu(x, t) - x` at the points, ``(k, 2)``, for each column that has it.

    Source: paper Figure 1.
    """
    T = len(trajectory_q) - 1
    figure, axes = plt.subplots(3, 3, figsize=(7, 7), sharex=True, sharey=True)
    for column, (t, label) in enumerate(((0, "0"), (T // 2, "T/2"), (T, "T"))):
        axes[0, column].set_title(f"t = {label}")
        for axis, x, colour in (
            (axes[0, column], trajectory_q[t], "#1f5fa8"),
            (axes[1, column], trajectory_p[t], "#b5472f"),
        ):
            axis.plot(*x.detach().cpu().T.numpy(), ".", ms=2, alpha=0.6, color=colour)
        if t in drift:
            arrows = (a for u in (points, drift[t]) for a in u.detach().cpu().T.numpy())
            axes[2, column].quiver(*arrows, angles="xy", width=0.006, color="#444444")
        else:
            axes[2, column].set_axis_off()
    for axis, label in zip(axes[:, 0], ("forward q", "reverse p", "drift"), strict=True):
        axis.set_ylabel(label)
    axes[0, 0].set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    figure.tight_layout()
    return figure


def image_grid(images: Tensor, columns: int) -> Figure:
    """Grey images ``(n, height, width)`` in rows of ``columns``, on one scale of grey.

    Each has a margin of one dark pixel.

    Raises:
        ValueError: no image, images of another shape, or no columns.
    """
    if images.ndim != 3 or not len(images) or columns < 1:
        raise ValueError(
            f"images must be (n, height, width) and columns positive, got {tuple(images.shape)} "
            f"and {columns}"
        )
    n, height, width = images.shape
    rows = -(-n // columns)
    low, high = images.min().item(), images.max().item()
    pixels = pad(images.detach().cpu(), (1, 1, 1, 1), value=low)
    size = (0.8 * columns, 0.8 * rows * height / width)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, image in zip(axes.flat, pixels, strict=False):
        axis.imshow(image.numpy(), vmin=low, vmax=high)
    figure.tight_layout(pad=0.2)
    return figure


def write_samples(path: Path, samples: Tensor) -> None:
    """Write samples to a file, all or nothing: an array (.npy) or a picture (.png, .svg, .pdf).

    Points ``(n, 2)`` are drawn in their plane, images ``(n, height, width)`` or
    ``(n, 1, height, width)`` in grey, other examples as the rows of one image.

    Raises:
        ValueError: the name of the file ends in something else, or there are no samples.
    """
    content, kind = BytesIO(), path.suffix.lower()
    if not samples.ndim or not len(samples):
        raise ValueError(f"samples must be (n, *event) with n positive, got {tuple(samples.shape)}")
    samples = samples.detach().cpu()
    if kind == ".npy":
        np.save(content, samples.numpy())
    elif kind in (".png", ".svg", ".pdf"):
        _figure(samples).savefig(content, format=kind[1:])
    else:
        raise ValueError(f"out must end in .npy, .png, .svg or .pdf, got {path.name!r}")
    replace_file(path, content.getvalue())


def _figure(samples: Tensor) -> Figure:
    n = len(samples)
    images = samples.squeeze(1) if samples.ndim == 4 and samples.shape[1] == 1 else samples
    if images.ndim == 3:
        return image_grid(images, max(1, round(math.sqrt(n))))
    figure, axis = plt.subplots(figsize=(5, 5))
    if images[0].shape == (2,):
        axis.plot(*images.T.numpy(), ".", ms=3, alpha=0.6, color="#1f5fa8")
        axis.set_aspect("equal")
    else:
        axis.imshow(images.reshape(n, -1).numpy(), aspect="auto")
        axis.set(xlabel="coordinate", ylabel="example")
    return figure
