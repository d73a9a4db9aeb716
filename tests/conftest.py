"""What all tests share."""

import os
import signal
from pathlib import Path

import pytest
import torch

# One thread: the tests run side by side, and sums keep their order.
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
