"""Each figure to touch as a page of its own, ``touch/NAME.html``, to be opened or framed."""

from pathlib import Path
from typing import Any

from book_ext.house import BOOK

COLOURS = """
:root { --pst-color-text-muted: #48566b; --pst-color-text-base: #222832; color-scheme: light; }
body { font: 16px sans-serif; color: #222832; }
body { max-width: 52rem; margin: 1rem auto; padding: 0 0.5rem; }
h1 { font-size: 1rem; font-weight: 400; text-align: center; }
"""


def write(app: Any, error: Exception | None) -> None:
    """Write the pages beside the book."""
    if error is not None or app.builder.format != "html":
        return
    from dpm_lib import explore

    folder = Path(app.outdir) / "touch"
    folder.mkdir(exist_ok=True)
    style = COLOURS + (BOOK / "_static" / "touch.css").read_text(encoding="utf8")
    for figure in explore.figures():
        (folder / f"{figure.name}.html").write_text(
            f'<!doctype html>\n<html lang="en" data-theme="light"><head><meta charset="utf-8">'
            f'<meta name="viewport" content="width=device-width"><title>{figure.words}</title>'
            f"<style>{style}</style></head><body><main><h1>{figure.words}</h1>"
            f"{figure._repr_html_()}</main></body></html>\n",
            encoding="utf8",
        )


def setup(app: Any) -> None:
    app.connect("build-finished", write)
