"""The live objective: train a network, attack it, and keep the results for the next time."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from evaluation.attacks.names import ATTACKS
from evaluation.robustness.job import MeasuringJob
from evaluation.robustness.measures import attack_measures
from evaluation.robustness.pieces import Measure, Piece
from evaluation.search.base import Answer
from evaluation.search.candidates import Candidates, default_candidates
from evaluation.search.objectives import ObjectiveError
from evaluation.truths.targets import CLEAN, Target
from testbed.command.job import Ending
from testbed.engine import Outcome
from testbed.store import RobustnessRow, Store
from testbed.train.checkpoints import settings_of
from testbed.train.failures import has_failed
from testbed.train.job import Task, TrainingJob, is_finished

__all__ = ["Live", "LiveWork", "live_measures", "live_target"]


class Missing(NamedTuple):
    """Why there is no network or no result, and whether an earlier run found that."""

    why: str
    before: bool = False


BEFORE = Missing("it failed in an earlier run", before=True)


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


@dataclass(frozen=True, eq=False)
class LiveWork:
    """What a live search sends to whoever computes: a training, or a piece of a measure."""

    training: TrainingJob
    measuring: MeasuringJob

    def __call__(self, item: Task | Piece) -> Any:
        """Train a network, or measure a piece."""
        return self.training(item) if isinstance(item, Task) else self.measuring(item)


@dataclass
class Live:
    """Trains and attacks; what the folder and the store hold is not done again.

    What fails (a training that diverges, say) is noted as `testbed.train` and
    `evaluation.robustness` note it, and has the score NaN. It is left alone in later runs.

    Attributes:
        targets: what is maximised, a part of ``measured``.
        measured: names of what is measured of each network.
        measures: these, in the same order.
        work: trains into a folder, and attacks the networks of that folder.
        compute: returns the outcome of a training or a piece.
        store: keeps the results.
        run: of the store.
        seed: of the weights and the training.
        retry: whether what failed in an earlier run is taken up again.
        watch: called after each answer, with a line on its results where they are new here.
        candidates: the networks that may be asked for.
        ending: what failed, in this run and earlier ones, of what was asked for.
    """

    targets: tuple[str, ...]
    measured: tuple[str, ...]
    measures: Sequence[Measure]
    work: LiveWork
    compute: Callable[[Task | Piece], Outcome[Any]]
    store: Store
    run: int
    seed: int = 0
    retry: bool = False
    watch: Callable[[str | None], None] = lambda line: None
    candidates: Candidates = field(default_factory=default_candidates, repr=False)
    ending: Ending = field(default_factory=lambda: Ending(0, "networks"))
    _known: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False)
    _failed: set[str] = field(default_factory=set, repr=False)
    _answers: dict[int, tuple[NDArray[np.float64], float]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        there = self.store.robustness()
        rows = zip(there["digest"], there["accuracy"], there["seconds"], strict=True)
        self._known = {digest: (accuracy, seconds) for digest, accuracy, seconds in rows}
        self._failed = set() if self.retry else self.store.failed()

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
        begun, folder = time.perf_counter(), self.work.training.folder
        if missing := self._training_failed(Task(network, self.seed)):
            self._count_failure(network, {"": missing})
            nothing = np.full(len(self.measures), np.nan)
            return (nothing, time.perf_counter() - begun), f"{network}: {missing.why}"
        results = [self._result(network, measure) for measure in self.measures]
        values, missed, words = np.full(len(results), np.nan), dict[str, Missing](), []
        seconds = settings_of(folder, network, self.seed)["provenance"]["seconds"]
        for place, (name, result) in enumerate(zip(self.measured, results, strict=True)):
            if isinstance(result, Missing):
                missed[f"{name}: "] = result
                words.append(f"{name}: {result.why}")
            else:
                values[place] = result[0]
                seconds += result[1]
                words.append(f"{name} {result[0]:.1%}")
        self._count_failure(network, missed)
        return (values, seconds), f"{network}  {', '.join(words)}"

    def _count_failure(self, network: str, missed: Mapping[str, Missing]) -> None:
        """Count a network once if something of it, by name, is missing."""
        new = [f"{of}{missing.why}" for of, missing in missed.items() if not missing.before]
        if new:
            self.ending.failed.append((network, "; ".join(new)))
        elif missed:
            self.ending.failed_before += 1

    def _training_failed(self, task: Task) -> Missing | None:
        """Train a network, unless it is trained already; return why there is none."""
        training = self.work.training
        path = task.path(training.folder)
        if is_finished(path):
            return None
        if not self.retry and has_failed(path):
            return BEFORE
        outcome = self.compute(task)
        if outcome.error is not None:
            training.fail(training.folder, self.run, task, outcome)
            return Missing(outcome.error)
        return None

    def _result(self, network: str, measure: Measure) -> tuple[float, float] | Missing:
        """Return the accuracy under a measure, and its seconds; or why there is none."""
        measuring = self.work.measuring
        ((key,),) = measuring.keys(network, self.seed, [measure])
        if key.digest in self._known:
            return self._known[key.digest]
        if key.digest in self._failed:
            return BEFORE
        rows: list[RobustnessRow] = []
        for piece in measuring.tasks([network], [self.seed], [measure]):
            outcome = self.compute(piece)
            if outcome.error is not None:
                measuring.fail(self.store, self.run, piece, outcome)
                return Missing(outcome.error)
            rows += measuring.join(piece, outcome.value)  # type: ignore[arg-type]
        self.store.save_robustness(self.run, rows)
        self._known |= {row.key.digest: (row.accuracy, row.seconds) for row in rows}
        return self._known[key.digest]
