"""What the command refuses before anything is read, and the settings of its attacks."""

from collections.abc import Sequence
from pathlib import Path

import typer

from evaluation.search.registry import ALGORITHMS, Algorithm
from testbed.basis.errors import InputError
from testbed.basis.foreign_text import shown
from testbed.command.shell import refuse_given

__all__ = ["attack_settings", "check_asked", "check_fit"]

ONLY_LIVE = (
    "data_root", "preset", "epochs", "channels", "cells", "count", "weights_seed",
    "assignments", "square_queries", "device", "time_limit", "retry_failed",
)  # fmt: skip


def attack_settings(
    assignments: Sequence[str], square_queries: int | None, targets: Sequence[str]
) -> dict[str, dict[str, object]]:
    """Return the settings by attack; ``--square-queries`` was there before ``--set``."""
    from evaluation.attacks.assignments import assigned
    from evaluation.search.live import live_target

    chosen = map(live_target, targets)
    attacks = list(dict.fromkeys(target.name for target in chosen if target.is_attack))
    former = square_queries is not None and "square" in attacks
    return assigned([*([f"square.queries={square_queries}"] * former), *assignments], attacks)


def check_asked(
    context: typer.Context,
    truth: Path | None,
    live: bool,
    out: Path | None,
    workers: int | None,
    engine: str | None,
) -> None:
    """Refuse options that do not go together.

    Raises:
        InputError: if neither or both of a truth and a live search are asked for, or an option
            belongs to the other.
    """
    if live == (truth is not None):
        raise InputError(
            "give either --truth PATH (a truth that correlate reads) or --live --out FOLDER "
            "(train and attack); "
            f"got {'both' if live else 'neither'}"
        )
    if live and out is None:
        raise InputError("--live keeps networks and results in a folder: add --out FOLDER")
    if live and (workers or 1) > 1:
        raise InputError(f"--live has one worker (--threads speeds it up); got --workers {workers}")
    if live and (engine or "serial") != "serial":
        got = shown(engine or "")
        raise InputError(f"--live has one worker, --engine serial; got --engine {got}")
    if not live:
        refuse_given(context, "nothing is trained without --live", *ONLY_LIVE)
    if live:
        refuse_given(context, "a live search knows no network in advance", "held_out")
        refuse_given(context, "a live search has no truth", "truth_where")
    if out is None:
        refuse_given(context, "nothing is written without --out FOLDER", "table", "figures")


def check_fit(algorithms: Sequence[Algorithm], with_proxy: bool) -> None:
    """Refuse algorithms that are not installed, and a proxy that none of them looks at.

    Raises:
        InputError: if there are such.
    """
    if any(algorithm.extra for algorithm in algorithms):
        from evaluation.search.tpe import load_optuna

        load_optuna()
    if with_proxy and not any(algorithm.looks_at_proxies for algorithm in algorithms):
        takers = ", ".join(a.name for a in ALGORITHMS.values() if a.looks_at_proxies)
        raise InputError(
            f"{', '.join(a.name for a in algorithms)} would not look at the proxy: name one of "
            f"{takers}, or all"
        )
