"""Each chapter as a notebook to take away, ``_sources/<page>.ipynb``; on Colab it installs itself.

Directives that only this build knows are written out: a proved formula as mathematics with its id,
a link to an equation or a page as its name.
"""

import os
import re
from pathlib import Path
from typing import Any

import jupytext
import nbformat

from book_ext import house
from dpm_lib import __version__

FIRST = """\
# Installs the library where it is missing, as on Colab; does nothing elsewhere.
import importlib.util

if importlib.util.find_spec("dpm_lib") is None:
    %pip install --quiet "{source}"
"""
EQUATION = re.compile(r"^```\{equation\} (\S+)\n```$", re.M)
ROLE = re.compile(r"\{(?:eq|doc|ref|numref|footcite:?[pt]?)\}`(?:[^`<]*<)?([^`>]+)>?`")


def notebook(page: str, formulas: dict[str, str], repository: str) -> nbformat.NotebookNode:
    """A page that runs elsewhere; formulas are those that it proves, by id."""
    made = jupytext.reads(house.source(page), fmt="md:myst")
    for cell in made.cells:
        if cell.cell_type == "markdown":
            cell.source = ROLE.sub(
                r"*\1*", EQUATION.sub(lambda m: shown(m[1], formulas), cell.source)
            )
    version = os.environ.get("GITHUB_SHA", f"v{__version__}")
    source = "dpm_lib[data]" + (
        f" @ git+{repository}@{version}" if repository else f"=={__version__}"
    )
    made.cells.insert(0, nbformat.v4.new_code_cell(FIRST.format(source=source)))
    made.metadata.pop("jupytext", None)
    return made


def shown(key: str, formulas: dict[str, str]) -> str:
    """A formula in its own display, with its id beside it."""
    return f"$$\n{formulas[key]}\n\\tag{{{key}}}\n$$"


def repository(config: Any) -> str:
    """Where the source is published; empty if _config.yml does not say."""
    return str(config.html_theme_options.get("repository_url") or "").rstrip("/")


def offer(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Write the notebook of a chapter and let the page link to it, and to services that run it."""
    if page not in house.pages() or "{code-cell}" not in house.source(page):
        return
    formulas = {
        node["label"]: node.astext()
        for node in doctree.findall(lambda n: n.tagname == "math_block" and n.get("label"))
    }
    folder = Path(app.outdir) / "_sources"
    folder.mkdir(exist_ok=True)
    nbformat.write(notebook(page, formulas, repository(app.config)), folder / f"{page}.ipynb")
    context["ipynb_source"] = f"{page}.ipynb"


def link(app: Any, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Buttons of Colab and Binder, which open what the publish workflow leaves on a branch."""
    owner_and_name = repository(app.config).removeprefix("https://github.com/")
    if not context.get("ipynb_source") or not owner_and_name:
        return
    at = f"{owner_and_name}/blob/notebooks/{page}.ipynb"
    services = {
        "Colab": f"https://colab.research.google.com/github/{at}",
        "Binder": f"https://mybinder.org/v2/gh/{owner_and_name}/notebooks?labpath={page}.ipynb",
    }
    buttons = [{"type": "link", "url": url, "text": name} for name, url in services.items()]
    group = {"type": "group", "tooltip": "Run this page", "icon": "fas fa-rocket"}
    context["header_buttons"].insert(0, group | {"buttons": buttons, "label": "launch-buttons"})


def setup(app: Any) -> None:
    app.connect("html-page-context", offer)
    app.connect("html-page-context", link, priority=502)
