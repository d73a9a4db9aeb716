"""Map a function over items: in this process, in several, or on any executor."""

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes

if TYPE_CHECKING:
    from testbed.engine.mapping import run
    from testbed.engine.outcome import EngineError, Outcome

__all__ = [
    "EngineError",
    "Outcome",
    "run",
]

__getattr__ = attributes(
    __name__,
    {
        "run": "testbed.engine.mapping",
        "EngineError": "testbed.engine.outcome",
        "Outcome": "testbed.engine.outcome",
    },
)
