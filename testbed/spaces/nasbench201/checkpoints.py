"""A folder of trained networks: weights in safetensors, descriptions in JSON beside them.

``<id>-seed<k>.safetensors`` holds a network's state dict and ``<id>-seed<k>.json`` its
settings. The JSON is written last: a network is finished once it is there.
"""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from testbed.images import ImageSet
from testbed.images.batch import fingerprint
from testbed.networks.normalise import normalised
from testbed.spaces.nasbench201.checkpoint_files import (
    CheckpointError,
    fingerprint_of_weights,
    read_json,
    read_tensors,
    write_json,
    write_tensors,
)
from testbed.spaces.nasbench201.genotype import Genotype
from testbed.spaces.nasbench201.network import Network
from testbed.spaces.nasbench201.recipe import Recipe

__all__ = [
    "Checkpoint",
    "CheckpointError",
    "checkpoint_path",
    "describe_images",
    "load_checkpoint",
    "save_checkpoint",
    "settings_of",
    "trained_network",
]


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

    @staticmethod
    def from_settings(settings: dict[str, Any]) -> "Checkpoint":
        """Return the checkpoint that the content of a JSON file describes.

        Raises:
            CheckpointError: if an entry is missing or unknown, or the recipe is not valid.
        """
        try:
            changed = {
                "recipe": Recipe.from_settings(settings["recipe"]),
                **{name: tuple(settings[name]) for name in ("mean", "std", "history")},
            }
            return Checkpoint(**{**settings, **changed})
        except (KeyError, TypeError, ValueError) as error:
            raise CheckpointError(f"these are no settings of a checkpoint: {error!r}") from error

    def network(self) -> Network:
        """Return the bare network, its weights not yet loaded."""
        with torch.device("meta"):
            network = Network(
                Genotype.parse(self.genotype), self.recipe.channels, self.recipe.cells,
                self.classes, self.in_channels,
            )  # fmt: skip
        return network.to_empty(device="cpu")


def checkpoint_path(folder: str | Path, genotype: Genotype, seed: int) -> Path:
    """Return the path of a network's weights; its settings lie beside them in ``.json``."""
    return Path(folder) / f"{genotype.index:06d}-seed{seed}.safetensors"


def describe_images(images: ImageSet) -> dict[str, Any]:
    """Return name, split, count and fingerprint of a whole image set."""
    return {
        "name": images.name,
        "split": images.split,
        "count": len(images),
        "fingerprint": fingerprint(images.pixels, images.labels, images.levels),
    }


def save_checkpoint(folder: str | Path, checkpoint: Checkpoint, weights: dict[str, Tensor]) -> None:
    """Write a trained network into a folder."""
    path = checkpoint_path(folder, Genotype.parse(checkpoint.genotype), checkpoint.seed)
    write_tensors(path, weights)
    write_json(path.with_suffix(".json"), asdict(checkpoint))


def settings_of(folder: str | Path, genotype: Genotype, seed: int) -> dict[str, Any]:
    """Return the settings of a trained network; only its JSON is read.

    Raises:
        CheckpointError: if it is missing, unreadable, or of another architecture or seed.
    """
    path = checkpoint_path(folder, genotype, seed).with_suffix(".json")
    if not path.is_file():
        raise CheckpointError(
            f"no trained network {genotype.index} of seed {seed} in {folder}: train it with "
            f"`robustness-proxies train --archs {genotype.index} --seeds {seed} --out {folder}` "
            "and the options of that folder"
        )
    settings = read_json(path)
    for name, wanted in (("genotype", str(genotype)), ("seed", seed)):
        if settings.get(name) != wanted:
            raise CheckpointError(
                f"{path} is of {name} {settings.get(name)!r}; expected {wanted!r}: "
                "a renamed file? Remove it and train again"
            )
    return settings


def load_checkpoint(
    folder: str | Path, genotype: Genotype, seed: int
) -> tuple[dict[str, Tensor], Checkpoint]:
    """Return the state dict and the settings of a trained network.

    Raises:
        CheckpointError: if a file is missing or unreadable, of another architecture or seed,
            or the weights are not those that the settings describe.
    """
    settings = settings_of(folder, genotype, seed)
    path = checkpoint_path(folder, genotype, seed)
    try:
        checkpoint = Checkpoint.from_settings(settings)
    except CheckpointError as error:
        raise CheckpointError(f"{path.with_suffix('.json')}: {error}") from error
    weights = read_tensors(path)
    found = fingerprint_of_weights(weights)
    if found != checkpoint.weights_fingerprint:
        raise CheckpointError(
            f"the weights in {path} have the fingerprint {found}, their settings say "
            f"{checkpoint.weights_fingerprint}: they were changed or replaced; remove both "
            "files and train again"
        )
    return weights, checkpoint


def trained_network(folder: str | Path, genotype: Genotype, seed: int) -> nn.Sequential:
    """Return a trained network in eval mode, from images in [0, 1] to logits.

    Raises:
        CheckpointError: if `load_checkpoint` raises it, or the weights do not fit the network.
    """
    weights, checkpoint = load_checkpoint(folder, genotype, seed)
    network = checkpoint.network()
    try:
        network.load_state_dict(weights)
    except RuntimeError as error:
        path = checkpoint_path(folder, genotype, seed)
        raise CheckpointError(f"the weights in {path} do not fit: {error}") from error
    return normalised(network, checkpoint.mean, checkpoint.std).eval()
