"""The whole book as one PDF: ``python .ci/pdf.py [PAGE ...]``, from the built site.

Chromium prints each page as pdf.css says: without navigation, folded code left out, solutions and
the ledger open.  The pages are joined under bookmarks; links between pages lead into the file.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urlsplit

from pypdf import PdfReader, PdfWriter
from pypdf.generic import ArrayObject, DictionaryObject, FloatObject, NameObject

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from book_ext import house  # noqa: E402

PRINT = Path(__file__).with_suffix(".css")
OPENED = "details:not(.dpm-fold):not(.dpm-passport details)"
SCRIPT = f"""addEventListener("DOMContentLoaded", () => {{
  document.documentElement.dataset.theme = "light";
  document.querySelectorAll({json.dumps(OPENED)}).forEach(each => {{ each.open = true; }});
}});"""
FOLDS = re.compile(r'<script[^>]*src="_static/fold\.js[^>]*></script>')


def title(html: str) -> str:
    """The title of a page, as text."""
    heading = re.search(r"<h1>(.*?)(?:<a class=\"headerlink\"|</h1>)", html, re.S)
    return unescape(re.sub(r"<[^>]*>", "", heading[1])).strip() if heading else ""


def print_page(browser: str, page: Path, target: Path) -> str:
    """Print a page of the site, and return its title."""
    html = page.read_text(encoding="utf8")
    name = title(html)
    style = PRINT.read_text(encoding="utf8").replace("TITLE", json.dumps(name, ensure_ascii=False))
    extra = f"<style>{style}</style><script>{SCRIPT}</script></head>"
    copy = page.with_name(f"print-{page.name}")
    copy.write_text(FOLDS.sub("", html).replace("</head>", extra, 1), encoding="utf8")
    try:
        with tempfile.TemporaryDirectory() as profile:
            command = [
                browser, "--headless", "--no-sandbox", "--disable-gpu",
                f"--user-data-dir={profile}", "--no-pdf-header-footer",
                "--generate-pdf-document-outline",
                "--virtual-time-budget=60000", "--force-prefers-reduced-motion",
                f"--print-to-pdf={target}", copy.as_uri(),
            ]  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, timeout=600)
    finally:
        copy.unlink()
    return name


def join(parts: dict[str, tuple[str, Path]], target: Path) -> int:
    """Join printed pages, each under a bookmark; return how many sheets there are."""
    writer = PdfWriter()
    places: dict[tuple[str, str], tuple[int, float]] = {}  # page and anchor to sheet and height
    sheets: list[str] = []  # of which page each sheet is
    for page, (name, file) in parts.items():
        reader, start = PdfReader(file), len(writer.pages)
        places[page, ""] = start, float(reader.pages[0].mediabox.top)
        for anchor, to in reader.named_destinations.items():
            number = reader.get_destination_page_number(to)
            places[page, anchor.lstrip("/")] = start + number, float(to.top or 0)
        writer.append(reader, outline_item=name, import_outline=True)
        sheets += [page] * len(reader.pages)
    for sheet, page in zip(writer.pages, sheets, strict=True):
        for link in (each.get_object() for each in sheet.get("/Annots", [])):
            place = places.get(aim(link, page)) or places.get((aim(link, page)[0], ""))
            if place:
                to = [writer.pages[place[0]].indirect_reference, NameObject("/XYZ")]
                link[NameObject("/Dest")] = ArrayObject([*to, *map(FloatObject, (0, place[1], 0))])
                link.pop("/A", None)
    writer.add_metadata({"/Title": "Diffusion Probabilistic Models, Derived and Verified"})
    part = target.with_suffix(".part.pdf")
    writer.write(part)
    os.replace(part, target)
    return len(writer.pages)


def aim(link: DictionaryObject, page: str) -> tuple[str, str]:
    """Page and anchor that a link leads to; no page if it leads out of the book."""
    if "/Dest" in link:
        return page, str(link["/Dest"]).lstrip("/")
    parts = urlsplit(str(link.get("/A", {}).get("/URI", "")))
    if parts.scheme != "file":
        return "", ""
    return Path(unquote(parts.path)).stem.removeprefix("print-"), unquote(parts.fragment)


def main() -> int:
    site = ROOT / "_build" / "html"
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if browser is None:
        print("chromium is missing: install it with 'apt-get install chromium'")
        return 1
    wanted = sys.argv[1:] or house.pages()
    missing = [page for page in wanted if not (site / f"{page}.html").exists()]
    if missing:
        print(f"not in {site}: {', '.join(missing)}; run `make book` first")
        return 1
    target = ROOT / "_build" / "book.pdf"
    with tempfile.TemporaryDirectory() as folder:
        parts = {}
        for page in wanted:
            file = Path(folder) / f"{page}.pdf"
            parts[page] = (print_page(browser, site / f"{page}.html", file), file)
            print(f"{page}: {len(PdfReader(file).pages)} sheets", flush=True)
        print(f"{target}: {join(parts, target)} sheets")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
