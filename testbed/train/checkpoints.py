"""A folder of trained networks: weights in safetensors, descriptions in JSON beside them.

``<id>-seed<k>.safetensors`` holds a network's state dict and ``<id>-seed<k>.json`` its
settings. The JSON is written last: a network is finished once it is there.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from testbed.basis.foreign_text import described, shown
from testbed.basis.ranges import COUNT, FRACTION, SECONDS, Range
from testbed.basis.seeding import global_draws
from testbed.images import ImageSet
from testbed.networks.normalise import normalised
from testbed.spaces import registry
from testbed.spaces.names import MOST_CHANNELS
from testbed.spaces.sizes import MOST_CLASSES, check_counts
from testbed.spaces.space import SearchSpace
from testbed.train.checkpoint_files import (
    CheckpointError,
    fingerprint_of_weights,
    read_json,
    read_tensors,
    write_json,
    write_tensors,
)
from testbed.train.own import OwnNetworks
from testbed.train.recipe import Recipe

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "checkpoint_path",
    "describe_images",
    "load_checkpoint",
    "parsed_name",
    "plain",
    "save_checkpoint",
    "settings_of",
    "sizes_of",
    "trained_network",
]

OWN = "own"  # in front of the files of a user's own networks


@dataclass(frozen=True)
class Checkpoint:
    """The description of a trained network, all but its weights.

    Attributes:
        genotype: the architecture string.
        seed: the seed of the initial weights and of the training.
        recipe: how it was trained; its channels and cells make the network.
        images: the training images: name, split, count, and their fingerprint.
        classes: the number of logits.
        in_channels: the number of channels of the images.
        mean: the mean of each channel of the images in [0, 1], for the network's first layer.
        std: the standard deviation of each channel of the images in [0, 1].
        history: the ``loss`` and ``accuracy`` of each epoch (see `training.Epoch`).
        test: ``accuracy``, ``count`` and ``fingerprint`` of the test images.
        weights_fingerprint: see `fingerprint_of_weights`.
        provenance: ``torch_version``, ``device``, ``threads``, ``seconds``.
        own: how a network of a user's own is built; None of one of a search space.
    """

    genotype: str
    seed: int
    recipe: Recipe
    images: dict[str, Any]
    classes: int
    in_channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    history: tuple[dict[str, float], ...]
    test: dict[str, Any]
    weights_fingerprint: str
    provenance: dict[str, Any]
    own: OwnNetworks | None = None

    @staticmethod
    def from_settings(settings: dict[str, Any]) -> "Checkpoint":
        """Return the checkpoint that the content of a JSON file describes.

        Raises:
            CheckpointError: if an entry is missing, unknown or not of its kind, or the recipe is
                not valid.
        """
        names = {field.name for field in fields(Checkpoint)} - {"own"}
        if settings.keys() - {"own"} != names:
            raise CheckpointError(
                f"a checkpoint has the entries {', '.join(sorted(names))}; got "
                f"{shown(', '.join(sorted(map(str, settings))))}"
            )
        for name, (words, holds) in _ENTRIES.items():
            if not holds(settings[name]):
                said = described(settings[name])
                raise CheckpointError(f"{name} of a checkpoint is {words}; got {said}")
        if {len(settings["mean"]), len(settings["std"])} != {settings["in_channels"]}:
            raise CheckpointError(
                f"a checkpoint has a mean and a std for each of its {settings['in_channels']} "
                f"channels; got {len(settings['mean'])} and {len(settings['std'])}"
            )
        try:
            recipe = Recipe.from_settings(settings["recipe"])
            own = _own(settings.get("own"))
            _check(settings, recipe, own)
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"these are no settings of a checkpoint: {error}") from error
        lists = {name: tuple(settings[name]) for name in ("mean", "std", "history")}
        return Checkpoint(**{**settings, **lists, "recipe": recipe, "own": own})

    def network(self, weights: Mapping[str, Tensor]) -> nn.Module:
        """Return the bare network with a state dict, whose tensors are copied.

        Raises:
            CheckpointError: if they are not exactly those of the network.
        """
        whole = None if self.own is None else self.own.build(self.genotype, self.seed, self.classes)
        if whole is None:
            with torch.device("meta"):
                network = self._untrained()
        else:
            network = whole
        expected = network.state_dict()
        # Before there is memory for them: the settings may speak of any size.
        for name in {**expected, **weights}:
            got, wanted = (_kind(tensors.get(name)) for tensors in (weights, expected))
            if got != wanted:
                raise CheckpointError(f"{shown(name, 60)} is {got}; expected {wanted}")
        if whole is None and plain(network):
            network = network.to_empty(device="cpu")
        elif whole is None:  # it may have tensors that no state dict holds
            with global_draws("checkpoint"):
                network = self._untrained()
        network.load_state_dict(dict(weights))
        return network

    def _untrained(self) -> nn.Module:
        space, genotype = parsed_name(self.genotype)
        sizes = sizes_of(self.recipe, space)
        return space.build(genotype, classes=self.classes, in_channels=self.in_channels, **sizes)


def plain(network: nn.Module) -> bool:
    """Say whether a network is made of layers of torch and of this toolkit alone.

    All that these hold is in their state dict, and they take images however they lie in memory.
    """
    return all(
        type(layer).__module__.startswith(("torch.nn.", "testbed."))
        and set(dict(layer.named_buffers(recurse=False))) <= set(layer.state_dict())
        for layer in network.modules()
    )


def _own(settings: Any) -> OwnNetworks | None:
    return None if settings is None else OwnNetworks.from_settings(settings)


def _check(settings: Mapping[str, Any], recipe: Recipe, own: OwnNetworks | None) -> None:
    """Refuse a network that is too large to be meant, before anything is built."""
    check_counts(
        ("classes", settings["classes"], MOST_CLASSES),
        ("channels of the images", settings["in_channels"], MOST_CHANNELS),
    )
    if own is None:
        space, _ = parsed_name(settings["genotype"])
        both = {"classes": settings["classes"], "in_channels": settings["in_channels"]}
        space.check(**both, **sizes_of(recipe, space))


def _kind(tensor: Tensor | None) -> str:
    return "not there" if tensor is None else f"{tensor.dtype} {tuple(tensor.shape)}"


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _whole(value: Any) -> bool:
    return type(value) is int


def _facts(value: Any, **entries: Callable[[Any], bool]) -> bool:
    """Say whether a value is an object with these entries, each of its kind, and perhaps more."""
    return isinstance(value, dict) and all(
        name in value and holds(value[name]) for name, holds in entries.items()
    )


def _each(value: Any, holds: Callable[[Any], bool]) -> bool:
    return isinstance(value, list | tuple) and all(map(holds, value))


def _epoch(value: Any) -> bool:
    return _facts(value, loss=Range("").holds, accuracy=FRACTION.holds)


_IMAGES = {"name": _text, "split": _text, "count": COUNT.holds, "fingerprint": _text}
# What each entry of the JSON is, and how it is told.
_ENTRIES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "genotype": ("an architecture string", _text),
    "seed": ("a whole number", _whole),
    "recipe": ("an object", lambda value: _facts(value)),
    "images": (f"an object of {', '.join(_IMAGES)}", lambda value: _facts(value, **_IMAGES)),
    "classes": ("a whole number from 1", lambda value: _whole(value) and value >= 1),
    "in_channels": ("a whole number from 1", lambda value: _whole(value) and value >= 1),
    "mean": ("a list of numbers in [0, 1]", lambda value: _each(value, FRACTION.holds)),
    "std": (
        "a list of positive numbers",
        lambda value: _each(value, lambda one: Range("").holds(one) and one > 0),
    ),
    "history": ("a list of loss and accuracy", lambda value: bool(value) and _each(value, _epoch)),
    "test": (
        f"an object of accuracy, {', '.join(_IMAGES)}",
        lambda value: _facts(value, accuracy=FRACTION.holds, **_IMAGES),
    ),
    "weights_fingerprint": ("a text", _text),
    "provenance": ("an object with seconds", lambda v: _facts(v, seconds=SECONDS.holds)),
}


def parsed_name(name: str) -> tuple[SearchSpace[Any], Any]:
    """Return the space and the genotype of a network.

    Raises:
        CheckpointError: if it is of no known space.
    """
    found = registry.parsed(name)
    if found is None:
        default = registry.get(registry.DEFAULT)
        if default.claims(name):
            default.parse(name)  # says where it goes wrong
        raise CheckpointError(
            f"{shown(name, 200)} is a network of no known search space; name a space of your own "
            "with --space module:class"
        )
    return found


def sizes_of(recipe: Recipe, space: SearchSpace[Any]) -> dict[str, int]:
    """Return the size of a recipe's networks, as far as the space leaves it open."""
    sizes = {"channels": recipe.channels, "cells": recipe.cells}
    return {name: value for name, value in sizes.items() if name in space.sizes}


