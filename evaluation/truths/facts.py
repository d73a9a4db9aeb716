"""Where a truth comes from, which networks it is of, and how they were trained.

A network that was trained normally and the same network after adversarial training are two
different things to rank: a truth of both would be of neither. So they are never pooled.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.attacks.names import ATTACKS
from evaluation.truths.targets import Target
from testbed.basis.errors import InputError, ToolkitError
from testbed.basis.foreign_text import quoted
from testbed.basis.ranges import EPSILON

__all__ = [
    "ADVERSARIAL",
    "NORMAL",
    "UNKNOWN",
    "Training",
    "TruthError",
    "TruthFacts",
    "one_training",
]

NORMALLY = ("normal", "normally", "standard", "natural", "clean", "none", "false", "no")
ADVERSARIALLY = ("adversarial", "adversarially", "true", "yes")


class TruthError(ToolkitError):
    """A truth that cannot be read, or a part that it does not have."""


@dataclass(frozen=True)
class Training:
    """How the networks of a truth were trained, as far as it matters to their robustness.

    Attributes:
        adversarial: whether on attacked images; None if nobody says.
        attack: the attack of the training, such as ``PGD``; "" if nobody says.
        epsilon: its ε, in units of 1/255; None if nobody says.
        norm: of the ball.
        details: what else is known, such as ``7 steps of 2.55``.
    """

    adversarial: bool | None
    attack: str = ""
    epsilon: float | None = None
    norm: str = "Linf"
    details: str = field(default="", compare=False)

    def __str__(self) -> str:
        """Return it as a sentence says it: ``adversarially trained with PGD at ε = 8 (ℓ∞)``."""
        if self.adversarial is None:
            return "how they were trained is not recorded"
        if not self.adversarial:
            return "normally trained"
        if not self.attack:
            return "adversarially trained, with an attack that is not recorded"
        level = "an ε that is not recorded" if self.epsilon is None else f"ε = {self.epsilon:g}"
        norm = {"Linf": "ℓ∞", "L2": "ℓ2"}.get(self.norm, self.norm)
        more = f", {self.details}" if self.details else ""
        return f"adversarially trained with {self.attack} at {level} ({norm}{more})"

    @property
    def word(self) -> str:
        """It in one word, as `parse` reads it: ``normal``, ``unknown``, ``PGD@8``."""
        if self.adversarial is None:
            return "unknown"
        if not self.adversarial:
            return NORMALLY[0]
        level = "" if self.epsilon is None else f"@{self.epsilon:g}"
        return f"{self.attack}{level}" if self.attack else ADVERSARIALLY[0]

    @staticmethod
    def parse(text: str) -> "Training":
        """Read ``normal``, ``adversarial``, or the attack of the training: ``PGD@8``.

        Raises:
            InputError: if the text is none of these.
        """
        word = text.strip()
        if word.lower() in NORMALLY:
            return NORMAL
        if word.lower() in ADVERSARIALLY:
            return ADVERSARIAL
        try:
            target = Target.parse(word)
        except InputError:
            target = Target("?")
        if not target.is_attack:
            raise InputError(
                f"expected normal, adversarial, or the attack of the training, such as PGD@8; got "
                f"{quoted(text)}"
            )
        name = ATTACKS[target.name].title if target.name in ATTACKS else target.name
        return Training(True, name, target.level, target.norm or "Linf")

    @staticmethod
    def of_recipe(recipe: Any) -> "Training":
        """Return the training of a recipe of `testbed.train`, as its checkpoints record it."""
        if not isinstance(recipe, Mapping):
            return UNKNOWN
        facts = recipe.get("adversarial")
        if facts is None:
            return NORMAL
        if not isinstance(facts, Mapping) or not EPSILON.holds(facts.get("epsilon")):
            return ADVERSARIAL
        attack = Target(str(facts.get("attack")), "Linf")
        name = ATTACKS[attack.name].title if attack.name in ATTACKS else attack.name
        steps, size = facts.get("steps"), facts.get("step_size")
        details = f"{steps} step{'s' if steps != 1 else ''} of {size:g}" if steps and size else ""
        return Training(True, name, float(facts["epsilon"]), "Linf", details)


NORMAL, ADVERSARIAL, UNKNOWN = Training(False), Training(True), Training(None)


@dataclass(frozen=True)
class TruthFacts:
    """What every table and text says of a truth.

    Attributes:
        origin: who measured, or published it, such as ``NAS-RobBench-201 (Wu et al., ICLR
            2024)``; a noun phrase.
        training: of its networks.
        population: its networks in words, such as ``223 networks of DARTS``.
        space: the name of the search space; None of networks of no space that is known.
        notes: what else is worth knowing of the accuracies, each a sentence.
        cites: its papers, as keys of the report's ``references.bib``.
        sizes: what the networks were built with, as their space's record calls it, where that is
            not the publication's.
    """

    origin: str
    training: Training
    population: str
    space: str | None = "nasbench201"
    notes: tuple[str, ...] = ()
    cites: tuple[str, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict, hash=False)

    @property
    def sentence(self) -> str:
        """The truth in one sentence."""
        return f"Truth: {self.origin}: {self.population}, {self.training}."

    @property
    def sentences(self) -> list[str]:
        """The sentence, and the notes."""
        return [self.sentence, *self.notes]


def one_training(trainings: Iterable[Training], where: str, choose: str) -> Training:
    """Return the one training that all networks of a truth have had.

    Args:
        trainings: of its networks.
        where: what they are read from, as the message begins.
        choose: how to choose one of them, as the message ends.

    Raises:
        TruthError: if there are several: normally and adversarially trained networks, and those of
            two attacks, are not pooled.
    """
    found: Collection[Training] = list(dict.fromkeys(trainings))
    if len(found) == 1:
        return next(iter(found))
    if not found:
        return UNKNOWN
    words = " and ".join(quoted(str(one))[1:-1] for one in found)
    raise TruthError(
        f"{where}: expected networks of one training, found some of {words}; a ranking of both is "
        f"of neither, so they are never pooled: {choose}"
    )
