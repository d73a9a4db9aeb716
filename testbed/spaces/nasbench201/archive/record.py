"""An archive's record of one trained network, apart from its weights."""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from testbed.basis.foreign_text import described
from testbed.basis.ranges import PERCENT, Range
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.network import Network
from testbed.spaces.nasbench201.sizes import MOST_CELLS, MOST_CHANNELS, MOST_CLASSES

if TYPE_CHECKING:
    from testbed.spaces.nasbench201.archive.contents import Config

__all__ = ["CLASSES", "NetworkConfig", "Record", "number"]


EPOCHS = Range("a number of epochs from 1 to 10,000", 1, 10_000, whole=True)
MILLIONS = Range("millions, a number from 0")
CHANNELS = Range(f"channels from 1 to {MOST_CHANNELS}", 1, MOST_CHANNELS, whole=True)
CELLS = Range(f"cells from 1 to {MOST_CELLS}", 1, MOST_CELLS, whole=True)
CLASSES = Range(f"classes from 1 to {MOST_CLASSES}", 1, MOST_CLASSES, whole=True)
EVALUATED = re.compile(r"([a-z-]{1,30})@(0|[1-9][0-9]{0,4})")


@dataclass(frozen=True)
class NetworkConfig:
    """The macro-architecture: the archives' name, C, N and the number of classes."""

    name: str
    C: int
    N: int
    num_classes: int

    @staticmethod
    def of(entries: Mapping[str, Any]) -> "NetworkConfig":
        """Read the ``arch_config`` of a trial; raises what a damaged one makes Python raise."""
        return NetworkConfig(
            name="infer.tiny",
            C=int(number(entries, "channel", CHANNELS)),
            N=int(number(entries, "num_cells", CELLS)),
            num_classes=int(number(entries, "class_num", CLASSES)),
        )

    def network(self, genotype: Genotype) -> Network:
        """Return the network of a cell, with fresh weights."""
        return Network(genotype, self.C, self.N, self.num_classes)


@dataclass(frozen=True)
class Record:
    """The record of one trial: an architecture trained on a data set with a seed.

    Attributes:
        index: the architecture's published id.
        arch: the architecture string.
        dataset: the data set of the training, by its name in the archive.
        seed: the seed of the training.
        hp: the hyper-parameters, ``12`` or ``200`` epochs.
        epochs: the number of epochs of the training.
        params: the number of parameters, in millions ("MB" in the archive).
        flop: the number of multiply-adds, in millions ("M" in the archive).
        curves: accuracy in % by split (``train``, ``x-valid``, ``x-test``, ``ori-test``,
            where there is one) and epoch, from 0. Some splits were measured in the last
            epoch only.
        config: the macro-architecture.
        has_weights: whether the file holds the trained weights.
    """

    index: int
    arch: str
    dataset: str
    seed: int
    hp: str
    epochs: int
    params: float
    flop: float
    curves: Mapping[str, Mapping[int, float]]
    config: "Config"
    has_weights: bool

    @property
    def accuracies(self) -> dict[str, float]:
        """Return the accuracy in % after the last epoch, by split."""
        last = self.epochs - 1
        return {split: curve[last] for split, curve in self.curves.items() if last in curve}

    @property
    def test_accuracy(self) -> float | None:
        """Return the accuracy in % on the whole official test set, ``ori-test``; None if unknown.

        (``x-valid`` and ``x-test`` are the halves of it for CIFAR-100 and ImageNet16-120;
        of CIFAR-10, ``x-valid`` is a half of the training set.)
        """
        return self.accuracies.get("ori-test")

    @staticmethod
    def of(
        trial: Mapping[str, Any], index: int, hp: str, dataset: str, seed: int,
        config_of: "Callable[[Mapping[str, Any]], Config]" = NetworkConfig.of,
    ) -> "Record":  # fmt: skip
        """Read the record from the dictionary of a trial; ``config_of`` reads its config.

        Raises whatever a damaged trial makes Python raise: call it within `reading`.
        """
        config = trial["arch_config"]
        arch = config["arch_str"]
        if type(arch) is not str:
            raise TypeError(f"expected an architecture; got {described(arch)}")
        epochs = int(number(trial, "epochs", EPOCHS))
        return Record(
            index=index,
            arch=arch,
            dataset=dataset,
            seed=seed,
            hp=hp,
            epochs=epochs,
            params=float(number(trial, "params", MILLIONS)),
            flop=float(number(trial, "flop", MILLIONS)),
            curves=_curves(trial, epochs),
            config=config_of(config),
            has_weights=trial.get("net_state_dict") is not None,
        )


def number(entries: Mapping[str, Any], name: str, range_: Range) -> float:
    """Return a number of a dictionary; raises ValueError if it is not in the range."""
    value = entries[name]
    if not range_.holds(value):
        raise ValueError(f"expected {range_.words} as {described(name)}; got {described(value)}")
    return value


def _curves(trial: Mapping[str, Any], epochs: int) -> dict[str, dict[int, float]]:
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for epoch in trial["train_acc1es"]:
        _check_epoch(epoch, epochs)
        curves["train"][epoch] = float(number(trial["train_acc1es"], epoch, PERCENT))
    for name in trial["eval_acc1es"]:
        # One spelling: another would be a second accuracy of the same epoch.
        found = EVALUATED.fullmatch(name) if type(name) is str else None
        if found is None:
            raise ValueError(f"expected an accuracy of split@epoch; got one of {described(name)}")
        epoch = int(found[2])
        _check_epoch(epoch, epochs)
        curves[found[1]][epoch] = float(number(trial["eval_acc1es"], name, PERCENT))
    return dict(curves)


def _check_epoch(epoch: Any, epochs: int) -> None:
    if type(epoch) is not int or not 0 <= epoch < epochs:
        raise ValueError(f"expected epochs from 0 to {epochs - 1}; got {described(epoch)}")
