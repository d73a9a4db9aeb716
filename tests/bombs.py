"""Pickles that need no code to do harm, by name: a few bytes each, or the largest allowed."""

import io
import struct
import zipfile

import numpy as np

__all__ = ["PICKLES", "doubled", "npy", "zipped"]


def doubled(times: int, protocol: int, wrap: bytes = b"\x86") -> bytes:
    """Opcodes of a tuple of twice the same tuple, and so on: 2**times leaves."""
    code = b"N"
    for place in range(times):
        put, get = (b"\x94", b"h%c") if protocol >= 4 else (b"q%c" % place, b"h%c")
        code += put + get % place + wrap
    return code


def _pickle(protocol: int, code: bytes) -> bytes:
    return b"\x80" + bytes([protocol]) + code + b"."


def _shared_list(times: int) -> bytes:
    code = b"]q\0"
    for place in range(1, times + 1):
        code += b"]q%c(h%ch%ce" % (place, place - 1, place - 1)
    return code


def _colliding(count: int) -> bytes:
    prime = 2**61 - 1
    keys = b"".join(b"\x8a\x0a" + (n * prime).to_bytes(10, "little") + b"N" for n in range(count))
    return b"}(" + keys + b"u"


def _colliding_tuples(count: int) -> bytes:
    return b"}(" + b"".join(b"J" + struct.pack("<i", n) + b"K\0\x86N" for n in range(count)) + b"u"


PICKLES = {
    "memo of 4 GB": _pickle(2, b"Nr\xff\xff\xff\x0f"),
    "memo of 4 GB, as text": b"Np268435455\n.",
    "memo, in a run of texts": _pickle(2, b"(" + b"X\1\0\0\0ar\xff\xff\xff\x7f" * 3 + b"l"),
    **{
        f"key that is hashed for ever, protocol {protocol}": _pickle(
            protocol, b"}" + doubled(60, protocol) + b"Ns"
        )
        for protocol in (2, 4)
    },
    "key that overflows the stack": _pickle(2, b"}N" + b"\x85" * 300_000 + b"Ns"),
    "key that overflows the stack, from marks": _pickle(
        4, b"}" + b"(" * 99_999 + b"t" * 99_999 + b"Ns"
    ),
    "key of a doubled copy": _pickle(2, b"}N" + b"2\x86" * 60 + b"Ns"),
    "integers of one hash": _pickle(2, _colliding(100_000)),
    "tuples as keys": _pickle(2, _colliding_tuples(100_000)),
    "tuples as keys of a call": _pickle(
        2,
        b"ccollections\nOrderedDict\n]("
        + b"".join(b"J" + struct.pack("<i", n) + b"K\0\x86N\x86" for n in range(90_000))
        + b"e\x85R",
    ),
    "lists": _pickle(2, b"(" + b"]" * 700_000 + b"l"),
    "dictionaries": _pickle(4, b"(" + b"}" * 700_000 + b"l"),
    "sets": _pickle(4, b"(" + b"\x8f" * 3_000_000 + b"l"),
    "short texts": _pickle(2, b"(" + b"U\2ab" * 1_300_000 + b"l"),
    "an endless line": b"I" + b"1" * 1_000_000,
    "a long integer": _pickle(2, b"\x8b" + struct.pack("<i", 2_000_000) + b"\1" * 2_000_000),
    "a text of 2⁶³ bytes": _pickle(4, b"\x8d" + b"\xff" * 7 + b"\x7f"),
    "an array of 2⁶³ bytes": _pickle(5, b"\x96" + b"\xff" * 7 + b"\x7f"),
    "a list that is shown for ever": _pickle(2, b"(K\1" + _shared_list(60) + b"d"),
    "a shared list as the content": _pickle(2, _shared_list(60)),
    "a text of controls": _pickle(2, b"X\x07\0\0\0\x1b[31m\n\0"),
}  # fmt: skip


def zipped(member: bytes, compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip file as `torch.save` lays it out, with another pickle."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", compression) as archive:
        archive.writestr("archive/data.pkl", member)
        archive.writestr("archive/version", b"3\n")
    return whole.getvalue()


def npy(header: str, content: bytes = b"", version: bytes = b"\1\0") -> bytes:
    """An ``.npy`` file with a header of one's own."""
    size = len(header).to_bytes(2 if version == b"\1\0" else 4, "little")
    return np.lib.format.MAGIC_PREFIX + version + size + header.encode("latin1") + content
