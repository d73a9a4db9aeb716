"""Real architectures; see `tests.zoo.architectures`."""
