"""The programs of the boxes: what a proof needs of its page, and what the referee says of it."""

import json
import re

import pytest

from book_ext import house
from book_ext.live import bundle, referee
from book_ext.live.slices import proofs

PAGE = """# A page

```{code-cell} ipython3
:tags: [remove-cell]

from sympy import Symbol, symbols
from dpm_lib.symbolic import Derivation, FiniteChain, by, equals, q, t, x
import dpm_lib as dpm
```

```{code-cell} ipython3
numbers = [x for x in range(3)]
unused = Symbol("a")
chains = [FiniteChain(T=2)]
chains += [FiniteChain(T=1)]


def line(state):
    return q(state)
```

```{code-cell} ipython3
dpm.prove(
    "log-likelihood",
    Derivation(line(x[0], ), equals(line(x[0]), by.algebra), worlds=chains),
    mutants={"another state": q(x[1])},
)
```
"""


def test_a_proof_takes_what_it_needs_and_no_more():
    """Functions, and lists with what was added to them; no imports of the library."""
    (proof,) = proofs(PAGE).values()
    assert proof.equation == "log-likelihood"
    assert proof.damages == ["another state"]
    assert "chains += [FiniteChain(T=1)]" in proof.source
    assert "def line(state):" in proof.source
    assert "import" not in proof.source
    assert "unused" not in proof.source
    assert "numbers" not in proof.source


GOOD = """dpm.prove(
    "log-likelihood",
    Derivation(
        q(x[0], x[1]), equals(q(x[0]) * q(x[1] | x[0]), by.bayes), worlds=[FiniteChain(T=1)]
    ),
    mutants={"turned round": q(x[0]) * q(x[0] | x[1])},
)
"""


def test_the_referee_accepts_what_holds_and_refuses_damages():
    """A proof, its mutant, and all its slips."""
    answer = json.loads(referee.check(GOOD))
    assert answer["kind"] == "proved"
    (shown,) = answer["proofs"]
    assert shown["steps"] == shown["by_rules"] == 1
    assert shown["mutants"] == ["turned round"]
    damaged = json.loads(referee.damage("turned round"))
    assert damaged["kind"] == "refused"
    assert damaged["apart"] > 0
    assert json.loads(referee.slips())["refused"] > 10


@pytest.mark.parametrize(
    ("source", "kind", "words", "line"),
    [
        (GOOD.replace("q(x[1] | x[0])", "q(x[1])"), "refused", "is not =", 3),
        (GOOD.replace("by.bayes", "by.markov"), "refused", "does not follow", 3),
        (GOOD.replace("q(x[0] | x[1])", "q(x[1] | x[0])"), "refused", "says the same", 1),
        ("x[0] +", "stopped", "SyntaxError", 1),
        ("\nx[0] + nothing", "stopped", "NameError", 2),
        ("1 + 1", "stopped", "nothing is proved", None),
        ("raise SystemExit", "stopped", "SystemExit", 1),
        ('dpm.prove("a", 1, mutants={})', "stopped", "TypeError", 1),
        (GOOD.replace('{"turned round": q(x[0]) * q(x[0] | x[1])}', "{}"), "stopped", "mutants", 1),
        (
            "class Mine(Derivation):\n    __init__ = lambda self: None\n"
            'dpm.prove("a", Mine(), mutants={"m": q(x[0])})',
            "stopped",
            "TypeError",
            3,
        ),
    ],
)
def test_what_does_not_hold_and_what_says_nothing(source, kind, words, line):
    """Refused is what is false; what has a mistake was not checked."""
    answer = json.loads(referee.check(source))
    assert answer["kind"] == kind
    assert words in answer["words"]
    assert answer["line"] == line
    assert json.loads(referee.damage("turned round"))["kind"] == "stopped"


def test_programs_that_pages_print_hold():
    """The boxes that stand by themselves open with a proof."""
    programs = [
        program
        for page in house.pages()
        for program in re.findall(r"^```\{live\}\n(.*?)^```", house.source(page), re.M | re.S)
    ]
    assert programs
    for program in programs:
        assert json.loads(referee.check(program))["kind"] == "proved"


def test_licences_lie_beside_what_is_loaded(tmp_path):
    """Of the interpreter and of all packages, whole, and the colophon leads to each."""
    folder = tmp_path / "licences"
    bundle.licences(folder)
    texts = {path.stem: path.read_text(encoding="utf8") for path in folder.iterdir()}
    assert set(texts) == {"pyodide", "python", *bundle.PARTS}
    assert "Mozilla Public License Version 2.0" in texts["pyodide"]
    assert "PYTHON SOFTWARE FOUNDATION LICENSE VERSION 2" in texts["python"]
    for package in bundle.PARTS:
        assert "Redistributions in binary form must reproduce" in " ".join(texts[package].split())
    linked = re.findall(r'"_static/live/licences/(\w+)\.txt"', house.source("colophon"))
    assert sorted(linked) == sorted(texts)
