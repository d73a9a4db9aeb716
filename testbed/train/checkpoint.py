"""The description of a trained network, and the network that it makes of weights."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor, nn

from testbed.basis.foreign_text import described, shown
from testbed.basis.seeding import global_draws
from testbed.spaces import registry
from testbed.spaces.names import MOST_CHANNELS
from testbed.spaces.sizes import MOST_CLASSES, check_counts
from testbed.spaces.space import SearchSpace
from testbed.train.checkpoint_entries import ENTRIES
from testbed.train.checkpoint_files import (
    CheckpointError,
)
from testbed.train.own import OwnNetworks
from testbed.train.recipe import Recipe

__all__ = ["Checkpoint", "parsed_name", "plain", "sizes_of"]


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
        for name, (words, holds) in ENTRIES.items():
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
