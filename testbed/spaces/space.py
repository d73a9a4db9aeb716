"""The record of a search space: all that the toolkit knows of one.

A genotype is any value that is hashable, equal to itself after pickling, and printed by `name`.
Only `key`, `title`, `choices`, `parse`, `compose`, `options` and `build` have to be written; what
else there is follows from these, or is said not to be there.
"""

import math
import random
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from testbed.basis.errors import InputError
from testbed.spaces.errors import GenotypeError, SpaceError
from testbed.spaces.names import MOST_CELLS, MOST_CHANNELS
from testbed.spaces.sizes import MOST_CLASSES, check_counts

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import nn

__all__ = ["MOST_LISTED", "Cell", "SearchSpace"]

MOST_LISTED = 100_000  # genotypes that are held in memory at once
G = TypeVar("G")


@dataclass(frozen=True)
class Cell:
    """A cell as a graph, to be drawn.

    Attributes:
        title: which cell it is, ``normal`` for instance; "" where there is one only.
        nodes: the names of the nodes, inputs first, in an order in which edges point onwards.
        edges: (source, target, operation) by the places of the nodes.
        live: whether each edge carries a signal from an input to an output.
    """

    title: str
    nodes: tuple[str, ...]
    edges: tuple[tuple[int, int, str], ...]
    live: tuple[bool, ...]


