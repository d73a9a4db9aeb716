"""Trainings that failed, and why: a small file where the weights would be, until they are there."""

from pathlib import Path

from testbed.engine import Outcome
from testbed.train.checkpoint_files import write_json

__all__ = ["FAILED", "forget", "has_failed", "note"]

FAILED = ".failed"  # JSON: the network, the kind of the failure, the reason


def has_failed(path: Path) -> bool:
    """Say whether the training whose weights would lie at ``path`` failed in an earlier run."""
    return path.with_suffix(FAILED).is_file()


def note(path: Path, network: str, outcome: Outcome) -> None:
    """Write down that a training failed."""
    content = {"network": network, "kind": outcome.kind, "reason": str(outcome.error)}
    write_json(path.with_suffix(FAILED), content)


def forget(path: Path) -> None:
    """Remove the note: the network is trained."""
    path.with_suffix(FAILED).unlink(missing_ok=True)
