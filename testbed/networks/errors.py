"""A network, or what it is given, that cannot be worked with."""

__all__ = ["NetworkError"]


class NetworkError(ValueError):
    """Says in a sentence what was got, what was expected, and what to do."""
