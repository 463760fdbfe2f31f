"""What the build leaves out of a page, and the room it keeps for formulas."""

import pytest

from book_ext.mathjax import room
from book_ext.weight import KEYWORD, NUMBER, PLAIN_TOKEN, bare, purged

WORDS = {"shown", "turn"}


@pytest.mark.parametrize(
    ("css", "left"),
    [
        (".shown{a:b}.lost{a:b}", ".shown{a:b}"),
        (".lost,.shown a,p{a:b}", ".shown a,p{a:b}"),
        (".shown.lost{a:b}", ""),
        ("p:not(.lost){a:b}", "p:not(.lost){a:b}"),
        (":is(.shown,.lost){a:b}", ":is(.shown,.lost){a:b}"),
        ("@media print{.lost{a:b}.shown{a:b}}", "@media print{.shown{a:b}}"),
        ("@media print{.lost{a:b}}p{a:b}", "p{a:b}"),
        ("@keyframes turn{to{a:b}}@keyframes lost{to{a:b}}", "@keyframes turn{to{a:b}}"),
        ("@font-face{src:url(a)}", "@font-face{src:url(a)}"),
        ("/* {} */ @import 'a.css';", "@import 'a.css';"),
        (r".bs-tooltip{a:b}.w\/2{a:b}", r".bs-tooltip{a:b}.w\/2{a:b}"),
    ],
)
def test_purged_keeps_what_pages_name(css, left):
    assert purged(css, WORDS) == left


def test_our_own_styles_lose_comments_and_line_breaks():
    assert bare('/* a\n b */\np,\nq {\n  a: "b: ";\n}\n') == 'p, q { a: "b: "; }'


def test_tokens_without_colour_lose_their_span():
    code = '<span class="k">def</span> <span class="n">f</span><span class="p">():</span>'
    assert PLAIN_TOKEN.sub(r"\1", code) == '<span class="k">def</span> f():'
    code = 'x<span class="o">=</span><span class="mi">1</span>'
    assert NUMBER.sub(r"<i>\1</i>", PLAIN_TOKEN.sub(r"\1", code)) == "x=<i>1</i>"
    assert KEYWORD.sub(r"<b>\1</b>", '<span class="ow">in</span>') == "<b>in</b>"


def test_room_grows_with_the_signs_that_show():
    assert room(r"\beta_t") == room(r"\bar\beta_{t}") < room(r"x^{(t-1)}")
    assert room(r"\left(x\right)") == room("(x)") > room("x^{(x)}") - room("x") > 0