def checkpoint_path(folder: str | Path, genotype: Any, seed: int) -> Path:
    """Return the path of a network's weights; its settings lie beside them in ``.json``.

    Args:
        folder: of the trained networks.
        genotype: the name of a network, or what is printed as its name.
        seed: of its training.
    """
    named = registry.parsed(str(genotype))
    if named is None and registry.get(registry.DEFAULT).claims(str(genotype)):
        named = parsed_name(str(genotype))
    if named is None:
        return Path(folder) / f"{OWN}-{_hashed(str(genotype))}-seed{seed}.safetensors"
    space, found = named
    number = space.number(found)
    word = _hashed(space.name(found)) if number is None else f"{number:06d}"
    # Those of NAS-Bench-201 have had no other name in front.
    stem = word if space.key == registry.DEFAULT else f"{space.key}-{word}"
    return Path(folder) / f"{stem}-seed{seed}.safetensors"


def _hashed(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def describe_images(images: ImageSet) -> dict[str, Any]:
    """Return name, split, count and fingerprint of a whole image set."""
    return {
        "name": images.name,
        "split": images.split,
        "count": len(images),
        "fingerprint": images.fingerprint(),
    }


def save_checkpoint(folder: str | Path, checkpoint: Checkpoint, weights: dict[str, Tensor]) -> None:
    """Write a trained network into a folder."""
    path = checkpoint_path(folder, checkpoint.genotype, checkpoint.seed)
    write_tensors(path, weights)
    settings = asdict(checkpoint) | {"recipe": checkpoint.recipe.settings()}
    if checkpoint.own is None:  # as before there were any
        del settings["own"]
    write_json(path.with_suffix(".json"), settings)


def settings_of(folder: str | Path, genotype: Any, seed: int) -> dict[str, Any]:
    """Return the settings of a trained network; only its JSON is read.

    Raises:
        CheckpointError: if it is missing, unreadable, of another architecture or seed, or not
            what `Checkpoint.from_settings` takes.
    """
    path = checkpoint_path(folder, genotype, seed).with_suffix(".json")
    if not path.is_file():
        short = registry.short_name(str(genotype))
        how = f"--archs {short}"
        if registry.space_of(str(genotype)) is None:
            short = f"{shown(short, 200)}, which is of no known search space,"
            how = "--network NAME (or --space module:class --archs NAME, of a space of your own)"
        raise CheckpointError(
            f"no trained network {short} of seed {seed} in {folder}: train it with "
            f"`robustness-proxies train {how} --seeds {seed} --out {folder}` "
            "and the options of that folder"
        )
    settings = read_json(path)
    for name, wanted in (("genotype", str(genotype)), ("seed", seed)):
        found = settings.get(name)
        if found != wanted or type(found) is not type(wanted):
            raise CheckpointError(
                f"{path} is of {name} {described(found, 200)}; expected {wanted!r}: "
                "a renamed file? Remove it and train again"
            )
    try:
        Checkpoint.from_settings(settings)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}; remove it and train again") from error
    return settings


