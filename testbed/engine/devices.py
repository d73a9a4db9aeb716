"""One worker, one GPU: which devices the workers of a run may see."""

from collections.abc import Mapping, Sequence

__all__ = ["VISIBLE", "devices_here", "shared_out", "visible_to"]

VISIBLE = "CUDA_VISIBLE_DEVICES"


def shared_out(device: str, environment: Mapping[str, str], count: int) -> tuple[str, ...]:
    """Return the GPUs that workers are pinned to, each to one; none if nothing is to be shared out.

    Args:
        device: of the computation. ``cuda`` is any device; ``cuda:1`` is one for all workers.
        environment: of this process: ``CUDA_VISIBLE_DEVICES`` may name its devices.
        count: of the devices that this process sees.
    """
    if device != "cuda" or count < 2:
        return ()
    named = [word.strip() for word in environment.get(VISIBLE, "").split(",") if word.strip()]
    # Of more names than devices CUDA ends at the first that is none.
    return tuple(named[:count]) if len(named) >= count else tuple(map(str, range(count)))


def visible_to(worker: int, devices: Sequence[str]) -> str | None:
    """Return the device of the worker of a number, from 0; None if it may see all.

    >>> [visible_to(worker, ("2", "5")) for worker in range(3)]
    ['2', '5', '2']
    """
    return devices[worker % len(devices)] if devices else None


def devices_here(device: str, environment: Mapping[str, str]) -> tuple[str, ...]:
    """Return the GPUs of this machine that the workers of a run are pinned to.

    Nothing is asked of CUDA unless the device is ``cuda``.
    """
    if device != "cuda":
        return ()
    import torch

    return shared_out(device, environment, torch.cuda.device_count())
