"""Where things come from: links to the sources, and the last line of a page, how it was made."""

import ast
import inspect
import pkgutil
import re
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

from myst_nb.sphinx_ import NbMetadataCollector

import dpm_lib
from book_ext import house
from book_ext.notebooks import repository
from dpm_lib.evidence import ledger, provenance

WORDS_A_MINUTE = 200
COLOPHON = "colophon"
VERSION, CHANGES = "<!-- version -->", "<!-- changes -->"


def sources(config: Any) -> Callable[[str], str | None]:
    """From the name of a function to the line of its source in the repository, or None."""
    url = repository(config)
    branch = config.html_theme_options.get("repository_branch") or "main"

    def link(name: str) -> str | None:
        return f"{url}/blob/{branch}/{line(name)}" if url else None

    return link


def line(name: str) -> str:
    """File and line of a function or a method: ``dpm_lib/forward.py#L18``."""
    thing = pkgutil.resolve_name(name)
    thing = inspect.unwrap(getattr(thing, "fget", None) or getattr(thing, "func", None) or thing)
    file = Path(inspect.getsourcefile(thing)).relative_to(house.ROOT)
    return f"{file.as_posix()}#L{inspect.getsourcelines(thing)[1]}"


def reading_minutes(text: str) -> int:
    """How long the words of a page take, without its code."""
    words = re.sub(r"^(`{3,})\{code-cell\}.*?^\1`*$", "", text, flags=re.M | re.S).split()
    return max(1, round(len(words) / WORDS_A_MINUTE))


def device(cells: list[str]) -> str:
    """The device that the cell of parameters names."""
    for node in (n for cell in cells for n in ast.parse(cell).body if isinstance(n, ast.Assign)):
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id == "device":
            return str(ast.literal_eval(node.value))
    return ""


def made(text: str, seconds: float | None, more: str = "") -> str:
    """The last line of a page: reading time; and if it has cells, how they ran."""
    said = [f"Reading time: {reading_minutes(text)} min"]
    cells = provenance.page_cells(text)
    if cells:
        if seconds:
            said.append(f"this page took {seconds:.0f} s to run")
        said.append(f"device {escape(device(cells))}")
        mine = set(provenance.prefixes(cells))
        rows = [row for row in ledger.rows() if row.cell in mine]
        found = dict.fromkeys(", ".join(f"{k} {v}" for k, v in r.versions.items()) for r in rows)
        said += [escape(version) for version in found]
    return f'<p class="dpm-made">{" · ".join([*said, *([more] if more else [])])}</p>\n'


def add_line(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Put the last line under a page of the book."""
    if tree is None or page not in house.pages() or "body" not in context:
        return
    ran = NbMetadataCollector.get_exec_data(app.env, page) or {}
    more = "" if page == COLOPHON else f'<a href="{COLOPHON}.html">cite, licence, changes</a>'
    context["body"] += made(house.source(page), ran.get("runtime"), more)


def write_colophon(app: Any, docname: str, source: list[str]) -> None:
    """Put the version and the changes on the page that asks for them, with links to equations."""
    if CHANGES not in source[0]:
        return
    changes = (house.ROOT / "CHANGELOG.md").read_text(encoding="utf8")
    changes = re.sub(r"^#", "##", changes, flags=re.M)
    changes = re.sub(r"`([\w-]+)`", lambda m: f"{m[0]} {{eq}}`{m[1]}`", changes)
    source[0] = source[0].replace(VERSION, dpm_lib.__version__).replace(CHANGES, changes)


def links(app: Any, config: Any) -> None:
    """Define ``{{ repository_links }}``: where the source is and where to tell of a mistake."""
    url = repository(config)
    config.myst_substitutions = {
        **config.myst_substitutions,
        "repository_links": f"The source is at <{url}>; tell of a mistake at <{url}/issues>."
        if url
        else "",
    }


def setup(app: Any) -> None:
    app.connect("config-inited", links)
    app.connect("source-read", write_colophon)
    app.connect("html-page-context", add_line)
