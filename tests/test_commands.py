"""The shell around all commands: start-up, errors in one line, exit codes, one console command."""

import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from evaluation.attacks.names import ATTACKS
from testbed import images
from testbed.basis.errors import ToolkitError
from testbed.basis.terminal import plain_console
from testbed.command import doctor, scarce
from testbed.command.main import app as console_app
from testbed.command.menu import COMMANDS
from testbed.command.shell import Command, application
from testbed.spaces.nasbench201.archive import DATASETS
from testbed.spaces.nasbench201.names import ARCHIVE_DATASETS
from tests.thorough import thorough

try:
    import tomllib
except ImportError:  # Python 3.10
    tomllib = None

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "pandas", "matplotlib", "scipy", "sklearn")
# As pip writes a console command: the folder of the script is searched, the current one is not.
SCRIPT = """\
import sys
from testbed.command.main import main
if __name__ == "__main__":
    sys.exit(main())
"""
# Runs a command in a fresh process and says on its last line what that took.
PROBE = """\
import sys, time
{start}
try:
    main()
except SystemExit as end:
    code = end.code or 0
met = [name for name in {heavy!r} if name in sys.modules]
print("PROBE", code, round(time.process_time(), 3), *met)
"""


def probe(start, *words):
    """Return (exit code, CPU seconds, heavy modules, stdout, stderr) of a command."""
    code = PROBE.format(start=start, heavy=HEAVY)
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=ROOT, text=True, capture_output=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "100"},
    )  # fmt: skip
    text, _, last = done.stdout.rstrip().rpartition("PROBE ")
    assert last, done.stderr
    exit_code, seconds, *met = last.split()
    return int(exit_code), float(seconds), met, text, done.stderr


CONSOLE = "from testbed.command.main import main"
STARTS = {
    **{f"robustness-proxies {entry.name}": (CONSOLE, entry.name) for entry in COMMANDS},
    **{
        f"python -m {entry.module}": (f"from {entry.place.partition(':')[0]} import main",)
        for entry in COMMANDS
        if entry.module
    },
    "robustness-proxies": (CONSOLE,),
}


@pytest.fixture(params=STARTS)
def command(request):
    return STARTS[request.param]


def test_help_imports_nothing_heavy(command):
    code, seconds, met, text, _ = probe(*command, "--help")
    assert (code, met) == (0, [])
    assert seconds < (0.5 if command == (CONSOLE,) else 1)
    assert "Usage: " in text


def test_a_mistyped_option_is_one_line_and_imports_nothing_heavy(command):
    code, seconds, met, text, errors = probe(*command, "--hepl")
    assert (code, met, text) == (2, [], "")
    assert seconds < 1
    assert errors.startswith("error: unknown option --hepl (did you mean --help?)")
    assert errors.count("\n") == 1


# --- every command, in this process ------------------------------------------------------------


def run(*words):
    return CliRunner().invoke(console_app, list(map(str, words)))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["trian"], "unknown command trian (did you mean 'train'?)"),
        (["train", "--preset", "tinny"], "unknown --preset 'tinny' (did you mean 'tiny'?)"),
        (["train", "--epochs", "ten"], "--epochs: "),
        (["train", "--images", "cifar"], "(did you mean 'cifar10'?)"),
        (["train", "--epochs"], "option '--epochs' requires an argument"),
        (["train", "more"], "got unexpected extra argument"),
        (["train", "--data-root", "x"], "--data-root x would be ignored: the digits come with"),
        (["compute", "--init", "trainde"], "unknown --init 'trainde' (did you mean 'trained'?)"),
        (["compute", "--dtype", "float23"], "(did you mean 'float32'?); expected float32 or"),
        (["compute", "--format", "xls"], "unknown --format 'xls'; expected csv or parquet"),
        (["compute", "--out", "s.xls"], "--out ends in .csv or .parquet; got s.xls"),
        (["compute", "--out", "s.csv", "--format", "parquet"], "--out ends in .parquet; got s.csv"),
        (["compute", "--init", "trained", "--cells", "5"], "--cells would be ignored"),
        (["compute", "--hp", "12"], "--hp would be ignored: it is of --init pretrained"),
        (["score", "--network", "a:b", "--init", "random"], "--init would be ignored"),
        (["attack", "--mode", "acuracy"], "(did you mean 'accuracy'?)"),
        (["attack", "--corrupted", "x"], "--corrupted would be ignored: no --corruptions"),
        (["attack", "--attacks", "none", "--epsilons", "8"], "--epsilons would be ignored"),
        (["attack", "--descending", "--mode", "record"], "--mode would be ignored"),
        (["attack", "--attacks", "fsgm"], "(did you mean 'fgsm'?)"),
        (["corrupt"], "--out is missing: Folder for the arrays"),
        (["corrupt", "--out", "x", "--corruptions", "fogg"], "(did you mean 'fog'?)"),
        (["correlate"], "--truth is missing: Folder of the truth"),
        (["correlate", "--truth", "x", "--format", "csv"], "--format csv would be ignored"),
        (["correlate", "--truth", "x", "--out", "t.txt"], "--out ends in .csv or .parquet"),
        (["report", "--truth", "x", "--scores", "none", "--seeds", "1"], "--seeds would be ign"),
        (["search"], "give either --truth PATH"),
        (["search", "--truth", "x", "--epochs", "1"], "--epochs would be ignored: nothing is tr"),
        (["search", "--truth", "x", "--format", "csv"], "--format would be ignored: nothing is w"),
        (["search", "--truth", "x", "--algorithm", "evolutoin"], "(did you mean 'evolution'?)"),
        (["check-weights"], "ARCHIVE is missing: Folder of the archive"),
        (["check-weights", "x", "--dataset", "cifar"], "unknown --dataset 'cifar' (did you mean"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())


