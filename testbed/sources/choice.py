"""From the options of a command to networks that fit its images."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from testbed.basis.errors import did_you_mean
from testbed.command.console import whole_numbers
from testbed.images import ImageSet
from testbed.sources.first_look import Apart
from testbed.sources.fit import check_fit
from testbed.sources.names import INITS
from testbed.sources.own import OwnSource
from testbed.sources.pretrained import PretrainedSource
from testbed.sources.random import RandomSource
from testbed.sources.source import Source, SourceError
from testbed.sources.trained import TrainedSource
from testbed.spaces import registry
from testbed.spaces.names import INITIALISATIONS
from testbed.spaces.selection import space_of_words
from testbed.spaces.space import SearchSpace

__all__ = ["Choice", "chosen_networks"]

PUBLISHED_SEED = "777"  # of the archives' networks that the published robustness belongs to
DEFAULT_ARCHS = "sample:24"


@dataclass(frozen=True)
class Choice:
    """The networks that a user asked for; an option that was not given is None.

    Attributes:
        init: one of `INITS`; ignored if ``own`` names networks.
        weights: the folder of trained networks.
        archive: the archive of pretrained networks.
        hp: the hyper-parameters of a NATS-Bench archive; None for its longest training.
        own: the user's own networks, see `testbed.sources.own_name`.
        factory: ``module:function`` that builds them from their names, if these do not say how.
        archs: the architectures, as `SearchSpace.select` reads them.
        seeds: the seeds of the weights.
        channels: C, the width of the first stage, of random networks; None for the space's.
        cells: N, the number of cells in a stage, of random networks; None for the space's.
        space: the key of the search space, or a user's ``module:class``; None for what the words
            of ``archs`` say, else NAS-Bench-201.
    """

    init: str = "random"
    weights: Path | None = None
    archive: Path | None = None
    hp: str | None = None
    own: tuple[str, ...] = ()
    factory: str | None = None
    archs: str | None = None
    seeds: str | None = None
    channels: int | None = None
    cells: int | None = None
    space: str | None = None

    @property
    def search_space(self) -> SearchSpace[Any]:
        """Return the record of the space that is asked for."""
        return space_of_words(self.archs) if self.space is None else registry.get(self.space)


def chosen_networks(
    choice: Choice,
    images: ImageSet,
    apart: Apart | None = None,
    ask: Callable[[nn.Module], Any] | None = None,
) -> tuple[Source, list[str], list[int] | list[None]]:
    """Return the source, the names of the networks and the seeds that a user asked for.

    Args:
        choice: what was asked for.
        images: that the networks have to take.
        apart: the processes that a user's own networks are looked at in; None for this one.
        ask: what else is to be known of each of a user's own, see `OwnSource.answers`.

    Raises:
        ValueError: if an option is missing, wrong, or the networks do not take these images.
    """
    if choice.own:
        _refuse(choice.archs, "--archs", "--network names the networks")
        _refuse(choice.seeds, "--seeds", "a network of yours has the weights it comes with")
        _refuse(choice.space, "--space", "--network names the networks")
        _refuse(choice.weights, "--weights", "--network brings its own weights")
        _refuse(choice.archive, "--archive", "--network brings its own weights")
        own = OwnSource.of(choice.own, choice.factory, images, apart, ask)
        return own, list(own.names), [None]
    source = _source(choice, images)
    default_seed = PUBLISHED_SEED if isinstance(source, PretrainedSource) else "0"
    seeds = whole_numbers(choice.seeds or default_seed, "seeds")
    if choice.archs is None and not source.fresh:
        networks = list(source.networks())
    else:
        space = choice.search_space
        networks = [space.name(one) for one in space.select(choice.archs or DEFAULT_ARCHS)]
    if not source.fresh:
        check_fit(source.build(networks[0], seeds[0]), networks[0], images)
    return source, networks, seeds


def _source(choice: Choice, images: ImageSet) -> Source:
    if choice.init == "trained":
        _refuse(choice.archive, "--archive", "--init trained reads --weights")
        if choice.weights is None:
            raise SourceError(
                "--init trained needs --weights FOLDER, as robustness-proxies train writes it"
            )
        if not choice.weights.is_dir():
            raise SourceError(f"there is no folder {choice.weights}: train networks into it with "
                              f"robustness-proxies train --out {choice.weights}")  # fmt: skip
        return TrainedSource(choice.weights, choice.search_space)
    _refuse(choice.weights, "--weights", f"--init {choice.init} does not read trained networks")
    if choice.init == "pretrained":
        if choice.archive is None:
            raise SourceError("--init pretrained needs --archive PATH, of NATS-Bench say")
        space = choice.search_space
        dataset = _archive_dataset(space, images.name)
        return PretrainedSource(choice.archive, dataset, choice.hp, space)
    _refuse(choice.archive, "--archive", f"--init {choice.init} reads no archive")
    if choice.init not in INITIALISATIONS:
        raise SourceError(
            f"unknown --init {choice.init!r}{did_you_mean(choice.init, INITS)}; expected one of "
            f"{', '.join(INITS)}"
        )
    return RandomSource(
        choice.init, images.mean, images.std, choice.channels, choice.cells, images.classes,
        images.shape[0], choice.search_space,
    )  # fmt: skip


def _archive_dataset(space: SearchSpace[Any], images: str) -> str:
    name = space.archive_dataset(images)
    if name is None:
        raise SourceError(f"there is no network of {images} in any known archive of {space.title}")
    return name


def _refuse(value: object, option: str, why: str) -> None:
    if value is not None:
        raise SourceError(f"{option} makes no sense here: {why}")
