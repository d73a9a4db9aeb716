"""The handwritten digits that come with scikit-learn: 8×8 pixels, 17 grey levels.

They need no download, so every command can be tried on them at once. Alpaydin and
Kaynak, "Optical Recognition of Handwritten Digits", UCI repository, 1998.
"""

import torch

from testbed.images.image_set import ImageSet

__all__ = ["load"]

LEVELS, CLASSES = 16, 10
# Of the training split; a test computes them anew.
MEAN = (0.305136,)
STD = (0.376158,)


def load(split: str) -> ImageSet:
    """Return a split of ``digits``, 1 channel of 8×8 pixels.

    Every fifth image of each class, in scikit-learn's order, is for testing: the
    split is stratified and nothing is drawn. There are 1,442 images for training and 355 for
    testing.

    Args:
        split: ``train`` or ``test``.
    """
    # Here and not above: importing scikit-learn takes longer than all the rest.
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(pixels).to(torch.uint8).reshape(-1, 1, 8, 8)
    labels = torch.from_numpy(labels).to(torch.int64)
    chosen = _is_test(labels) == (split == "test")
    return ImageSet(
        name="digits",
        split=split,
        pixels=pixels[chosen],
        levels=LEVELS,
        labels=labels[chosen],
        classes=CLASSES,
        mean=MEAN,
        std=STD,
    )


def _is_test(labels: torch.Tensor) -> torch.Tensor:
    test = torch.zeros(len(labels), dtype=torch.bool)
    for label in range(CLASSES):
        test[(labels == label).nonzero().flatten()[4::5]] = True
    return test