def load_checkpoint(
    folder: str | Path, genotype: Any, seed: int
) -> tuple[dict[str, Tensor], Checkpoint]:
    """Return the state dict and the settings of a trained network.

    Raises:
        CheckpointError: if a file is missing or unreadable, of another architecture or seed,
            or the weights are not those that the settings describe.
    """
    settings = settings_of(folder, genotype, seed)
    path, checkpoint = checkpoint_path(folder, genotype, seed), Checkpoint.from_settings(settings)
    weights = read_tensors(path)
    found = fingerprint_of_weights(weights)
    if found != checkpoint.weights_fingerprint:
        said = shown(checkpoint.weights_fingerprint, 60)
        raise CheckpointError(
            f"the weights in {path} have the fingerprint {found}, their settings say {said}: they "
            "were changed or replaced; remove both files and train again"
        )
    return weights, checkpoint


def trained_network(folder: str | Path, genotype: Any, seed: int) -> nn.Sequential:
    """Return a trained network in eval mode, from images in [0, 1] to logits.

    Raises:
        CheckpointError: if `load_checkpoint` raises it, or the weights do not fit the network.
    """
    weights, checkpoint = load_checkpoint(folder, genotype, seed)
    try:
        network = checkpoint.network(weights)
    except CheckpointError as error:
        path = checkpoint_path(folder, genotype, seed)
        raise CheckpointError(f"the weights in {path} do not fit: {error}") from error
    return normalised(network, checkpoint.mean, checkpoint.std).eval()
