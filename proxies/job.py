"""The job of ``proxies.compute``: one batch, one source of weights, many networks."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import torch

from proxies.probe import DEFAULT_MEMORY, Probe, Score
from proxies.scoring import evaluate
from testbed.basis.errors import InputError
from testbed.catalogue.plugins import load
from testbed.catalogue.registry import get
from testbed.catalogue.spec import ProxySpec
from testbed.command.job import Words
from testbed.engine import Outcome
from testbed.images import NAMES, Batch, ImageSet
from testbed.sources import Source
from testbed.spaces.registry import space_of
from testbed.store import FailureKey, FailureRow, ScoreKey, ScoreRow, Store

__all__ = ["Scored", "ScoringJob", "Task", "unfinished"]


@dataclass(frozen=True)
class Task:
    """The scores of one network that share its weights: one unit of work."""

    network: str
    seed: int | None
    keys: tuple[ScoreKey, ...]


def unfinished(tasks: Iterable[Task], finished: Container[str]) -> list[Task]:
    """Return what is left of the tasks without the keys whose digest stands in ``finished``."""
    rest = []
    for task in tasks:
        keys = tuple(key for key in task.keys if key.digest not in finished)
        if keys:
            rest.append(replace(task, keys=keys))
    return rest


class Scored(list[ScoreRow]):
    """The scores of a task, NaN with a reason where a network has none.

    Attributes:
        failures: proxy → why, of those that failed in this run and are left to another.
    """

    def __init__(self, rows: Iterable[ScoreRow], failures: dict[str, str]) -> None:
        super().__init__(rows)
        self.failures = failures

    def __reduce__(self) -> tuple:
        return Scored, (list(self), self.failures)


@dataclass(frozen=True, eq=False)
class ScoringJob:
    """Everything that is the same for all networks; calling it with a task does the work.

    It is sent to other processes, so it holds arrays and numbers only. A score depends on
    what stands in its key, on nothing else here.
    """

    words: ClassVar[Words] = Words("scoring")

    source: Source
    images: np.ndarray  # (B, C, H, W) float32 in [0, 1]
    labels: np.ndarray  # (B,) int64
    classes: int
    image_set: str
    common: dict[str, Any]  # the settings of every key
    batch_norm: str = "calibrated"
    dtype: str = "float32"
    device: str = "cpu"
    memory: int = DEFAULT_MEMORY
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # by proxy
    # The first layer of a random network; of the sets that have names it is always the same.
    normalisation: dict[str, Any] = field(default_factory=dict)
    plugins: tuple[str, ...] = ()  # module:attribute of proxies that a worker does not know

    @staticmethod
    def of(
        images: ImageSet, batch: Batch, batch_seed: int, source: Source, **settings: Any
    ) -> "ScoringJob":
        """Return the job of a batch; ``settings`` are the fields from ``batch_norm`` on."""
        job = ScoringJob(
            source, batch.images.numpy(), batch.labels.numpy(), images.classes, images.name, {},
            **settings,
        )  # fmt: skip
        common = {
            "batch_size": len(batch.labels), "batch_seed": batch_seed, "split": images.split,
            "batch": batch.fingerprint, "batch_norm": job.batch_norm, "dtype": job.dtype,
        }  # fmt: skip
        job.common.update(common)
        if images.name not in NAMES:
            job.normalisation.update(mean=images.mean, std=images.std)
        return job

    def key(self, spec: ProxySpec, network: str, seed: int | None) -> ScoreKey:
        """Return the key of a score.

        A structural proxy's knows neither weights nor batch, where the size of the network
        says it all; one that looks at no image knows no batch. A proxy of others says whose it
        is, see `ProxySpec.origin`.
        """
        return self._key(spec, network, seed, self.source.settings(network, seed))

    def _key(
        self, spec: ProxySpec, network: str, seed: int | None, weights: dict[str, Any]
    ) -> ScoreKey:
        options = {**spec.options, **self.options.get(spec.name, {}), **spec.origin}

        def beside(settings: dict[str, Any]) -> dict[str, Any]:
            if spec.foreign and (taken := sorted(spec.options.keys() & settings.keys())):
                raise InputError(
                    f"{spec.name} has an option named {', '.join(taken)}, which stands in the "
                    "keys of scores for something else: give it another name in its ProxySpec"
                )
            return settings | options

        channels, *size = self.images.shape[1:]
        shape = {"in_channels": channels, "classes": self.classes, "size": size}
        space = space_of(network)
        if spec.structural and space is not None and space.sizes.keys() <= weights.keys():
            width = {name: weights[name] for name in space.sizes}
            return ScoreKey.make(network, spec.name, settings=beside(width | shape))
        if not spec.structural and not spec.needs_images:
            return ScoreKey.make(
                network, spec.name, init=self.source.init, seed=seed,
                settings=beside({"dtype": self.dtype} | shape | self.normalisation | weights),
            )  # fmt: skip
        return ScoreKey.make(
            network, spec.name, init=self.source.init, seed=seed, images=self.image_set,
            settings=beside(self.common | weights),
        )  # fmt: skip

    def tasks(
        self, networks: Iterable[str], seeds: Sequence[int | None], proxies: Sequence[str]
    ) -> list[Task]:
        """Return what is asked for, each key once: a structural proxy's has no seed."""
        specs = [get(name) for name in proxies]
        seen: set[str] = set()
        tasks = []
        for network in networks:
            for seed in seeds:
                weights = self.source.settings(network, seed)  # of a trained network, a file
                keys = [self._key(spec, network, seed, weights) for spec in specs]
                keys = [key for key in keys if key.digest not in seen]
                seen.update(key.digest for key in keys)
                if keys:
                    tasks.append(Task(network, seed, tuple(keys)))
        return tasks

    def __call__(self, task: Task) -> Scored:
        """Return the scores of a task; one that fails does the others no harm."""
        load(self.plugins)
        network = self.source.build(task.network, task.seed)
        images = torch.from_numpy(self.images).to(self.device, getattr(torch, self.dtype))
        probe = Probe(
            network.to(self.device),
            images,
            torch.from_numpy(self.labels).to(self.device),
            batch_norm=self.batch_norm,
            key=("probe", task.network, self.source.init, task.seed),
            memory=self.memory,
        )
        ours_first = sorted(task.keys, key=lambda key: get(key.proxy).foreign)
        scores = {key: self._score(key.proxy, probe) for key in ours_first}
        return Scored(
            [_row(key, score) for key, score in scores.items() if not score.failed],
            {key.proxy: str(score.reason) for key, score in scores.items() if score.failed},
        )

    def _score(self, name: str, probe: Probe) -> Score:
        return evaluate(get(name), probe, self.options.get(name, {}))

    def name(self, task: Task) -> str:
        """Return the network of a task, and its proxy if it is of one."""
        proxy = f", {task.keys[0].proxy}" if len(task.keys) == 1 else ""
        return f"{task.network}{proxy}"

    def save(self, store: Store, run: int, task: Task, scored: Scored) -> Mapping[str, str]:
        """Save the scores of a task; return proxy → why of those that failed."""
        store.save(run, scored)
        store.save_failures(
            run,
            [
                FailureRow(FailureKey.of(key), "error", scored.failures[key.proxy])
                for key in task.keys
                if key.proxy in scored.failures
            ],
        )
        return scored.failures

    def wanted(self, task: Task) -> bool:
        """Return that each task is wanted, whatever became of others."""
        return True

    def fail(self, store: Store, run: int, task: Task, outcome: Outcome) -> Sequence[Task]:
        """Save that scores failed; or return those that may do without the others, by themselves.

        Which of them killed the worker, or took too long, shows when each is alone. An exception
        that ended them all is of the network, of which structural ones ask nothing that fails.
        """
        if outcome.kind == "error":
            parts = [
                [k for k in task.keys if get(k.proxy).structural is way] for way in (True, False)
            ]
        else:
            parts = [[key] for key in task.keys]
        if len(parts) > 1 and all(parts):
            return [replace(task, keys=tuple(part)) for part in parts]
        rows = [FailureRow(FailureKey.of(k), outcome.kind, str(outcome.error)) for k in task.keys]
        store.save_failures(run, rows)
        return ()


def _row(key: ScoreKey, score: Score) -> ScoreRow:
    return ScoreRow(
        key, score.value, score.reason, score.converged, score.iterations, score.residual,
        score.seconds, score.details,
    )  # fmt: skip
