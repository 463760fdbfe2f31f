"""One page of the built site in Chromium: load it, and measure what a reader meets."""

import shutil
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

from playwright.sync_api import sync_playwright

from book_ext import house

SITE = house.ROOT / "_build" / "html"
AXE = Path(find_spec("axe_playwright_python").origin).with_name("axe.min.js")
WIDE, PHONE, NARROW = 1300, 390, 360
THEMES = ("light", "dark")
SLOWEST = 300_000  # milliseconds

SHIFTS = """
window.shifts = [];
new PerformanceObserver(list => list.getEntries().forEach(e => window.shifts.push(
  [e.value, ...e.sources.map(s => s.node?.className || s.node?.nodeName)],
))).observe({type: "layout-shift", buffered: true});
"""

READY = """async () => {
  if (window.MathJax?.startup) await MathJax.startup.promise;
  await document.fonts.ready;
  await new Promise(done => setTimeout(done, 300));
}"""

SHARES = """() => {
  const article = document.querySelector("article"), whole = article.getBoundingClientRect();
  const spans = selector => [...article.querySelectorAll(selector)]
    .filter(e => e.checkVisibility()).map(e => e.getBoundingClientRect())
    .filter(box => box.height >= 40 && box.width >= 40).map(box => [box.top, box.bottom])
    .sort((a, b) => a[0] - b[0]);
  const union = parts => {
    let sum = 0, gap = 0, end = whole.top;
    for (const [top, bottom] of parts) {
      gap = Math.max(gap, top - end);
      sum += Math.max(0, bottom - Math.max(top, end));
      end = Math.max(end, bottom);
    }
    return {share: sum / whole.height, gap: Math.max(gap, whole.bottom - end)};
  };
  const code = union(spans("div.highlight:not(.cell_output *)"));
  const figures = union(spans("figure, img, canvas, .dpm-figure, .dpm-graph"));
  return {code: code.share, figures: figures.share, stretch: figures.gap, height: whole.height};
}"""

FORMULAS = """() => [...document.querySelectorAll('article mjx-container[display="true"]')]
  .filter(e => e.checkVisibility())
  .map(e => {
    let box = e;
    while (box !== document.body && box.scrollWidth <= box.clientWidth + 1) box = box.parentElement;
    return box === document.body ? null : e.closest("[id]")?.id + ": "
      + (box.scrollWidth - box.clientWidth) + " px";
  })"""

UNFOLD = """() => {
  document.querySelectorAll("details").forEach(e => { e.open = true; });
  document.querySelectorAll(".toggle-hidden").forEach(e => e.classList.remove("toggle-hidden"));
}"""

# For axe, which is slow: one token of code of each kind, twenty of what repeats, and formulas as
# empty boxes.
THIN = """() => {
  for (const repeated of ["dl.py", "tr", ".toc-entry", ".dpm-passport"])
    [...document.querySelectorAll(repeated)].slice(20).forEach(e => e.remove());
  const formulas = [...document.querySelectorAll("mjx-math")];
  const sizes = formulas.map(e => [e.offsetWidth, e.offsetHeight]);
  formulas.forEach((e, n) => {
    e.replaceChildren();
    e.style.cssText += `;display: inline-block; width: ${sizes[n][0]}px; height: ${sizes[n][1]}px`;
  });
  document.querySelectorAll("mjx-assistive-mml").forEach(e => e.remove());
  const seen = new Set();
  document.querySelectorAll(".highlight span").forEach(e => {
    if (seen.has(e.className)) e.replaceWith(...e.childNodes);
    seen.add(e.className);
  });
}"""

AUDIT = """async options => {
  const found = await axe.run(document, {resultTypes: ["violations"], preload: false, ...options});
  return found.violations.filter(v => ["serious", "critical"].includes(v.impact))
    .flatMap(v => v.nodes.map(n => `${v.id}: ${n.target.join(" ")}: ${n.any[0]?.message ?? ""}`));
}"""
SHAPES = {"rules": {"color-contrast": {"enabled": False}}}
COLOURS = {"runOnly": ["color-contrast", "link-in-text-block"]}


@contextmanager
def chromium():
    """The browser of the system."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        context = browser.new_context()
        context.set_default_timeout(SLOWEST)
        yield context
        browser.close()


def address(page):
    return (SITE / f"{page}.html").as_uri()


def source(tab):
    """The page as it is on disk, before any script ran."""
    return Path(unquote(urlsplit(tab.url).path)).read_text(encoding="utf8")


def size(url):
    return Path(unquote(urlsplit(url).path)).stat().st_size


def total(shifts):
    return sum(value for value, *_ in shifts)


def set_theme(tab, theme):
    tab.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)


def measure(context, page):
    """All numbers of one page."""
    tab = context.new_page()
    errors, urls = [], set()
    tab.on("console", lambda m: errors.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: errors.append(str(error)))
    tab.on("request", lambda request: urls.add(request.url))
    tab.add_init_script(SHIFTS)
    tab.set_viewport_size({"width": WIDE, "height": 900})
    tab.goto(address(page))
    tab.evaluate(READY)
    files = {url.partition("?")[0].partition("#")[0] for url in urls if url.startswith("file:")}
    found = {
        "errors": list(errors),
        "outside": [url for url in urls if urlsplit(url).scheme not in ("file", "data", "blob")],
        "weight": sum(map(size, files)),
        "wrong_formulas": tab.locator("mjx-merror").all_text_contents(),
        "shifts": tab.evaluate("shifts"),
        **tab.evaluate(SHARES),
    }
    tab.set_viewport_size({"width": PHONE, "height": 844})
    tab.reload()
    tab.evaluate(READY)
    found["shifts_on_phone"] = tab.evaluate("shifts")
    found["formulas"] = tab.evaluate(FORMULAS)
    tab.set_viewport_size({"width": NARROW, "height": 800})
    found["overhang"] = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
    tab.evaluate(UNFOLD)
    tab.evaluate(READY)
    tab.evaluate(THIN)
    tab.add_script_tag(path=AXE)
    found["phone"] = tab.evaluate(AUDIT, SHAPES)
    tab.set_viewport_size({"width": WIDE, "height": 900})
    tab.evaluate(READY)
    set_theme(tab, "light")
    found["light"] = tab.evaluate(AUDIT, {})
    set_theme(tab, "dark")
    found["dark"] = tab.evaluate(AUDIT, COLOURS)
    tab.close()
    return found


NUMBERS = "numbers"
"""The property of a report that holds the line of a page."""

HEAD = (
    "page            MB  shift, phone  scrolling  axe light, dark, phone"
    "   code  figures  stretch  height"
)


def line(page, found):
    """The numbers of a page, under ``HEAD``."""
    formulas = found["formulas"]
    scrolling = f"{sum(map(bool, formulas))}/{len(formulas)}"
    audits = "".join(f"{len(found[audit]):7}" for audit in ("light", "dark", "phone"))
    return (
        f"{page:13} {found['weight'] / 1e6:4.2f}  {total(found['shifts']):5.3f}  "
        f"{total(found['shifts_on_phone']):5.3f}  {scrolling:>9}  {audits}  "
        f"{found['code']:5.0%}  {found['figures']:7.0%}  {found['stretch']:7.0f}  "
        f"{found['height']:6.0f}"
    )
