"""What the networks of an archive are: of which space, how they are built, how long trained."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from testbed.basis.foreign_text import shown
from testbed.spaces.nasbench201.archive.layouts import FULL_ARCHIVE
from testbed.spaces.nasbench201.archive.record import NetworkConfig
from testbed.spaces.nasbench201.genotype import Genotype

__all__ = ["TOPOLOGY", "Config", "Contents", "other_space", "space_of_content"]

NAMES = {
    "size": re.compile(r"[0-9]{1,4}(?::[0-9]{1,4}){4}"),  # 64:64:48:32:8
    "nasbench201": re.compile(r"\|.{,200}"),
}
OTHERS = {
    "size": ("NATS-Bench's size space", ", the channels of five stages"),
    "nasbench201": ("NATS-Bench's topology space, NAS-Bench-201", ""),
}


class Config(Protocol):
    """The macro-architecture of a trial."""

    @property
    def num_classes(self) -> int: ...  # noqa: D102

    def network(self, genotype: Any) -> nn.Module:
        """Return the network of a genotype, with fresh weights."""
        ...


@dataclass(frozen=True)
class Contents:
    """What an archive holds.

    Attributes:
        space: the key of the search space.
        genotype: the class of its genotypes: ``from_index``, ``index``, and the name as text.
        config: reads the ``arch_config`` of a trial.
        hps: the hyper-parameters that there are, the longest training last.
        folder: the official name, without ``-simple`` or ``-full``.
        full: where the trained weights are, in words.
        kind: the archive in the keys of results; None for that of its layout.
        checks_epochs: whether a trial has as many epochs as its hyper-parameters are called.
    """

    space: str
    genotype: Any
    config: Callable[[Mapping[str, Any]], Config]
    hps: tuple[str, ...]
    folder: str
    full: str
    kind: str | None = None
    checks_epochs: bool = True

    @property
    def longest(self) -> str:
        """Return the hyper-parameters of the longest training."""
        return self.hps[-1]


# Archives of shortened trainings in this layout were always read: epochs are not compared.
TOPOLOGY = Contents(
    "nasbench201", Genotype, NetworkConfig.of, ("12", "200"), "NATS-tss-v1_0-3ffb9", FULL_ARCHIVE,
    checks_epochs=False,
)  # fmt: skip


def space_of_content(content: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return the key of the space that a file's network is of, and its name; None if unknown."""
    for results in content.values():
        name = results.get("arch_str") if isinstance(results, Mapping) else None
        for key, pattern in NAMES.items():
            if isinstance(name, str) and pattern.fullmatch(name):
                return key, name
    return None


def other_space(content: Mapping[str, Any], expected: Contents) -> str | None:
    """Return a sentence on a file of NATS-Bench's other space; None if it is of the expected one.

    Files of the two spaces are named alike.
    """
    found = space_of_content(content)
    if found is None or found[0] == expected.space:
        return None
    title, more = OTHERS[found[0]]
    return (
        f"is of {title}: its network is {shown(found[1])}{more}. Expected "
        f"{OTHERS[expected.space][0]}, {expected.folder}-simple or -full; for this one, add "
        f"--space {found[0]}"
    )
