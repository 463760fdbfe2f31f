"""Used: a function is used where it is called, not where it is named."""

import pytest

from book_ext import house
from dpm_lib.evidence import provenance, usage
from dpm_lib.evidence.equations import EQUATIONS
from dpm_lib.evidence.provenance import page_cells
from dpm_lib.evidence.usage import calls, functions, implementations

BOUND, STEP = "dpm_lib.bounds.bound", "dpm_lib.kernels.base.Kernel.step"
SOURCES = {
    **{page: tuple(page_cells(house.source(page))) for page in house.pages()},
    **{
        path.stem: (path.read_text(encoding="utf8"),)
        for path in sorted(provenance.TESTS.glob("test_*.py"))
    },
}


@pytest.mark.parametrize(
    "cell",
    [
        "import dpm_lib as dpm\ndpm.bound(model, x)",
        "import dpm_lib\ndpm_lib.bounds.bound(model, x)",
        "from dpm_lib import bounds\nbounds.bound(model, x)",
        "from dpm_lib.bounds import bound as b\ndef f():\n    return b(model, x)",
    ],
)
def test_a_call_is_found_under_every_name(cell):
    assert BOUND in calls((cell,))
    assert BOUND in calls(tuple(cell.split("\n", 1))), "names hold for the cells that follow"


@pytest.mark.parametrize(
    "cell",
    [
        "import dpm_lib as dpm\nf = dpm.bound",
        "import dpm_lib as dpm\nprint('dpm.bound(model, x)')  # dpm.bound(model, x)",
        "def bound(x):\n    return x\nbound(3)",
        "import scipy\nscipy.bound(3)",
        "not python",
    ],
)
def test_a_mention_is_no_call(cell):
    assert BOUND not in calls((cell,))


def test_methods_and_properties_are_found_by_name():
    assert STEP in calls(("kernel.step(x, 3)",))
    assert STEP not in calls(("kernel.step",))
    read = {name for name in calls(("print(terms.K_corrected)",)) if name.endswith(".K_corrected")}
    assert read == {"dpm_lib.bounds.Bound.K_corrected"}
    assert not calls(("terms.K_corrected = 3",))


def test_ids_with_digits_are_matched(monkeypatch):
    """An id is whatever stands between the quotes of a docstring."""

    def f():
        """Source: :eq:`edge-step-2`."""

    monkeypatch.setattr(usage, "_public", lambda: {"dpm_lib.x.f": f})
    monkeypatch.setitem(EQUATIONS, "edge-step-2", EQUATIONS["edge-step"])
    assert implementations.__wrapped__() == {"edge-step-2": ["dpm_lib.x.f"]}


def test_a_passport_lists_only_what_is_called(tmp_path, monkeypatch):
    monkeypatch.setattr(provenance, "BOOK", tmp_path)
    assert not any(functions().values())
    cell = "```{code-cell}\nimport dpm_lib as dpm\ndpm.bound(model, x)\n```\n"
    (tmp_path / "page.md").write_text("`dpm.prior_term(x)`\n\n" + cell, encoding="utf8")
    assert functions()["bound-entropies"] == [BOUND]
    assert functions()["prior-term"] == []


@pytest.mark.parametrize("key", EQUATIONS)
def test_every_equation_is_used_where_it_is_checked(key):
    """Its page, or a page or a test that checks it, calls a function that implements it."""
    where = [EQUATIONS[key].page]
    where += [
        name
        for name, cells in SOURCES.items()
        if any(f'{verb}(\n    "{key}"' in c or f'{verb}("{key}"' in c
               for c in cells for verb in ("check", "prove"))
    ]  # fmt: skip
    called = set().union(*(calls(SOURCES[name]) for name in where))
    names = implementations().get(key, [])
    assert called & set(names), f"none of {names} is called on {where}"
