"""The table of docs/reference/versions.md: the wheel installed and used, with oldest and newest.

    python -m scripts.matrix dist/robustness_proxies-0.2.0-py3-none-any.whl

Installs a wheel on the oldest Python that can be had with the lowest versions that it declares,
and on the newest Python with the newest versions, each into an environment of its own, and goes
from an empty folder through the commands of the README on small networks: train, attack, score,
correlate, report, search. One environment at a time; it is deleted afterwards, for torch alone
may take gigabytes. Writes the table between the marks of the page.
"""

import argparse
import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from email.parser import Parser
from pathlib import Path

from scripts.marks import write_between

PAGE = Path(__file__).resolve().parents[1] / "docs" / "reference" / "versions.md"
SHOWN = ("torch", "numpy", "scipy", "pandas", "matplotlib", "typer")
ARCHS = "spread:4"
STEPS = (
    "--help",
    f"train --preset tiny --epochs 1 --archs {ARCHS} --out weights",
    "attack --weights weights --attacks fgsm,pgd --count 32 --epsilons 8,32 "
    "--format robustness-json --out truth",
    f"compute --archs {ARCHS} --channels 8 --cells 1 --proxies params,jacobian_norm,"
    "hessian_input,smoothed_stacking,synflow,nwot",
    "correlate --scores runs/digits.sqlite --truth truth --images digits --targets all",
    "report --scores runs/digits.sqlite --truth truth --images digits --out report",
    "search --truth truth --images digits --objective fgsm@8 --queries 4 --runs 2 "
    "--algorithm random,local,evolution",
    "compute --no-such-option",
)
LINES = "import importlib.metadata as m, json; print(json.dumps({n: m.version(n) for n in %r}))"


def requirements(wheel: Path) -> list[str]:
    """Return what a wheel needs whatever its extras, such as ``numpy>=1.26``."""
    with zipfile.ZipFile(wheel) as files:
        name = next(n for n in files.namelist() if n.endswith(".dist-info/METADATA"))
        told = Parser().parsestr(files.read(name).decode("utf-8"))
    return [text for text in told.get_all("Requires-Dist", []) if "extra ==" not in text]


def lowest(needs: list[str]) -> list[str]:
    """Return constraints to the lowest version of each, as ``numpy==1.26``."""
    pairs = [re.fullmatch(r"([\w.-]+)>=([\d.]+)", need.replace(" ", "")) for need in needs]
    if None in pairs:
        raise ValueError(f"expected requirements like numpy>=1.26; got {needs}")
    return [f"{pair[1]}=={pair[2]}" for pair in pairs if pair]


def pythons() -> list[str]:
    """Return an interpreter of each version of Python 3 that is found, oldest first."""
    folders = [*os.get_exec_path(), *map(str, Path.home().glob(".pyenv/versions/*/bin"))]
    found: dict[int, str] = {}
    for minor in range(10, 30):
        # One by one: what a version manager leaves on the path need not work.
        for folder in folders:
            path = shutil.which(f"python3.{minor}", path=folder)
            if path and minor not in found and _works(path):
                found[minor] = path
    return [found[minor] for minor in sorted(found)]


def _works(python: str) -> bool:
    ask = [python, "-c", "import venv, ensurepip"]
    return subprocess.run(ask, capture_output=True, check=False).returncode == 0


def tried(python: str, wheel: Path, constraints: list[str], folder: Path) -> dict[str, str]:
    """Install a wheel into a new environment, use it, and return a row of the table."""
    environment, place = folder / "environment", folder / "empty"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    if not environment.exists():
        subprocess.run([python, "-m", "venv", str(environment)], check=True)
    bound = folder / "constraints.txt"
    bound.write_text("\n".join(constraints) + "\n")
    pip = [str(environment / "bin" / "python"), "-m", "pip"]
    chosen = ["--constraint", str(bound)] * bool(constraints)
    install = [*pip, "install", "--quiet", "--no-cache-dir"]
    subprocess.run([*install, *chosen, *requirements(wheel)], check=True)
    subprocess.run([*install, "--force-reinstall", "--no-deps", str(wheel)], check=True)
    subprocess.run([*pip, "check"], check=True)
    own = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "TESTBED_DATA")}
    own |= {"HOME": str(folder), "OMP_NUM_THREADS": "1"}
    failed = [step for step in STEPS if not _ran(step, environment, place, own)]
    told = subprocess.run(
        [pip[0], "-c", LINES % (SHOWN,)], cwd=place, env=own, check=True, capture_output=True
    )
    version = subprocess.run([pip[0], "--version"], check=True, capture_output=True, text=True)
    return {
        "Python": version.stdout.split()[1],
        **json.loads(told.stdout),
        "commands": f"{len(STEPS) - len(failed)} of {len(STEPS)}",
    }


def _ran(step: str, environment: Path, place: Path, own: dict[str, str]) -> bool:
    """Run a step and say whether it ended as it should: a wrong option in one line, 2."""
    start, expected = time.monotonic(), 2 if "no-such" in step else 0
    command = [str(environment / "bin" / "robustness-proxies"), *step.split()]
    done = subprocess.run(command, cwd=place, env=own, capture_output=True, text=True, check=False)
    good = done.returncode == expected and "Traceback" not in done.stderr
    print(f"{'ok' if good else 'FAILED'} {time.monotonic() - start:5.0f} s  {step}", flush=True)
    if not good:
        print(f"exit code {done.returncode}; {done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return good


def main() -> None:
    """Try, write and print; exit code 1 if a command failed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--page", type=Path, default=PAGE)
    parser.add_argument("--folder", type=Path, help="for the environments; a temporary one")
    parser.add_argument(
        "--keep", action="store_true", help="use environments that stand; keep them"
    )
    options = parser.parse_args()
    there, wheel = pythons(), options.wheel.resolve()
    needs = requirements(wheel)
    rows = []
    for name, python, constraints in (
        ("lowest declared", there[0], lowest(needs)),
        ("newest", there[-1], []),
    ):
        folder = (options.folder or Path(tempfile.mkdtemp())).resolve() / name.split()[0]
        try:
            row = tried(python, wheel, constraints, folder)
        finally:
            if not options.keep:
                shutil.rmtree(folder, ignore_errors=True)
        rows.append({"versions": name, **row, "date": f"{datetime.date.today():%Y-%m-%d}"})
    lines = [f"| {' | '.join(rows[0])} |", f"|{' --- |' * len(rows[0])}"]
    lines += [f"| {' | '.join(row.values())} |" for row in rows]
    write_between(options.page, "\n" + "\n".join(lines))
    print("\n".join(lines))
    sys.exit(any(row["commands"] != f"{len(STEPS)} of {len(STEPS)}" for row in rows))


if __name__ == "__main__":
    main()
