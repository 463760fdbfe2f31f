"""What a page has to load: the theme without the parts that no page uses."""

import logging
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fontTools import subset
from fontTools.ttLib import TTFont
from PIL import Image

AWESOME = "_static/vendor/fontawesome/*"
ICON_FONT = "fa-solid-900"
# The script of icons, and contents that only a printed page shows.
SUPERFLUOUS = re.compile(
    r"<link rel=\"preload\" as=\"font\"[^>]*>|<script src=\"[^\"]*/fontawesome/[^>]*></script>"
    r"|<div>\s*<h2>[^<]*</h2>\s*</div>\s*<nav aria-label=\"Page\">.*?</nav>",
    re.DOTALL,
)
# Pieces of code without a colour; numbers and keywords, for which a short element is enough.
PLAIN_TOKEN = re.compile(r"<span class=\"(?:n|o|p|w|sa|si|pre|sig-paren)\">([^<]*)</span>")
NUMBER = re.compile(r"<span class=\"m[fi]\">([^<]*)</span>")
KEYWORD = re.compile(r"<span class=\"(?:k|kc|kn|ow)\">([^<]*)</span>")
MADE_BY_SCRIPTS = "bs-"


def load_less(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Leave out Thebe, which no page starts, the script of icons, and spans without a colour."""
    for kind in ("script_files", "css_files"):
        context[kind] = [file for file in context[kind] if "thebe" not in str(vars(file)).lower()]
    context["default_mode"] = "auto"
    context["trimmed"] = lambda html: SUPERFLUOUS.sub("", html)
    toc = context.get("generate_toctree_html")
    if toc:
        context["generate_toctree_html"] = lambda *given, **options: str(
            toc(*given, **options)
        ).replace("<summary>", '<summary aria-label="The parts of this chapter">')
    if "body" in context:
        body = PLAIN_TOKEN.sub(r"\1", context["body"])
        context["body"] = KEYWORD.sub(r"<b>\1</b>", NUMBER.sub(r"<i>\1</i>", body))


def rules(css: str) -> Iterator[tuple[str, str]]:
    """The rules of a style sheet: what stands before a block, and the block."""
    depth = start = 0
    for brace in re.finditer(r"[{}]", css):
        depth += 1 if brace[0] == "{" else -1
        if depth == 1 and brace[0] == "{":
            opened = brace.start()
        elif depth == 0:
            yield css[start:opened], css[opened + 1 : brace.start()]
            start = brace.end()
    yield css[start:], ""


def used(selector: str, words: set[str]) -> bool:
    names = re.findall(r"\.-?([A-Za-z_][\w-]*)", re.sub(r"\([^)]*\)", "", selector))
    return "\\" in selector or all(n in words or n.startswith(MADE_BY_SCRIPTS) for n in names)


def purged(css: str, words: set[str]) -> str:
    """A style sheet without the rules of classes that no page and no script names."""
    kept = []
    for before, block in rules(re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)):
        statements, _, head = before.rpartition(";")
        head = head.strip()
        if statements:
            kept.append(f"{statements.strip()};")
        if head.startswith(("@media", "@supports")):
            block = purged(block, words)
        elif head.startswith("@keyframes"):
            block = block if head.split()[-1] in words else ""
        elif not head.startswith("@"):
            parts = re.split(r",(?![^(]*\))", head)
            head = ",".join(part for part in parts if used(part, words))
        if head and block.strip():
            kept.append(f"{head}{{{block}}}")
    return "".join(kept)


def bare(css: str) -> str:
    """A style sheet without comments, and with one space for many."""
    return re.sub(r"\s+", " ", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)).strip()


def shrink(app: Any, error: Exception | None) -> None:
    """Purge the theme's style sheets, strip ours, and cut the font of icons down to those shown."""
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    (awesome,) = site.glob(AWESOME)
    shutil.rmtree(awesome / "js", ignore_errors=True)
    words: set[str] = set()
    for file in [*site.rglob("*.html"), *site.rglob("*.js")]:
        words.update(re.findall(r"[A-Za-z_][\w-]*", file.read_text(encoding="utf8")))
    icons = ""
    for sheet in {*site.rglob("*.css")} - {site / "_static" / "book.css"}:
        css = purged(sheet.read_text(encoding="utf8"), words)
        css = re.sub(r"url\([^)]*\.woff2\) format\(\"woff2\"\),", "", css)
        sheet.write_text(css, encoding="utf8")
        icons += css
    own = site / "_static" / "book.css"
    own.write_text(bare(own.read_text(encoding="utf8")), encoding="utf8")
    for font in awesome.glob("webfonts/*"):
        if font.name != f"{ICON_FONT}.ttf":
            font.unlink()
    points = {ord(c) for c in icons if "\ue000" <= c <= "\uf8ff"}
    points |= {int(code, 16) for code in re.findall(r"\\(f[0-9a-f]{3})", icons)}
    logging.getLogger("fontTools").setLevel(logging.WARNING)
    cut = subset.Subsetter()
    cut.populate(unicodes=points)
    font = TTFont(awesome / "webfonts" / f"{ICON_FONT}.ttf")
    cut.subset(font)
    font.save(awesome / "webfonts" / f"{ICON_FONT}.ttf")


def pack(app: Any, error: Exception | None) -> None:
    """Keep figures as WebP of 128 colours, in a quarter of the bytes."""
    if error is not None or app.builder.format != "html":
        return
    site = Path(app.outdir)
    names = {}
    for image in site.glob("_images/*.png"):
        packed = image.with_suffix(".webp")
        few = Image.open(image).convert("RGBA").quantize(128, Image.Quantize.FASTOCTREE)
        few.save(packed, lossless=True, method=6)
        image.unlink()
        names[image.name] = packed.name
    for page in site.glob("*.html"):
        text = page.read_text(encoding="utf8")
        less = re.sub(r"(?<=_images/)[\w-]+\.png", lambda m: names.get(m[0], m[0]), text)
        if less != text:
            page.write_text(less, encoding="utf8")


def setup(app: Any) -> None:
    def configure(app: Any, config: Any) -> None:
        config.templates_path.append(str(Path(__file__).with_name("templates")))

    app.connect("config-inited", configure)
    app.connect("html-page-context", load_less, priority=900)
    app.connect("build-finished", pack, priority=900)
    app.connect("build-finished", shrink, priority=900)
