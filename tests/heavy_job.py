"""A job that is slow, wrong or deadly as its items say, to try engines with."""

import os
import signal
import time

import torch

__all__ = ["ITEMS", "SMALL", "VALUES", "Heavy", "described", "kept", "same"]

VALUES = ["network", "proxy", "init", "seed", "images", "settings", "value", "reason", "details"]
SMALL = [
    "--archs", "0,11,284", "--channels", "2", "--cells", "1", "--batch-size", "8", "--show", "0",
    "--proxies", "params,grad_norm,near,jacobian_norm",
]  # fmt: skip
ITEMS = ["a", "bb", "wrong", "ccc", "dddd", "a", "bb", "ccc"]


class Heavy:
    """A job of some megabytes that tells a folder when it is unpacked."""

    def __init__(self, folder):
        self.folder, self.data = folder, torch.arange(2**18)

    def __setstate__(self, state):
        self.__dict__.update(state)
        (self.folder / f"{os.getpid()}-{time.monotonic_ns()}").touch()

    def __call__(self, item):
        if item == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "die once" and not (self.folder / "died").exists():
            (self.folder / "died").touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "slow":
            time.sleep(1)
        if item == "wrong":
            raise ValueError("wrong")
        draws = torch.randn(64, 64, generator=torch.Generator().manual_seed(len(item)))
        return float((draws @ draws).sum()), os.environ.get("CUDA_VISIBLE_DEVICES"), len(self.data)


def described(tmp_path, **lines):
    path = tmp_path / "cluster.yaml"
    lines = {"folder": tmp_path / "jobs", **lines}
    path.write_text("".join(f"{key}: {value}\n" for key, value in lines.items()))
    return f"slurm:{path}"


def same(found, expected):
    assert sorted(found) == sorted(expected)
    for position, outcome in expected.items():
        one = found[position]
        assert (one.value or [None])[0] == (outcome.value or [None])[0]
        assert one.error == outcome.error


def kept(heavy):
    return [path for path in heavy.folder.iterdir() if "-" in path.name]
