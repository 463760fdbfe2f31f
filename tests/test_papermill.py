"""A chapter runs elsewhere: papermill gives it other parameters."""

import jupytext
import papermill

from book_ext import house


def test_chapter_in_single_precision_with_another_seed(tmp_path, monkeypatch):
    monkeypatch.setenv("DPM_EVIDENCE", str(tmp_path))
    notebook = jupytext.read(house.BOOK / "kernels.md", fmt="md:myst")
    done = papermill.execute_notebook(
        notebook,
        None,
        parameters={"dtype": "float32", "seed": 1},
        cwd=str(house.BOOK),
        progress_bar=False,
    )
    injected = [c for c in done.cells if "injected-parameters" in c.metadata.get("tags", [])]
    assert "float32" in injected[0].source
    assert '"dtype": "float32"' in (tmp_path / "cpu.json").read_text(encoding="utf8")
