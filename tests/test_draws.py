"""Each cell that draws makes its own generator, so that no cell changes another's rows."""

import ast

import pytest

from book_ext import house
from dpm_lib.evidence.provenance import page_cells


def is_generator(node, makers):
    """Whether an expression is ``torch.Generator(...)``, seeded or not, or a call of a maker."""
    if not isinstance(node, ast.Call):
        return False
    if isinstance(node.func, ast.Attribute) and node.func.attr == "manual_seed":
        return is_generator(node.func.value, makers)
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    return name == "Generator" or name in makers


def makers(trees):
    """Functions of a page that return a generator."""
    found = set()
    for function in (n for tree in trees for n in ast.walk(tree)):
        if isinstance(function, ast.FunctionDef):
            returned = [n.value for n in ast.walk(function) if isinstance(n, ast.Return)]
            if any(is_generator(value, found) for value in returned):
                found.add(function.name)
    return found


def generators(tree, known):
    """Names that a cell binds to a generator."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign | ast.NamedExpr | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            if any(is_generator(value, known) for value in values):
                found |= {n.id for target in targets for n in ast.walk(target)
                          if isinstance(n, ast.Name)}  # fmt: skip
    return found


def carriers(tree, names):
    """Functions of a cell that draw from a generator which stands outside of them."""
    found = set()
    for function in (n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)):
        own = {arg.arg for arg in ast.walk(function.args) if isinstance(arg, ast.arg)}
        own |= {n.id for n in ast.walk(function)
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}  # fmt: skip
        if names & (loaded(function) - own):
            found.add(function.name)
    return found


def loaded(tree):
    return {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def shared(cells):
    """(number of the cell, name) of each use of a generator that another cell has made."""
    trees = [ast.parse(cell) for cell in cells]
    known, found, before = makers(trees), [], set()
    for number, tree in enumerate(trees, 1):
        own = generators(tree, known)
        found += [(number, name) for name in sorted(loaded(tree) & before - own)]
        before |= own | carriers(tree, own | before)
    return found


def seeds(cells):
    """(seed, numbers of cells) of each seed that more than one cell uses."""
    trees = [ast.parse(cell) for cell in cells]
    known, where = makers(trees), {}
    for number, tree in enumerate(trees, 1):
        inside = {id(n) for function in ast.walk(tree) if getattr(function, "name", None) in known
                  for n in ast.walk(function)}  # fmt: skip
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and id(node) not in inside:
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                if name == "manual_seed" or name in known:
                    seed = ", ".join(ast.unparse(each) for each in node.args)
                    where.setdefault(seed, set()).add(number)
    return {seed: sorted(numbers) for seed, numbers in where.items() if len(numbers) > 1}


def test_what_is_shared_is_found():
    make = "g = torch.Generator().manual_seed(seed)"
    assert shared([make, "x = draw(law, g)"]) == [(2, "g")]
    assert shared([make + "\nx = draw(law, g)", "y = x"]) == []
    assert shared([make, make + "\nx = draw(law, g)"]) == []
    assert shared(["a, b = rng(1), rng(2)\ndef rng(n):\n    return torch.Generator()", "b"])
    assert shared([make + "\ndef flip():\n    return draw(g)", "flip()"]) == [(2, "flip")]
    assert shared([make + "\ndef flip(g):\n    return draw(g)", "flip(1)"]) == []
    assert seeds([make, make]) == {"seed": [1, 2]}
    assert seeds([make, make.replace("seed)", "seed + 1)")]) == {}
    rng = "def rng(n):\n    return torch.Generator().manual_seed(n)"
    assert seeds([rng, "rng(1)", "rng(1)", "rng(2)"]) == {"1": [2, 3]}


CELLS = {page: page_cells(house.source(page)) for page in house.pages()}
CHAPTERS = [page for page, cells in CELLS.items() if cells]


@pytest.mark.parametrize("page", CHAPTERS)
def test_no_generator_is_used_in_two_cells(page):
    assert shared(CELLS[page]) == []


@pytest.mark.parametrize("page", CHAPTERS)
def test_no_seed_is_used_in_two_cells(page):
    assert seeds(CELLS[page]) == {}
