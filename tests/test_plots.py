import matplotlib as mpl
import matplotlib.pyplot as plt
import pytest
import torch

from dpm_lib import plots


@pytest.fixture(autouse=True)
def _quiet():
    mpl.use("Agg")
    with mpl.rc_context():
        plots.use_style()
        yield
    plt.close("all")


def test_chain(generator):
    """Figure 1 has three rows and three columns, and no panel of its own."""
    x = torch.randn(5, 20, 2, generator=generator)
    figure = plots.chain(x, x, x[0], {0: x[1], 2: x[2]})
    assert len(figure.axes) == 9
    assert figure.get_facecolor()[3] == 0
    figure.canvas.draw()


def test_grid():
    """Images fill rows of the given length; each has a dark margin, and nothing else is changed."""
    images = torch.rand(5, 8, 8)
    figure = plots.image_grid(images, 3)
    assert len(figure.axes) == 6
    shown = torch.from_numpy(figure.axes[4].images[0].get_array().data)
    assert torch.equal(shown[1:-1, 1:-1], images[4])
    assert (shown[[0, -1]] == images.min()).all()
    assert (shown[:, [0, -1]] == images.min()).all()


def test_table():
    """A table is Markdown with one header."""
    lines = plots.Table(("a", "b"), ("1", "2"))._repr_markdown_().splitlines()
    assert lines == ["| a | b |", "|---|---|", "| 1 | 2 |"]


def test_samples_are_drawn_by_their_shape(tmp_path):
    """Pictures with and without a channel are the same grid; rows of numbers are one image."""
    grey = torch.rand(6, 8, 8)
    sizes = {}
    for name, samples in (("grey", grey), ("channel", grey[:, None]), ("rows", grey.flatten(1))):
        plots.write_samples(tmp_path / f"{name}.png", samples)
        sizes[name] = plt.imread(tmp_path / f"{name}.png")
    assert (sizes["grey"] == sizes["channel"]).all()
    assert sizes["rows"].shape != sizes["grey"].shape
