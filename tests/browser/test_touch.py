"""Figures to touch, by pointer and by keyboard: they follow, and compute what the library does."""

import re

import pytest

from book_ext import house
from tests.browser import measure

FIGURES = [
    (page, name)
    for page in house.pages()
    for name in re.findall(r"^explore\.(\w+)\(\)$", house.source(page), re.M)
]
NAMED = """figure => Object.fromEntries([...figure.querySelectorAll('[data-curve]')]
  .map(path => [path.dataset.curve, path.getAttribute('d')]))"""
SHOW = "panel => panel.scrollIntoView({block: 'center', behavior: 'instant'})"
DRAWN = "figure => [...figure.querySelectorAll('[data-curve]')].map(path => path.getAttribute('d'))"


@pytest.fixture(params=FIGURES, ids="-".join)
def figure(request, context):
    page, name = request.param
    tab = context.new_page()
    tab.set_viewport_size({"width": measure.WIDE, "height": 900})
    tab.goto(measure.address(page))
    tab.evaluate(measure.READY)
    yield tab.locator(f"#touch-{name}")
    tab.close()


def test_its_arithmetic_is_that_of_the_library(figure):
    """Of the numbers that are stored with it, to rounding; and the figure says so."""
    assert float(figure.get_attribute("data-parity")) < 1e-10
    assert "dpm_lib agree to" in figure.locator(".dpm-parity").inner_text()


def numbers(path):
    return [float(number) for number in re.findall(r"-?\d+\.?\d*", path)]


def test_the_script_draws_what_the_library_drew(figure):
    """The curves of the page before the script ran, within a tenth of a unit of the picture.

    Clouds on their way back are drawn anew: there the library and the script have other noise.
    """
    tab = figure.page
    name = figure.get_attribute("data-figure")
    before = re.findall(
        r'data-curve="(\w+)" d="([^"]*)"',
        measure.source(tab).split(f'id="touch-{name}"')[1].split("</figure>")[0],
    )
    after = figure.evaluate(DRAWN)
    assert len(before) == len(after)
    for (curve, was), now in zip(before, after, strict=True):
        if curve in ("reverse", "model"):
            continue
        apart = [abs(a - b) for a, b in zip(numbers(was), numbers(now), strict=True)]
        assert max(apart, default=0) < 0.1, curve


def test_it_follows_keys_and_pointer(figure):
    """Each slider by keys, each handle by dragging; the words change with the picture."""
    sliders = figure.locator("input[type=range]")
    for n in range(sliders.count()):
        drawn = figure.evaluate(DRAWN)
        sliders.nth(n).focus()
        least = sliders.nth(n).get_attribute("min") == sliders.nth(n).input_value()
        for _ in range(8):
            sliders.nth(n).press("ArrowRight" if least else "ArrowLeft")
        assert figure.evaluate(DRAWN) != drawn
    for panel in figure.locator("svg.draggable").all():
        drawn = figure.evaluate(DRAWN)
        panel.scroll_into_view_if_needed()
        box = panel.bounding_box()
        mouse = figure.page.mouse
        mouse.move(box["x"] + 0.5 * box["width"], box["y"] + 0.5 * box["height"])
        mouse.down()
        mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.5 * box["height"])
        mouse.up()
        assert figure.evaluate(DRAWN) != drawn
    assert figure.locator(".dpm-reading").inner_text()


def test_a_reader_draws_and_trains(context):
    """Points where the pointer goes; then K grows, and the model draws near them."""
    tab = context.new_page()
    tab.set_viewport_size({"width": measure.WIDE, "height": 900})
    tab.goto(measure.address("touch"))
    tab.evaluate(measure.READY)
    figure = tab.locator("#touch-draw_and_train")
    figure.get_by_role("button", name="Clear").click()
    panel = figure.locator("svg").first
    panel.scroll_into_view_if_needed()
    box = panel.bounding_box()
    tab.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.4 * box["height"])
    tab.mouse.down()
    tab.mouse.move(box["x"] + 0.8 * box["width"], box["y"] + 0.5 * box["height"], steps=40)
    tab.mouse.up()
    assert figure.evaluate(DRAWN)[0].count("M") > 20
    figure.get_by_role("button", name="Train").click()
    figure.get_by_text(re.compile(r"^[3-9]\d\d updates")).wait_for()
    figure.get_by_role("button", name="Stop").click()
    curve = numbers(figure.evaluate(DRAWN)[3])
    first, last = curve[1], curve[-1]
    tab.close()
    assert last < first  # the picture's axis points down


