"""Where things are: folders, pages in their order, executed chapters."""

import hashlib
import os
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[1]
BOOK = ROOT / "book"

# Kernels inherit this: two OpenMP threads that wait for each other are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def pages() -> list[str]:
    """The pages of the book in the order of the table of contents."""
    toc = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf8"))
    return [toc["root"], *(c["file"] for part in toc["parts"] for c in part["chapters"])]


def source(page: str) -> str:
    """The text of a page."""
    return (BOOK / f"{page}.md").read_text(encoding="utf8")


def cache_folder() -> Path:
    """The jupyter-cache of this version of the library.

    jupyter-cache looks at the cells of a chapter only, so the folder is named after everything
    else that can change a result: the library and the pinned requirements.
    """
    digest = hashlib.sha256()
    for path in (ROOT / "requirements.txt", *sorted((ROOT / "dpm_lib").rglob("*.py"))):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return ROOT / "_build" / ".jupyter_cache" / digest.hexdigest()[:12]


def forget_unmeasured(app: Any, env: Any, added: set, changed: set, removed: set) -> set[str]:
    """Drop executions whose proofs are not on record (any more), so that they run again."""
    from jupyter_cache import get_cache

    from dpm_lib.evidence import ledger

    on_record = {row.equation for row in ledger.rows() if row.kind == "proof"}
    cache = get_cache(str(cache_folder()))
    again = set()
    for record in cache.list_cache_records():
        notebook = cache.get_cache_bundle(record.pk).nb
        outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
        names = {out.get("metadata", {}).get("scrapbook", {}).get("name") for out in outputs}
        if ledger.folder() and not names - {None} <= on_record:
            cache.remove_cache(record.pk)
            again.add(Path(record.uri).stem)
    return again & env.found_docs


def setup(app: Any) -> None:
    def configure(app: Any, config: Any) -> None:
        config.nb_execution_cache_path = str(cache_folder())

    app.connect("config-inited", configure, priority=100)
    app.connect("env-get-outdated", forget_unmeasured)
