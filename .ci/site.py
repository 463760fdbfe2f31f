"""Check the built site: ``python .ci/site.py [_build/html]``.

Nothing is fetched from outside, every internal link and fragment leads somewhere, images have
real alternative texts, no page shows a traceback, every equation stands on its page.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from dpm_lib.evidence.equations import EQUATIONS  # noqa: E402

FETCHED = {
    "script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src",
    "audio": "src", "embed": "src", "object": "data", "link": "href",
}  # fmt: skip
NOT_FETCHED = {"canonical", "next", "prev", "search", "index", "author", "copyright"}
TRACEBACK = re.compile(
    r"Traceback \(most recent call last\)|class=\"[^\"]*\b(?:output error|traceback)"
)
CSS_IMPORT = re.compile(r"@import\s+(?:url\()?[\"']?(?:https?:)?//|url\([\"']?(?:https?:)?//")


class Page(HTMLParser):
    """What one page links to, fetches and defines."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.text = path.read_text(encoding="utf8")
        self.ids: list[str] = []
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.feed(self.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        have = dict(attrs)
        if have.get("id"):
            self.ids.append(str(have["id"]))
        if tag == "a" and have.get("name"):
            self.ids.append(str(have["name"]))
        if tag == "img":
            self.images.append(have)
        key = FETCHED.get(tag)
        if key and have.get(key) and not set((have.get("rel") or "").split()) & NOT_FETCHED:
            self.fetched.append(str(have[key]))
        elif tag in ("a", "area") and have.get("href"):
            self.links.append(str(have["href"]))


def outside(url: str) -> bool:
    return url.startswith("//") or urlsplit(url).scheme in ("http", "https")


def check(site: Path) -> list[str]:
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    pages = {p: page for p, page in pages.items() if "_static" not in p.relative_to(site).parts}
    faults = []

    def fault(path: Path, text: str) -> None:
        faults.append(f"{path.relative_to(site)}: {text}")

    for path, page in pages.items():
        for url in page.fetched:
            if outside(url):
                fault(path, f"fetches {url}")
        for url in page.links + page.fetched:
            problem = broken(path, url, pages)
            if problem:
                fault(path, problem)
        if TRACEBACK.search(page.text):
            fault(path, "shows a traceback")
        if 'class="output stderr' in page.text:
            fault(path, "shows what a cell wrote to stderr, a warning perhaps")
        for image in page.images:
            problem = bad_alt(image)
            if problem:
                fault(path, f"image {image.get('src')}: {problem}")
    for path in site.rglob("*.css"):
        if CSS_IMPORT.search(path.read_text(encoding="utf8")):
            fault(path, "fetches from outside")
    for equation in EQUATIONS.values():
        path = site / f"{equation.page}.html"
        count = pages[path].ids.count(equation.id) if path in pages else 0
        if count != 1:
            fault(path, f"equation {equation.id} has {count} anchors")
        if path in pages and f"equation-{equation.id}" not in pages[path].ids:
            fault(path, f"equation {equation.id} has no number")
    ledger = pages.get(site / "ledger.html")
    missing = [key for key in EQUATIONS if not ledger or f"row-{key}" not in ledger.ids]
    if missing:
        faults.append(f"ledger.html: no row for {', '.join(missing)}")
    return faults


def broken(path: Path, url: str, pages: dict[Path, Page]) -> str | None:
    parts = urlsplit(url)
    if parts.scheme or parts.netloc:
        return None
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target /= "index.html"
    if not target.exists():
        return f"link to {url}: no such file"
    anchor = unquote(parts.fragment)
    if anchor and target in pages and anchor not in pages[target].ids:
        return f"link to {url}: no such anchor"
    return None


def bad_alt(image: dict[str, str | None]) -> str | None:
    alt = image.get("alt")
    if alt is None:
        return "no alternative text"
    if not alt.strip() and image.get("role") != "presentation":
        return "empty alternative text"
    if re.search(r"\.(png|svg|jpe?g|gif|webp)$|^_images/|^<Figure ", alt.strip()):
        return f"the alternative text is a name of a file or an object: {alt}"
    return None


def main() -> int:
    site = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "_build" / "html").resolve()
    if not (site / "index.html").exists():
        print(f"no site at {site}: run `make book` first")
        return 1
    faults = check(site)
    print("\n".join(faults) or f"the site is sound: {len(list(site.rglob('*.html')))} pages")
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
