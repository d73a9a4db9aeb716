"""A folder of trained networks: weights in safetensors, descriptions in JSON beside them.

``<id>-seed<k>.safetensors`` holds a network's state dict and ``<id>-seed<k>.json`` its
settings. The JSON is written last: a network is finished once it is there.
"""

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from testbed.basis.foreign_text import described, shown
from testbed.images import ImageSet
from testbed.networks.normalise import normalised
from testbed.spaces import registry
from testbed.train.checkpoint import Checkpoint, parsed_name
from testbed.train.checkpoint_files import (
    CheckpointError,
    fingerprint_of_weights,
    read_json,
    read_tensors,
    write_json,
    write_tensors,
)

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

OWN = "own"  # in front of the files of a user's own networks


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
