"""The notebook of searches runs from top to bottom, with real data and without."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="nbformat is not installed")
nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
pytest.importorskip("ipykernel", reason="ipykernel is not installed")

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOK = ROOT / "notebooks" / "04_zero_cost_nas.ipynb"


def run(folder, monkeypatch) -> str:
    """Execute the notebook in a folder and return what it printed."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("IPYTHONDIR", str(folder / "ipython"))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    client = nbclient.NotebookClient(
        notebook, timeout=600, kernel_name="python3", resources={"metadata": {"path": folder}}
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts = [output.get("text", output.get("data", {}).get("text/plain", "")) for output in outputs]
    return "\n".join(texts)


def test_it_runs_without_real_data_and_says_what_it_skips(tmp_path, monkeypatch):
    monkeypatch.delenv("TESTBED_DATA", raising=False)
    text = run(tmp_path, monkeypatch)
    assert text.count("skipped: TESTBED_DATA") == 4
    assert "Best −hessian_input so far" in text
    assert "FGSM@8" in text
    assert "'kernel':" in text


def test_it_runs_on_the_published_truth(tmp_path, monkeypatch, real_data):
    if not (real_data / "robustness-data" / "meta.json").is_file():
        pytest.skip(f"no published truth in {real_data}")
    text = run(tmp_path, monkeypatch)
    assert "skipped: TESTBED_DATA" not in text
    assert "top-1 by params: 68.00 %" in text
    assert "on the true front" in text
    assert "<Figure size" in text


def test_it_is_committed_without_outputs():
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    assert not any(cell.get("outputs") for cell in notebook.cells)
