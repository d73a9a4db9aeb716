"""A folder for a live search: trained networks, their robust accuracies, and a lock."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.robustness.job import MeasuringJob
from evaluation.search.live import Live, live_measures, live_target
from evaluation.search.problem import Problem
from testbed import images
from testbed.basis import interrupts
from testbed.command.provenance import provenance
from testbed.sources.trained import TrainedSource
from testbed.spaces.nasbench201.recipe import Recipe
from testbed.store import Store
from testbed.train.folder import claim
from testbed.train.job import TrainingJob

__all__ = ["LiveSettings", "live_problem"]


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


@contextmanager
def live_problem(
    folder: Path,
    targets: Sequence[str],
    settings: LiveSettings,
    watch: Callable[[str | None], None] = lambda line: None,
) -> Iterator[Problem]:
    """Open a folder, and search in it for the best of targets such as ``fgsm@8``.

    Clean accuracy is measured too. The folder's networks (``weights``) and results
    (``robustness.sqlite``) are those of `testbed.train` and `evaluation.robustness`.

    Args:
        folder: made if it is missing.
        targets: what is maximised.
        settings: see there; the folder must have been made with the same training.
        watch: see `Live`.

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
    weights = folder / "weights"
    training = TrainingJob(
        settings.recipe, settings.image_set, settings.data_root, weights, settings.device
    )
    measuring = MeasuringJob.of(
        test, settings.count, TrainedSource(weights), device=settings.device
    )
    facts = {"targets": targets, "recipe": settings.recipe, "attacks": settings.attacks}
    origin = provenance(list(settings.command), settings.device, "float32", settings.threads, facts)
    with claim(weights, training.settings()), Store(folder / "robustness.sqlite") as store:
        run, status = None, "failed"
        try:
            with interrupts.held():
                run = store.begin_run(origin)
            live = Live(
                targets, measured, measures, training, measuring, store, run, settings.seed, watch
            )
            yield Problem(live, None, live.table, complete=False)
            status = "done"
        except KeyboardInterrupt:
            status = "interrupted"
            raise
        finally:
            if run is not None:
                with interrupts.held():
                    store.finish_run(run, status)
