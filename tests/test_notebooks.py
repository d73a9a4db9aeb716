"""The notebooks run from top to bottom; what needs real data skips, saying why."""

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebooks need nbclient and ipykernel")
nbclient = pytest.importorskip("nbclient", reason="the notebooks need nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="the notebooks need nbclient and ipykernel")

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def run(path, folder):
    """Return everything that a notebook prints and shows, as (type of data, its text)."""
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(folder)}}
    ).execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    shown = [("text", output["text"]) for output in outputs if output["output_type"] == "stream"]
    return shown + [(k, v) for o in outputs if "data" in o for k, v in o["data"].items()]


@pytest.fixture
def _python_path(monkeypatch):
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))


def test_there_are_four():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_quickstart", "02_reproduce_the_paper", "03_your_own_network", "04_zero_cost_nas",
    ]  # fmt: skip


@pytest.mark.usefixtures("_python_path")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_without_real_data(path, tmp_path, monkeypatch):
    monkeypatch.delenv("TESTBED_DATA", raising=False)
    shown = run(path, tmp_path)
    said = "".join(text for kind, text in shown if kind == "text")
    source = path.read_text(encoding="utf-8")
    needs_data = "published_truth()" in source or "TESTBED_DATA" in source
    assert ("skipped: testbed_data" in said.lower()) == needs_data
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_python_path", "real_data")
def test_the_papers_figures_are_shown_with_real_data(tmp_path):
    shown = run(ROOT / "notebooks" / "02_reproduce_the_paper.ipynb", tmp_path)
    figures = [text for kind, text in shown if kind == "image/svg+xml"]
    assert len(figures) == 5
    assert any(
        "0.2113" in text and "0.3991" in text for kind, text in shown if kind == "text/plain"
    )


@pytest.mark.usefixtures("_python_path", "real_data")
def test_searches_run_on_the_published_truth(tmp_path):
    shown = run(ROOT / "notebooks" / "04_zero_cost_nas.ipynb", tmp_path)
    said = "".join(text for kind, text in shown if kind.startswith("text"))
    assert "skipped" not in said
    assert "top-1 by params: 68.00 %" in said
    assert "on the true front" in said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
