"""Imported when first used: ``--help`` and a mistyped option must not wait for torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

__all__ = ["Later", "attributes"]


def attributes(package: str, places: Mapping[str, str]) -> Callable[[str], Any]:
    """Return the ``__getattr__`` of a package whose names live in its modules (PEP 562).

    Args:
        package: its ``__name__``.
        places: name → the module that defines it.
    """

    def getattr_(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    return getattr_


@dataclass(frozen=True)
class Later:
    """A function by its place, ``package.module:function``; called, it is imported and called."""

    place: str

    @property
    def __wrapped__(self) -> Callable[..., Any]:
        """The function itself, by the name under which `inspect.signature` looks for it."""
        module, _, name = self.place.partition(":")
        return getattr(import_module(module), name)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """Call the function."""
        return self.__wrapped__(*arguments, **options)
