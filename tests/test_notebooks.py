"""The notebooks run from top to bottom; what needs real data skips, saying why."""

import os
from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat", reason="the notebooks need nbclient and ipykernel")
nbclient = pytest.importorskip("nbclient", reason="the notebooks need nbclient and ipykernel")
pytest.importorskip("ipykernel", reason="the notebooks need nbclient and ipykernel")

from jupyter_client.manager import AsyncKernelManager  # noqa: E402
from jupyter_core.utils import run_sync  # noqa: E402

from tests.thorough import thorough  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


class Kernel:
    """One process for several notebooks, each of which begins without names."""

    def __init__(self, folder, environment):
        self.folder, self.environment = folder, environment
        self.manager = AsyncKernelManager(kernel_name="python3")

    def run(self, path):
        """Return all that a notebook prints and shows, as (type of data, its text)."""
        notebook = nbformat.read(path, as_version=4)
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%reset -f"))
        resources = {"metadata": {"path": str(self.folder)}}
        client = nbclient.NotebookClient(notebook, self.manager, timeout=120, resources=resources)
        try:
            client.execute(env=self.environment)
        finally:
            if client.kc is not None:
                client.kc.stop_channels()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        shown = [("text", o["text"]) for o in outputs if o["output_type"] == "stream"]
        return shown + [(k, v) for o in outputs if "data" in o for k, v in o["data"].items()]


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """Return a function that starts a kernel in an empty folder, given the folder of data."""
    kernels = []

    def started(data):
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        environment.pop("TESTBED_DATA", None)
        environment |= {} if data is None else {"TESTBED_DATA": str(data)}
        kernels.append(Kernel(tmp_path_factory.mktemp("notebooks"), environment))
        return kernels[-1]

    yield started
    for kernel in kernels:
        run_sync(kernel.manager.shutdown_kernel)(now=True)


@pytest.fixture(scope="module")
def without_data(start):
    return start(None)


@pytest.fixture(scope="module")
def with_data(start, real_data):
    return start(real_data)


def test_there_are_five():
    assert [path.stem for path in NOTEBOOKS] == [
        "01_quickstart", "02_reproduce_the_paper", "03_your_own_network", "04_zero_cost_nas",
        "05_your_own_space_and_images",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    # The commands of the last are run on other networks by test_own_end_to_end.
    [
        pytest.param(path, marks=[thorough] * path.stem.startswith(("03", "04", "05")))
        for path in NOTEBOOKS
    ],
    ids=lambda path: path.stem,
)
def test_a_notebook_runs_without_real_data(path, without_data):
    shown = without_data.run(path)
    said = "".join(text for kind, text in shown if kind == "text")
    source = path.read_text(encoding="utf-8")
    needs_data = "published_truth()" in source or "TESTBED_DATA" in source
    assert ("skipped: testbed_data" in said.lower()) == needs_data
    assert list(without_data.folder.iterdir()) == []


@thorough  # the figures have tests of their own
def test_the_papers_figures_are_shown_with_real_data(with_data):
    shown = with_data.run(ROOT / "notebooks" / "02_reproduce_the_paper.ipynb")
    figures = [text for kind, text in shown if kind == "image/svg+xml"]
    assert len(figures) == 5
    assert any(
        "0.2113" in text and "0.3991" in text for kind, text in shown if kind == "text/plain"
    )


@thorough  # the searches have tests of their own
def test_searches_run_on_the_published_truth(with_data):
    shown = with_data.run(ROOT / "notebooks" / "04_zero_cost_nas.ipynb")
    said = "".join(text for kind, text in shown if kind.startswith("text"))
    assert "skipped" not in said
    assert "top-1 by params: 68.00 %" in said
    assert "on the true front" in said


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_is_kept_without_outputs(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c["cell_type"] == "code"]
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
