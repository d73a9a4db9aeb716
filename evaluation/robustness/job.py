"""The job of ``evaluation.robustness``: one image set, one set of measures, many networks."""

import math
import time
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from evaluation.attacks import Level, evaluate
from evaluation.attacks.judge import NO_CLASS, predict
from evaluation.attacks.outcome import count_confusion
from evaluation.attacks.plugins import load
from evaluation.attacks.subject import subject
from evaluation.robustness.adversarial_parts import join_parts, path_of, write_part
from evaluation.robustness.pieces import Collection, Measure, Part, Piece, Whole, join
from testbed.basis.errors import InputError
from testbed.command.job import Words
from testbed.engine import Outcome
from testbed.images import ImageSet
from testbed.images.corrupted import SEVERITIES, Layout, load_corrupted
from testbed.images.own.pixels import StoredPixels
from testbed.sources import Source
from testbed.store import FailureKey, FailureRow, RobustnessKey, RobustnessRow, Store

__all__ = ["MeasuringJob"]


@dataclass(frozen=True, eq=False)
class MeasuringJob:
    """Everything that is the same for all networks; calling it with a piece does the work.

    Attributes:
        source: of the networks.
        pixels: uint8 grey levels, (N, C, H, W), perhaps on the disk; ``levels`` stand for 1.0.
        labels: int64, (N,).
        image_set: its name.
        fingerprint: of pixels and labels.
        mode: of the attacks, see `evaluation.attacks.modes`.
        seed: of the attacks.
        corrupted: the folder of corrupted images in the layout of CIFAR-10-C.
        batch_size: images in a piece, and in a forward pass.
        layout: of that folder.
        plugins: ``module:attribute`` of attacks that a worker does not know.
        kept: the folder that adversarial images are kept in; None gives them up.
        arrived: parts of measures that are not whole yet.
    """

    words: ClassVar[Words] = Words("measuring")

    source: Source
    pixels: Tensor | StoredPixels
    levels: int
    labels: Tensor
    classes: int
    image_set: str
    split: str
    fingerprint: str
    mode: str = "record"
    seed: int = 0
    corrupted: Path | None = None
    batch_size: int = 250
    device: str = "cpu"
    layout: Layout | None = None
    plugins: tuple[str, ...] = ()
    kept: Path | None = None
    arrived: Collection = field(default_factory=Collection)

    @staticmethod
    def of(images: ImageSet, count: int | None, source: Source, **settings: Any) -> "MeasuringJob":
        """Return the job of the first ``count`` images; ``settings`` from ``mode`` on.

        Raises:
            InputError: if there are fewer images.
        """
        check_count(count, images)
        chosen = images.first(count)
        # Hashed here, once: it stands in the key of every result.
        mark = chosen.fingerprint()
        return MeasuringJob(
            source, chosen.pixels, images.levels, chosen.labels, images.classes, images.name,
            images.split, mark, layout=Layout.of(images), **settings,
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
            named = network, self.source.init, seed, self.image_set, measure.key
            found.append([RobustnessKey.make(*named, x, settings) for x in measure.levels])
        return found

    def wholes(
        self, networks: Iterable[str], seeds: Sequence[int | None], measures: Sequence[Measure]
    ) -> list[Whole]:
        """Return each network of each seed under each measure."""
        return [
            Whole(
                network,
                seed,
                measure,
                tuple(key.digest for key in keys),
                all(self._has_images(measure, key) for key in keys),
            )
            for network in networks
            for seed in seeds
            for measure, keys in zip(measures, self.keys(network, seed, measures), strict=True)
        ]

    def pieces(
        self, wholes: Iterable[Whole], finished: Container[str] = (), failed: Container[str] = ()
    ) -> list[Piece]:
        """Return the pieces of those that have a level whose result, or images, are wanted.

        Args:
            wholes: see there.
            finished: digests of results that are there; one of which another level is wanted is
                measured at all of them.
            failed: digests of results that failed, and are not taken up again.
        """
        size, step = len(self.labels), self.batch_size
        spans = [(start, min(start + step, size)) for start in range(0, size, step)]
        return [
            Piece(whole.network, whole.seed, whole.measure, *span)
            for whole in wholes
            if whole.left(finished, failed)
            for span in spans
        ]

    def tasks(
        self, networks: Iterable[str], seeds: Sequence[int | None], measures: Sequence[Measure],
        finished: Container[str] = (),
    ) -> list[Piece]:  # fmt: skip
        """Return the pieces of every measure that has a level whose result is not finished."""
        return self.pieces(self.wholes(networks, seeds, measures), finished)

    def name(self, piece: Piece) -> str:
        """Return the network of a piece, and its measure."""
        return f"{piece.network} under {piece.measure.key}"

    def save(self, store: Store, run: int, piece: Piece, part: Part) -> Mapping[str, str]:
        """Keep a part; once all parts of its measure are there, save their results and images."""
        rows = self.join(piece, part)
        store.save_robustness(run, rows)
        if self.kept is not None and piece.measure.attack is not None:
            starts = range(0, len(self.labels), self.batch_size)
            for row in rows:
                join_parts(path_of(self.kept, row.key), row.key, starts)
        return {}

    def wanted(self, piece: Piece) -> bool:
        """Return whether no other piece of the measure has failed."""
        return piece.whole not in self.arrived.given_up

    def fail(self, store: Store, run: int, piece: Piece, outcome: Outcome) -> Sequence[Piece]:
        """Save that the measure of a piece failed, at each of its levels."""
        if self.arrived.give_up(piece):
            (keys,) = self.keys(piece.network, piece.seed, [piece.measure])
            why = outcome.kind, str(outcome.error)
            store.save_failures(run, [FailureRow(FailureKey.of(key), *why) for key in keys])
        return ()

    def _has_images(self, measure: Measure, key: RobustnessKey) -> bool:
        """Say whether no image of a result is wanted that is not kept."""
        return self.kept is None or measure.attack is None or path_of(self.kept, key).is_file()

    def join(self, piece: Piece, part: Part) -> list[RobustnessRow]:
        """Return the results of the piece's measure if this part was its last one, else none."""
        parts = self.arrived.add(piece, part, len(self.labels))
        if not parts:
            return []
        levels, warnings = join(piece.measure, parts)
        (keys,) = self.keys(piece.network, piece.seed, [piece.measure])
        attacked = piece.measure.attack is not None
        return [
            self._row(key, level, warnings, attacked)
            for key, level in zip(keys, levels, strict=True)
        ]

    def _row(
        self, key: RobustnessKey, level: Level, warnings: list[str], attacked: bool
    ) -> RobustnessRow:
        # Where attacks stop early, confidences and confusions depend on when they stopped.
        whole = not attacked or self.mode == "record"
        labels, classes = self.labels, self.classes
        # An image without a class, since its logits were not finite, stands in no column.
        named = whole and bool((level.prediction != NO_CLASS).all())
        return RobustnessRow(
            key,
            robust=level.robust.tolist(),
            confidence_label=_mean(level.label_confidence) if whole else None,
            confidence_prediction=_mean(level.prediction_confidence) if whole else None,
            confusion=count_confusion(labels, level.prediction, classes) if named else None,
            seconds=level.seconds,
            gradients=level.gradients,
            queries=level.queries,
            warnings=warnings,
            details=level.counts,
        )

    def __call__(self, piece: Piece) -> Part:
        """Measure a piece."""
        load(self.plugins)
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
        if self.kept is not None:
            (keys,) = self.keys(piece.network, piece.seed, [measure])
            for key, level in zip(keys, result.levels, strict=True):
                write_part(path_of(self.kept, key), level, labels, piece.start)
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
        images = _corrupted_images(
            self.image_set, self.corrupted, piece.measure.key, severity, self.layout
        )
        return images.images(torch.arange(piece.start, piece.stop)).to(self.device)


def check_count(count: int | None, images: ImageSet) -> None:
    """Raise InputError if there are fewer images than are asked for."""
    if count is not None and count > len(images):
        raise InputError(
            f"the {images.split} split of {images.name} has {len(images)} images; "
            f"got --count {count}"
        )


def _mean(confidences: Tensor) -> float | None:
    """Return the mean; None where an image has none, since logits were not finite numbers."""
    mean = float(confidences.mean())
    return mean if math.isfinite(mean) else None


@lru_cache(maxsize=len(SEVERITIES))
def _corrupted_images(
    name: str, folder: Path, corruption: str, severity: int, layout: Layout | None
) -> ImageSet:
    # Every piece of a measure looks at some rows of the same five arrays.
    return load_corrupted(f"{name}-c", folder, corruption, severity, layout)


_LAST: list[tuple[Source, str, nn.Module]] = []


def _built(source: Source, network: str, seed: int | None) -> nn.Module:
    # Pieces of one network follow each other: reading it once in each process is enough.
    key = repr((network, seed, source.settings(network, seed)))
    if not _LAST or _LAST[0][0] is not source or _LAST[0][1] != key:
        _LAST.clear()
        _LAST.append((source, key, source.build(network, seed)))
    return _LAST[0][2]
