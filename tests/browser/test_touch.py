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

    The exact reversal is drawn anew: there the library and the script have other noise.
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
        if curve == "reverse":
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
