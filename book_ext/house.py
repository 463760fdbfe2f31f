"""Where things are: folders, pages in their order, executed chapters."""

import hashlib
import logging
import os
import platform
from pathlib import Path
from typing import Any

import yaml

from dpm_lib.evidence import ledger, storage
from dpm_lib.evidence.provenance import code_hash, page_cells, prefixes

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"

# Kernels inherit this: two OpenMP threads that wait for each other are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pages() -> list[str]:
    """The pages of the book in the order of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    chapters = [chapter for part in toc["parts"] for chapter in part["chapters"]]
    files = [e["file"] for c in chapters for e in (c, *c.get("sections", []))]
    return [toc["root"], *files]


def source(page: str) -> str:
    """The text of a page."""
    return (BOOK / f"{page}.md").read_text(encoding="utf8")


def cache_folder() -> Path:
    """The jupyter-cache of these requirements, this Python and these figures.

    jupyter-cache looks at the cells of a chapter only.  What else can change a result is in the
    name of the folder, or, for the rest of the library, in the rows of the chapter.
    """
    plots = code_hash((ROOT / "dpm_lib" / "plots.py").read_text(encoding="utf8"))
    pins = (ROOT / "requirements.txt").read_text(encoding="utf8")
    digest = hashlib.sha256("\0".join((pins, platform.python_version(), plots)).encode())
    return ROOT / "_build" / ".jupyter_cache" / digest.hexdigest()[:12]


def forget_unmeasured(app: Any, env: Any, added: set, changed: set, removed: set) -> set[str]:
    """Drop executions that are not on record (any more), so that they run again.

    An execution is on record when the chapter has rows, all of them count, and every formula that
    it printed is among them.
    """
    from jupyter_cache import get_cache

    if storage.folder() is None:
        return set()
    judged = [(v.row, v.counts) for v in ledger.verdicts() if v.row]
    cache = get_cache(str(cache_folder()))
    again = set()
    for record in cache.list_cache_records():
        notebook = cache.get_cache_bundle(record.pk).nb
        sources = [cell.source.strip() for cell in notebook.cells if cell.cell_type == "code"]
        cells = set(prefixes([source for source in sources if source]))
        mine = [(row, counts) for row, counts in judged if row.cell in cells]
        known = {(row.equation, row.kind, row.route) for row, _ in mine}
        counting = {(row.equation, row.kind, row.route) for row, counts in mine if counts}
        outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
        printed = {out.get("metadata", {}).get("scrapbook", {}).get("name") for out in outputs}
        proved = {equation for equation, kind, _ in counting if kind == "proof"}
        if not known or known != counting or not printed - {None} <= proved:
            cache.remove_cache(record.pk)
            again.add(Path(record.uri).stem)
    return again & env.found_docs


def execute_side_by_side(app: Any, env: Any, docnames: list[str]) -> None:
    """Execute the chapters that are about to be read, as many at a time as there are processors.

    Sphinx would read, and so execute, one after the other.  A chapter that fails is left to it: it
    has the words for that.
    """
    from jupyter_cache import get_cache
    from jupyter_cache.executors import load_executor

    cache = get_cache(str(cache_folder()))
    reader = {"name": "myst_nb_md", "type": "plugin"}
    chapters = [
        cache.add_nb_to_project(env.doc2path(name), read_data=reader).pk
        for name in docnames
        if page_cells(Path(env.doc2path(name)).read_text(encoding="utf8"))
    ]
    if chapters:
        logger = logging.getLogger(__name__)
        logger.setLevel(logging.INFO)  # each chapter is named when it starts
        executor = load_executor("local-parallel", cache, logger)
        executor.run_and_cache(filter_pks=chapters, timeout=app.config.nb_execution_timeout)


def setup(app: Any) -> None:
    def configure(app: Any, config: Any) -> None:
        config.nb_execution_cache_path = str(cache_folder())

    app.connect("config-inited", configure, priority=100)
    app.connect("env-get-outdated", forget_unmeasured)
    app.connect("env-before-read-docs", execute_side_by_side)