@pytest.fixture
def phone(context):
    """A page on a telephone, and what a finger does on it."""
    screen = {"width": measure.PHONE, "height": 844}
    mobile = context.browser.new_context(viewport=screen, has_touch=True, is_mobile=True)
    tab = mobile.new_page()
    tab.goto(measure.address("touch"))
    tab.evaluate(measure.READY)
    glass = mobile.new_cdp_session(tab)

    def swipe(box, x, y):
        """From the middle of a box, so far."""
        at = [box["x"] + box["width"] / 2, box["y"] + box["height"] / 2]
        for kind, share in [("Start", 0), *(("Move", n / 30) for n in range(31)), ("End", None)]:
            points = [] if share is None else [{"x": at[0] + share * x, "y": at[1] + share * y}]
            glass.send("Input.dispatchTouchEvent", {"type": f"touch{kind}", "touchPoints": points})
        tab.wait_for_timeout(500)

    yield tab, swipe
    mobile.close()


def test_a_finger_draws_a_law_and_scrolls_elsewhere(phone):
    """In the first plane alone, if it was chosen so; the exact reversal comes back to the form."""
    tab, swipe = phone
    figure = tab.locator("#touch-chains")
    first, second, third = figure.locator("svg").all()

    def moved(panel, x, y):
        """How far the page scrolls under a finger."""
        panel.evaluate(SHOW)
        before = tab.evaluate("scrollY")
        swipe(panel.bounding_box(), x, y)
        return tab.evaluate("scrollY") - before

    assert moved(first, 0, -120) > 50
    assert figure.locator(".dpm-controls").bounding_box()["y"] < 800  # they stay at hand
    figure.locator("select").select_option("draw your own")
    assert "Draw" in figure.locator(".dpm-reading").inner_text()
    assert moved(first, 100, 60) == 0
    assert moved(first, -100, 60) == 0
    assert moved(second, 0, -120) > 50
    assert "three laws" in third.text_content()
    drawn = figure.evaluate(NAMED)
    assert drawn["forward"].count("M") > 200
    assert not drawn["model"]
    ends = [numbers(drawn[cloud]) for cloud in ("forward", "reverse")]
    middles = [[sum(end[axis::3]) / len(end[axis::3]) for axis in (0, 1)] for end in ends]
    assert max(abs(a - b) for a, b in zip(*middles, strict=True)) < 8


def test_an_address_keeps_its_state(figure):
    """What a reader set stands in the address, and the address sets it again."""
    slider = figure.locator("input[type=range]").first
    if not slider.count():
        pytest.skip("it has no slider")
    slider.focus()
    slider.press("Home")
    tab, name = figure.page, figure.get_attribute("data-figure")
    value, address = slider.input_value(), tab.url
    assert f"#{name}&" in address
    again = tab.context.new_page()
    again.goto(address)
    again.evaluate(measure.READY)
    moved = again.locator(f"#touch-{name} input[type=range]").first.input_value()
    again.close()
    assert moved == value


def test_a_phone_shows_it_whole(figure):
    """Panels one below the other, nothing wider than the page."""
    tab = figure.page
    tab.set_viewport_size({"width": measure.PHONE, "height": 844})
    assert figure.evaluate("f => f.scrollWidth - f.clientWidth") <= 0
    boxes = [panel.bounding_box() for panel in figure.locator("svg").all()]
    assert all(box["width"] > 250 for box in boxes)
