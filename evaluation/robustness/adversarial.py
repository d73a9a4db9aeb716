"""Adversarial images of a measurement, given back: of one network under one attack at one ε."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from evaluation.robustness.adversarial_parts import FORM, KINDS, NOTES
from testbed.basis.errors import ToolkitError
from testbed.basis.foreign_text import described, quoted
from testbed.basis.ranges import EPSILON
from testbed.files.strict_json import parse_json
from testbed.store import RobustnessKey
from testbed.train.checkpoint_files import CheckpointError, read_notes, read_tensors

__all__ = ["Adversarial", "AdversarialError", "load_adversarial"]


class AdversarialError(ToolkitError):
    """A file that holds no adversarial images, or not what it says."""


@dataclass(frozen=True, eq=False)
class Adversarial:
    """Attacked images, and what they are of.

    Attributes:
        images: float32, (N, C, H, W), in [0, 1] and within ε of the clean ones: what the network
            was asked about. An image that no attack moved is the clean one.
        labels: int64, (N,), the true classes.
        indices: int64, (N,), the place of each image in its split.
        robust: bool, (N,), whether the network classifies it rightly both clean and attacked.
        prediction: int64, (N,), the class that the network gave it; -1 where it gave none.
        network: its name.
        init: where its weights come from, ``trained`` for instance.
        seed: of the weights; None where there is none.
        image_set: the name of the images.
        attack: the published key, with the norm: ``pgd@Linf``.
        epsilon: in units of 1/255.
        settings: all that the result depends on: the split, the count and the fingerprint of the
            clean images, the mode, the attack's own settings, the weights' fingerprint.
        digest: of the key of the result in the store.
    """

    images: Tensor
    labels: Tensor
    indices: Tensor
    robust: Tensor
    prediction: Tensor
    network: str
    init: str
    seed: int | None
    image_set: str
    attack: str
    epsilon: float
    settings: dict[str, Any]
    digest: str

    @property
    def accuracy(self) -> float:
        """Return the robust accuracy, which is the recorded one."""
        return self.robust.double().mean().item()

    @property
    def norm(self) -> str:
        """Return the norm in which ε is meant, ``Linf`` or ``L2``."""
        return self.attack.rpartition("@")[2]


def load_adversarial(path: str | Path) -> Adversarial:
    """Return the images that ``robustness --save-adversarial`` kept in a file.

    Args:
        path: of the file.

    Raises:
        AdversarialError: if it cannot be read, is none that was written so, or holds pixels
            outside [0, 1].
    """
    path = Path(path)
    try:
        notes, tensors = read_notes(path), read_tensors(path)
    except CheckpointError as error:
        raise AdversarialError(str(error)) from error
    if notes.get("form") != FORM or set(notes) != set(NOTES):
        raise AdversarialError(
            f"{path} holds no adversarial images of this toolkit: expected a file that "
            "robustness-proxies attack --save-adversarial wrote"
        )
    _check_tensors(tensors, path)
    seed, epsilon, settings = (
        parse_json(notes[name], f"{path}, {name}", AdversarialError)
        for name in ("seed", "epsilon", "settings")
    )
    whole = isinstance(settings, dict) and (seed is None or type(seed) is int)
    if not whole or not EPSILON.holds(epsilon):
        raise AdversarialError(f"{path}: seed, ε or settings are not what a result has")
    key = RobustnessKey.make(
        notes["network"], notes["init"], seed, notes["images"], notes["measure"], epsilon, settings
    )
    if key.digest != notes["digest"]:
        raise AdversarialError(
            f"{path}: its header says {quoted(notes['digest'], 20)} of a result whose digest is "
            f"{key.digest}: it was changed"
        )
    return Adversarial(
        **{name: tensors[name] for name in KINDS}, network=key.network, init=key.init, seed=seed,
        image_set=key.images, attack=key.measure, epsilon=float(epsilon), settings=settings,
        digest=key.digest,
    )  # fmt: skip


def _check_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    if set(tensors) != set(KINDS):
        raise AdversarialError(
            f"{path}: expected the tensors {', '.join(KINDS)}; got {described(sorted(tensors))}"
        )
    images = tensors["images"]
    for name, (kind, _) in KINDS.items():
        tensor, dims = tensors[name], 4 if name == "images" else 1
        if tensor.dtype != kind or tensor.dim() != dims or len(tensor) != len(images):
            raise AdversarialError(
                f"{path}: {name} is {tensor.dtype} {tuple(tensor.shape)}; expected {kind}, one for "
                "each image"
            )
    if not ((images >= 0) & (images <= 1)).all():  # nor NaN
        raise AdversarialError(f"{path}: expected pixels in [0, 1]; found others")
