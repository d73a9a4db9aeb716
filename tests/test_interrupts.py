"""Signals at every moment: a sample of what `scripts.interrupt` tries at length."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from scripts.interrupt import CASES, ROOT, fault, interrupt, start
from testbed.basis.interrupts import _is_command
from tests.thorough import thorough

COMPUTE = next(case for case in CASES if case.name == "compute")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks into /proc")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", [0.15, 0.5])
def test_a_command_that_starts_ends_quietly(number, moment):
    assert interrupt(COMPUTE, {}, number, False, moment) is None


@pytest.mark.parametrize(
    "number",
    [signal.SIGINT, *(pytest.param(n, marks=thorough) for n in (signal.SIGTERM, signal.SIGHUP))],
)
def test_a_command_with_workers_ends_quietly(number, tmp_path):
    process = start(COMPUTE, tmp_path, {})
    deadline = time.monotonic() + 120
    while not (tmp_path / "a.sqlite").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.5)  # workers start
    os.killpg(process.pid, number)
    output, errors = process.communicate(timeout=30)
    assert fault(process, output, errors, number, tmp_path) is None
    assert process.returncode == 128 + number


SCRIPT = textwrap.dedent(
    """
    import os, signal, sys, time
    from testbed.basis import interrupts

    interrupts.watch(always=True)
    with interrupts.bounded():
        interrupts.something_to_lose()
        try:
            {body}
        except KeyboardInterrupt:
            print("raised", flush=True)
    sys.exit(interrupts.exit_code())
    """
)


def ending(body: str) -> tuple[int, str, str]:
    code = SCRIPT.format(body=textwrap.indent(textwrap.dedent(body), " " * 8).strip())
    done = subprocess.run(
        [sys.executable, "-c", code], text=True, capture_output=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    return done.returncode, done.stdout, done.stderr


def test_a_signal_waits_for_the_end_of_what_must_not_be_done_by_half():
    body = """
        with interrupts.held():
            signal.raise_signal(signal.SIGTERM)
            print("whole", flush=True)
        print("never")
    """
    assert ending(body) == (143, "whole\nraised\n", "")


def test_a_second_signal_is_the_same_at_once_and_ends_later():
    body = """
        with interrupts.held():
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            print("once", flush=True)
            time.sleep(1.1)
            signal.raise_signal(signal.SIGTERM)
            print("never", flush=True)
    """
    assert ending(body) == (143, "once\n", "")


def test_an_import_is_not_interrupted_where_there_is_something_to_lose(tmp_path):
    (tmp_path / "slow.py").write_text(
        "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(0.1)\n"
        "print('imported', flush=True)\n"
    )
    body = f"""
        sys.path.insert(0, {str(tmp_path)!r})
        import slow
        time.sleep(5)
    """
    assert ending(body) == (130, "imported\nraised\n", "")


def test_an_interrupt_that_a_destructor_swallows_comes_again():
    body = """
        class Thing:
            def __del__(self):
                signal.raise_signal(signal.SIGINT)
                time.sleep(0.01)
        Thing()
        time.sleep(5)
    """
    assert ending(body) == (130, "raised\n", "")


def test_a_program_that_calls_commands_has_its_handlers_back():
    from testbed.basis import interrupts

    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    for _ in range(2):
        interrupts.watch(always=True)
        with pytest.raises(KeyboardInterrupt), interrupts.bounded():
            signal.raise_signal(signal.SIGTERM)
        assert interrupts.exit_code() == 143
        assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    with interrupts.bounded():
        assert interrupts.exit_code() is None


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["python", "-m", "proxies.compute", "--help"], True),
        (["python", "-X", "dev", "-m", "testbed"], True),
        (["python", "-mevaluation.search"], True),
        (["python", "/usr/bin/robustness-proxies", "train"], True),
        (["python", "-m", "pytest", "proxies"], False),
        (["python", "mine.py", "-m", "proxies"], False),
        (["python", "-c", "import testbed", "--multiprocessing-fork"], False),
        (["python"], False),
    ],
)
def test_only_commands_take_signals_over(words, expected):
    assert _is_command(words) is expected
