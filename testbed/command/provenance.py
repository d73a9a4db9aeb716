"""Where a result comes from: code, libraries, machine, command."""

import platform
import secrets
import subprocess
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

from testbed.basis.version import installed_version

__all__ = ["code_version", "provenance"]


def provenance(
    command: list[str],
    device: "torch.device | str",
    dtype: "torch.dtype | str",
    threads: int,
    settings: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what is worth knowing about a run that starts now, as JSON values.

    Args:
        command: the command line.
        device: that computes.
        dtype: of the computation.
        threads: of each worker.
        settings: all options of the command; what JSON does not know is kept as its text.
    """
    import numpy as np
    import torch

    return {
        # Two runs may begin in the same second with the same words, as shards do.
        "token": secrets.token_hex(8),
        "started": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": [str(word) for word in command],
        "code_version": code_version(),
        "torch_version": str(torch.__version__),
        "numpy_version": np.__version__,
        "cuda_version": torch.version.cuda,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "device": _device_name(torch.device(device)),
        "dtype": str(dtype).removeprefix("torch."),
        "threads": int(threads),
        "settings": {str(name): _json_value(value) for name, value in settings.items()},
    }


def code_version() -> str:
    """Return the version of the package, with the git commit of its source tree if there is one.

    ``0.1.0``, ``0.1.0+g<commit>``, or ``0.1.0+g<commit>-dirty`` where tracked files differ from
    the commit; ``unknown`` in place of the number where the package is not installed.
    """
    version = installed_version()
    root = Path(__file__).resolve().parents[2]
    # Installed under some other project's repository, that project's commit is not ours.
    top = _git(root, "rev-parse", "--show-toplevel")
    if not top or Path(top).resolve() != root:
        return version
    commit = _git(root, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*")
    return f"{version}+g{commit}" if commit else version


def _git(root: Path, *arguments: str) -> str:
    # Without optional locks, so that asking never disturbs a git command of the user.
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return ""
    return answer.stdout.strip()


def _device_name(device: "torch.device") -> str:
    import torch

    if device.type == "cuda" and torch.cuda.is_available():
        return f"{device} ({torch.cuda.get_device_name(device)})"
    return f"{device} ({_cpu_model()})" if device.type == "cpu" else str(device)


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").split("\n"):
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:  # not Linux
        pass
    return platform.processor() or platform.machine()


def _json_value(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_json_value(entry) for entry in value]
    if isinstance(value, Mapping):
        return {str(name): _json_value(entry) for name, entry in value.items()}
    return str(value)
