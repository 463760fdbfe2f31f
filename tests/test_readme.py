"""The README: its programs run, and its steps of adding an equation are all needed."""

import re

import pytest
import test_layout
from test_evidence import DAMAGED, proved
from test_evidence import _check as check_by_test

from book_ext import house
from dpm_lib.evidence import checks, equations, ledger, provenance, row, usage
from dpm_lib.evidence.checks import prove
from dpm_lib.evidence.equations import Equation


@pytest.mark.parametrize(("number", "lines"), [(0, 16), (1, 40)])
def test_programs_run(number, lines, capsys, tmp_path, monkeypatch):
    """The first one, which trains, bounds and draws, and that for a network of one's own."""
    monkeypatch.chdir(tmp_path)
    text = (house.ROOT / "README.md").read_text(encoding="utf8")
    programs = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    assert len(programs) == 2
    assert programs[number].count("\n") <= lines
    exec(compile(programs[number], "README.md", "exec"), {})
    assert "K_own_units" in capsys.readouterr().out


STEPS = ("table", "docstring", "prove", "check", "refer")
PAGE = {
    "prove": """
```{code-cell} ipython3
dpm.prove("new-law", derivation, mutants={"damaged": 1})
```

```{equation} new-law
```
""",
    "check": """
```{code-cell} ipython3
dpm.check("new-law", "another route", x, y, tolerance=1e-9, mutants={"more": z})
```
""",
    "refer": "See {eq}`new-law`.\n",
}


@pytest.fixture
def faults(tmp_path, monkeypatch):
    """What the tests of the book would say of an equation for which some steps were taken."""

    def found(*steps):
        for folder in ("book", "evidence"):
            (tmp_path / folder).mkdir(exist_ok=True)
        monkeypatch.setenv("DPM_EVIDENCE", str(tmp_path / "evidence"))
        monkeypatch.setattr(house, "BOOK", tmp_path / "book")
        monkeypatch.setattr(provenance, "BOOK", tmp_path / "book")
        page = "".join(PAGE[step] for step in steps if step in PAGE)
        use = "```{code-cell}\nimport dpm_lib as dpm\n\ndpm.bound(model, x)\n```\n"
        (tmp_path / "book" / "new.md").write_text(use + page, encoding="utf8")
        names = {"new-law": ["dpm_lib.bounds.bound"]} if "docstring" in steps else {}
        monkeypatch.setattr(usage, "implementations", lambda: names)
        table = {"new-law": Equation("new-law", "A new law", "new")} if "table" in steps else {}
        for module in (equations, checks, ledger, row, usage, test_layout):
            monkeypatch.setattr(module, "EQUATIONS", table)
        monkeypatch.setattr(test_layout, "ALL", ["new"])
        test_layout.cells.cache_clear()
        test_layout.prose.cache_clear()
        faults = []
        try:
            if "check" in steps:
                check_by_test(equation="new-law")
            if "prove" in steps:
                prove("new-law", proved(), mutants=DAMAGED)
        except ValueError as error:
            faults.append(str(error))
        for entry in ledger.entries():
            faults += [entry["status"]] * (entry["status"] != "measured")
            faults += ["not used"] * (entry["function"] is None)
        for test in (
            test_layout.test_each_equation_stands_once_and_on_its_page,
            test_layout.test_each_equation_is_referred_to,
        ):
            try:
                test()
            except AssertionError as error:
                faults.append(str(error))
        return " / ".join(faults)

    yield found
    monkeypatch.undo()
    test_layout.cells.cache_clear()
    test_layout.prose.cache_clear()


def test_an_equation_for_which_every_step_was_taken(faults):
    assert faults(*STEPS) == ""


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("table", "equation must be an id of dpm_lib.evidence.equations, got 'new-law'"),
        ("docstring", "not used"),
        ("prove", "no proof on record"),
        ("prove", "missing, unknown, or not where"),
        ("check", "no check on record"),
        ("refer", "referred to nowhere"),
    ],
)
def test_a_step_of_adding_an_equation_that_was_left_out(faults, step, said):
    """The README's five steps: without any one of them something fails, and says what."""
    assert said in faults(*(other for other in STEPS if other != step))


def test_the_readme_has_these_steps():
    text = (house.ROOT / "README.md").read_text(encoding="utf8")
    section = text.partition("## Adding an equation")[2].partition("\n## ")[0]
    assert len(re.findall(r"^\d\. ", section, re.M)) == len(STEPS)
