"""Unfinished trainings: one file each, from which an interrupted training is resumed.

``<id>-seed<k>.unfinished`` is a safetensors file of weights and momentum, with the history
and the plan it belongs to in its header. It is replaced after each epoch, as a whole.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from testbed.basis.foreign_text import quoted, shown
from testbed.basis.ranges import FRACTION, SECONDS, Range
from testbed.files.strict_json import parse_json
from testbed.train.checkpoint_files import (
    CheckpointError,
    read_notes,
    read_tensors,
    write_tensors,
)
from testbed.train.training import Epoch, TrainingState

__all__ = ["SUFFIX", "load_state", "save_state"]

SUFFIX = ".unfinished"


def save_state(path: Path, state: TrainingState, plan: dict[str, Any], seconds: float) -> None:
    """Write the state of a training.

    Args:
        path: the path of the file.
        state: the state after an epoch.
        plan: the settings of the training, as JSON values; a state of another plan is not used.
        seconds: the seconds spent so far.
    """
    tensors = {f"weights/{name}": tensor for name, tensor in state.weights.items()}
    tensors |= {f"momentum/{name}": tensor for name, tensor in state.momentum.items()}
    notes = {
        "plan": plan,
        "history": [asdict(epoch) for epoch in state.history],
        "seconds": seconds,
    }
    write_tensors(path, tensors, {name: json.dumps(note) for name, note in notes.items()})


def load_state(path: Path, plan: dict[str, Any]) -> tuple[TrainingState | None, float]:
    """Return the state of a training and the seconds it took; None and 0 if there is no file.

    Raises:
        CheckpointError: if the file is damaged or belongs to another plan.
    """
    if not path.is_file():
        return None, 0.0
    try:
        notes = {
            name: parse_json(text, name, CheckpointError) for name, text in read_notes(path).items()
        }
        found, seconds = notes["plan"], notes["seconds"]
        history = tuple(Epoch(**epoch) for epoch in notes["history"])
        if not SECONDS.holds(seconds) or not all(map(_is_epoch, history)):
            raise TypeError("seconds or a history out of range")
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(
            f"{path} is no unfinished training ({shown(str(error))}): remove it to begin anew"
        ) from error
    if found != plan:
        raise CheckpointError(f"{path} belongs to another training: remove it to begin anew")
    parts: dict[str, dict] = {"weights": {}, "momentum": {}}
    for name, tensor in read_tensors(path).items():
        part, _, name = name.partition("/")
        if part not in parts:
            raise CheckpointError(
                f"{path} holds {quoted(part, 60)}, which no training writes: remove it to begin "
                "anew"
            )
        parts[part][name] = tensor
    return TrainingState(parts["weights"], parts["momentum"], history), float(seconds)


def _is_epoch(epoch: Epoch) -> bool:
    return Range("").holds(epoch.loss) and FRACTION.holds(epoch.accuracy)
