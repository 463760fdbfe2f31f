"""A chapter runs elsewhere: papermill gives it other parameters."""

import jupytext
import papermill

from book_ext import house
from dpm_lib.evidence import ledger


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
    judged = ledger.verdicts()
    assert judged
    assert {verdict.fault for verdict in judged} == {""}
    assert {verdict.stale for verdict in judged} == {"made with other parameters (seed=1)"}
    assert {v.row.dtype for v in judged} == {"float32", "exact"}
