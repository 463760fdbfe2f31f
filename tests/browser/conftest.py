"""Chromium for the tests of the built site, and a line of numbers for each page."""

import pytest

from book_ext import house
from tests.browser import measure


@pytest.fixture(scope="session")
def context():
    with measure.chromium() as context:
        yield context


@pytest.fixture(
    scope="session",
    params=[pytest.param(page, marks=pytest.mark.xdist_group(page)) for page in house.pages()],
)
def page(request):
    """A page; with --dist loadgroup all its tests run in one process."""
    return request.param


@pytest.fixture(scope="session")
def found(context, page):
    """What was measured on a page, which is visited once."""
    return measure.measure(context, page)


def pytest_terminal_summary(terminalreporter):
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    lines = sorted(line for report in reports for name, line in report.user_properties
                   if name == measure.NUMBERS)  # fmt: skip
    for line in [measure.HEAD, *lines] if lines else []:
        terminalreporter.write_line(line)
