"""The live objective: train a network, attack it, and keep the results for the next time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.attacks.names import ATTACKS
from evaluation.robustness.job import MeasuringJob
from evaluation.robustness.measures import attack_measures
from evaluation.robustness.pieces import Measure
from evaluation.search.base import Answer
from evaluation.search.candidates import Candidates, default_candidates
from evaluation.search.objectives import ObjectiveError
from evaluation.truths.targets import CLEAN, Target
from testbed.store import RobustnessRow, Store
from testbed.train.checkpoints import settings_of
from testbed.train.job import Task, TrainingJob, is_finished
from testbed.train.training import DivergedError

__all__ = ["Live", "live_measures", "live_target"]


def live_measures(
    targets: Sequence[str], settings: Mapping[str, Mapping[str, object]]
) -> list[Measure]:
    """Return what has to be measured for targets such as ``clean`` and ``fgsm@8``.

    Each ε is a measure of its own, so that adding one later leaves the others alone.

    Args:
        targets: attack and ε (in units of 1/255), ℓ∞ if no norm is named, or ``clean``.
        settings: by attack, what differs from its paper.

    Raises:
        ObjectiveError: for another target.
    """
    measures = []
    for target in map(live_target, targets):
        if target == CLEAN:
            measures.append(Measure("clean", (None,)))
        else:
            norm, epsilon = str(target.norm), target.level or 0.0
            measures += attack_measures([target.name], norm, (epsilon,), settings)
    return measures


def live_target(text: str) -> Target:
    """Return what a live search can measure by its name.

    Raises:
        ObjectiveError: if it is neither clean accuracy nor an attack with an ε.
    """
    try:
        target = Target.parse(text)
    except ValueError:
        target = None
    known = target is not None and target.name in ATTACKS and target.level is not None
    if target is None or not (known or target == CLEAN):
        raise ObjectiveError(
            f"a live objective is clean or an attack and its ε in units of 1/255, such as "
            f"fgsm@8; got {text!r}; attacks: {', '.join(ATTACKS)}"
        )
    return target


@dataclass
class Live:
    """Trains and attacks; what the folder and the store hold is not done again.

    A training that diverges has the score NaN.

    Attributes:
        targets: what is maximised, a part of ``measured``.
        measured: names of what is measured of each network.
        measures: these, in the same order.
        training: trains into a folder.
        measuring: attacks the networks of that folder.
        store: keeps the results.
        run: of the store.
        seed: of the weights and the training.
        watch: called after each answer, with a line on its results where they are new here.
        candidates: the networks that may be asked for.
    """

    targets: tuple[str, ...]
    measured: tuple[str, ...]
    measures: Sequence[Measure]
    training: TrainingJob
    measuring: MeasuringJob
    store: Store
    run: int
    seed: int = 0
    watch: Callable[[str | None], None] = lambda line: None
    candidates: Candidates = field(default_factory=default_candidates, repr=False)
    _known: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)
    _answers: dict[int, tuple[NDArray[np.float64], float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        there = self.store.robustness()
        rows = zip(there["digest"], there["accuracy"], there["seconds"], strict=True)
        self._known = {digest: (accuracy, seconds) for digest, accuracy, seconds in rows}

    def scalar(self, weights: Sequence[float]) -> Callable[[int], Answer]:
        """Return candidate → weighted sum of its scores, and the seconds they cost."""
        places = [self.measured.index(target) for target in self.targets]

        def answer(candidate: int) -> Answer:
            values, seconds = self.measure(candidate)
            return Answer(float(values[places] @ np.asarray(weights)), seconds)

        return answer

    def table(self) -> pd.DataFrame:
        """Return what was asked for in this run, by candidate."""
        rows = [values for values, _ in self._answers.values()]
        values = np.array(rows).reshape(len(rows), len(self.measured))
        return pd.DataFrame(values, pd.Index(list(self._answers)), list(self.measured))

    def measure(self, candidate: int) -> tuple[NDArray[np.float64], float]:
        """Return everything measured of a network, (number of measures,), and its seconds.

        The seconds are those of the training and the attacks, whenever they took place.
        """
        line = None
        if candidate not in self._answers:
            network = self.candidates.space.name(candidate)
            self._answers[candidate], line = self._measure(network)
        self.watch(line)
        return self._answers[candidate]

    def _measure(self, network: str) -> tuple[tuple[NDArray[np.float64], float], str]:
        task, begun = Task(network, self.seed), time.perf_counter()
        if not is_finished(task.path(self.training.folder)):
            try:
                self.training(task)
            except DivergedError as error:
                nothing = np.full(len(self.measures), np.nan)
                return (nothing, time.perf_counter() - begun), f"{network}: {error}"
        settings = settings_of(self.training.folder, network, self.seed)
        results = [self._result(network, measure) for measure in self.measures]
        values = np.array([accuracy for accuracy, _ in results])
        seconds = settings["provenance"]["seconds"] + sum(seconds for _, seconds in results)
        words = (f"{n} {v:.1%}" for n, v in zip(self.measured, values, strict=True))
        return (values, seconds), f"{network}  {', '.join(words)}"

    def _result(self, network: str, measure: Measure) -> tuple[float, float]:
        ((key,),) = self.measuring.keys(network, self.seed, [measure])
        if key.digest not in self._known:
            rows: list[RobustnessRow] = []
            for piece in self.measuring.tasks([network], [self.seed], [measure]):
                rows += self.measuring.join(piece, self.measuring(piece))
            self.store.save_robustness(self.run, rows)
            self._known |= {row.key.digest: (row.accuracy, row.seconds) for row in rows}
        return self._known[key.digest]
