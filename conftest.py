"""``pytest --nbval`` runs every code cell of every chapter (book/*.md) as a test.

The chapters are text, so jupytext makes the notebook that nbval runs.  The outputs of a chapter
that passes as a whole go to the jupyter-cache which the build of the book reads: in one run of CI
each chapter is executed once.  Plain ``pytest`` collects no chapter.
"""

import time
from collections import defaultdict

import pytest
from jupyter_cache import get_cache
from jupyter_cache.base import CacheBundleIn
from jupytext.myst import myst_to_notebook
from nbformat.v4 import output_from_msg
from nbval.plugin import IPyNbCell, IPyNbFile, find_metadata_tags

from book_ext import house

KEPT = {"stream", "display_data", "execute_result", "error"}
LEDGER = "test_ledger.py"


def pytest_configure(config):
    if not config.option.nbval:
        return
    config.option.nbval_current_env = True  # kernels use the interpreter that runs pytest
    if getattr(config.option, "dist", "no") != "no":
        config.option.dist = "loadfile"  # pytest-xdist: the cells of a chapter share a kernel
    if not hasattr(config, "workerinput"):
        assert get_cache(str(house.cache_folder())).db  # made before workers write to it


def pytest_collect_file(file_path, parent):
    if parent.config.option.nbval and file_path.parent == house.BOOK and file_path.suffix == ".md":
        return Chapter.from_parent(parent, path=file_path)
    return None


def pytest_collection_modifyitems(config, items):
    """Tests, then chapters in the order of the book, then the ledger that they have filled."""
    order = {page: n for n, page in enumerate(house.pages(), start=1)}

    def place(item):
        if isinstance(item, ChapterCell):
            return order.get(item.path.stem, len(order))
        return len(order) + 1 if item.path.name == LEDGER else 0

    items.sort(key=place)
    reason = None
    if not config.option.nbval:
        reason = "chapters write the ledger: run pytest --nbval"
    elif hasattr(config, "workerinput"):
        reason = "chapters run beside this in other workers: run it without -n"
    for item in items:
        if reason and item.path.name == LEDGER:
            item.add_marker(pytest.mark.skip(reason=reason))


class Chapter(IPyNbFile):
    """A chapter: one kernel, one test for each code cell."""

    broken = None  # the cell that did not pass

    def collect(self):
        self.nb = myst_to_notebook(self.path.read_text(encoding="utf8"), add_source_map=True)
        lines = self.nb.metadata.pop("source_map")
        code = [pair for pair in zip(lines, self.nb.cells, strict=True) if is_code(pair[1])]
        self.tests = [
            ChapterCell.from_parent(
                self,
                name=f"cell{number:02d}-line{line + 1}",
                cell_num=number,
                cell=cell,
                options=defaultdict(bool, find_metadata_tags(cell.metadata)),
            )
            for number, (line, cell) in enumerate(code, start=1)
        ]
        return self.tests

    def setup(self):
        self.started = time.monotonic()
        super().setup()
        self.kernel.execute_cell_input = self.execute

    def execute(self, source, allow_stdin=False):
        """Send a cell as a notebook does (nbval hides it from IPython's history)."""
        self.outputs = []
        self.sent = self.kernel.kc.execute(source, allow_stdin=allow_stdin, stop_on_error=False)
        return self.sent

    def get_kernel_message(self, timeout=None, stream="iopub"):
        """Listen in: keep the outputs in their order, as the build would have them."""
        message = super().get_kernel_message(timeout, stream)
        if message["parent_header"].get("msg_id") == self.sent and message["msg_type"] in KEPT:
            output = output_from_msg(message)
            before = self.outputs[-1] if self.outputs else {}
            if output.output_type == "stream" and before.get("name") == output.name:
                before.text += output.text
            else:
                self.outputs.append(output)
        return message

    def teardown(self):
        super().teardown()
        if all(test.cell.execution_count for test in self.tests):
            self.nb.metadata.language_info = {"name": "python", "pygments_lexer": "ipython3"}
            seconds = {"execution_seconds": time.monotonic() - self.started}
            get_cache(str(house.cache_folder())).cache_notebook_bundle(
                CacheBundleIn(self.nb, str(self.path), data=seconds),
                check_validity=False,
                overwrite=True,
            )


class ChapterCell(IPyNbCell):
    """A code cell of a chapter: it passes when it runs."""

    def runtest(self):
        chapter = self.parent
        if chapter.broken:
            pytest.skip(f"{chapter.broken} did not pass")
        chapter.broken = self.name
        super().runtest()
        chapter.broken = None
        self.cell.outputs = chapter.outputs
        self.cell.execution_count = self.cell_num

    def reportinfo(self):
        return self.path, int(self.name.rpartition("line")[2]) - 1, self.name


def is_code(cell):
    return cell.cell_type == "code"
