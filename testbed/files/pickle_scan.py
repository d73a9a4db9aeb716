"""Look through a pickle before it is loaded: what it would cost, and whether it can end.

A pickle needs no code to do harm. Nine bytes name a place of the memo that takes gigabytes; a
tuple of tuples of tuples, as a key, is hashed for ever, or until the stack of C overflows; a
million empty dictionaries are a million bytes. None of it is stopped by a table of names.

The first look is quick: it matches runs of opcodes as one (`testbed.files.pickle_runs`), which are
not to take tuples out of the memo; in a pickle of protocol 4, which does not number its memo, every
object of it counts as the heaviest. What is refused then gets a second look, opcode by opcode.
"""

from testbed.files.pickle_opcodes import STEPS
from testbed.files.pickle_runs import taken_and_put
from testbed.files.pickle_stack import LIMITS, Buffer, Limits, PickleStack, Run, UnsureError

__all__ = ["LIMITS", "Limits", "check_pickle"]

_PLAIN = frozenset(b"KGMJN\x88\x89\x8cUCXB")
_STARTS = {False: _PLAIN, True: _PLAIN | frozenset(b"hj}")}  # of runs, if the memo is numbered
_STOP = ord(".")
OF_TENSOR = 32  # what a tuple in the call that makes a tensor weighs at most


def check_pickle(content: Buffer, start: int = 0, limits: Limits = LIMITS) -> int:
    """Return where the pickle that begins at ``start`` ends, after its STOP.

    Raises:
        ValueError: if it cannot be loaded within the limits, or is no pickle of plain data.
        EOFError: if it is cut short.
    """
    try:
        return _look(PickleStack(content, start, limits, quick=True))
    except UnsureError:
        return _look(PickleStack(content, start, limits, quick=False))


def _look(scan: PickleStack) -> int:
    content, length, most = scan.content, scan.length, scan.limits.others
    alone = scan.at if scan.quick else length  # up to here, opcodes are gone through one by one
    while scan.at < length:
        op = content[scan.at]
        if scan.at >= alone and op in _STARTS[scan.numbered] and (run := _run(scan)):
            if _is_sure(scan, run):
                scan.push_run(run)
                continue
            alone = run[1]
        scan.at += 1
        if op == _STOP:
            scan.pop()
            return scan.at
        step = STEPS.get(op)
        if step is None:
            raise ValueError(
                f"no data file has the opcode {bytes([op])!r}, at byte {scan.at - 1:,}"
            )
        scan.others += 1
        if scan.others > most:
            scan.spend_others(0)
        step(scan)
    raise EOFError("it is cut short")


def _run(scan: PickleStack) -> Run | None:
    """Return the run that begins here, if one does."""
    patterns, start = scan.runs(), scan.at
    if patterns.tensors and (found := patterns.tensors.match(scan.content, start)):
        return start, found.end(), True
    found = patterns.plain.match(scan.content, start)
    return (start, found.end(), False) if found else None


def _is_sure(scan: PickleStack, run: Run) -> bool:
    """Say whether a run takes no tuple out of the memo, and note the tuples that it puts there."""
    start, end, tensors = run
    patterns = scan.runs()
    if tensors and patterns.tensor:
        taken, put = map(_places, taken_and_put(patterns.tensor.findall(scan.content, start, end)))
        if not taken.isdisjoint(put) or not taken.isdisjoint(scan.tuples):
            return False
        scan.tuples |= put
        scan.memo.update(dict.fromkeys(put, OF_TENSOR))
        return True
    if not scan.tuples:
        return True
    return scan.tuples.isdisjoint(
        _places(set(patterns.taken.findall(scan.content, start, end)) - {b""})
    )


def _places(opcodes: set[bytes]) -> set[int]:
    return {int.from_bytes(opcode[1:], "little") for opcode in opcodes}
