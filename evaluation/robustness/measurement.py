"""One image set, one set of measures, many networks: what is measured, in pieces that join.

A piece is one network under one measure (clean, an attack over its ε grid, a corruption) on
some of the images. Since an image's outcome does not depend on its neighbours, pieces of a
network can be computed anywhere and joined; only whole measures are saved.
"""

import time
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from evaluation.attacks import Attack, Level, evaluate
from evaluation.attacks.judge import predict
from evaluation.attacks.subject import subject
from testbed.errors import InputError
from testbed.images import ImageSet
from testbed.images.batch import fingerprint
from testbed.images.corrupted import SEVERITIES, load_corrupted
from testbed.sources import Source
from testbed.store import RobustnessKey

__all__ = ["Measure", "Measurement", "Part", "Piece"]


@dataclass(frozen=True)
class Measure:
    """What is done to the images.

    Attributes:
        key: of the published layout: ``clean``, ``fgsm@Linf``, ``fog``.
        levels: the ε of an attack (in units of 1/255), the severities of a corruption, or
            None once for clean images.
        attack: None for clean images and corruptions.
        settings: what the results depend on, for their keys.
    """

    key: str
    levels: tuple[float | None, ...]
    attack: Attack | None = None
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Piece:
    """A network under a measure, on the images from ``start`` to ``stop``: one unit of work."""

    network: str
    seed: int | None
    measure: Measure
    start: int
    stop: int

    @property
    def whole(self) -> tuple[str, int | None, str]:
        """What the piece is a part of."""
        return self.network, self.seed, self.measure.key


@dataclass(frozen=True)
class Part:
    """What came of a piece: an outcome for each level of the measure."""

    levels: list[Level]
    warnings: list[str]
    correct: Tensor


@dataclass(frozen=True, eq=False)
class Measurement:
    """Everything that is the same for all networks; calling it with a piece does the work.

    Attributes:
        source: of the networks.
        pixels: uint8 grey levels, (N, C, H, W); with ``levels`` standing for 1.0.
        labels: int64, (N,).
        name: of the image set.
        fingerprint: of pixels and labels.
        mode: of the attacks, see `evaluation.attacks.modes`.
        seed: of the attacks.
        corrupted: the folder of corrupted images in the layout of CIFAR-10-C.
        batch_size: images in a piece, and in a forward pass.
    """

    source: Source
    pixels: Tensor
    levels: int
    labels: Tensor
    classes: int
    name: str
    split: str
    fingerprint: str
    mode: str = "record"
    seed: int = 0
    corrupted: Path | None = None
    batch_size: int = 250
    device: str = "cpu"

    @staticmethod
    def of(images: ImageSet, count: int | None, source: Source, **settings: Any) -> "Measurement":
        """Return the measurement of the first ``count`` images; ``settings`` from ``mode`` on."""
        pixels, labels = images.pixels[:count], images.labels[:count]
        # Hashed here, once: it stands in the key of every result.
        mark = fingerprint(pixels, labels, images.levels)
        return Measurement(
            source, pixels, images.levels, labels, images.classes, images.name, images.split, mark,
            **settings,
        )  # fmt: skip

    def keys(
        self, network: str, seed: int | None, measures: Sequence[Measure]
    ) -> list[list[RobustnessKey]]:
        """Return, for each measure, the key of the result at each level."""
        weights = self.source.settings(network, seed)
        found = []
        for measure in measures:
            settings = {
                "split": self.split, "count": len(self.labels), "fingerprint": self.fingerprint
            }  # fmt: skip
            if measure.attack is not None:
                settings |= {"mode": self.mode, "attack_seed": self.seed}
                settings |= measure.attack.settings()
            settings |= measure.settings | weights
            found.append(
                [
                    RobustnessKey.make(
                        network, self.source.init, seed, self.name, measure.key, level, settings
                    )
                    for level in measure.levels
                ]
            )
        return found

    def pieces(
        self, networks: Iterable[str], seeds: Sequence[int | None], measures: Sequence[Measure],
        finished: Container[str],
    ) -> Iterator[Piece]:  # fmt: skip
        """Yield the pieces of every measure that has a level whose result is not finished."""
        for network in networks:
            for seed in seeds:
                wanted = self.keys(network, seed, measures)
                for measure, keys in zip(measures, wanted, strict=True):
                    if all(key.digest in finished for key in keys):
                        continue
                    for start in range(0, len(self.labels), self.batch_size):
                        stop = min(start + self.batch_size, len(self.labels))
                        yield Piece(network, seed, measure, start, stop)

    def __call__(self, piece: Piece) -> Part:
        """Measure a piece."""
        network = _built(self.source, piece.network, piece.seed).to(self.device)
        labels = self.labels[piece.start : piece.stop].to(self.device)
        measure = piece.measure
        if measure.attack is None:
            levels = [self._plain(network, piece, level, labels) for level in measure.levels]
            return Part(levels, [], levels[0].robust)
        epsilons = [epsilon for epsilon in measure.levels if epsilon is not None]
        result = evaluate(
            network, self._images(piece), labels, measure.attack, epsilons, mode=self.mode,
            seed=self.seed, batch_size=self.batch_size, checks=piece.start == 0,
        )  # fmt: skip
        return Part(
            [level.without_images() for level in result.levels], result.network_warnings,
            result.correct.cpu(),
        )  # fmt: skip

    def _plain(
        self, network: nn.Module, piece: Piece, severity: float | None, labels: Tensor
    ) -> Level:
        begun = time.perf_counter()
        images = self._images(piece) if severity is None else self._corrupted(piece, int(severity))
        with subject(network, images, labels) as asked:
            probabilities = predict(asked.network, images, self.batch_size)
        level = Level.of_probabilities(severity or 0.0, probabilities, labels).without_images()
        level.seconds, level.queries = time.perf_counter() - begun, len(labels)
        return level

    def _images(self, piece: Piece) -> Tensor:
        pixels = self.pixels[piece.start : piece.stop].to(self.device)
        return pixels.float() / self.levels

    def _corrupted(self, piece: Piece, severity: int) -> Tensor:
        if self.corrupted is None:
            raise InputError(f"no folder of corrupted images was given for {piece.measure.key}")
        images = _corrupted_images(self.name, self.corrupted, piece.measure.key, severity)
        return images.images(torch.arange(piece.start, piece.stop)).to(self.device)


@lru_cache(maxsize=len(SEVERITIES))
def _corrupted_images(name: str, folder: Path, corruption: str, severity: int) -> ImageSet:
    # Every piece of a measure looks at some rows of the same five arrays.
    return load_corrupted(f"{name}-c", folder, corruption, severity)


_LAST: dict[str, nn.Module] = {}


def _built(source: Source, network: str, seed: int | None) -> nn.Module:
    # Pieces of one network follow each other: reading it once in each process is enough.
    key = repr((source, network, seed, source.settings(network, seed)))
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = source.build(network, seed)
    return _LAST[key]
