"""An archive's record of one trained network, apart from its weights."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["NetworkConfig", "Record"]


@dataclass(frozen=True)
class NetworkConfig:
    """The macro-architecture: the archives' name, C, N and the number of classes."""

    name: str
    C: int
    N: int
    num_classes: int


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
    config: NetworkConfig
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
    def of(trial: Mapping[str, Any], index: int, hp: str, dataset: str, seed: int) -> "Record":
        """Read the record from the dictionary of a trial.

        Raises whatever a damaged trial makes Python raise: call it within `reading`.
        """
        config = trial["arch_config"]
        return Record(
            index=index,
            arch=str(config["arch_str"]),
            dataset=dataset,
            seed=seed,
            hp=hp,
            epochs=int(trial["epochs"]),
            params=float(trial["params"]),
            flop=float(trial["flop"]),
            curves=_curves(trial),
            config=NetworkConfig(
                name="infer.tiny",
                C=int(config["channel"]),
                N=int(config["num_cells"]),
                num_classes=int(config["class_num"]),
            ),
            has_weights=trial.get("net_state_dict") is not None,
        )


def _curves(trial: Mapping[str, Any]) -> dict[str, dict[int, float]]:
    curves: dict[str, dict[int, float]] = defaultdict(dict)
    for epoch, accuracy in trial["train_acc1es"].items():
        curves["train"][int(epoch)] = float(accuracy)
    for name, accuracy in trial["eval_acc1es"].items():
        split, epoch = name.split("@")
        curves[split][int(epoch)] = float(accuracy)
    return dict(curves)
