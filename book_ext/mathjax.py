"""MathJax from the site itself: the two parts a page loads, out of sphinx-mathjax-offline."""

import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SCRIPT = "tex-chtml-full.js"
FONTS = "output/chtml/fonts/woff-v2"


def configure(app: Any, config: Any) -> None:
    config.mathjax_path = f"mathjax/{SCRIPT}"


def copy(app: Any, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    shutil.copytree(source / FONTS, target / FONTS, dirs_exist_ok=True)
    shutil.copy(source / SCRIPT, target)


def setup(app: Any) -> None:
    app.connect("config-inited", configure, priority=100)
    app.connect("build-finished", copy)
