"""The original AutoAttack of its authors, as an optional backend.

The package is found as ``autoattack`` (from its repository) or ``pyautoattack`` (from the
package index). It proposes; our judge decides, as for any attack. It draws one random number
for a whole batch, so an image's outcome depends on its neighbours here.
"""

import importlib
import importlib.metadata
from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from torch import Tensor

from evaluation.attacks.base import Attack, targets_note
from evaluation.attacks.examples import Examples
from evaluation.attacks.names import ATTACKS
from evaluation.attacks.settings import choice, count
from testbed.basis.errors import InputError
from testbed.basis.seeding import global_draws

__all__ = ["MEMBERS", "Original", "package"]

PACKAGES = ("autoattack", "pyautoattack")
MEMBERS = ("apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square", "autoattack")
TARGETED = ("apgd-t", "fab-t", "autoattack")
TARGETS = 9  # classes that these aim at
LEAST_CLASSES = {"apgd-dlr": 3, "apgd-t": 4, "autoattack": 4}  # of the DLR losses; else 2


def package() -> ModuleType:
    """Return the authors' package.

    Raises:
        ValueError: if it is not installed.
    """
    for name in PACKAGES:
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    raise InputError(
        "the original backend needs the package of AutoAttack's authors: "
        "pip install pyautoattack==0.2.0"
    )


@dataclass(frozen=True)
class Original(Attack):
    """One attack of the authors' package, or their standard ensemble.

    Attributes:
        member: one of `MEMBERS`.
        restarts: of APGD.
        queries: of Square.
    """

    member: str = choice("apgd-ce", MEMBERS)
    restarts: int = count(1)
    queries: int = count(5000)

    name: ClassVar[str] = "original"
    image_by_image: ClassVar[bool] = False

    @property
    def uses_gradients(self) -> bool:
        """Whether the member does."""
        return ATTACKS[self.member].gradients

    def propose(self, batch: Examples, epsilon: float, stop_early: bool) -> Tensor:
        """Return what the package returns; it stops as its authors do, whatever is asked."""
        victim, images = batch.victim, batch.images
        if epsilon == 0 or not len(batch):
            return images.clone()
        ensemble = self.member == "autoattack"
        with global_draws("original", *batch.draws.key, device=images.device):
            attack = package().AutoAttack(
                victim.logits_with_graph, norm=self.norm, eps=epsilon, seed=0,
                version="standard" if ensemble else "custom",
                attacks=None if ensemble else [self.member], device=images.device,
            )  # fmt: skip
            attack.verbose, attack.apgd.n_restarts = False, self.restarts
            attack.square.n_queries = self.queries
            if self.member in TARGETED:
                # The package aims at 9 classes whatever there are, and fails on fewer.
                targets = min(TARGETS, victim.logits(images[:1]).shape[1] - 1)
                attack.apgd_targeted.n_target_classes = attack.fab.n_target_classes = targets
            found, _ = attack.run_standard_evaluation(
                images.contiguous(), batch.labels, batch_size=len(images)
            )
        return victim.arrange(found.detach())

    def notes(self, classes: int) -> list[str]:
        """Return that fewer targets are used than the authors do, if so.

        Raises:
            ValueError: if the package cannot attack a network of so few classes.
        """
        least = LEAST_CLASSES.get(self.member, self.least_classes)
        if classes < least:
            raise InputError(
                f"the original {self.member} needs {least} classes and the network has {classes}: "
                "take apgd-ce or square, or leave --backend own for the autoattack of this "
                "package, which does without apgd-t then"
            )
        if self.member not in TARGETED:
            return []
        return targets_note(f"the original {self.member}", TARGETS, classes)

    def settings(self) -> dict[str, Any]:
        """Return the settings, with the package and its version."""
        name = package().__name__
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "unknown"
        return {**super().settings(), "backend": f"{name} {version}"}
