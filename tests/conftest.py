"""What all tests share."""

import os
import signal
from pathlib import Path

# One thread: the tests run side by side, and sums keep their order. In the variables too, for
# the processes that tests start; threads that wait for each other there sleep, not spin.
os.environ.update(OMP_NUM_THREADS="1", MKL_NUM_THREADS="1", OMP_WAIT_POLICY="PASSIVE")

import pytest
import torch

from testbed.basis.seeding import generator
from testbed.images import ImageSet
from tests import stand_in_slurm
from tests.heavy_job import Heavy

pytest.register_assert_rewrite("proxies.testing")
torch.set_num_threads(1)

# A shell's background job ignores Ctrl-C, and so would the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Return the folder of real data, or skip where there is none."""
    folder = os.environ.get("TESTBED_DATA")
    if not folder:
        pytest.skip("TESTBED_DATA is not set: this test needs the real data")
    if not Path(folder).is_dir():
        pytest.skip(f"TESTBED_DATA names no folder: {folder}")
    return Path(folder)


@pytest.fixture(scope="session")
def coloured() -> ImageSet:
    """Random images; 40 of them, so that the last batch of 16 is smaller."""
    source = generator("coloured")
    pixels = torch.randint(256, (40, 3, 8, 8), generator=source, dtype=torch.uint8)
    labels = torch.randint(5, (40,), generator=source)
    return ImageSet("random", "train", pixels, 255, labels, 5, (0.5, 0.4, 0.3), (0.2, 0.3, 0.25))


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a report draw its first two figures only: where a test looks at its words."""
    from evaluation.report import write

    whole = write.gallery
    monkeypatch.setattr(write, "gallery", lambda *given: [*whole(*given)][:2])


@pytest.fixture
def heavy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Heavy:
    """A job that says in a folder when it is unpacked."""
    # A process of a cluster finds the tests as it finds any module of a user's.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[1]))
    (tmp_path / "unpacked").mkdir()
    return Heavy(tmp_path / "unpacked")


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for SLURM on the PATH; its folder."""
    place = stand_in_slurm.install(tmp_path / "slurm")
    monkeypatch.setenv("PATH", f"{place}{os.pathsep}{os.environ['PATH']}")
    return tmp_path / "slurm"
