"""What the machine has too little of, as an error says it: files, memory, room, processes."""

import errno

from testbed.basis.foreign_text import shown

__all__ = ["lacking", "of_system"]

SAVED = "what was saved is kept"
FILES = (
    "this process may have no more (`ulimit -n` says how many, and raises it), or take fewer "
    f"--workers; {SAVED}"
)
MEMORY = (
    "there is too little memory for this command: free some, raise its limit (`ulimit -v`, that of "
    f"a job), or take fewer --workers; {SAVED}"
)
ROOM = f"make room, and run the same command again; {SAVED}"
PROCESSES = (
    "this user, or this job, may have no more processes and threads (`ulimit -u` says how many): "
    f"take fewer --workers; {SAVED}"
)
ADVICE = {
    errno.EMFILE: FILES, errno.ENOMEM: MEMORY, errno.ENOSPC: ROOM, errno.EDQUOT: ROOM,
    errno.EAGAIN: PROCESSES,
}  # fmt: skip
# Of what raises no class of its own: torch on the CPU, the loader of libraries, `threading`.
WORDS = {
    "can't allocate memory": MEMORY, "failed to map segment from shared object": MEMORY,
    "can't start new thread": PROCESSES,
}  # fmt: skip


def of_system(error: OSError) -> str:
    """Return what the operating system refused, of which file, and what to do if that is known."""
    name = shown(str(error.filename)) if error.filename else ""
    message = f"{name}: {error.strerror}" if name else str(error)
    advice = ADVICE.get(error.errno or 0)
    return f"{message}: {advice}" if advice else message


def lacking(error: BaseException) -> str | None:
    """Return a sentence on what an exception says there is too little of; None if it does not.

    Args:
        error: any but an ``OSError``, see `of_system`.
    """
    if isinstance(error, MemoryError):
        return MEMORY
    if isinstance(error, RuntimeError | ImportError):
        return next((advice for words, advice in WORDS.items() if words in str(error)), None)
    return None
