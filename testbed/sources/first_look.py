"""The first look at a user's own networks, before all else: the first time that their code runs.

What ends the process of a look, or never ends, is told by name, as an exception is, where it is
looked at in a process of its own.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Generic, TypeVar

from testbed import engine
from testbed.basis import interrupts
from testbed.basis.errors import ToolkitError
from testbed.command.console import progress
from testbed.engine.names import Engine
from testbed.sources.errors import SourceError

__all__ = ["Apart", "looked_at"]

REASONS = 5  # of networks that cannot be used, which are told; of all the name

Seen = TypeVar("Seen")


@dataclass(frozen=True)
class Apart:
    """The processes of this machine that networks are looked at in.

    Attributes:
        workers: their number.
        threads: of torch in each.
        limit: seconds that a look may take; None for as long as it likes.
    """

    workers: int = 1
    threads: int = 1
    limit: float | None = None


@dataclass(frozen=True)
class _Refusal:
    why: str


@dataclass(frozen=True)
class _Look(Generic[Seen]):
    """A look whose refusal is a value: an exception comes back from a process as a text."""

    look: Callable[[str], Seen]

    def __call__(self, name: str) -> "Seen | _Refusal":
        try:
            return self.look(name)
        except ToolkitError as error:
            return _Refusal(str(error))


def looked_at(
    look: Callable[[str], Seen], names: Sequence[str], apart: Apart | None = None
) -> list[Seen]:
    """Return what a look at each of some networks has seen, in their order.

    Args:
        look: takes a name; it can be pickled if ``apart`` is given.
        names: of the networks.
        apart: where it is done; None for this process.

    Raises:
        SourceError: that names every network at which the look failed, or ended its process, or
            took too long.
        EngineError: if no process can be started.
    """
    found: dict[int, Seen] = {}
    refused: dict[int, str] = {}
    for place, seen in _seen(_Look(look), names, apart):
        if isinstance(seen, _Refusal):
            refused[place] = seen.why
        else:
            found[place] = seen
    if refused:
        raise SourceError(_told([(names[place], refused[place]) for place in sorted(refused)],
                                len(names)))  # fmt: skip
    return [found[place] for place in range(len(names))]


def _seen(
    look: _Look[Seen], names: Sequence[str], apart: Apart | None
) -> Iterator[tuple[int, Seen | _Refusal]]:
    if apart is None:
        yield from enumerate(map(look, names))
        return
    outcomes = engine.run(
        look, names, workers=min(apart.workers, len(names)), threads=apart.threads,
        limit=apart.limit, engine=Engine("processes"),
    )  # fmt: skip
    with progress() as bar, closing(outcomes):
        number = bar.add_task("looking at the networks", total=len(names))
        for place, outcome in outcomes:
            if outcome.error is not None:
                interrupts.check()
                yield place, _Refusal(f"{names[place]} cannot be looked at: {outcome.error}")
                continue
            if not isinstance(outcome.value, _Refusal):
                bar.advance(number)
            yield place, outcome.value  # type: ignore[misc]


def _told(refused: Sequence[tuple[str, str]], count: int) -> str:
    """Return a sentence on networks that cannot be used, each with its reason."""
    if len(refused) == 1:
        return refused[0][1]
    reasons = "; ".join(why for _, why in refused[:REASONS])
    more = ", ".join(name for name, _ in refused[REASONS:])
    return (
        f"{len(refused)} of {count} networks cannot be used: {reasons}"
        f"{f'; and {more}' if more else ''}"
    )
