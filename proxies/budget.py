"""The memory that a part of a batch may take; less, once a device had no more."""

__all__ = ["Budget"]


class Budget:
    """A number of bytes, and how much of it was used where less would do.

    Attributes:
        given: in the beginning.
        size: now.
    """

    def __init__(self, size: int) -> None:
        self.given = self.size = size
        self._largest = 0

    def note(self, size: int, divisible: bool) -> None:
        """Note the bytes of a part, and whether smaller ones would give the same score."""
        if divisible:
            self._largest = max(self._largest, size)

    def halve(self) -> bool:
        """Allow half of the largest part so far; return whether a smaller one is possible."""
        if not self._largest:
            return False
        self.size, self._largest = max(1, min(self.size, self._largest) // 2), 0
        return True
