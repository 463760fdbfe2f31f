"""The ledger and the hints on symbols, used as a reader does: needs Chromium and the built site."""

import shutil

import pytest

from book_ext import house
from book_ext.hints import PATTERNS
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.notation import SYMBOLS

SITE = house.ROOT / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
READY = "async () => { await window.MathJax?.startup?.promise; }"
ROWS = "() => [...document.querySelectorAll('.dpm-ledger tbody:not([hidden])')].map(r => r.id)"


@pytest.fixture(scope="module")
def browser():
    api = pytest.importorskip("playwright.sync_api")
    if CHROMIUM is None or not (SITE / "ledger.html").exists():
        pytest.skip("no Chromium, or no built site")
    with api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])


@pytest.fixture
def visit(browser):
    """Open a page of the book, on a wide screen or on a phone that is touched."""
    contexts = []

    def open_page(address, width=1300):
        touch = {"has_touch": True, "is_mobile": True} if width < 600 else {}
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **touch))
        page = contexts[-1].new_page()
        page.set_default_timeout(300_000)
        page.goto(f"{SITE.as_uri()}/{address}")
        page.evaluate(READY)
        return page

    yield open_page
    for context in contexts:
        context.close()


def test_the_ledger_sorts_and_filters_by_keyboard(visit):
    page = visit("ledger.html")
    book = page.evaluate(ROWS)
    assert book == [f"row-{key}" for key in EQUATIONS]
    head = page.locator(".dpm-ledger th button").first
    head.focus()
    page.keyboard.press("Enter")
    assert page.evaluate(ROWS) == sorted(book)
    page.keyboard.press("Enter")
    assert page.evaluate(ROWS) == sorted(book, reverse=True)
    page.keyboard.press("Enter")
    assert page.evaluate(ROWS) == book
    page.select_option("select[name=page]", "kernels")
    kernels = [f"row-{e.id}" for e in EQUATIONS.values() if e.page == "kernels"]
    assert page.evaluate(ROWS) == kernels
    page.fill("input[name=text]", "reversible")
    assert page.evaluate(ROWS) == ["row-detailed-balance"]


def test_an_address_opens_its_row_of_the_ledger(visit):
    page = visit("ledger.html#row-telescoping")
    assert page.evaluate("document.querySelector('#row-telescoping details').open")


@pytest.mark.parametrize("width", [1300, 390])
def test_the_ledger_fits(visit, width):
    page = visit("ledger.html", width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    table = page.locator(".dpm-ledger").bounding_box()
    assert table["x"] + table["width"] <= width


def test_each_symbol_shows_its_own_row(visit):
    """In the table of symbols, where it is known which row that is; the others say nothing."""
    page = visit("notation.html")
    wrong = []
    for row in page.locator(".dpm-symbols tbody tr").all():
        row.locator("mjx-mi").first.click()
        meaning = row.locator("td").nth(1).inner_text().replace("’", "'")
        shown = page.inner_text("#dpm-symbol").replace("’", "'")
        if meaning not in shown:
            wrong.append((meaning, shown))
    silent = {s.meaning for s in SYMBOLS if s.latex not in PATTERNS}
    assert {meaning for meaning, _ in wrong} == silent
    assert {shown for _, shown in wrong} == {""}


def test_a_formula_is_explained_by_keyboard(visit):
    page = visit("kernels.html")
    page.locator("article div.math:has(mjx-mi)").first.focus()
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#dpm-symbol")
    page.keyboard.press("Escape")
    assert not page.inner_text("#dpm-symbol")


def test_a_tap_explains_a_symbol_on_a_phone(visit):
    page = visit("kernels.html", 390)
    symbol = page.locator("article p mjx-msub mjx-mi").first
    symbol.scroll_into_view_if_needed()
    symbol.tap()
    box = page.locator("#dpm-symbol").bounding_box()
    assert page.inner_text("#dpm-symbol")
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
