"""What the build keeps together on one line."""

import pytest

from book_ext.typography import keep_numbers

LINK = '<a class="reference internal" href="terms.html#equation-edge-term">'


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("<td>1e-05</td>", '<td><span class="dpm-whole">1e-05</span></td>'),
        ("<p>error 2.3e+10 of 4</p>", '<p>error <span class="dpm-whole">2.3e+10</span> of 4</p>'),
        ("<pre>1e-05</pre>", "<pre>1e-05</pre>"),
        ('<a href="#1e-05">a</a>', '<a href="#1e-05">a</a>'),
        (f"<p>zero ({LINK}(8.2)</a>).</p>", f"<p>zero ({LINK}8.2</a>).</p>"),
        (f"<p>zero, {LINK}(8.2)</a>.</p>", f"<p>zero, {LINK}(8.2)</a>.</p>"),
    ],
)
def test_numbers_are_whole_and_bracketed_once(before, after):
    context = {"body": before}
    keep_numbers(None, "", "", context, None)
    assert context["body"] == after
