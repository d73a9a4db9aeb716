"""Unpack bz2 files up to a size: a few bytes of them can hold gigabytes."""

import bz2
from pathlib import Path

__all__ = ["read_bz2"]

PACKED = 60  # of what is packed, at most as many bytes are unpacked; the densest official file: 39
ALWAYS = 2**23  # bytes that may be unpacked however few are packed
STREAMS = 1000  # parallel packers write one for each 900,000 bytes


def read_bz2(path: Path, most: int) -> bytes:
    """Return what a bz2 file holds, whose streams are read as one.

    Args:
        path: the path of the file.
        most: the largest number of bytes that are unpacked.

    Raises:
        ValueError: if it is larger, or packed more densely than data files are.
        EOFError: if it is cut short.
        OSError: if it is no bz2 file.
    """
    size = path.stat().st_size
    if size > most:
        raise ValueError(f"it unpacks to more than {most:,} bytes")
    most = min(most, ALWAYS + PACKED * size)
    packed, parts, left = path.read_bytes(), [], most
    for _ in range(STREAMS):
        stream = bz2.BZ2Decompressor()
        try:
            part = stream.decompress(packed, left + 1)
        except OSError:
            if not parts:
                raise
            break  # what comes after the last stream is padding, as for bz2.open
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise ValueError(f"it unpacks to more than {most:,} bytes")
        if not stream.eof:
            raise EOFError("it is cut short")
        packed = stream.unused_data
        if not packed:
            break
    else:
        raise ValueError(f"it has more than {STREAMS:,} streams")
    return parts[0] if len(parts) == 1 else b"".join(parts)
