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


@pytest.fixture(scope="module")
def phone(context):
    """A page of all figures on a narrow screen that is touched."""
    made = context.browser.new_context(
        viewport={"width": measure.PHONE, "height": 844}, has_touch=True, is_mobile=True
    )
    made.set_default_timeout(measure.SLOWEST)
    tab = made.new_page()
    tab.goto(measure.address("touch"))
    tab.evaluate(measure.READY)
    yield tab
    made.close()


def drag(panel, *places):
    """A finger over a panel, through places in parts of its width and height."""
    tab = panel.page
    panel.evaluate(SHOW)
    box = panel.bounding_box()
    points = [(box["x"] + u * box["width"], box["y"] + v * box["height"]) for u, v in places]
    fingers = tab.context.new_cdp_session(tab)
    for n, (x, y) in enumerate(points):
        kind = "touchMove" if n else "touchStart"
        send = {"type": kind, "touchPoints": [{"x": x, "y": y}]}
        fingers.send("Input.dispatchTouchEvent", send)
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    fingers.detach()
    tab.wait_for_timeout(600)  # a tap that follows at once is taken for the second of two


def scrolled(panel, across, down):
    """How far the page scrolls under a finger that goes so far from the middle of a panel."""
    panel.evaluate(SHOW)
    before = panel.page.evaluate("scrollY")
    drag(panel, *((0.5 + n / 30 * across, 0.5 + n / 30 * down) for n in range(31)))
    return panel.page.evaluate("scrollY") - before


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


def test_a_finger_draws_a_law_and_scrolls_elsewhere(phone):
    """In the first plane alone, if it was chosen so; the exact reversal comes back to the form."""
    figure = phone.locator("#touch-chains")
    first, second, third = figure.locator("svg").all()

    assert scrolled(first, 0, -0.5) > 50
    assert figure.locator(".dpm-controls").bounding_box()["y"] < 800  # they stay at hand
    figure.locator("select").select_option("draw your own")
    assert "Draw" in figure.locator(".dpm-reading").inner_text()
    assert scrolled(first, 0.3, 0.25) == 0
    assert scrolled(first, -0.3, 0.25) == 0
    assert scrolled(second, 0, -0.5) > 50
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


def value(figure, name):
    return float(figure.locator(f"[name={name}]").input_value())


def across(panel, handle):
    """Where a handle is, as a part of the width of its panel."""
    line, box = panel.locator(f"[data-handle={handle}]").bounding_box(), panel.bounding_box()
    return (line["x"] + line["width"] / 2 - box["x"]) / box["width"]


@pytest.mark.parametrize(
    ("name", "handle"), [("posterior", "x0"), ("reversal", "xt"), ("evidence_twice", "y")]
)
def test_a_finger_drags_a_handle(phone, name, handle):
    """To the place where it is lifted, and the page does not move to the side."""
    figure = phone.locator(f"#touch-{name}")
    panel = figure.locator(f"svg:has([data-handle={handle}])")
    found = []
    for end in (0.3, 0.8):
        begin = across(panel, handle)
        drag(
            panel, (begin, 0.5), ((2 * begin + end) / 3, 0.5), ((begin + end) / 2, 0.5), (end, 0.5)
        )
        found.append(value(figure, handle))
        assert abs(across(panel, handle) - end) < 0.01
    assert found[0] < found[1]
    assert phone.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_swipe_over_a_handle_scrolls_the_page(phone):
    """Up and down belongs to the page: the handle is where it was."""
    figure = phone.locator("#touch-posterior")
    panel = figure.locator("svg.draggable").first
    panel.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
    before, held = phone.evaluate("scrollY"), figure.evaluate(DRAWN)
    drag(panel, *[(0.5, 0.9 - 0.08 * n) for n in range(11)])
    phone.wait_for_function(f"scrollY > {before + 100}")
    assert figure.evaluate(DRAWN) == held


