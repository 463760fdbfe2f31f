"""Names of the library in code lead to what the library says of them, and no other name does."""

import re

import pytest
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import Python3Lexer

from book_ext import names
from dpm_lib.evidence import usage


def cell(code):
    """A code cell as the build highlights it."""
    inner = highlight(code, Python3Lexer(), HtmlFormatter())
    return f'<div class="cell_input docutils container">\n{inner}</div>'


def linked(code, before="import dpm_lib as dpm", known=None):
    """The names of a cell that are links, with where these lead."""
    html = names.link_names(cell(code), names.imported([before, code]), known or (lambda n: n))
    return dict(pair[::-1] for pair in re.findall(
        r'<a class="dpm-name" href="([^"]*)"><span class="n">(\w+)</span></a>', html
    ))  # fmt: skip


def test_a_public_name_leads_to_where_it_is_defined():
    assert linked("terms = dpm.bound(model, x0)") == {"bound": "dpm_lib.bounds.bound"}
    assert linked("dpm.schedules.linear(4, 0.1, 0.2)") == {"linear": "dpm_lib.schedules.linear"}
    found = linked("plots.use_style()", "from dpm_lib import plots")
    assert found == {"use_style": "dpm_lib.plots.use_style"}
    found = linked("Derivation(a)", "from dpm_lib.symbolic import Derivation")
    assert found == {"Derivation": "dpm_lib.symbolic.derivation.Derivation"}


@pytest.mark.parametrize(
    ("code", "before"),
    [
        ("other.bound(x)", "import dpm_lib as dpm"),
        ("model.dpm.bound(x)", "import dpm_lib as dpm"),
        ("bound(x)", "import dpm_lib as dpm"),
        ("dpm.no_such_name(x)", "import dpm_lib as dpm"),
        ("draw = 3\nprint(draw)", "from dpm_lib import draw"),
        ("for draw in range(3):\n    print(draw)", "from dpm_lib import draw"),
        ("def f(draw):\n    return draw", "from dpm_lib import draw"),
        ("f(draw=3)", "from dpm_lib import draw"),
        ("torch.nn.Linear(2, 3)", "import torch"),
    ],
)
def test_another_thing_of_that_name_leads_nowhere(code, before):
    known = usage._public()
    assert linked(code, before, lambda name: name if name in known else None) == {}


def test_what_the_library_does_not_document_leads_nowhere():
    assert linked("dpm.bound(x)", known=lambda name: None) == {}


def test_only_cells_are_linked():
    html = highlight("dpm.bound(x)", Python3Lexer(), HtmlFormatter())
    assert names.link_names(html, {"dpm": "dpm_lib"}, lambda name: name) == html
