"""What commands print: names are never markup, and off a terminal a line says how far they are."""

import ast
import io
import time
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from testbed.basis.terminal import plain_console
from testbed.command.console import progress
from testbed.command.heartbeat import Heartbeat
from testbed.command.main import app
from testbed.store import read_scores

ROOT = Path(__file__).resolve().parents[1]
SOURCES = [
    path
    for folder in ("testbed", "proxies", "evaluation", "benchmarks", "scripts")
    for path in sorted((ROOT / folder).rglob("*.py"))
]


def calls(path: Path, *names: str) -> list[ast.Call]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") in names
    ]


def test_every_console_is_made_in_one_place():
    made = [path.name for path in SOURCES if calls(path, "Console")]
    assert made == ["terminal.py"]


def test_no_bar_reads_markup():
    columns = [call for path in SOURCES for call in calls(path, "TextColumn")]
    assert columns
    for call in columns:
        fixed = isinstance(call.args[0], ast.Constant) and "{" not in str(call.args[0].value)
        assert fixed or any(word.arg == "markup" for word in call.keywords)
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        assert "from_markup" not in text
        assert "import track" not in text or path.parent.name == "scripts"


def test_a_plain_console_prints_what_it_is_given():
    text = io.StringIO()
    plain_console(file=text, width=80).print("a[/b].sqlite [bold]b :smile:")
    assert text.getvalue() == "a[/b].sqlite [bold]b :smile:\n"


@pytest.mark.parametrize("name", ["a[/b].sqlite", "[bold]b.sqlite", "[link=x]:smile:[/].sqlite"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_store_may_have_any_name(tmp_path, monkeypatch, name, ending):
    monkeypatch.chdir(tmp_path)
    words = ["compute", "--archs", "11", "--channels", "4", "--cells", "1", "--proxies", "params"]
    out = f"[red]x.{ending}"
    words += ["--workers", "1", "--store", name, "--out", out]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 0, result.output
    assert f"Scores are in {name}." in result.stdout
    assert f"Exported to {out}." in result.stdout
    assert len(read_scores(tmp_path / name)) == len(read_scores(tmp_path / out)) == 1


# How far a command is


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


def lines(text: io.StringIO) -> list[str]:
    found = text.getvalue().splitlines()
    text.seek(0)
    text.truncate()
    return found


def test_a_line_every_tenth_and_every_thirty_seconds(clock):
    text = io.StringIO()
    beat = Heartbeat(plain_console(file=text), clock)
    task = beat.add_task("scoring", total=200)
    beat.beat()
    clock.now = 10
    for _ in range(20):
        beat.advance(task)
    assert lines(text) == ["scoring: 10 % (20 of 200), 0:00:10 elapsed, about 0:01:30 left"]
    beat.advance(task)
    clock.now = 39
    beat.beat()
    assert lines(text) == []
    clock.now = 40
    beat.beat()
    assert lines(text) == ["scoring: 10 % (21 of 200), 0:00:40 elapsed, about 0:05:41 left"]
    beat.beat()
    clock.now = 69
    beat.beat()
    assert lines(text) == []
    beat.update(task, completed=200)
    assert lines(text) == ["scoring: 100 % (200 of 200), 0:01:09 elapsed"]


def test_what_is_done_within_two_seconds_has_no_line(clock):
    text = io.StringIO()
    beat = Heartbeat(plain_console(file=text), clock)
    assert list(beat.track(range(10), "checking")) == list(range(10))
    assert text.getvalue() == ""


def test_every_tenth_of_ten_tasks_has_its_line(clock, monkeypatch):
    monkeypatch.setattr("testbed.command.heartbeat.BRIEF", 0.0)
    text = io.StringIO()
    beat = Heartbeat(plain_console(file=text), clock)
    assert list(beat.track(range(10), "checking")) == list(range(10))
    shares = [line.partition(" %")[0] for line in lines(text)]
    assert shares == [f"checking: {share}" for share in range(10, 101, 10)]


def test_a_total_may_be_unknown(clock):
    text = io.StringIO()
    beat = Heartbeat(plain_console(file=text), clock)
    task = beat.add_task("searching", total=None)
    beat.advance(task)
    clock.now = 30
    beat.beat()
    assert lines(text) == ["searching: 1 done, 0:00:30 elapsed"]


def test_what_was_done_before_says_nothing_of_the_rest(clock):
    text = io.StringIO()
    beat = Heartbeat(plain_console(file=text), clock)
    task = beat.add_task("epochs", total=100)
    beat.update(task, completed=80)
    lines(text)
    clock.now = 10
    beat.update(task, completed=90)
    assert lines(text) == ["epochs: 90 % (90 of 100), 0:00:10 elapsed, about 0:00:10 left"]


def test_one_long_item_has_its_lines_too(monkeypatch):
    monkeypatch.setattr("testbed.command.heartbeat.SECONDS", 0.0)
    text = io.StringIO()
    with Heartbeat(plain_console(file=text)) as beat:
        beat.add_task("attacking", total=1)
        deadline = time.monotonic() + 10
        while not text.getvalue() and time.monotonic() < deadline:
            time.sleep(0.05)
    assert lines(text)[0].startswith("attacking: 0 % (0 of 1)")


def test_off_a_terminal_nothing_of_the_bar_is_on_standard_output(capsys, monkeypatch):
    monkeypatch.setattr("testbed.command.heartbeat.BRIEF", 0.0)
    with progress(Console()) as bar:
        bar.advance(bar.add_task("scoring", total=2))
    written = capsys.readouterr()
    assert written.out == ""
    assert written.err.startswith("scoring: 50 % (1 of 2)")


def test_a_terminal_has_a_bar():
    text = io.StringIO()
    console = plain_console(file=text, force_terminal=True, width=100)
    with progress(console) as bar:
        bar.advance(bar.add_task("[bold]scoring", total=2))
    assert "[bold]scoring" in text.getvalue()
    assert "1/2" in text.getvalue()
