"""A folder for a live search: trained networks, their robust accuracies, and a lock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from evaluation.ranking.roster import Roster
from evaluation.robustness.job import MeasuringJob
from evaluation.search.candidates import Candidates, default_candidates, of_index, of_record
from evaluation.search.live import Live, LiveWork, live_measures, live_target
from evaluation.search.objectives import ObjectiveError
from evaluation.search.problem import Problem
from testbed import images
from testbed.basis import interrupts
from testbed.command.provenance import provenance
from testbed.engine.one_by_one import OneByOne
from testbed.sources.trained import TrainedSource
from testbed.spaces.registry import DEFAULT
from testbed.spaces.space import SearchSpace
from testbed.store import Store
from testbed.train.checkpoint import sizes_of
from testbed.train.folder import claim
from testbed.train.job import TrainingJob
from testbed.train.recipe import Recipe

__all__ = ["LiveSettings", "live_candidates", "live_problem"]


@dataclass(frozen=True)
class LiveSettings:
    """How cells are trained and attacked.

    Attributes:
        recipe: of the training.
        image_set: its name; trained on its training images, attacked on its test images.
        data_root: where these lie.
        count: the first of them that are attacked; None for all.
        seed: of weights and training.
        device: that computes.
        threads: of torch.
        attacks: by attack, what differs from its paper.
        command: the command line, for the provenance.
        limit: seconds that a training, or a network under one measure, may take; None for as long
            as it likes.
        retry: whether what failed in an earlier run is taken up again.
    """

    recipe: Recipe
    image_set: str = "digits"
    data_root: Path | None = None
    count: int | None = None
    seed: int = 0
    device: str = "cpu"
    threads: int = 1
    attacks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    limit: float | None = None
    retry: bool = False


def live_candidates(
    record: SearchSpace[Any], recipe: Recipe, scores: pd.DataFrame, with_proxy: bool
) -> Candidates:
    """Return the networks of a space that may be trained and attacked.

    All there are; but with a proxy, of a space that is too large to be listed, those that have
    scores: an algorithm ranks what it may ask for.

    Args:
        record: of the space.
        recipe: of the training, whose sizes the baselines have too; those of NAS-Bench-201 have the
            published ones.
        scores: a table of scores.
        with_proxy: whether an algorithm looks at a proxy.

    Raises:
        ObjectiveError: if there is a proxy, and no network of a large space has scores.
    """
    sizes = {} if record.key == DEFAULT else sizes_of(recipe, record)
    if record.listed or not with_proxy:
        return of_record(record, sizes)
    roster = Roster(record, sizes)
    names = pd.Index(roster.labels(scores["network"].astype(str)).dropna().unique())
    if len(names) < 2:
        raise ObjectiveError(
            f"{record.title} has {record.size:,} networks, too many to score: a live search with a "
            f"proxy is among those that have scores, and there are {len(names)}: score some with "
            f"`robustness-proxies compute --space {record.key} --archs sample:1000 --store FILE` "
            "and add --scores FILE"
        )
    return of_index(names, roster)


@contextmanager
def live_problem(
    folder: Path,
    targets: Sequence[str],
    settings: LiveSettings,
    watch: Callable[[str | None], None] = lambda line: None,
    candidates: Candidates | None = None,
) -> Iterator[Problem]:
    """Open a folder, and search in it for the best of targets such as ``fgsm@8``.

    Clean accuracy is measured too. The folder's networks (``weights``) and results
    (``robustness.sqlite``) are those of `testbed.train` and `evaluation.robustness`.

    Args:
        folder: made if it is missing.
        targets: what is maximised.
        settings: see there; the folder must have been made with the same training.
        watch: see `Live`.
        candidates: the networks that may be asked for; None for those of NAS-Bench-201.

    Raises:
        ObjectiveError: for an unknown target.
        CheckpointError: if the folder holds networks that were trained otherwise.
        StoreError: if another process works in it.
        ImageSetError: if the images are not there.
    """
    targets = tuple(dict.fromkeys(live_target(target).key for target in targets))
    measured = tuple(dict.fromkeys(("clean", *targets)))
    measures = live_measures(measured, settings.attacks)
    test = images.load(settings.image_set, settings.data_root, "test")
    weights, candidates = folder / "weights", candidates or default_candidates()
    space = candidates.roster.space
    training = TrainingJob(
        settings.recipe, settings.image_set, settings.data_root, weights, settings.device, space
    )
    measuring = MeasuringJob.of(
        test, settings.count, TrainedSource(weights, space), device=settings.device
    )
    facts = {"targets": targets, "recipe": settings.recipe, "attacks": settings.attacks}
    origin = provenance(list(settings.command), settings.device, "float32", settings.threads, facts)
    work = LiveWork(training, measuring)
    with (
        claim(weights, training.settings()),
        Store(folder / "robustness.sqlite") as store,
        OneByOne(work, settings.threads, settings.limit, settings.device) as compute,
    ):
        run, status = None, "failed"
        try:
            with interrupts.held():
                run = store.begin_run(origin)
            live = Live(
                targets, measured, measures, work, compute, store, run, settings.seed,
                settings.retry, watch, candidates,
            )  # fmt: skip
            yield Problem(
                live, None, live.table, complete=False, candidates=candidates, ending=live.ending
            )
            status = live.ending.status
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        finally:
            if run is not None:
                with interrupts.held():
                    store.finish_run(run, status)
