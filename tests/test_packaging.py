"""What an installed package brings."""

from importlib import metadata
from pathlib import Path

import pytest

import evaluation
import proxies
import testbed
from testbed.basis.version import PACKAGE, installed_version

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ("testbed", "proxies", "evaluation")
NOT_INSTALLED = {".py", ".pyc", ".md"}


def test_three_packages_tell_one_version():
    assert testbed.__version__ == metadata.version("robustness-proxies")
    assert proxies.__version__ == evaluation.__version__ == testbed.__version__


def test_a_tree_that_is_not_installed_has_an_unknown_version(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", missing)
    assert installed_version() == "unknown"


def test_every_file_of_the_packages_is_installed():
    settings = pytest.importorskip("tomllib").loads((ROOT / "pyproject.toml").read_text())
    assert settings["project"]["name"] == PACKAGE
    patterns = settings["tool"]["setuptools"]["package-data"]
    installed = {
        path
        for package, globs in patterns.items()
        for pattern in globs
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    needed = {
        path
        for room in ROOMS
        for path in (ROOT / room).rglob("*")
        if path.is_file() and path.suffix not in NOT_INSTALLED
    }
    assert needed == installed
    assert {ROOT / room / "py.typed" for room in ROOMS} <= installed


def test_every_folder_of_modules_is_a_package():
    folders = {path.parent for room in ROOMS for path in (ROOT / room).rglob("*.py")}
    assert [folder for folder in folders if not (folder / "__init__.py").exists()] == []
