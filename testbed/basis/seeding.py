"""Random draws that depend on a key alone.

Every draw of the toolkit takes a generator made here from the words of its key
(what is drawn, for which network, with which seed). Two draws with different
keys are independent, and none depends on the order of the work, on the number
of workers, or on the global random state, which is never touched.
"""

import hashlib
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

__all__ = ["derive_seed", "generator", "global_draws", "states"]


def derive_seed(*key: object) -> int:
    """Return a 63-bit seed from the words of ``key``, the same on every machine.

    The words are joined by an unprintable separator and hashed with SHA-256, so
    ``("a", "bc")`` and ``("ab", "c")`` differ.
    """
    digest = hashlib.sha256("\x1f".join(map(str, key)).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*key: object) -> torch.Generator:
    """Return a CPU generator seeded from ``key``.

    Always on the CPU: draws are made there and moved, so that the same key gives
    the same numbers on every device.
    """
    return torch.Generator().manual_seed(derive_seed(*key))


@contextmanager
def global_draws(*key: object, device: torch.device | str = "cpu") -> Iterator[None]:
    """Let code that takes no generator draw from ``key``, on the CPU and on ``device``.

    These are draws from torch's, numpy's and Python's own generators. The global random state is
    as before afterwards, and that of other devices is not touched.
    """
    device, seed = torch.device(device), derive_seed(*key)
    with torch.random.fork_rng([device] if device.type == "cuda" else []), _other_draws(seed):
        # Not torch.manual_seed, which seeds every device there is.
        torch.default_generator.manual_seed(seed)
        if device.type == "cuda":
            with torch.cuda.device(device):
                torch.cuda.manual_seed(seed)
        yield


def states(device: torch.device) -> tuple[object, ...]:
    """Return what tells whether numbers were drawn from the global generators in between."""
    kind, words, place, *rest = np.random.get_state()  # noqa: NPY002
    torchs = [torch.default_generator.get_state().numpy().tobytes()]
    if device.type == "cuda":
        torchs.append(torch.cuda.get_rng_state(device).numpy().tobytes())
    return *torchs, random.getstate(), kind, np.asarray(words).tobytes(), place, *rest


@contextmanager
def _other_draws(seed: int) -> Iterator[None]:
    # The global generator of numpy, since code of others draws from it.
    pythons, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)  # noqa: NPY002
