"""Networks of the package timm, for the classes, channels and size of an image set."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from testbed.basis.errors import did_you_mean
from testbed.basis.foreign_text import quoted, shown
from testbed.basis.seeding import global_draws
from testbed.images import ImageSet
from testbed.networks.normalise import normalised
from testbed.sources.errors import SourceError
from testbed.sources.own_name import OwnName

__all__ = ["Fitting", "timm_network"]

# What the image set says, what would read a file, and what returns no module.
_REFUSED = {
    "num_classes": "it is that of the images",
    "in_chans": "it is that of the images",
    "checkpoint_path": "load weights of yours in a function of yours",
    "pretrained_cfg": "load weights of yours in a function of yours",
    "pretrained_cfg_overlay": "load weights of yours in a function of yours",
    "features_only": "the network has to return logits",
    "scriptable": "the network has to be a plain module",
    "exportable": "the network has to be a plain module",
}


@dataclass(frozen=True)
class Fitting:
    """What a network has to fit.

    Attributes:
        classes: the number of logits.
        shape: channels, height and width of an image.
        mean: of each channel.
        std: likewise.
    """

    classes: int
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @staticmethod
    def of(images: ImageSet) -> "Fitting":
        """Return what the networks of an image set have to fit."""
        return Fitting(images.classes, images.shape, images.mean, images.std)


def timm_network(name: OwnName, images: Fitting | None) -> nn.Module:
    """Return a network of timm, from images in [0, 1] to logits.

    Without ``pretrained=True`` its weights are drawn from the name and ``seed`` (0 if not given),
    and the images are normalised by their own mean and standard deviation. A pretrained one keeps
    its classes, channels and normalisation.

    Raises:
        SourceError: if timm is not installed, knows no such network, or the weights cannot be had.
    """
    timm = _timm(name)
    if images is None:
        raise SourceError(f"{name} is built for an image set: say which")
    pretrained, seed, options = _options(name)
    if not timm.is_model(name.function):
        maybe = did_you_mean(name.function, timm.list_models())
        raise SourceError(f"timm {timm.__version__} knows no network {name.function!r}{maybe}; "
                          "timm.list_models() names them")  # fmt: skip
    if pretrained:
        return _pretrained(timm, name, options)
    if _of_one_size(timm, name.function):
        options = {"img_size": images.shape[1:], **options}
    try:
        with global_draws("timm", name.function, seed):
            bare = timm.create_model(
                name.function, num_classes=images.classes, in_chans=images.shape[0], **options
            )
    # Whatever the constructor of a network raises.
    except Exception as error:
        raise SourceError(
            f"{name} cannot be built for {images.classes} classes and images of {images.shape}: "
            f"{type(error).__name__}: {shown(str(error))}"
        ) from error
    return normalised(bare, images.mean, images.std)


def _timm(name: OwnName) -> Any:
    try:
        import timm
    except ImportError as error:
        missing = error.name or "timm"
        beside = "" if missing.partition(".")[0] == "timm" else f" ({missing} is missing)"
        raise SourceError(
            f"{name} needs the package timm{beside}: pip install 'robustness-proxies[timm]'"
        ) from error
    # A torchvision that was built for another torch raises what torch does.
    except Exception as error:
        raise SourceError(
            f"{name} needs the package timm, which cannot be imported ({type(error).__name__}: "
            f"{shown(str(error), 100)}): does torchvision fit torch?"
        ) from error
    return timm


def _options(name: OwnName) -> tuple[bool, int, dict[str, Any]]:
    options = dict(name.options)
    refused = [word for word in options if word in _REFUSED]
    if name.arguments or refused:
        why = f"{refused[0]}: {_REFUSED[refused[0]]}" if refused else "arguments are named"
        raise SourceError(f"{name}: {why}")
    pretrained, seed = options.pop("pretrained", False), options.pop("seed", 0)
    if type(pretrained) is not bool or type(seed) is not int:
        raise SourceError(f"{name}: pretrained is True or False, seed a whole number")
    return pretrained, seed, options


def _pretrained(timm: Any, name: OwnName, options: Mapping[str, Any]) -> nn.Module:
    try:
        bare = timm.create_model(name.function, pretrained=True, **options)
    # The errors of the hub, of its cache and of the network are of any kind.
    except Exception as error:
        first = shown(str(error).strip().partition("\n")[0], 160)
        raise SourceError(
            f"the pretrained weights of {quoted(name.function)} cannot be had "
            f"({type(error).__name__}: {first}); fetch them once where the hub of Hugging Face can "
            "be reached, or leave pretrained out"
        ) from error
    found = bare.pretrained_cfg
    return normalised(bare, tuple(found["mean"]), tuple(found["std"]))


def _of_one_size(timm: Any, model: str) -> bool:
    config = timm.get_pretrained_cfg(model, allow_unregistered=True)
    return bool(config is not None and config.fixed_input_size)
