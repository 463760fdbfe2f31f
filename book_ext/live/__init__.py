"""Proofs that run in the page: under each passport a box with the program of the proof.

* ``slices``: the program, out of the cells of its page.
* ``bundle``: what pages load when a box is opened, made once.
* ``referee``: what runs there; ``worker.js`` starts it, ``live.js`` is the box.
"""

import json
import shutil
from functools import cache
from html import escape
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.parsers.rst import Directive

from book_ext import house
from book_ext.live import bundle
from book_ext.live.slices import Proof, proofs

__all__ = ["box_html", "setup"]

INVITATION = "Try to break it"


class LiveDirective(Directive):
    """An empty box, or one with the program that is its content."""

    has_content = True
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        html = _box("", "\n".join(self.content), [], "Open the box")
        return [nodes.raw("", html, format="html")]


@cache
def _of_page(text: str) -> dict[str, Proof]:
    return proofs(text)


def box_html(page: str, equation: str) -> str:
    """The box of an equation; nothing where the page does not prove it by itself."""
    found = _of_page(house.source(page)).get(equation)
    return _box(equation, found.source, found.damages, INVITATION) if found else ""


def _box(equation: str, source: str, mutants: list[str], title: str) -> str:
    program = source.replace("</", "<\\/")
    return (
        f'<div class="dpm-live" data-equation="{escape(equation)}" data-title="{title}" '
        f'data-mutants="{escape(json.dumps(mutants))}">'
        f'<script type="text/plain">\n{program}\n</script></div>\n'
    )


def prepare(app: Any) -> None:
    app.config.dpm_live = bundle.ready() if app.builder.format == "html" else None


def script(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """The one small file that a page with a box loads."""
    folder = app.config.dpm_live
    if folder and 'class="dpm-live"' in context.get("body", ""):
        names = " ".join(bundle.archives(folder))
        app.add_js_file("live/live.js", **{"data-archives": names}, loading_method="defer")


def copy(app: Any, error: Exception | None) -> None:
    folder, target = app.config.dpm_live, Path(app.outdir) / "_static" / "live"
    if error is None and app.builder.format == "html":
        shutil.rmtree(target, ignore_errors=True)
        if folder:
            shutil.copytree(folder, target)
        bundle.licences(target / "licences")


def setup(app: Any) -> None:
    app.add_config_value("dpm_live", None, "")
    app.add_directive("live", LiveDirective)
    app.connect("builder-inited", prepare)
    app.connect("html-page-context", script)
    app.connect("build-finished", copy)
