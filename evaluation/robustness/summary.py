"""What ``python -m evaluation.robustness`` prints and exports in the end."""

import json
import shlex
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.text import Text

from evaluation.attacks.names import ATTACKS
from evaluation.robustness.cross_checks import cross_warnings
from evaluation.robustness.pieces import Measure, Whole
from evaluation.truths.robustness_json import write_truth
from evaluation.truths.targets import Target
from testbed.command.tables import Row, print_table
from testbed.spaces.registry import short_name
from testbed.store import Store, unpack_robust
from testbed.store.robustness import stored_doubts

__all__ = ["compare_attacks", "export", "print_summary"]

MOST = 12  # warnings that are printed; all of them are in the store
# Outcomes that may be compared image by image agree in these.
SAME = ("network", "init", "seed", "images", "fingerprint", "split")


def compare_attacks(store: Store, networks: Collection[str]) -> None:
    """Write into the store what the attacks on each of these networks say of each other.

    Where one of them is not known in this process, what was said before stays: a command that
    loads no plug-ins does not silence the doubts of one that did.
    """
    found: dict[str, list[str]] = {}
    alike: dict[tuple, dict[Target, dict]] = {}
    for row in store.robustness(networks).to_dict("records"):
        if Target.of_measure(row["measure"]).is_attack:
            target = Target.of_measure(row["measure"], row["level"])
            facts = json.loads(row["settings"]) | {str(k): v for k, v in row.items()}
            same = tuple(str(facts[name]) for name in SAME)
            alike.setdefault(same, {})[target] = facts
            found[facts["digest"]] = []
    for rows in alike.values():
        robust = {
            target: unpack_robust(row["robust"], int(row["count"])) for target, row in rows.items()
        }
        if not all(target.name in ATTACKS for target in rows):
            found |= {row["digest"]: json.loads(row["cross_warnings"]) for row in rows.values()}
        for target, warnings in cross_warnings(robust).items():
            digest = rows[target]["digest"]
            found[digest] = list(dict.fromkeys([*found[digest], *warnings]))
    store.set_cross_warnings(found)


def print_summary(
    table: pd.DataFrame, wholes: Iterable[Whole], measures: Sequence[Measure], console: Console
) -> None:
    """Print the accuracies over the networks of this command, and what is doubtful."""
    wanted = {digest for whole in wholes for digest in whole.digests}
    records = [row for row in table.to_dict("records") if row["digest"] in wanted]
    places: dict[tuple[str, float | None], list[dict]] = {}
    for row in records:
        level = None if pd.isna(row["level"]) else row["level"]
        places.setdefault((row["measure"], level), []).append(row)
    rows = []
    for measure in measures:
        for level in measure.levels:
            here = places.get((measure.key, level), [])
            name = measure.key if level is None else f"{measure.key} {level:g}"
            if len(here):
                low, middle, high = np.quantile([row["accuracy"] for row in here], [0, 0.5, 1])
                seconds = float(np.mean([row["seconds"] for row in here]))
                numbers = (f"{low:.3f}", f"{middle:.3f}", f"{high:.3f}", f"{seconds:.2f}")
                rows.append(Row(name, (f"{len(here):,}", *numbers)))
    print_table("measure", ("n", "min", "median", "max", "s/network"), rows, console)
    _print_warnings(records, console)


def _print_warnings(records: list[dict], console: Console) -> None:
    lines: dict[str, None] = {}
    for row in records:
        for text in stored_doubts(row):
            lines[f"{_short(row['network'])}, {row['measure']}: {text}"] = None
    for line in list(lines)[:MOST]:
        console.print(Text(f"warning: {line}", style="yellow"))
    if len(lines) > MOST:
        console.print(f"… and {len(lines) - MOST} more warnings, in the store.")


def _short(network: str) -> str:
    short = short_name(network)
    return network if short == network else f"network {short}"


def export(
    store: Store, table: pd.DataFrame, kind: str, out: Path | None, images: str, mode: str,
    console: Console,
) -> None:  # fmt: skip
    """Write the results of a store in the published layout, or as a table.

    Raises:
        ExportError: if the published layout has no place for them.
    """
    stem = store.path.with_name(f"{store.path.stem}-robustness")
    if kind != "robustness-json":
        path = out or stem.with_suffix(f".{kind}")
        store.export(path, "robustness")
        console.print(Text(f"Exported to {path}."), soft_wrap=True)
        return
    folder = out or stem
    written = write_truth(table, folder, images, mode=mode)
    for sentence in written.left_out[:MOST]:
        console.print(Text(f"left out: {sentence}", style="yellow"))
    command = shlex.join(["robustness-proxies", "correlate", "--truth", str(folder)])
    console.print(
        Text(
            f"Exported {len(written.files)} files to {folder}; read them with {command} "
            f"--images {images}."
        ),
        soft_wrap=True,
    )