class SearchSpace(ABC, Generic[G]):
    """One search space; a record without state, whose class is importable.

    Attributes:
        key: the word of ``--space``, which stands in no result's key.
        title: the space's name in sentences.
        cites: keys of the report's bibliography.
        example: the name of one network, for messages.
        by_number: whether truths and tables of the space go by its published numbers; by names
            elsewhere.
        has_numbers: whether networks have published numbers; None where all are listed.
        choices: the options of each choice by its name, the first choice varying slowest.
        sizes: what `build` takes beside ``classes`` and ``in_channels`` (``channels``, ``cells``),
            with the values of the publication. They stand in the keys of scores.
    """

    key: ClassVar[str]
    title: ClassVar[str]
    cites: ClassVar[tuple[str, ...]] = ()
    example: ClassVar[str] = ""
    by_number: ClassVar[bool] = False
    has_numbers: ClassVar[bool | None] = None
    choices: ClassVar[Mapping[str, Sequence[Any]]]
    sizes: ClassVar[Mapping[str, int]] = {}

    # What a space has to say.

    @abstractmethod
    def parse(self, text: str) -> G:
        """Return the genotype of a name, in any form that the space's users write.

        Raises:
            GenotypeError: if the text names no network of the space.
        """

    @abstractmethod
    def compose(self, options: Mapping[str, Any]) -> G:
        """Return the genotype that has one option of each of `choices`."""

    @abstractmethod
    def options(self, genotype: G) -> dict[str, Any]:
        """Return the option of each of `choices` that a genotype has; inverse to `compose`."""

    @abstractmethod
    def build(
        self, genotype: G, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> "nn.Module":
        """Return the network, from normalised images (N, C, H, W) to logits (N, classes).

        Its weights are drawn from torch's global generator, in the layers' own way. A size that
        is not given is that of `sizes`.

        Raises:
            InputError: if the size cannot be meant.
        """

    # What follows from it.

    def check(self, *, classes: int = 10, in_channels: int = 3, **sizes: int) -> None:
        """Refuse a network that is too large to be meant, before anything is built.

        Raises:
            InputError: if a size is no whole number of at least 1, or too large, or is none that
                the space has.
        """
        check_counts(
            ("classes", classes, MOST_CLASSES),
            ("channels of the images", in_channels, MOST_CHANNELS),
        )
        bounds = {"channels": MOST_CHANNELS, "cells": MOST_CELLS}
        for word, value in sizes.items():
            most = bounds.get(word, MOST_CHANNELS)
            if word not in self.sizes:
                raise InputError(
                    f"networks of {self.title} have no {word} to choose; they have "
                    f"{', '.join(self.sizes) or 'one size'}"
                )
            check_counts((word, value, most))

    def name(self, genotype: G) -> str:
        """Return the name of a network, which says its space: `parse` reads it, no other space."""
        return str(genotype)

    def claims(self, text: str) -> bool:
        """Say whether a text is meant as a name of this space, be it mistyped."""
        try:
            self.parse(text)
        except GenotypeError:
            return False
        return True

    def representative(self, genotype: G) -> G:
        """Return the genotype that stands for all that are the same network."""
        return genotype

    @property
    def size(self) -> int:
        """Return the number of genotypes."""
        return math.prod(map(len, self.choices.values()))

    @cached_property
    def genotypes(self) -> Sequence[G]:
        """Return all genotypes in the published order, in which they are numbered.

        Raises:
            SpaceError: if there are more than can be listed.
        """
        if self.size > MOST_LISTED:
            raise SpaceError(
                f"{self.title} has {self.size:,} networks, too many to list: draw some with "
                "sample:N"
            )
        return tuple(map(self._of_place, range(self.size)))

    @property
    def listed(self) -> bool:
        """Say whether the space has `genotypes`."""
        return self.size <= MOST_LISTED

    @cached_property
    def unique(self) -> Sequence[G]:
        """Return the genotypes that stand for themselves, in the order of their numbers."""
        return tuple(g for g in self.genotypes if self.representative(g) == g)

    def number(self, genotype: G) -> int | None:
        """Return the published number of a genotype; None if the space has none."""
        return self._numbers[genotype] if self._numbered else None

    def numbered(self, number: int) -> G:
        """Return the genotype of a published number.

        Raises:
            GenotypeError: if the number is outside the space, or it numbers nothing.
        """
        if not self._numbered:
            raise GenotypeError(f"the networks of {self.title} have no numbers; got {number}")
        if not 0 <= number < self.size:
            raise GenotypeError(
                f"architecture id {number} is outside the space: expected 0 to {self.size - 1}"
            )
        return self.genotypes[number]

    def draw(self, source: random.Random) -> G:
        """Return a random genotype, each option of a choice with the same probability."""
        return self.compose({k: source.choice(list(v)) for k, v in self.choices.items()})

    def neighbours(self, genotype: G) -> list[G]:
        """Return the genotypes that differ in one choice, each once."""
        own = self.options(genotype)
        return list(
            dict.fromkeys(
                self.compose({**own, choice: option})
                for choice, options in self.choices.items()
                for option in options
                if option != own[choice]
            )
        )

    def encode(self, genotypes: Sequence[G]) -> "NDArray[np.float32]":
        """Return what a predictor is fitted to, (n, F): which option each choice has, as 0 or 1."""
        import numpy as np

        rows = [
            [
                float(option == own[choice])
                for choice, all_ in self.choices.items()
                for option in all_
            ]
            for own in map(self.options, genotypes)
        ]
        width = sum(map(len, self.choices.values()))
        return np.array(rows, dtype=np.float32).reshape(len(rows), width)

    def parameters(
        self, genotype: G, *, classes: int = 10, in_channels: int = 3, **sizes: int
    ) -> int:
        """Return the number of trainable parameters of the network; built to count if need be."""
        import torch

        with torch.device("meta"):
            built = self.build(genotype, classes=classes, in_channels=in_channels, **sizes)
        return sum(parameter.numel() for parameter in built.parameters())

    def flops(
        self,
        genotype: G,
        *,
        classes: int = 10,
        in_channels: int = 3,
        resolution: int = 32,
        **sizes: int,
    ) -> int | None:
        """Return the published multiply-accumulates of one image; None: count what is executed."""
        return None

    @property
    def structure(self) -> Mapping[str, Callable[[G], float]]:
        """Return statistics of the genotype alone, by the names of the proxies that they are."""
        return {}

    @property
    def baseline(self) -> str | None:
        """Return the name in `structure` of the one that a proxy must beat; None for size alone."""
        return None

    def twins(self, genotypes: Collection[G]) -> list[tuple[G, ...]]:
        """Return the groups that are the same function, trained separately; none if unknown."""
        return []

    def cells(self, genotype: G) -> tuple[Cell, ...]:
        """Return the cells of a genotype, to be drawn; none if the space has no cells."""
        return ()

    def archive_dataset(self, images: str) -> str | None:
        """Return the name in the space's archives of a data set, all of whose images trained."""
        return None

    def archive(self, path: "Path") -> Any:
        """Return the reader of a published archive of trained networks.

        It has ``network(genotype, dataset, seed, hp)`` and ``settings(dataset, seed, hp)``, where
        ``hp`` is the word of ``--hp``, or None for the archive's own choice, which ``settings``
        names.

        Raises:
            SpaceError: if no archive of the space is known.
        """
        raise SpaceError(f"no archive of trained networks of {self.title} is known; got {path}")

    def select(self, words: str) -> list[G]:
        """Return the genotypes that the words of ``--archs`` name, each once, as named.

        Raises:
            GenotypeError: if a word names no network; the message says what is possible.
        """
        from testbed.spaces.selection import select

        return select(self, words)

    @property
    def words(self) -> str:
        """Return what ``--archs`` takes, in words."""
        everything = f"all ({self.size:,}), " if self.listed else ""
        numbers = "numbers such as 0,11 or 0-99, " if self._numbered else ""
        example = f", {self.example} for instance" if self.example else ""
        return (
            f"{everything}sample:N or sample:N:SEED, spread:N of as many sizes as there are, "
            f"{numbers}a network's name{example}, or a file with one of these on each line"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by class, so that a worker process knows the space too."""
        from testbed.spaces.registry import entered

        return entered, (type(self),)

    @property
    def _numbered(self) -> bool:
        return self.listed if self.has_numbers is None else self.has_numbers

    def _of_place(self, place: int) -> G:
        chosen: dict[str, Any] = {}
        for choice, options in reversed(list(self.choices.items())):
            place, digit = divmod(place, len(options))
            chosen[choice] = options[digit]
        return self.compose({choice: chosen[choice] for choice in self.choices})

    @cached_property
    def _numbers(self) -> dict[G, int]:
        return {genotype: number for number, genotype in enumerate(self.genotypes)}
