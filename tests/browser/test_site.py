"""The pages of the built site, as a reader's browser shows them: ``make browser``."""

import pytest
import yaml

from book_ext import house
from tests.browser import measure

# Bytes of a first visit, layout shift, and displayed formulas that scroll on a phone.
EVERY = {"weight": 1_600_000, "shift": 0.1, "scrolling": 1 / 5}
# Of the height of a page: code that is open, at most; figures, at least; pixels without a figure.
THEORY = {**EVERY, "code": 0.15, "figures": 0.15, "stretch": 3500}
EXPERIMENT = {**THEORY, "code": 0.25}
OTHER = {**EVERY, "code": 1, "figures": 0, "stretch": float("inf")}


def limit(page, name):
    toc = yaml.safe_load((house.ROOT / "_toc.yml").read_text(encoding="utf8"))
    theory, experiments, *_ = [[c["file"] for c in part["chapters"]] for part in toc["parts"]]
    goals = THEORY if page in theory else EXPERIMENT if page in experiments else OTHER
    return goals[name]


def test_console_is_silent(found):
    assert not found["errors"]


def test_nothing_comes_from_outside(found):
    assert not found["outside"]


def test_every_formula_is_typeset(found):
    assert not found["wrong_formulas"]


@pytest.mark.parametrize("audit", ["light", "dark", "phone"])
def test_accessible(found, audit):
    assert not found[audit], "\n".join(found[audit])


def test_page_fits_a_narrow_phone(found):
    assert found["overhang"] <= 0


def test_formulas_fit_a_phone(page, found):
    scroll = [place for place in found["formulas"] if place]
    assert len(scroll) <= limit(page, "scrolling") * len(found["formulas"]), scroll


@pytest.mark.parametrize("shifts", ["shifts", "shifts_on_phone"])
def test_nothing_jumps(page, found, shifts):
    assert measure.total(found[shifts]) < limit(page, "shift"), found[shifts]


def test_weight(page, found, record_property):
    """And the numbers of the page go to the summary."""
    record_property(measure.NUMBERS, measure.line(page, found))
    assert found["weight"] <= limit(page, "weight")


def test_code_leaves_room(page, found):
    assert found["code"] <= limit(page, "code")


def test_figures_have_room(page, found):
    assert found["figures"] >= limit(page, "figures")


def test_figures_are_near(page, found):
    assert found["stretch"] <= limit(page, "stretch")
