"""Files that a driver has open: pipes and connections to its workers, which a shell may limit."""

from testbed.engine.outcome import EngineError

__all__ = ["make_room"]

BASE = 40  # of Python, the store, an event loop


def make_room(workers: int, each: int, what: str) -> None:
    """Let this process open as many files as so many workers take, if it may.

    Args:
        workers: at a time.
        each: files that one takes.
        what: takes them, for the message.

    Raises:
        EngineError: if it may not: a library would fail at every further one, without an end.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    needed = BASE + each * workers
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft in (resource.RLIM_INFINITY, -1) or soft >= needed:
        return
    if hard not in (resource.RLIM_INFINITY, -1) and hard < needed:
        raise EngineError(
            f"{what} needs some {needed} open files for {workers} workers, and this process may "
            f"have {hard}: raise that limit (`ulimit -n` says it), or take fewer workers"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