@pytest.mark.parametrize("moved", ["finger", "slider"])
def test_rates_are_drawn(phone, moved):
    """By a finger, or their ends by a slider: they become the reader's own, and K follows."""
    figure = phone.locator("#touch-bound")
    figure.locator("[name=schedule]").select_option("erase evenly")
    before = figure.locator(".dpm-reading").inner_text()
    if moved == "finger":
        up = ((0.5, 0.5 - n / 60) for n in range(31))
        drag(figure.locator("svg").first, *up)  # the page scrolls, no more
        assert figure.locator(".dpm-reading").inner_text() == before
        figure.locator("[name=schedule]").select_option("draw your own")
        drag(figure.locator("svg").first, (0.2, 0.7), (0.4, 0.6), (0.6, 0.5), (0.9, 0.45))
        line = numbers(figure.evaluate(DRAWN)[0])
        places = dict(zip(line[::2], line[1::2], strict=True))
        assert abs(min(places.values(), key=lambda y: abs(y - 0.6 * 230)) - 0.6 * 230) < 6
        heights = [y for x, y in places.items() if 0.22 * 340 < x < 0.88 * 340]
        assert heights == sorted(heights, reverse=True)  # it rises, and the picture points down
    else:
        figure.locator("[name=b0]").focus()
        for _ in range(5):
            figure.locator("[name=b0]").press("ArrowRight")
    assert value(figure, "schedule") == 4
    assert figure.locator(".dpm-reading").inner_text() != before
    assert "&schedule=4&" in phone.url


def test_what_is_drawn_comes_back_by_its_address(phone):
    figure = phone.locator("#touch-bound")
    figure.locator("[name=schedule]").select_option("draw your own")
    drag(figure.locator("svg").first, (0.2, 0.5), (0.5, 0.8), (0.8, 0.5))
    drawn = figure.evaluate(DRAWN)
    again = phone.context.new_page()
    again.goto(phone.url)
    again.evaluate(measure.READY)
    found = again.locator("#touch-bound").evaluate(DRAWN)
    again.close()
    assert found == drawn


def test_the_gap_falls_like_1_over_T_where_data_have_a_density(phone):
    """Of points it does not."""
    figure = phone.locator("#touch-bound")
    figure.locator("[name=schedule]").select_option("erase evenly")
    figure.locator("[name=T]").fill("200")
    found = {}
    for law in ("Gaussian", "two points"):
        figure.locator("[name=data]").select_option(law)
        found[law] = figure.locator(".dpm-reading").inner_text()
    assert 0.49 < float(re.search(r"it is ([\d.]+) of that", found["Gaussian"])[1]) < 0.53
    assert 0.15 < float(re.search(r"a gap of ([\d.]+)\.", found["two points"])[1]) < 0.155


def test_points_run_by_three_rules(phone):
    """From the noise to the data at a tap; they end where they were at first."""
    figure = phone.locator("#touch-evidence_twice")
    rows = "f => [...f.querySelectorAll('[data-curve^=ran_]')].map(p => p.getAttribute('d'))"
    ends = figure.evaluate(rows)
    figure.get_by_role("button", name="Play").tap()
    begun = figure.evaluate(rows)
    assert begun != ends
    phone.wait_for_function("document.querySelector('#touch-evidence_twice [name=t]').value == 0")
    assert figure.evaluate(rows) == ends


def test_a_finger_draws_points_and_trains(phone):
    """Where the reader chose to draw; before that it scrolls, and what is drawn stays."""
    figure = phone.locator("#touch-draw_and_train")
    first = figure.locator("svg").first
    drawn = figure.evaluate(DRAWN)
    assert scrolled(first, 0, -0.5) > 50
    assert figure.evaluate(DRAWN) == drawn

    def tap(name):
        """A button, which first comes to the middle at once, not by a smooth scroll."""
        button = figure.get_by_role("button", name=name)
        button.evaluate(SHOW)
        button.tap()

    tap("Clear")
    drag(first, *[(0.3 + 0.02 * n, 0.4 + 0.005 * n) for n in range(21)])
    assert figure.evaluate(DRAWN)[0].count("M") > 15
    tap("Train")
    figure.get_by_text(re.compile(r"^\d+ updates")).wait_for()
    tap("Stop")


def test_a_finger_moves_each_slider(phone):
    """A tap beside its knob."""
    for slider in phone.locator(".dpm-touch input[type=range]").all():
        slider.evaluate("e => e.scrollIntoView({block: 'center', behavior: 'instant'})")
        box, before = slider.bounding_box(), slider.input_value()
        low, high = (float(slider.get_attribute(end)) for end in ("min", "max"))
        part = 0.75 if float(before) < (low + high) / 2 else 0.25
        slider.tap(position={"x": part * box["width"], "y": box["height"] / 2})
        assert slider.input_value() != before
