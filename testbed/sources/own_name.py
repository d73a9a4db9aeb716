"""How a user's own networks are named; nothing here needs torch.

``module:function`` and ``timm:name``, with arguments that are literals: ``nets:cnn(depth=3)``. The
name with its arguments, in one way of writing it, stands in the keys of results.
"""

import ast
import math
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from testbed.basis.foreign_text import quoted, shown
from testbed.sources.errors import SourceError

__all__ = ["TIMM", "OwnName", "own_names"]

TIMM = "timm"
LONGEST = 2000  # characters of a name
MOST_BYTES = 2**24  # of a file of names
_FUNCTION = re.compile(r"[^\W\d]\w*")
_MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")
_TIMM = re.compile(r"\w[\w.-]*")
_PRETRAINED = "?pretrained"


@dataclass(frozen=True)
class OwnName:
    """What builds a network: a function of a module, or a name that timm knows.

    Attributes:
        module: dotted, or ``timm``.
        function: of the module, or timm's name of a model.
        arguments: by place.
        options: by name.
    """

    module: str
    function: str
    arguments: Sequence[Any] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def of_timm(self) -> bool:
        """Say whether timm builds the network."""
        return self.module == TIMM

    def __str__(self) -> str:
        """Return the name that stands in keys: options in the order of their names."""
        named = (f"{name}={value!r}" for name, value in sorted(self.options.items()))
        inside = ", ".join((*map(repr, self.arguments), *named))
        return f"{self.module}:{self.function}{f'({inside})' if inside else ''}"

    @staticmethod
    def parse(text: str) -> "OwnName":
        """Return what a name says; nothing is imported, and nothing is run.

        Raises:
            SourceError: if it is of another form, or an argument is no literal.
        """
        text = text.strip()
        if len(text) > LONGEST:
            raise SourceError(f"the name of a network has at most {LONGEST:,} characters; got "
                              f"{len(text):,}")  # fmt: skip
        head, bracket, _ = text.partition("(")
        module, colon, function = head.strip().partition(":")
        pretrained = module == TIMM and not bracket and function.endswith(_PRETRAINED)
        function = function.removesuffix(_PRETRAINED) if pretrained else function
        kind = _TIMM if module == TIMM else _FUNCTION
        if not colon or not _MODULE.fullmatch(module) or not kind.fullmatch(function):
            raise SourceError(
                f"a network of yours is given as module:function, module:function(depth=3) or "
                f"timm:name; got {quoted(text)}{_as_module(module, function)}"
            )
        if module.endswith(".py"):
            raise SourceError(f"a network of yours is given as module:function; got {quoted(text)}"
                              f"{_as_module(module, function)}")  # fmt: skip
        arguments, options = _literals(text[len(head) :], text) if bracket else ((), {})
        return OwnName(module, function, arguments, {"pretrained": True} if pretrained else options)


def own_names(
    network: Iterable[str] | None, networks: Path | None, factory: str | None
) -> tuple[tuple[str, ...], str | None]:
    """Return the names of the networks that a command asks for, each once, and the factory.

    Args:
        network: names, from the command line.
        networks: a file of more names, one a line; empty lines and those with a # in front are
            passed over.
        factory: ``module:function`` that takes one of the names; None where each name says how
            its network is built.

    Raises:
        SourceError: if a name or the file cannot be used.
    """
    words = [word.strip() for word in network or ()]
    words += _listed(networks) if networks is not None else []
    if factory is None:
        return tuple(dict.fromkeys(str(OwnName.parse(word)) for word in words)), None
    maker = OwnName.parse(factory)
    if maker.of_timm:
        raise SourceError("--factory is module:function of yours; timm:name needs none")
    if not words:
        raise SourceError("--factory builds networks of a list: add --networks FILE")
    for word in words:
        if not word or not word.isprintable() or len(word) > LONGEST:
            raise SourceError(f"the name of a network is a line of text; got {quoted(word)}")
    return tuple(dict.fromkeys(words)), str(maker)


def _listed(path: Path) -> list[str]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise SourceError(f"{path} has more than {MOST_BYTES:,} bytes: no list of networks")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise SourceError(
            f"cannot read --networks {path}: {why}; expected a text file, one network a line"
        ) from error
    places: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        name = line.strip()
        if not name or name.startswith("#"):
            continue
        if name in places:
            raise SourceError(f"{path}: {quoted(name, 60)} stands in line {places[name]} and in "
                              f"line {number}")  # fmt: skip
        places[name] = number
    if not places:
        raise SourceError(f"{path} names no network; expected one a line")
    return list(places)


def _literals(text: str, whole: str) -> tuple[tuple[Any, ...], dict[str, Any]]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd literals, to standard error
            call = ast.parse(f"f{text}", mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name):
            raise ValueError("it is no call")
        arguments = tuple(_plain(ast.literal_eval(one)) for one in call.args)
        options = {one.arg or "**": _plain(ast.literal_eval(one.value)) for one in call.keywords}
        if "**" in options or len(options) < len(call.keywords):
            raise ValueError("a name stands twice, or is no name")
    # RecursionError and MemoryError: of brackets in brackets.
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError) as error:
        raise SourceError(
            f"{quoted(shown(whole))}: arguments are written as in a call, and are literals "
            "(numbers, 'text', True, None, lists of these): nothing is evaluated"
        ) from error
    return arguments, options


def _plain(value: Any) -> Any:
    """Return a value that its ``repr`` gives again, in one order."""
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is list:
        return [_plain(one) for one in value]
    if type(value) is tuple:
        return tuple(_plain(one) for one in value)
    if type(value) is dict:
        return {_plain(key): _plain(one) for key, one in sorted(value.items())}
    raise ValueError(type(value).__name__)


def _as_module(path: str, function: str) -> str:
    """Return how a file is named as a module, if that is what was given."""
    name = path.removesuffix(".py").strip("/").replace("/", ".")
    if not _MODULE.fullmatch(name):
        return ""
    word = function if _FUNCTION.fullmatch(function) else "function"
    return f"; {name}:{word} for a file of this folder"