def ending(fault):
    lone = application()

    @lone.command(cls=Command)
    def command() -> None:
        if isinstance(fault, BaseException):
            raise fault

    return CliRunner().invoke(lone, [])


@pytest.mark.parametrize(
    ("fault", "code", "said"),
    [
        (None, 0, ""),
        (ToolkitError("one\n  two"), 2, "error: one two\n"),
        (ToolkitError("at 3\n  a|b\n   ^"), 2, "error: at 3; a|b\n"),
        (PermissionError(13, "Permission denied", "/x"), 2, "error: /x: Permission denied\n"),
        (OSError(28, "No space left on device", "/x"), 2,
         f"error: /x: No space left on device: {scarce.ROOM}\n"),
        (OSError(12, "Cannot allocate memory"), 2,
         f"error: [Errno 12] Cannot allocate memory: {scarce.MEMORY}\n"),
        (MemoryError(), 2, f"error: {scarce.MEMORY}\n"),
        (ImportError("a.so: failed to map segment from shared object"), 2,
         f"error: {scarce.MEMORY}\n"),
        (RuntimeError("can't start new thread"), 2, f"error: {scarce.PROCESSES}\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (typer.Exit(1), 1, ""),
    ],
)  # fmt: skip
def test_exit_codes(fault, code, said):
    result = ending(fault)
    assert (result.exit_code, result.stderr) == (code, said)


def test_a_fault_of_the_toolkit_keeps_its_traceback():
    assert isinstance(ending(KeyError("x")).exception, KeyError)
    assert isinstance(ending(ValueError("x")).exception, ValueError)
    assert isinstance(ending(RuntimeError("x")).exception, RuntimeError)


@pytest.mark.skipif(os.name != "posix", reason="closes streams in a shell")
@pytest.mark.parametrize(("closed", "words", "code"), [
    (">&-", "--version", 0), ("<&- >&- 2>&-", "--version", 0), (">&- 2>&-", "nonsense", 2),
])  # fmt: skip
def test_a_command_without_streams_does_its_work(closed, words, code):
    line = f"{shlex.quote(sys.executable)} -m testbed.command {words} {closed}"
    done = subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", "")


@pytest.mark.parametrize(("columns", "width"), [("0", 80), ("1", 20), ("33", 33), ("x", 80)])
def test_a_terminal_of_no_width_is_written_to(monkeypatch, columns, width):
    monkeypatch.setenv("COLUMNS", columns)
    text = io.StringIO()
    console = plain_console(file=text)
    console.print("all that there is to be said")
    assert console.width == width
    assert text.getvalue().split() == ["all", "that", "there", "is", "to", "be", "said"]


def test_version_menu_and_alias():
    assert re.match(r"robustness-proxies \S+\n$", run("--version").stdout)
    assert run().stdout == run("--help").stdout
    assert run("score", "--help").stdout == run("compute", "--help").stdout
    for name in ATTACKS:
        assert name in run("attack", "--help").stdout


def test_the_table_of_proxies():
    table = CliRunner().invoke(console_app, ["proxies"], env={"COLUMNS": "200"}).stdout
    (row,) = [line for line in table.splitlines() if line.startswith("jacobian_projection")]
    assert "random projections" in row
    assert "lower" in row
    assert "projections=1" in row
    assert "Hoffman" in row
    assert "suite-zero: params, flops, jacov" in table


@pytest.mark.parametrize("package", ["testbed", "proxies", "evaluation"])
def test_a_package_prints_what_is_in_it(package):
    start = f"from {package}.__main__ import main as menu\ndef main(): menu(); sys.exit(0)"
    code, _, met, text, _ = probe(start)
    assert (code, met) == (0, [])
    for entry in COMMANDS:
        if entry.place.startswith(f"{package}."):
            assert f"robustness-proxies {entry.name} " in text
            assert entry.module is None or f"python -m {entry.module}" in text
    code, *_, errors = probe(start, "somewhat")
    assert code == 2
    assert errors.startswith(f"error: {package} is no command; got somewhat; say python -m ")


def test_results_of_image_sets_do_not_meet(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("scores.sqlite").write_text("")
    words = ["--archs", "11", "--channels", "4", "--cells", "1", "--proxies", "params"]
    result = run("compute", *words, "--workers", "1", "--format", "csv")
    assert result.exit_code == 0, result.output
    assert Path("runs/digits.sqlite").is_file()
    assert Path("runs/digits.csv").is_file()
    assert "add --store scores.sqlite to go on with that file" in result.stderr


def test_doctor():
    result = run("doctor")
    assert result.exit_code == 0
    for word in ("torch", "cpu", str(Path.cwd()), "autoattack"):
        assert word in result.stdout


def test_doctor_finds_what_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "REQUIRED", ("torch", "no-such-package"))
    result = run("doctor")
    assert result.exit_code == 1
    assert "!!  no-such-package is missing: pip install no-such-package" in result.stdout
    assert result.stderr.startswith("error: ")


@pytest.mark.skipif(tomllib is None, reason="Python 3.10 reads no TOML")
def test_doctor_knows_the_requirements():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.match(r"[\w-]+", line)[0] for line in project["dependencies"]}
    assert set(doctor.REQUIRED) == names
    extras = {
        extra: re.match(r"[\w-]+", lines[0])[0]
        for extra, lines in project["optional-dependencies"].items()
        if extra not in ("dev", "docs")  # of use in a clone only
    }
    assert extras == doctor.EXTRAS


