"""The command ``robustness-proxies doctor``: whether everything is there to work with."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

import typer

from testbed.command.console import default_workers
from testbed.command.shell import Command, application

__all__ = ["EXTRAS", "REQUIRED", "main"]

app = application()
REQUIRED = (
    "torch", "numpy", "scipy", "pandas", "pyarrow", "scikit-learn", "matplotlib", "typer", "rich",
    "pooch", "safetensors", "pillow", "jinja2", "filelock",
)  # fmt: skip
# The extra's name → the package that it brings.
EXTRAS = {
    "autoattack": "pyautoattack", "dask": "distributed", "optuna": "optuna", "slurm": "submitit",
    "timm": "timm",
}  # fmt: skip
GOOD, BAD = "ok", "!!"


@app.command(cls=Command)
def doctor() -> None:
    """Show versions, devices, writable folders, which optional extras and engines are there.

    The exit code is 1 if something that every command needs is missing.
    """
    faults = 0
    for title, lines in (
        ("Versions", _versions()), ("Devices", _devices()), ("Folders", _folders()),
        ("Optional extras", _extras()), ("Engines", _engines()),
    ):  # fmt: skip
        typer.echo(title)
        for mark, line in lines:
            typer.echo(f"  {mark}  {line}")
            faults += mark == BAD
    if faults:
        typer.echo(f"error: {faults} things need attention, marked {BAD}", err=True)
        raise typer.Exit(1)


def _versions() -> Iterator[tuple[str, str]]:
    from testbed.command.provenance import code_version

    yield GOOD, f"robustness-proxies {code_version()}, in {Path(__file__).resolve().parents[2]}"
    yield GOOD, f"Python {platform.python_version()}, {platform.platform()}"
    for name in REQUIRED:
        version = _version(name)
        if version is None:
            yield BAD, f"{name} is missing: pip install {name}"
        else:
            yield GOOD, f"{name} {version}"


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _devices() -> Iterator[tuple[str, str]]:
    try:
        import torch
    except ImportError as error:
        yield BAD, f"torch cannot be imported: {error}"
        return
    yield GOOD, f"cpu: {default_workers('cpu')} cores for this process"
    for number in range(torch.cuda.device_count()):
        yield GOOD, f"cuda:{number}: {torch.cuda.get_device_name(number)}"
    if not torch.cuda.is_available():
        yield GOOD, "no cuda device: --device cpu is the default"


def _folders() -> Iterator[tuple[str, str]]:
    from testbed.images.download import default_root

    for path, use in (
        (Path.cwd(), "results go here unless an option says otherwise"),
        (default_root(), "downloaded images"),
        (Path(tempfile.gettempdir()), "temporary files"),
    ):
        there = path
        while not there.exists() and there != there.parent:
            there = there.parent
        fine = os.access(there, os.W_OK | os.X_OK)
        yield GOOD if fine else BAD, f"{path}: {use}{'' if fine else '; it cannot be written'}"


def _extras() -> Iterator[tuple[str, str]]:
    for extra, package in EXTRAS.items():
        version = _version(package)
        if version:
            yield GOOD, f"{extra}: {package} {version}"
        else:
            yield "–", f"{extra}: not there; pip install 'robustness-proxies[{extra}]'"


def _engines() -> Iterator[tuple[str, str]]:
    yield GOOD, "serial, processes"
    if _version("distributed"):
        yield GOOD, "dask, dask://ADDRESS"
    submitters = [name for name in ("sbatch", "qsub") if shutil.which(name)]
    if submitters and (_version("submitit") or _version("dask-jobqueue")):
        yield GOOD, f"slurm:FILE.yaml, by {' and '.join(submitters)}"
    elif not submitters:
        yield "–", "slurm:FILE.yaml: neither sbatch nor qsub is on the PATH (cluster: local works)"


def main() -> None:
    """Run the command."""
    app()


if __name__ == "__main__":
    main()
