"""What a page needs to run its proofs: Python for browsers, SymPy and :mod:`dpm_lib.symbolic`.

Made once from the npm package ``pyodide`` and the installed SymPy, where there is npm; a site that
is built without has no boxes.
"""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import files, version
from importlib.util import find_spec
from pathlib import Path

from sphinx.util import logging

from book_ext.house import ROOT

__all__ = ["archives", "licences", "ready"]

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
MADE = ROOT / "_build" / "live"
RUNTIME = ("pyodide.mjs", "pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip")
PARTS = ("sympy", "mpmath")
UNUSED = (
    "sympy/plotting", "sympy/physics", "sympy/parsing", "sympy/stats", "sympy/vector",
    "sympy/diffgeom", "sympy/liealgebras", "sympy/crypto", "sympy/categories", "sympy/holonomic",
    "sympy/sandbox", "sympy/codegen", "sympy/testing", "sympy/interactive",
    "sympy/tensor/array/expressions", "sympy/utilities/_compilation", "sympy/utilities/mathml",
)  # fmt: skip
"""Of these only what ``import sympy`` loads goes along."""


def ready() -> Path | None:
    """The folder that pages load from, made if need be; None where there is no npm."""
    if not (shutil.which("npm") and shutil.which("node")):
        log.info("no npm: the pages have no boxes in which proofs run")
        return None
    tools = HERE / "package-lock.json", HERE / "bundle.mjs"
    symbolic = sorted((ROOT / "dpm_lib" / "symbolic").rglob("*.py"))
    others = _archive("sympy", _stamp(*tools, *PARTS), _sympy)
    ours = _archive("dpm", _stamp(*tools, HERE / "referee.py", *symbolic), _symbolic)
    site = MADE / "site"
    for old in site.glob("*.zip"):
        if old.name not in (others.name, ours.name, "python_stdlib.zip"):
            old.unlink()
    for name in ("worker.js", "live.js"):
        shutil.copy(HERE / name, site / name)
    return site


def archives(site: Path) -> list[str]:
    """Names of the archives that the interpreter is given."""
    return sorted(path.name for path in site.glob("*.zip") if path.name != "python_stdlib.zip")


def licences(target: Path) -> None:
    """The licence texts of what pages load: those of Pyodide and Python lie beside this file, as
    their archives have none; the others come from the installed packages."""
    shutil.copytree(HERE / "licences", target)
    for package in PARTS:
        (text,) = (path for path in files(package) or () if path.name == "LICENSE")
        shutil.copy(Path(text.locate()), target / f"{package}.txt")


def _stamp(*parts: Path | str) -> str:
    """Changes with the content of files and with the versions of packages."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.read_bytes() if isinstance(part, Path) else version(part).encode())
    return digest.hexdigest()[:12]


def _archive(name: str, stamp: str, stage: Callable[[Path], None]) -> Path:
    made = MADE / "site" / f"{name}-{stamp}.zip"
    if not made.exists():
        log.info("making %s for proofs that run in the page", made.name)
        npm, staged = _runtime(), MADE / name
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(parents=True)
        stage(staged)
        part = made.with_suffix(".part")
        subprocess.run(["node", npm / "bundle.mjs", staged, part], check=True)
        part.replace(made)
    return made


def _runtime() -> Path:
    """The npm package, with the files that the site serves copied out of it."""
    npm, site = MADE / "npm", MADE / "site"
    for folder in (npm, site):
        folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json", "bundle.mjs"):
        shutil.copy(HERE / name, npm / name)
    subprocess.run(["npm", "ci", "--silent", "--ignore-scripts"], cwd=npm, check=True)
    package = npm / "node_modules" / "pyodide"
    for name in RUNTIME:
        shutil.copy(package / name, site / name)
    lock = json.loads((package / "pyodide-lock.json").read_text(encoding="utf8"))
    (site / "lock.json").write_text(json.dumps({**lock, "packages": {}}), encoding="utf8")
    return npm


def _sympy(staged: Path) -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sympy, sys; print(*sys.modules)"],
        check=True, capture_output=True, text=True,
    ).stdout.split()  # fmt: skip
    for package in PARTS:
        root = Path(find_spec(package).origin).parent
        for path in root.rglob("*.py"):
            name = path.relative_to(root.parent)
            module = ".".join(name.with_suffix("").parts).removesuffix(".__init__")
            unused = name.as_posix().startswith(tuple(f"{u}/" for u in UNUSED))
            tested = {"tests", "benchmarks"} & set(name.parts)
            if module in loaded or not (unused or tested):
                _copy(path, staged / name)


def _symbolic(staged: Path) -> None:
    root = ROOT / "dpm_lib"
    for path in (root / "symbolic").rglob("*.py"):
        _copy(path, staged / path.relative_to(ROOT))
    (staged / "dpm_lib" / "__init__.py").touch()
    _copy(HERE / "referee.py", staged / "referee.py")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(source, target)