# --- the console command, in a process of its own ----------------------------------------------


@pytest.fixture
def elsewhere(tmp_path):
    """Return a folder that holds a user's own ``evaluation``, ``proxies``, ``testbed``."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "robustness-proxies").write_text(SCRIPT)
    folder = tmp_path / "work"
    (folder / "evaluation").mkdir(parents=True)
    for name in ("evaluation/__init__.py", "proxies.py", "testbed.py"):
        (folder / name).write_text("raise SystemExit('the wrong module')")
    return folder


def script(folder, *words, **environment):
    return subprocess.run(
        [sys.executable, str(folder.parent / "bin" / "robustness-proxies"), *words], cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environment}, text=True, capture_output=True,
        encoding=environment.get("PYTHONIOENCODING", "utf-8"), errors="replace",
    )  # fmt: skip


@thorough
def test_it_works_beside_a_users_modules_of_the_same_names(elsewhere):
    (elsewhere / "mine.py").write_text(
        "import torch\n"
        "def make(seed):\n"
        "    torch.manual_seed(seed)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 10))\n"
        "def one(): return make(1)\n"
        "def two(): return make(2)\n"
    )
    networks = ("--network", "mine:one", "--network", "mine:two")
    done = script(elsewhere, "compute", *networks, "--workers", "2", "--proxies", "jacobian_norm")
    assert done.returncode == 0, done.stderr
    assert "Scores are in runs/digits.sqlite" in done.stdout
    from testbed.store import Store, read_scores

    assert set(read_scores(elsewhere / "runs" / "digits.sqlite")["network"]) == {
        "mine:one", "mine:two",
    }  # fmt: skip
    with Store(elsewhere / "runs" / "digits.sqlite", "r") as store:
        (provenance,) = store.runs()["provenance"]
    assert '"proxies.compute", "--network", "mine:one"' in provenance


@thorough
@pytest.mark.parametrize("encoding", ["ascii", "cp1252"])
def test_a_terminal_without_greek_letters_gets_others(elsewhere, encoding):
    done = script(elsewhere, "proxies", PYTHONIOENCODING=encoding, COLUMNS="200")
    assert done.returncode == 0, done.stderr
    assert "J? S J" in done.stdout
    done = script(elsewhere, "correlate", "--truth", "τ", PYTHONIOENCODING=encoding)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize(
    ("line", "expected"),
    [("robustness-proxies tr", "train"), ("robustness-proxies compute --bat", "--batch-size")],
)
def test_a_shell_completes(elsewhere, line, expected):
    done = script(
        elsewhere, _ROBUSTNESS_PROXIES_COMPLETE="complete_bash", COMP_WORDS=line,
        COMP_CWORD=str(len(line.split()) - 1),
    )  # fmt: skip
    assert expected in done.stdout.split()


# --- what is said twice says the same ----------------------------------------------------------


def test_names_without_torch_are_those_with_it():
    assert tuple(DATASETS) == ARCHIVE_DATASETS
    assert images.load("digits").name == "digits"


def test_the_demo_and_the_readme_are_the_same_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    first = re.search(r"```console\n(\$ robustness-proxies.*?)```", readme, re.DOTALL)[1]
    told = [" ".join(line.removeprefix("$ ").split()) for line in first.splitlines()]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8").replace("\\\n", " ")
    demo = makefile.partition("\ndemo:")[2].partition("\n\n")[0]
    done = re.findall(r"^\tcd \$\(DEMO\) && \$\(RUN\) (.*)$", demo, re.MULTILINE)
    assert [f"robustness-proxies {' '.join(line.split())}" for line in done] == told
