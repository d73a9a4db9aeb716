"""The names a command line may say of images; nothing here needs torch."""

from testbed.images.own.option import FORMS, is_own

__all__ = ["CORRUPTIONS", "EXTRAS", "FORMS", "NAMES", "SEVERITIES", "SPLITS", "is_own"]

NAMES = ("digits", "cifar10", "cifar100", "imagenet16_120")
SPLITS = ("train", "test")
# In the order of the published robust accuracies.
CORRUPTIONS = (
    "brightness", "contrast", "defocus_blur", "elastic_transform", "fog", "frost",
    "gaussian_noise", "glass_blur", "impulse_noise", "jpeg_compression", "motion_blur",
    "pixelate", "shot_noise", "snow", "zoom_blur",
)  # fmt: skip
# Also in the benchmark's archives, for tuning; not part of its mean.
EXTRAS = ("gaussian_blur", "saturate", "spatter", "speckle_noise")
SEVERITIES = (1, 2, 3, 4, 5)
