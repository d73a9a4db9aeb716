"""timm without torchvision, which it asks for at import and needs for no network.

No CPU build of torchvision matches this torch, so stand-ins answer while timm is imported and
are gone afterwards: nobody else may take them for the real package.
"""

import importlib
import importlib.abc
import importlib.machinery
import importlib.util
import os
import sys
from types import ModuleType

import pytest

__all__ = ["zoo_library"]

ABSENT = "torchvision"


class _StandIn(ModuleType):
    """A module in which every public name is an empty class."""

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return _Empty(name, (), {})


class _Empty(type):
    """A class of which nothing is an instance; its attributes, such as an enum's, are names."""

    def __getattr__(cls, name: str) -> str:
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, fullname, path=None, target=None):
        if fullname.partition(".")[0] == ABSENT:
            return importlib.machinery.ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec):
        return _StandIn(spec.name)

    def exec_module(self, module):
        pass


def zoo_library(name: str) -> ModuleType:
    """Import timm or transformers, or skip the test where it is not installed."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed: the setup of `make zoo` installs it")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # weights are random: nothing is downloaded
    if name != "timm" or name in sys.modules or importlib.util.find_spec(ABSENT) is not None:
        return importlib.import_module(name)
    finder = _Finder()
    sys.meta_path.insert(0, finder)
    try:
        return importlib.import_module(name)
    finally:
        sys.meta_path.remove(finder)
        for module in [module for module in sys.modules if module.partition(".")[0] == ABSENT]:
            del sys.modules[module]
