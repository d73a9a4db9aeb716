"""One network, from its last finished epoch to its checkpoint: the work of ``testbed.train``."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch

from testbed import images
from testbed.command.job import Words
from testbed.engine import Outcome
from testbed.images import ImageSet
from testbed.networks.normalise import normalised
from testbed.spaces.space import SearchSpace
from testbed.train.checkpoint_files import fingerprint_of_weights
from testbed.train.checkpoints import (
    Checkpoint,
    checkpoint_path,
    describe_images,
    save_checkpoint,
)
from testbed.train.failures import forget, note
from testbed.train.own import OwnNetworks
from testbed.train.recipe import Recipe
from testbed.train.training import accuracy, train
from testbed.train.unfinished import SUFFIX, load_state, save_state

__all__ = ["PROGRESS", "Task", "TrainingJob", "both_splits", "is_finished"]

PROGRESS = ".progress"
BEAT = 0.5  # seconds between two signs of life


@dataclass(frozen=True)
class Task:
    """A network to train: an architecture string and a seed."""

    network: str
    seed: int

    def path(self, folder: Path) -> Path:
        """Return the path that the weights of the network are written to."""
        return checkpoint_path(folder, self.network, self.seed)


@lru_cache(maxsize=1)
def both_splits(name: str, root: Path | None) -> tuple[ImageSet, ImageSet]:
    """Return the training and the test images, read once in each process."""
    return images.load(name, root, "train"), images.load(name, root, "test")


def is_finished(path: Path) -> bool:
    """Say whether the network whose weights lie at ``path`` is trained."""
    return path.is_file() and path.with_suffix(".json").is_file()


@dataclass(frozen=True)
class TrainingJob:
    """The training of the networks of a folder; calling it with a task trains one of them."""

    words: ClassVar[Words] = Words("training", "networks", "Every network is trained already.")

    recipe: Recipe
    image_set: str
    data_root: Path | None
    folder: Path
    device: str = "cpu"
    space: SearchSpace[Any] | None = None  # of a user's own, which a worker then knows
    own: OwnNetworks | None = None  # if they are of no space

    def settings(self) -> dict[str, Any]:
        """Return what makes two folders of trained networks comparable, as JSON values."""
        train_images, test_images = both_splits(self.image_set, self.data_root)
        return {
            "recipe": self.recipe.settings(),
            "images": describe_images(train_images),
            "test": describe_images(test_images),
            # One name is one network: two factories may give it to two.
            **(
                {}
                if self.own is None or self.own.factory is None
                else {"factory": self.own.factory}
            ),
        }

    def tasks(self, networks: Iterable[str], seeds: Sequence[int]) -> list[Task]:
        """Return a task for each network and seed."""
        return [Task(network, seed) for network in networks for seed in seeds]

    def name(self, task: Task) -> str:
        """Return the network of a task, and its seed."""
        return f"{task.network}, seed {task.seed}"

    def save(self, folder: Path, run: int, task: Task, trained: None) -> Mapping[str, str]:
        """Do nothing: a checkpoint was written where the network was trained."""
        return {}

    def wanted(self, task: Task) -> bool:
        """Return that each network is wanted, whatever became of others."""
        return True

    def fail(self, folder: Path, run: int, task: Task, outcome: Outcome) -> Sequence[Task]:
        """Write down beside the place of the weights that the training failed, and why.

        The epochs that are finished stay: who takes it up again goes on from there.
        """
        note(task.path(folder), task.network, outcome)
        return ()

    def __call__(self, task: Task) -> None:
        """Train a network, or go on with it, and write its checkpoint."""
        train_images, test_images = both_splits(self.image_set, self.data_root)
        settings, path = self.settings(), task.path(self.folder)
        unfinished, plan = path.with_suffix(SUFFIX), {**settings, **asdict(task)}
        state, before = load_state(unfinished, plan)
        clock = _Clock(before)
        network, history = train(
            task.network, self.recipe, train_images, task.seed,
            device=self.device, state=state,
            on_epoch=lambda state: save_state(unfinished, state, plan, clock.seconds()),
            on_batch=_Heartbeat(path.with_suffix(PROGRESS)), own=self.own,
        )  # fmt: skip
        mean, std = train_images.mean, train_images.std
        if self.own is not None:  # it normalises images itself
            mean, std = (0.0,) * len(mean), (1.0,) * len(std)
        whole = normalised(network, mean, std).to(self.device)
        test = settings["test"] | {"accuracy": accuracy(whole, test_images, self.device)}
        weights = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
        checkpoint = Checkpoint(
            task.network, task.seed, self.recipe, settings["images"], train_images.classes,
            train_images.shape[0], mean, std,
            tuple(asdict(epoch) for epoch in history), test, fingerprint_of_weights(weights),
            {
                "torch_version": str(torch.__version__), "device": self.device,
                "threads": torch.get_num_threads(), "seconds": round(clock.seconds(), 2),
            },
            self.own,
        )  # fmt: skip
        save_checkpoint(self.folder, checkpoint, weights)
        for suffix in (SUFFIX, PROGRESS):
            path.with_suffix(suffix).unlink(missing_ok=True)
        forget(path)


class _Clock:
    """A stopwatch that includes the seconds of earlier, interrupted runs."""

    def __init__(self, before: float) -> None:
        self._start = time.monotonic() - before

    def seconds(self) -> float:
        return time.monotonic() - self._start


class _Heartbeat:
    """Writes the number of epochs done into a small file, now and then."""

    def __init__(self, path: Path) -> None:
        self._path, self._next = path, 0.0

    def __call__(self, epochs: float) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + BEAT
            self._path.write_text(f"{epochs:.4f}", encoding="utf-8")
