"""How an ε grid is gone through: each ε on its own, or as one job that saves work.

``record``      every ε on its own and every iterate to the end, as in the published data:
                confidences and confusion matrices mean what they mean there.
``accuracy``    only the robust accuracy is wanted. A broken image stops. From the smallest
                ε up, because balls are nested: what is broken at one ε is broken at every
                larger one by the same perturbation.
``descending``  from the largest ε down: an image that resists is taken to resist every
                smaller ε, and only what broke is attacked again. That is an inference about
                the attack, so a random share is attacked all the same, and counted. The audit
                makes the draws of ``record``: what it breaks is what ``record`` would break.

An attack that is a search (`evaluation.attacks.search`: Square and the APGD attacks) goes down
image by image: each goes on to its next ε beside the others, and the audited share beside
them, so that batches stay full; an image's outcome at an ε is that of an attack at this ε
alone. Other attacks go down one ε after the other. Going up there is nothing to gain: what
goes on to the next ε are the images that resist, and these all end in the same step.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from evaluation.attacks.base import Attack, put
from evaluation.attacks.descent import Descent, descend
from evaluation.attacks.examples import Examples
from evaluation.attacks.judge import judge
from evaluation.attacks.outcome import Level
from evaluation.attacks.search import SearchAttack
from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.networks.modes import kept_settings

__all__ = ["AUDIT", "MODES", "Job"]

AUDIT = 0.05  # the share of inferred outcomes that the descending mode checks
LEVELS = 255.0


@dataclass
class Job:
    """One attack on one batch of images: what every mode needs.

    Attributes:
        network: the judge's, in eval mode.
        attack: with its settings.
        batch: the clean images, (N, C, H, W), as its victim likes them.
        correct: whether the clean image is classified correctly, (N,).
        batch_size: of the judge.
    """

    network: nn.Module
    attack: Attack
    batch: Examples
    correct: Tensor
    batch_size: int

    def run(self, mode: str, epsilons: Sequence[float]) -> list[Level]:
        """Return the outcome at each ε (in units of 1/255), in the order given."""
        # What one ε says of another holds of nested perturbations only.
        levels = MODES[mode] if self.attack.nested else record
        found = {level.epsilon: level for level in levels(self, sorted(set(epsilons)))}
        return [found[epsilon] for epsilon in epsilons]

    def judge(self, proposals: Tensor, epsilon: float) -> Level:
        """Return what the network itself says of proposals for all images."""
        verdict = judge(
            self.network, self.batch.images, proposals, self.batch.labels, self.correct,
            self.attack.norm, epsilon / LEVELS, self.batch_size,
        )  # fmt: skip
        return Level.of(epsilon, verdict, self.batch.labels)

    def checked(self, proposals: object, wanted: Tensor) -> Tensor:
        """Return what an attack proposes for some clean images, if it can be judged.

        Raises:
            InputError: if it is no tensor with a number for each pixel.
        """
        if isinstance(proposals, Tensor) and proposals.shape == wanted.shape:
            return proposals.detach().to(wanted)
        what = tuple(proposals.shape) if isinstance(proposals, Tensor) else described(proposals)
        raise InputError(
            f"the attack {self.attack.name} proposes {what} for images {tuple(wanted.shape)}; "
            "expected a tensor of the images' shape"
        )

    def attack_some(self, rows: Tensor, epsilon: float) -> Tensor:
        """Return proposals for some rows, each of which stops once it is broken."""
        some = self.batch.take(rows)
        if not len(some):
            return some.images
        with kept_settings():
            found = self.attack.propose(some, epsilon / LEVELS, stop_early=True)
        return self.checked(found, some.images)

    def descend(self, epsilons: Sequence[float], audit: Tensor) -> Descent | None:
        """Attack down falling ε, with an audit (E, N), if the attack is such that it can."""
        if not isinstance(self.attack, SearchAttack):
            return None
        scaled = [epsilon / LEVELS for epsilon in epsilons]
        search = self.attack.search(self.batch, scaled, stop_early=True)
        return descend(search, self.correct, audit & self.correct)

    @contextmanager
    def charge(self) -> Iterator[Callable[[Level], Level]]:
        """Give a function that charges a level with the cost since the block began."""
        victim = self.batch.victim
        start = (time.perf_counter(), victim.gradients, victim.queries)

        def charged(level: Level) -> Level:
            level.seconds += time.perf_counter() - start[0]
            level.gradients += victim.gradients - start[1]
            level.queries += victim.queries - start[2]
            return level

        yield charged


def record(job: Job, epsilons: Sequence[float]) -> Iterator[Level]:
    """Attack at every ε on its own, every iterate to the end."""
    everything = torch.ones_like(job.correct)
    rows = (everything if job.attack.attacks_misclassified else job.correct).nonzero()[:, 0]
    scaled = [epsilon / LEVELS for epsilon in epsilons]
    if not len(rows):
        yield from (job.judge(job.batch.images, epsilon) for epsilon in epsilons)
        return
    some = job.batch.take(rows)
    found = iter(job.attack.propose_grid(some, scaled))
    for epsilon in epsilons:
        with job.charge() as charged:
            proposals = job.batch.images.clone()
            put(proposals, rows, job.checked(next(found, None), some.images))
            yield charged(job.judge(proposals, epsilon))


def ascending(job: Job, epsilons: Sequence[float]) -> Iterator[Level]:
    """Attack from the smallest ε up, at each only what still stands."""
    broken, proposals = ~job.correct, job.batch.images.clone()
    for epsilon in epsilons:
        with job.charge() as charged:
            rows = (~broken).nonzero()[:, 0]
            put(proposals, rows, job.attack_some(rows, epsilon))
            level = charged(job.judge(proposals, epsilon))
        level.counts["inherited"] = len(job.batch.labels) - len(rows)
        broken = ~level.robust
        # What failed here is forgotten, so that no ε inherits another's failed attempt.
        put(proposals, level.robust, job.batch.images[level.robust])
        yield level


def descending(job: Job, epsilons: Sequence[float]) -> Iterator[Level]:
    """Attack from the largest ε down, at each only what broke at the one before."""
    grid = list(reversed(epsilons))
    draws = job.batch.draws
    chosen = torch.stack([draws.uniform((), "audit", epsilon) < AUDIT for epsilon in grid])
    ahead = job.descend(grid, chosen)
    fallen = job.correct
    for number, epsilon in enumerate(grid):
        with job.charge() as charged:
            inferred = job.correct & ~fallen
            audited = inferred & chosen[number]
            wanted = fallen | audited
            proposals = job.batch.images.clone()
            if ahead is not None:
                known = wanted & ahead.attacked[number]
                put(proposals, known, ahead.proposals[number][known])
                wanted = wanted & ~known
            # What the judge sees fall and the victim does not, or all without a descent.
            rows = wanted.nonzero()[:, 0]
            put(proposals, rows, job.attack_some(rows, epsilon))
            level = charged(job.judge(proposals, epsilon))
        if ahead is not None:
            ahead.charge(level, number)
        level.counts |= {
            "inferred": int(inferred.sum()), "audited": int(audited.sum()),
            "audit broke": int((audited & ~level.robust).sum()),
        }  # fmt: skip
        fallen = fallen & ~level.robust
        yield level


MODES: dict[str, Callable[[Job, Sequence[float]], Iterator[Level]]] = {
    "record": record,
    "accuracy": ascending,
    "descending": descending,
}
