"""MathJax from the site itself: the parts that pages load, out of sphinx-mathjax-offline."""

import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

SCRIPT = "startup.js"
PARTS = ("input/tex-base", "input/tex/extensions/ams", "output/chtml", "a11y/assistive-mml")
FILES = ("core", *PARTS, "output/chtml/fonts/tex")
FONTS = "output/chtml/fonts/woff-v2"

INLINE = re.compile(r"<span class=\"math notranslate nohighlight\">\\\((.*?)\\\)</span>", re.DOTALL)
# What takes no room, what is raised or lowered, what a sign is; what is narrow, and what is wide.
SILENT = re.compile(
    r"\\(?:left|right|[bB]ig[lr]?|displaystyle|mathcal|mathrm|text|bar|tilde|hat)\b|\\[,;:! ]"
)
RAISED = re.compile(r"[_^](?:\{(?:[^{}]|\{[^{}]*\})*\}|\\[A-Za-z]+|\S)")
WORD = re.compile(r"\\(log|exp|max|min|sin|cos|tanh|arg)\b")
SIGN = re.compile(r"\\[A-Za-z]+|&\w+;|[^\s{}\\_^]")
NARROW = set("()[]|,.;:/!'")
WIDE = set("=+-") | {"&lt;", "&gt;", r"\le", r"\ge", r"\leq", r"\geq", r"\neq", r"\to", r"\sim"}
WIDE |= {r"\approx", r"\equiv", r"\mid", r"\cdot", r"\dots", r"\cdots"}


def configure(app: Any, config: Any) -> None:
    config.mathjax_path = f"mathjax/{SCRIPT}"
    config.mathjax3_config = {
        **(config.mathjax3_config or {}),
        "loader": {"load": [part.replace("input/tex/extensions/", "[tex]/") for part in PARTS]},
        "tex": {"packages": ["base", "ams"]},
    }


def copy(app: Any, error: Exception | None) -> None:
    if error is not None or app.builder.format != "html":
        return
    source = Path(find_spec("sphinx-mathjax-offline").origin).parent / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source / FONTS, target / FONTS)
    for name in (SCRIPT, *(f"{file}.js" for file in FILES)):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, target / name)


def room(tex: str) -> float:
    """About how wide a formula will be, in em of the text around it."""
    tex = WORD.sub(r"\1", SILENT.sub("", tex))
    small = sum(len(SIGN.findall(part)) for part in RAISED.findall(tex))
    signs = SIGN.findall(RAISED.sub("", tex))
    return 0.42 * small + sum(
        0.45 if sign in NARROW else 1.4 if sign in WIDE else 0.65 for sign in signs
    )


def keep_room(app: Any, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Let a formula of the text take its room before it is typeset: lines stay where they are."""
    if "body" in context:
        context["body"] = INLINE.sub(
            lambda found: found[0].replace(">", f' style="--room: {room(found[1]):.1f}em">', 1),
            context["body"],
        )


def setup(app: Any) -> None:
    app.connect("config-inited", configure, priority=900)
    app.connect("html-page-context", keep_room)
    app.connect("build-finished", copy)
