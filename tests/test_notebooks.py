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


def test_there_are_three():
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["01_quickstart", "02_reproduce_the_paper", "03_your_own_network"]


@pytest.mark.usefixtures("_python_path")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_without_real_data(path, tmp_path, monkeypatch):
    monkeypatch.delenv("TESTBED_DATA", raising=False)
    shown = run(path, tmp_path)
    said = "".join(text for kind, text in shown if kind == "text")
    needs_data = "published_truth()" in path.read_text(encoding="utf-8")
    assert ("Skipped: TESTBED_DATA is not set" in said) == needs_data
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("_python_path", "real_data")
def test_the_papers_figures_are_shown_with_real_data(tmp_path):
    shown = run(ROOT / "notebooks" / "02_reproduce_the_paper.ipynb", tmp_path)
    figures = [text for kind, text in shown if kind == "image/svg+xml"]
    assert len(figures) == 5
    assert any(
        "0.2113" in text and "0.3991" in text for kind, text in shown if kind == "text/plain"
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
