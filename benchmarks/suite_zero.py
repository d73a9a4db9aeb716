"""NAS-Bench-Suite-Zero's thirteen: together over each alone, and over NASLib's own code.

NASLib is not needed and not part of this project: ``python -m benchmarks.suite_zero --naslib
FOLDER`` takes the folder that holds its ``naslib`` package, of which only
``predictors/pruners`` is imported.
"""

import argparse
import copy
import statistics
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import proxies
from benchmarks.harness import CONSOLE, architecture, cifar_like, interleave, print_ratios
from testbed.catalogue.registry import chosen

ROUNDS = 3
OPTIONS = {"zen": {"repeats": 1}}  # as NASLib does
OTHERS = (
    "grad_norm", "snip", "plain", "grasp", "fisher", "synflow", "l2_norm", "jacov", "epe_nas",
    "nwot", "zen",
)  # fmt: skip


class Prunable(nn.Module):
    """A network with what NASLib's measures ask of one."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, (N, K)."""
        return self.network(images)

    def forward_before_global_avg_pool(self, images: Tensor) -> Tensor:
        """Return the last feature map, (N, C, H, W)."""
        kept: list[Tensor] = []

        def keep(layer: nn.Module, inputs: object, output: Tensor) -> None:
            if output.dim() == 4:
                kept.append(output)

        layers = [layer for layer in self.network.modules() if layer is not self.network]
        handles = [layer.register_forward_hook(keep) for layer in layers]
        self.network(images)
        for handle in handles:
            handle.remove()
        return kept[-1]

    def get_prunable_copy(self, bn: bool = False) -> "Prunable":
        """Return a copy in train mode, without batch norms unless they are asked for."""
        network = copy.deepcopy(self)
        for parent in [] if bn else list(network.modules()):
            for name, layer in parent.named_children():
                if isinstance(layer, nn.BatchNorm2d):
                    setattr(parent, name, nn.Identity())
        return network.train()


def main(naslib: Path | None = None) -> None:
    """Measure and print."""
    network, (images, labels) = architecture(284), cifar_like(16)
    names = chosen(["suite-zero"])

    def ours(*asked: str, mode: str = "auto") -> dict[str, proxies.Score]:
        return proxies.score(
            network, images, labels, asked, batch_norm=mode,
            options={name: OPTIONS[name] for name in asked if name in OPTIONS},
        )  # fmt: skip

    cases: dict[str, Callable[[], object]] = {"together": lambda: ours(*names)}
    cases |= {name: lambda name=name: ours(name) for name in names}
    seconds = interleave(cases, ROUNDS)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    alone = sum(value for name, value in medians.items() if name != "together")
    CONSOLE.print(
        f"The thirteen of NAS-Bench-Suite-Zero (network 284, C=16, N=5, 16 images): together "
        f"{medians['together']:.2f} CPU s, the sum of each alone {alone:.2f} CPU s, ratio "
        f"{alone / medians['together']:.2f}\n"
    )
    if naslib is not None:
        _against(naslib, network, images, labels, ours)


def _against(
    folder: Path, network: nn.Module, images: Tensor, labels: Tensor, ours: Callable[..., object]
) -> None:
    sys.path.insert(0, str(folder))
    from naslib.predictors.pruners.measures import calc_measure  # type: ignore[import-not-found]

    for name in OTHERS:
        seconds = interleave(
            {
                "ours": lambda name=name: ours(name, mode="batch"),
                "NASLib": lambda name=name: calc_measure(
                    name, Prunable(network), "cpu", images.clone(), labels, loss_fn=cross_entropy
                ),
            },
            ROUNDS,
        )
        print_ratios(f"{name}, batch norm in train mode", seconds, "ours")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--naslib", type=Path, help="the folder that holds the naslib package")
    torch.set_num_threads(1)
    main(parser.parse_args().naslib)
