"""The house: three wings, imports that go one way, names that never collide."""

import ast
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import dpm_lib

ROOT = Path(dpm_lib.__file__).parent
ORDER = (
    "doors", "schedules", "kernels", "forward", "protocol", "reverse", "perturbation", "likelihood",
    "bounds", "entropies", "exact", "conditioning", "symbolic", "evidence", "learning.networks",
    "learning.data", "learning.objectives", "learning.settings", "learning.parallel",
    "learning.batches", "learning.learned_rates", "learning.training", "learning.evaluation",
    "learning.checkpoints", "learning.splits", "learning.diffusions", "learning.recipes",
    "learning.runs", "learning.experiments", "learning.windows", "plots", "explore", "cli",
    "__main__",
)  # fmt: skip
MODULES = sorted(
    m.name.removeprefix("dpm_lib.") for m in pkgutil.walk_packages([str(ROOT)], "dpm_lib.")
)


def source(module):
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def place(module):
    """Where a module stands in the order of imports; a wing's own list of names stands last."""
    rooms = [n for n, room in enumerate(ORDER) if f"{module}.".startswith(f"{room}.")]
    return rooms[-1] if rooms else len(ORDER)


def imports(module):
    """The modules of the library that a module imports, relative to it."""
    for node in ast.walk(ast.parse(source(module).read_text(encoding="utf8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("dpm_lib"):
            base = node.module.removeprefix("dpm_lib").lstrip(".")
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield inner if inner in MODULES else base
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("dpm_lib"))


@pytest.mark.parametrize("module", [m for m in MODULES if m not in ("evidence", "learning")])
def test_imports_go_one_way(module):
    """Down the list: nothing imports a room that stands after its own."""
    assert place(module) < len(ORDER), "give the new room its place in ORDER"
    late = [other for other in imports(module) if place(other) > place(module)]
    assert not late


@pytest.mark.parametrize("module", MODULES)
def test_symbolic_and_numeric_rooms_are_apart(module):
    """No room at the root knows SymPy; the symbolic wing knows nothing else."""
    symbolic = module.split(".")[0] == "symbolic"
    others = {name.split(".")[0] for name in imports(module)} - {"symbolic" if symbolic else ""}
    if symbolic:
        assert not others
    elif module.split(".")[0] != "evidence":
        assert "symbolic" not in others
        assert "import sympy" not in source(module).read_text(encoding="utf8")


@pytest.mark.parametrize("loaded", ["torch", "sympy", "matplotlib"])
def test_names_load_when_they_are_used(loaded):
    """``import dpm_lib`` loads no large library; its symbolic wing loads SymPy alone."""
    wing = "dpm_lib" if loaded == "sympy" else "dpm_lib.symbolic"
    code = f"import sys, {wing}; assert {loaded!r} not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_no_module_has_the_name_of_a_function():
    """``import dpm_lib.x as y`` gives the module, whatever was imported before."""
    names = {module.rpartition(".")[2] for module in MODULES}
    clashes = {}
    for module in MODULES:
        for node in ast.parse(source(module).read_text(encoding="utf8")).body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name in names:
                clashes[module] = node.name
    assert not clashes


def test_every_public_name_exists():
    """The list of public names is the list of what can be had."""
    assert [name for name in dpm_lib.__all__ if not hasattr(dpm_lib, name)] == []
