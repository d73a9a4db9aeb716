"""Three small CNNs and a small vision transformer, trained on a folder of images.

An example of networks of your own: copy it, change it, and name what it builds with ``--factory``.
"""

import argparse
from pathlib import Path

import torch
from torch import Tensor, nn

from testbed import images
from testbed.networks.normalise import normalised

NAMES = ("cnn-4", "cnn-8", "cnn-12", "vit")


class Vit(nn.Module):
    """A vision transformer of one block, with patches of 4 by 4 pixels."""

    def __init__(self, size: tuple[int, int], channels: int, classes: int, width: int = 24) -> None:
        super().__init__()
        self.patches = nn.Conv2d(channels, width, 4, stride=4)
        count = (size[0] // 4) * (size[1] // 4)
        self.places = nn.Parameter(0.02 * torch.randn(1, count, width))
        self.block = nn.TransformerEncoderLayer(
            width, 2, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.head = nn.Linear(width, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        """Return logits."""
        tokens = self.patches(pixels).flatten(2).transpose(1, 2) + self.places
        return self.head(self.block(tokens).mean(1))


def build(name: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Return an untrained network by its name."""
    channels, height, width = shape
    if name == "vit":
        return Vit((height, width), channels, classes)
    wide = int(name.removeprefix("cnn-"))
    return nn.Sequential(
        nn.Conv2d(channels, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(wide, wide, 3, padding=1), nn.BatchNorm2d(wide), nn.ReLU(),
        nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(4 * wide, classes),
    )  # fmt: skip


def load(name: str, folder: str = "trained") -> nn.Module:
    """Return a trained network: what ``--factory docs.own_networks:load`` calls."""
    facts = torch.load(Path(folder) / f"{name}.pt", weights_only=True)
    network = build(name, tuple(facts["shape"]), facts["classes"])
    network.load_state_dict(facts["weights"])
    # Pixels are in [0, 1]; the normalisation is a layer.
    return normalised(network, facts["mean"], facts["std"])


def train(option: str, folder: Path, epochs: int) -> None:
    """Train all networks, and write their weights and a list of their names."""
    data = images.load(option)
    pixels, labels = data.images(), data.labels
    folder.mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        torch.manual_seed(0)
        network = build(name, data.shape, data.classes)
        whole = normalised(network, data.mean, data.std)
        optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(epochs):
            for chosen in torch.randperm(len(labels)).split(16):
                loss = nn.functional.cross_entropy(whole(pixels[chosen]), labels[chosen])
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
        facts = {"weights": network.state_dict(), "shape": data.shape, "classes": data.classes,
                 "mean": data.mean, "std": data.std}  # fmt: skip
        torch.save(facts, folder / f"{name}.pt")
        right = (whole.eval()(pixels).argmax(1) == labels).float().mean()
        print(f"{name}: {right:.1%} of the {len(labels)} training images right")
    (folder / "names.txt").write_text("\n".join(NAMES) + "\n")
    print(f"Trained networks and their names are in {folder}.")


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", help="as --images takes them: 'folder:pets?size=16'")
    parser.add_argument("--out", type=Path, default=Path("trained"))
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    train(options.images, options.out, options.epochs)


if __name__ == "__main__":
    main()
