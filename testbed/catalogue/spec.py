"""The record of a proxy."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from testbed.basis.errors import InputError
from testbed.basis.foreign_text import described
from testbed.basis.lazy import Later
from testbed.basis.plugins import arguments_of, place_of, version_of

__all__ = ["GROUPS", "NEEDS", "ProxySpec"]

# The families, in the order of tables, and what a reader should know of each.
GROUPS = {
    "baseline": "the size of the network: what any proxy must beat",
    "structural": "the paths through the cell: no network is built",
    "jacobian": "derivatives of the logits over the image",
    "hessian": "curvature of the loss, over the image or the parameters",
    "saliency": "gradients of a loss over the weights, times the weights",
    "gradient": "statistics of the gradients of samples, and the tangent kernel",
    "activation": "patterns and features of one forward pass",
    "robust": "made for robustness: attacked inputs, smoothness, margins",
    "warm": "after some steps of training: not training-free",
    "own": "registered by a user or an installed package",
}
NEEDS = ("images", "labels", "gradients", "second order")
OURS = ("proxies.", "testbed.")


@dataclass(frozen=True)
class ProxySpec:
    """The record of a proxy.

    Attributes:
        name: the name on the command line and in the store.
        function: ``function(probe, **options)``, which returns a `proxies.Score`; it is named
            here and imported when it scores.
        summary: one line for ``--help`` and tables.
        reference: the paper that the proxy comes from.
        better: ``higher`` or ``lower``: which scores promise a robust network, or a good one
            where the reference speaks of accuracy alone.
        cost: the cost in passes over the batch, in words.
        group: one of `GROUPS`.
        collections: further names that choose it together with others, as ``suite-zero``.
        needs: what it asks of the network and the batch, of `NEEDS`.
        structural: whether it depends on the architecture alone, not on weights or images.
        independent: whether it needs samples that do not influence each other, so that
            batch-norm mode ``batch`` is refused.
        options: the options, which enter the key of a score, with their defaults.
        cites: the keys of the reference in the report's bibliography.
    """

    name: str
    function: Callable[..., Any]
    summary: str
    reference: str
    better: str
    cost: str
    group: str = "own"
    collections: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("images",)
    structural: bool = False
    independent: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    cites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise InputError(f"{self.name}: better is higher or lower; got {self.better!r}")
        if self.group not in GROUPS:
            raise InputError(
                f"{self.name}: a group is one of {', '.join(GROUPS)}; got {self.group!r}"
            )
        if not callable(self.function):
            raise InputError(
                f"{self.name}: its function takes a probe and returns a score; got "
                f"{described(self.function)}"
            )
        unknown = [need for need in self.needs if need not in NEEDS]
        if unknown:
            raise InputError(
                f"{self.name}: needs are of {', '.join(NEEDS)}; got {', '.join(unknown)}"
            )

    @property
    def origin(self) -> dict[str, str]:
        """Return whose proxy it is, for the keys of scores: nothing for those of this package.

        A proxy of others is told by its function, with what a `functools.partial` gives it, and
        by the version of the package that it is installed with and a digest of its source file,
        as far as there are such: scores of a changed proxy are other scores.
        """
        if not self.foreign:
            return {}
        given = arguments_of(self.function)
        place = place_of(self.function) + (f"({given})" if given else "")
        return {"proxy_function": place, "proxy_version": version_of(self.function)}

    @property
    def foreign(self) -> bool:
        """Say whether it is a proxy of others, or one of this package's with other defaults."""
        if isinstance(self.function, Later):
            return not self.function.place.startswith(OURS)
        return not place_of(self.function).startswith(OURS) or bool(arguments_of(self.function))

    @property
    def needs_labels(self) -> bool:
        """Say whether the score depends on the labels."""
        return "labels" in self.needs

    @property
    def needs_images(self) -> bool:
        """Say whether the score depends on the images, and so on the batch."""
        return "images" in self.needs

    def check_mode(self, batch_norm: str) -> None:
        """Raise ValueError if the proxy has no meaning under this batch-norm mode."""
        if self.independent and batch_norm == "batch":
            raise InputError(
                f"{self.name} needs independent samples, which batch-norm mode 'batch' has not; "
                "use 'calibrated' or 'running'"
            )
