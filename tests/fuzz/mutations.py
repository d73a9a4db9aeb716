"""Faults of files: of any bytes, and of the structure of JSON, CSV and Parquet."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

__all__ = ["NASTY_NUMBERS", "NASTY_WORDS", "mutate"]

Mutation = Callable[[Random, bytes], bytes]

NASTY_NUMBERS = (
    *("NaN", "Infinity", "-Infinity", "nan", "inf", "-inf", "-1", "-0", "-0.0", "0", "1", "1.5"),
    *("999999", "1e999", "-1e999", "1e308", "5e-324", "0.1e-400", "1e-20"),
    *("9" * 400, "-" + "9" * 5000, "1" + "0" * 400 + ".5"),
    *("9223372036854775807", "9223372036854775808", "-9223372036854775809", "-5", "1e400"),
    *("05", "+5", "5.", ".5", "0x10", "1_000", "1,5", "1e5", "3.0", "15625", "15624", "10000000"),
)  # fmt: skip
NASTY_WORDS = (
    *("", " ", "None", "null", "true", "True", "x", "٣", "５", "²", "5 ", " 5", "\t5", "5\n"),
    *("a\0b", "\x1b[31m", "\x07", "a\nb", "a\rb", "\u202e", "\ud800", "é", "x" * 5000, "../../x"),
    *("=1+1", "+x", "-x", "@x", "$\\frac{$", "[bold]b", "[/b]", "<script>"),
    *("{}", "[1]", "{" * 3000, "a" * 201),
    *('{"recipe":[1]}', '{"a":1,"a":2}', '{"a":NaN}', "[" * 5000, "1e400", '"', "'", ",", ";"),
)  # fmt: skip
DEPTH = 200_000


def mutate(random: Random, path: Path, extra: tuple[Mutation, ...] = ()) -> None:
    """Put one to three faults into a file, of its structure (by its ending) or of its bytes."""
    content = path.read_bytes()
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        known = [*STRUCTURE.get(path.suffix, ()), *extra]
        kinds = known if known and random.random() < 0.75 else BYTES
        try:
            content = random.choice(kinds)(random, content)
        except Exception:  # a former fault has left no structure
            content = random.choice(BYTES)(random, content)
    path.write_bytes(content)


def _place(random: Random, content: bytes) -> tuple[int, int]:
    start = random.randint(0, len(content))
    return start, min(len(content), start + random.choice((1, 2, 4, 16, 64, 1024)))


def _flip(random: Random, content: bytes) -> bytes:
    if not content:
        return b"\0"
    changed = bytearray(content)
    for _ in range(random.choice((1, 1, 2, 8))):
        changed[random.randrange(len(changed))] ^= 1 << random.randrange(8)
    return bytes(changed)


def _extreme(random: Random, content: bytes) -> bytes:
    """Overwrite some bytes with those that lengths and numbers go wrong with."""
    start, _ = _place(random, content)
    word = random.choice((b"\xff", b"\0", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\0" * 8, b"\x80"))
    return content[:start] + word + content[start + len(word) :]


def _cut(random: Random, content: bytes) -> bytes:
    return content[: random.randint(0, len(content))]


def _drop(random: Random, content: bytes) -> bytes:
    start, end = _place(random, content)
    return content[:start] + content[end:]


def _double(random: Random, content: bytes) -> bytes:
    start, end = _place(random, content)
    return content[:end] + content[start:end] * random.choice((1, 1, 3, 100)) + content[end:]


def _insert(random: Random, content: bytes) -> bytes:
    start, _ = _place(random, content)
    word = random.choice((*NASTY_WORDS, *NASTY_NUMBERS)).encode("utf-8", "surrogatepass")
    return content[:start] + word + content[start:]


def _swap(random: Random, content: bytes) -> bytes:
    (a, b), (c, d) = sorted((_place(random, content), _place(random, content)))
    return (
        content if b > c else content[:a] + content[c:d] + content[b:c] + content[a:b] + content[d:]
    )


def _replace(random: Random, content: bytes) -> bytes:
    return random.choice(
        (b"", b"\0" * 100, random.randbytes(200), b"\xef\xbb\xbf" + content, b"[]", b"{}", b"null",
         b"[" * DEPTH, b'{"a":' * DEPTH, b"(" * 5000, content + b"\n" + content,
         content.decode("latin1").encode("utf-16"))
    )  # fmt: skip


BYTES: tuple[Mutation, ...] = (_flip, _extreme, _cut, _drop, _double, _insert, _swap, _replace)


class _Pairs(list):
    """An object of JSON, as pairs, so that a key can stand twice."""


class _Raw(str):
    """A text that is written as it is."""


def _json(random: Random, content: bytes) -> bytes:
    """Replace, remove, rename or double a node of a JSON file."""
    whole = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_Pairs)
    _spoil(random, *random.choice(list(_places(whole))))
    return _dump(whole).encode("utf-8", "surrogatepass")


def _places(node: Any) -> Iterator[tuple[list, int]]:
    for number, entry in enumerate(node if isinstance(node, list) else ()):
        yield node, number
        yield from _places(entry[1] if isinstance(node, _Pairs) else entry)


def _spoil(random: Random, holder: list, number: int) -> None:
    entry = holder[number]
    action = random.choice(("value", "value", "value", "double", "key", "remove"))
    if action == "remove":
        del holder[number]
    elif action == "double":
        again = (entry[0], _nasty(random)) if isinstance(holder, _Pairs) else entry
        holder.insert(random.randint(0, len(holder)), random.choice((entry, again)))
    elif action == "key" and isinstance(holder, _Pairs):
        holder[number] = (_other_key(random, entry[0]), entry[1])
        if random.random() < 0.5:
            holder.append(entry)
    else:
        value = _nasty(random)
        holder[number] = (entry[0], value) if isinstance(holder, _Pairs) else value


def _other_key(random: Random, key: str) -> str:
    arabic = key.translate({ord(str(d)): chr(0x660 + d) for d in range(10)})
    return random.choice(
        (f"0{key}", f" {key}", f"{key} ", f"+{key}", arabic, key.upper(), key.replace(".0", ""),
         f"{key}\n", f"-{key}", *random.sample(NASTY_WORDS, 2), random.choice(NASTY_NUMBERS))
    )  # fmt: skip


def _nasty(random: Random) -> Any:
    raw = ("[" * DEPTH + "]" * DEPTH, '{"a":' * 900 + "1" + "}" * 900, *NASTY_NUMBERS)
    return random.choice(
        (_Raw(random.choice(raw)), _Raw(random.choice(NASTY_NUMBERS)), random.choice(NASTY_WORDS),
         _Raw("true"), _Raw("null"), _Pairs(), [], [_Raw("NaN")], _Pairs([("a", 1), ("a", 2)]),
         random.choice(NASTY_NUMBERS))
    )  # fmt: skip


def _dump(node: Any) -> str:
    if isinstance(node, _Raw):
        return str(node)
    if isinstance(node, _Pairs):
        return "{" + ",".join(f"{json.dumps(k)}:{_dump(v)}" for k, v in node) + "}"
    if isinstance(node, list):
        return "[" + ",".join(map(_dump, node)) + "]"
    return json.dumps(node)


def _csv(random: Random, content: bytes) -> bytes:
    """Replace a cell, or remove, rename or double a row or a column of a CSV file."""
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    width, row = random.randrange(len(rows[0])), random.randrange(len(rows))
    action = random.choice(("cell", "cell", "cell", "column", "double", "row", "again"))
    if action == "cell":
        rows[row][width] = random.choice((*NASTY_NUMBERS, *NASTY_WORDS))
    elif action == "column":
        rows = [[*r[:width], *r[width + 1 :]] for r in rows]
    elif action == "double":
        rows = [[*r, r[width]] for r in rows]
    elif action == "row":
        del rows[row]
    else:
        rows.insert(random.randint(1, len(rows)), list(rows[row]))
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def _parquet(random: Random, content: bytes) -> bytes:
    """Give a column of a Parquet table another type, or no values, or remove or double rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.read_table(io.BytesIO(content))
    number, rows = random.randrange(table.num_columns), table.num_rows
    field = table.schema.field(number).name
    action = random.choice(("type", "type", "remove", "again"))
    if action == "type":
        value = random.choice(
            (True, 1.5, -1, 2**62, b"\xff\0", {"a": 1}, [1, None], None, float("nan"),
             float("inf"), "x" * 5000, *NASTY_WORDS)
        )  # fmt: skip
        if isinstance(value, str):
            value = value.encode("utf-8", "replace").decode()
        table = table.set_column(number, field, pa.array([value] * rows))
    elif action == "remove":
        table = table.drop_columns([field])
    else:
        table = pa.concat_tables([table, table.slice(random.randrange(rows), 1)])
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


STRUCTURE: dict[str, tuple[Mutation, ...]] = {
    ".json": (_json,),
    ".csv": (_csv,),
    ".parquet": (_parquet,),
}
