"""Chromium for the tests of the built site, and a line of numbers for each page."""

import pytest

from book_ext import house
from tests.browser import measure

LINES = pytest.StashKey[list]()


@pytest.fixture(scope="session")
def context():
    with measure.chromium() as context:
        yield context


@pytest.fixture(scope="session", params=house.pages())
def page(request):
    return request.param


@pytest.fixture(scope="session")
def found(request, context, page):
    """What was measured on a page, which is visited once."""
    result = measure.measure(context, page)
    request.config.stash.setdefault(LINES, []).append(measure.line(page, result))
    return result


def pytest_terminal_summary(terminalreporter, config):
    lines = config.stash.get(LINES, [])
    for line in [measure.HEAD, *lines] if lines else []:
        terminalreporter.write_line(line)
