"""The API reference: each module stands on one page, and tasks lead to names that are there."""

import importlib
import re

from book_ext import house, names, pages

TARGET = re.compile(r"\{py:obj\}`[^`<]*<([^`>]*)>`")


def test_each_module_stands_on_one_page():
    found = pages.documented()
    assert sorted(name for group in found.values() for name in group) == sorted(pages.modules())
    assert set(found) <= set(house.pages())
    assert "dpm_lib.learning.data.images" in found["api_data"]
    assert "dpm_lib.learning.training" in found["api_learning"]


def test_tasks_lead_to_what_is_documented():
    targets = TARGET.findall(house.source("api"))
    assert len(targets) > 20
    for home in map(names.home, targets):
        module = max((m for m in pages.modules() if f"{home}.".startswith(f"{m}.")), key=len)
        public = getattr(importlib.import_module(module), "__all__", [])
        name = home.removeprefix(module).lstrip(".").split(".")[0]
        assert not name or name in public, home


def test_every_task_starts_with_what_the_reader_wants():
    tasks = re.findall(r"^(.*)\n: ", house.source("api"), re.M)
    assert len(tasks) >= 8
    assert all(task.startswith("I ") for task in tasks)


def test_what_precedes_a_colon_is_no_type():
    """Of a value the first sentence stands whole; a field of a tuple says nothing by itself."""
    for what, line, left in (
        ("property", "What K would be: a cap on K.", ["What K would be – a cap on K."]),
        ("property", "The bound, :math:`K`.", ["The bound, :math:`K`."]),
        ("function", "Draw: once.", ["Draw: once."]),
        ("attribute", "Alias for field number 0", []),
    ):
        lines = [line]
        pages.plain(None, what, "name", None, None, lines)
        assert lines == left
