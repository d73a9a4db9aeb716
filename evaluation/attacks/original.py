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

from evaluation.attacks.base import Attack
from evaluation.attacks.draws import Draws
from evaluation.attacks.victim import Victim
from testbed.seeding import global_draws

__all__ = ["MEMBERS", "Original", "package"]

PACKAGES = ("autoattack", "pyautoattack")
MEMBERS = ("apgd-ce", "apgd-dlr", "apgd-t", "fab-t", "square", "autoattack")


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
    raise ValueError(
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

    member: str = "apgd-ce"
    restarts: int = 1
    queries: int = 5000

    name: ClassVar[str] = "original"

    def propose(
        self,
        victim: Victim,
        images: Tensor,
        labels: Tensor,
        epsilon: float,
        draws: Draws,
        stop_early: bool,
    ) -> Tensor:
        """Return what the package returns; it stops as its authors do, whatever is asked."""
        if epsilon == 0 or not len(images):
            return images.clone()
        ensemble = self.member == "autoattack"
        with global_draws("original", *draws.key, device=images.device):
            attack = package().AutoAttack(
                victim.logits_with_graph, norm=self.norm, eps=epsilon, seed=0,
                version="standard" if ensemble else "custom",
                attacks=None if ensemble else [self.member], device=images.device,
            )  # fmt: skip
            attack.verbose, attack.apgd.n_restarts = False, self.restarts
            attack.square.n_queries = self.queries
            found, _ = attack.run_standard_evaluation(
                images.contiguous(), labels, batch_size=len(images)
            )
        return victim.arrange(found.detach())

    def settings(self) -> dict[str, Any]:
        """Return the settings, with the package and its version."""
        name = package().__name__
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            version = "unknown"
        return {**super().settings(), "backend": f"{name} {version}"}
