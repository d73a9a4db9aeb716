"""A user's own networks: ``package.module:function`` returns one."""

import hashlib
import importlib
import re
import sys
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import nn

from testbed.basis.errors import did_you_mean
from testbed.basis.seeding import global_draws
from testbed.sources.source import SourceError
from testbed.spaces.nasbench201.checkpoint_files import fingerprint_of_weights

__all__ = ["OwnSource"]


@dataclass(frozen=True)
class OwnSource:
    """Networks that functions return; the name of a network is ``module:function``.

    A function takes no arguments and returns an ``nn.Module`` that maps images (N, C, H, W) in
    [0, 1] to logits (N, K), its weights loaded. Modules are looked for in the current folder too.
    Torch's global generator is as before afterwards.
    """

    names: tuple[str, ...]
    fingerprints: tuple[str, ...]

    @staticmethod
    def of(names: Sequence[str]) -> "OwnSource":
        """Return the source of these networks; each is built once, to compute its fingerprint.

        Raises:
            SourceError: if one cannot be built, see `build`.
        """
        fingerprints = [_fingerprint(_build(name)) for name in names]
        return OwnSource(tuple(names), tuple(fingerprints))

    @property
    def init(self) -> str:
        """Return ``own``."""
        return "own"

    @property
    def fresh(self) -> bool:
        """Return False: a user knows the state of a network, and proxies check it themselves."""
        return False

    def networks(self) -> Sequence[str]:
        """Return the names of the networks, as they were given."""
        return self.names

    def settings(self, network: str, seed: int | None) -> dict[str, Any]:
        """Return a fingerprint of the weights: nothing else tells them apart."""
        return {"weights": self.fingerprints[self.names.index(network)]}

    def build(self, network: str, seed: int | None) -> nn.Module:
        """Return what the function returns, in eval mode.

        Raises:
            SourceError: if there is no such module or function, or if it fails, returns no
                module, or returns other weights than at first.
        """
        made = _build(network)
        if _fingerprint(made) != self.fingerprints[self.names.index(network)]:
            raise SourceError(
                f"{network} returns other weights at every call: load trained ones, or seed them"
            )
        return made


def _build(network: str) -> nn.Module:
    module, colon, function = network.partition(":")
    if not colon or not module or not function or module.endswith(".py") or "/" in module:
        raise SourceError(f"a network of yours is given as module:function; got {network!r}"
                          f"{_as_module(module, function)}")  # fmt: skip
    here = str(Path.cwd())
    # Last, so that a folder of the user's that is called evaluation hides nothing of ours.
    if here not in sys.path:
        sys.path.append(here)
    try:
        # Other draws at every call, so that weights nobody loaded or seeded are noticed.
        with global_draws(network, uuid.uuid4()):
            found = importlib.import_module(module)
            if not callable(getattr(found, function, None)):
                raise SourceError(f"{network}: the module {module} has no function {function!r}"
                                  f"{did_you_mean(function, _functions(found))}")  # fmt: skip
            made = getattr(found, function)()
    except SourceError:
        raise
    # Whatever a user's code raises is a failure of that code, reported by name.
    except (Exception, SystemExit) as error:
        raise SourceError(f"{network} gives no network: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise SourceError(
            f"{network} returned {type(made).__name__}; expected a torch.nn.Module from images "
            "in [0, 1] to logits"
        )
    return made.cpu().eval()


def _as_module(path: str, function: str) -> str:
    """Return how a file is named as a module, if that is what was given."""
    name = path.removesuffix(".py").strip("/").replace("/", ".")
    return f"; {name}:{function or 'function'} for a file of this folder" if name else ""


def _functions(module: ModuleType) -> list[str]:
    return [name for name, thing in vars(module).items() if callable(thing) and name[0] != "_"]


def _fingerprint(network: nn.Module) -> str:
    # Not the state dict alone: it lacks what a normalisation subtracts, and cannot tell one
    # activation from another.
    tensors = {f"buffer {name}": tensor for name, tensor in network.named_buffers()}
    tensors |= {f"parameter {name}": tensor for name, tensor in network.named_parameters()}
    digest = hashlib.sha256(fingerprint_of_weights(tensors).encode())
    for name, layer in network.named_modules():
        # Some describe a function by its place in memory, which is never the same.
        text = re.sub(r" at 0x[0-9a-fA-F]+", "", layer.extra_repr())
        digest.update(repr((name, type(layer).__qualname__, text)).encode())
    return digest.hexdigest()[:16]
