"""Options of proxies as a command takes them: ``--set jacobian_projection.projections=3``."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from testbed.catalogue.registry import get
from testbed.command import assignments

__all__ = ["assigned"]

NOUNS = ("proxy", "proxies", "jacobian_projection.projections=3")


def assigned(words: Sequence[str], proxies: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return by proxy the options that are given as ``proxy.option=value``.

    A value has the type of the option's default; an option whose default is None takes a number.

    Args:
        words: the options as they were given.
        proxies: the names of those that will be computed.

    Raises:
        InputError: as `testbed.command.assignments.assigned` does.
        UnknownProxyError: if a proxy is unknown.
    """
    return assignments.assigned(words, proxies, NOUNS, lambda word: get(word).name, _settings)


def _settings(name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    options = get(name).options
    kinds = {key: float | None if value is None else type(value) for key, value in options.items()}
    return options, kinds
