"""Proofs that run in the page: each gives there what it gave where the book was made."""

import json
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from book_ext import house
from book_ext.live.slices import proofs
from dpm_lib.evidence import ledger
from dpm_lib.evidence.equations import EQUATIONS
from tests.browser import measure

PAGES = sorted({e.page for e in EQUATIONS.values()})
ASK = "([call, text]) => dpmLive.ask(call, text)"
SETTLED = "box => box.dataset.kind && box.dataset.kind !== 'busy'"
BOX = ".dpm-live[data-equation='{}']"


class Handler(SimpleHTTPRequestHandler):
    """A plain server; a module must come with the type of one."""

    extensions_map = {  # noqa: RUF012
        **SimpleHTTPRequestHandler.extensions_map, ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }  # fmt: skip

    def log_message(self, *args):
        """Say nothing."""


@pytest.fixture(scope="module")
def served():
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=measure.SITE))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def visit(context, served):
    tabs = []

    def open_page(page, width=measure.WIDE):
        tab = context.new_page()
        tabs.append(tab)
        tab.set_viewport_size({"width": width, "height": 900})
        tab.requested = []
        tab.on("request", lambda request: tab.requested.append(request.url.removeprefix(served)))
        tab.goto(f"{served}/{page}.html")
        tab.evaluate(measure.READY)
        return tab

    yield open_page
    for tab in tabs:
        tab.close()


def settled(box):
    box.evaluate_handle(f"box => new Promise(done => {{ const look = () => ({SETTLED})(box) ? "
                        "done() : setTimeout(look, 50); setTimeout(look, 50); })")  # fmt: skip
    return box.get_attribute("data-kind"), box.locator(".dpm-said").inner_text()


@pytest.mark.parametrize("page", PAGES)
def test_every_proof_runs_in_its_page(visit, page):
    """With the steps, chains, mutants and slips of the run that the passport tells of."""
    tab = visit(page)
    entries = {entry["id"]: entry for entry in ledger.entries() if entry["page"] == page}
    found = proofs(house.source(page))
    assert set(found) == set(entries)
    for equation, proof in found.items():
        box = tab.locator(BOX.format(equation))
        source = box.locator("script").text_content().strip("\n").replace("<\\/", "</")
        assert source == proof.source
        answer = tab.evaluate(ASK, ["check", source])
        assert answer["kind"] == "proved", answer
        (shown,) = answer["proofs"]
        native = entries[equation]["proof"]
        assert shown["equation"] == equation
        assert shown["statement"] == native["statement"]
        assert (shown["steps"], shown["worlds"]) == (native["steps"], native["worlds"])
        assert shown["by_rules"] == native["rules"]["steps"]
        assert shown["mutants"] == json.loads(box.get_attribute("data-mutants")) == proof.damages
        slips = tab.evaluate("() => dpmLive.ask('slips')")
        assert slips["refused"] == native["slips"]["refused"], slips
        assert len(slips["equal"]) == len(native["slips"]["equal"])


@pytest.mark.parametrize("width", [measure.WIDE, measure.PHONE])
def test_a_reader_attacks_a_proof(visit, width):
    """Nothing is loaded before the first click; then one damage by hand and one that is ready."""
    tab = visit("steps", width)
    loaded = [name.partition("?")[0] for name in tab.requested if "/live/" in name]
    assert loaded == ["/_static/live/live.js"]
    box = tab.locator(BOX.format("bayes-step"))
    box.get_by_role("button").click()
    kind, said = settled(box)
    assert (kind, said) == ("idle", "Python is ready.")
    box.get_by_role("button", name="Check").click()
    kind, said = settled(box)
    assert (kind, said[0]) == ("proved", "✓")
    assert box.locator(".dpm-answer mjx-container").count() == 1
    area = box.get_by_role("textbox")
    area.fill(area.input_value().replace("q(x[t] | x[0])", "q(x[t - 1] | x[0])", 1))
    box.get_by_role("button", name="Check").click()
    kind, said = settled(box)
    assert (kind, "line " in said) == ("refused", True)
    assert box.locator(".dpm-answer mjx-container").count() == 1
    box.get_by_role("button", name="As it was").click()
    box.get_by_role("button", name="ratio upside down").click()
    kind, said = settled(box)
    assert (kind, "ratio upside down" in said) == ("refused", True)
    area.fill("x[0] +")
    area.press("Tab")
    tab.keyboard.press("Enter")
    kind, said = settled(box)
    assert kind == "stopped"
    assert "SyntaxError" in said
    assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_stop_ends_an_endless_loop(visit):
    """And the next proof starts anew."""
    tab = visit("steps")
    box = tab.locator(BOX.format("telescoping"))
    box.get_by_role("button").click()
    settled(box)
    area = box.get_by_role("textbox")
    area.fill("while True:\n    pass")
    box.get_by_role("button", name="Check").click()
    tab.wait_for_timeout(300)
    assert box.get_attribute("data-kind") == "busy"
    box.get_by_role("button", name="Stop").click()
    kind, said = settled(box)
    assert (kind, "stopped" in said) == ("stopped", True)
    box.get_by_role("button", name="As it was").click()
    box.get_by_role("button", name="Check").click()
    kind, _ = settled(box)
    assert kind == "proved"


def test_a_page_that_is_no_server_says_so(context):
    """From a file no worker starts; the box says what to do."""
    tab = context.new_page()
    tab.goto(measure.address("steps"))
    tab.evaluate(measure.READY)
    box = tab.locator(BOX.format("bayes-step"))
    box.get_by_role("button").click()
    kind, said = settled(box)
    tab.close()
    assert (kind, "http.server" in said) == ("stopped", True)
