"""Map a function over items: in this process, in several, or on any executor."""

from testbed.engine.mapping import run
from testbed.engine.outcome import EngineError, Outcome

__all__ = ["EngineError", "Outcome", "run"]
