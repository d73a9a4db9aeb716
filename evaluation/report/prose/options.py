"""How scores were computed, in a sentence: what the options of a proxy mean."""

from collections.abc import Callable, Mapping
from typing import Any

from evaluation.ranking.labels import printable

__all__ = ["how_computed"]

_METHODS = {
    "auto": "exactly where the network is piecewise linear and by Lanczos iteration elsewhere",
    "lanczos": "by Lanczos iteration",
    "power": "by power iteration",
    "exact": "exactly",
}
_WHICH = {
    "magnitude": "as the eigenvalue of largest magnitude",
    "positive": "as the largest eigenvalue",
}


def _projections(count: Any) -> str:
    return f"from {count} random projection{'' if count == 1 else 's'} of each image’s Jacobian"


# In the order of the sentence.
_PHRASES: dict[str, Callable[[Any], str | None]] = {
    "source": lambda value: f"by {printable(str(value))}",
    "which": lambda value: _WHICH.get(str(value)),
    "method": lambda value: _METHODS.get(str(value)),
    "projections": _projections,
    "tolerance": lambda value: f"to a relative residual of {value}",
    "max_iterations": lambda value: f"in at most {value} iterations",
}


def how_computed(name: str, options: Mapping[str, Any]) -> str:
    """Return the sentence, without its full stop; it is empty if there are no options.

    >>> how_computed("hessian_params", {"method": "lanczos", "tolerance": 0.001})
    'hessian_params was computed by Lanczos iteration, to a relative residual of 0.001'

    Args:
        name: of the proxy, or of several with the same options.
        options: the settings of its scores that other proxies do not share.
    """
    said = {key: _PHRASES[key](options[key]) for key in _PHRASES if key in options}
    phrases = [phrase for phrase in said.values() if phrase]
    rest = [key for key in sorted(options) if not said.get(key)]
    if rest:
        values = (f"{key.replace('_', ' ')} = {printable(str(options[key]))}" for key in rest)
        phrases.append(f"with {', '.join(printable(value) for value in values)}")
    verb = "were" if " and " in name else "was"
    return f"{name} {verb} computed {', '.join(phrases)}" if phrases else ""
