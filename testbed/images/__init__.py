"""Images by name: the digits of scikit-learn, CIFAR-10, CIFAR-100 and ImageNet16-120.

Pixels are in [0, 1]; normalisation is a layer of the network.
"""

from typing import TYPE_CHECKING

from testbed.basis.lazy import attributes
from testbed.images.errors import ImagesError
from testbed.images.names import NAMES

if TYPE_CHECKING:
    from testbed.images.batch import Batch
    from testbed.images.image_set import ImageSet
    from testbed.images.loading import load

__all__ = ["NAMES", "Batch", "ImageSet", "ImagesError", "load"]

__getattr__ = attributes(
    __name__,
    {
        "Batch": "testbed.images.batch",
        "ImageSet": "testbed.images.image_set",
        "load": "testbed.images.loading",
    },
)
