"""What the scores of a report are, and which papers they come from.

The room of proxies stands beside this one and is not read from here; a test holds the two
together.
"""

from dataclasses import dataclass

__all__ = ["DEFINITIONS", "Definition", "definition"]


@dataclass(frozen=True)
class Definition:
    """What a proxy is.

    Attributes:
        text: in a line.
        promise: ``lower`` or ``higher``: which scores promise robustness, by its paper.
        cites: keys of ``assets/references.bib``.
    """

    text: str
    promise: str = ""
    cites: tuple[str, ...] = ()


_HOFFMAN, _MOK = ("hoffman2019robust",), ("mok2021advrush",)
_YAO = ("yao2020pyhessian",)
DEFINITIONS = {
    "params": Definition("number of parameters (baseline)", "higher"),
    "flops": Definition("multiply-accumulates of an image (baseline)", "higher"),
    "jacobian_norm": Definition(
        "Frobenius norm of the logits' Jacobian over the image, exact", "lower", _HOFFMAN
    ),
    "jacobian_projection": Definition(
        "Frobenius norm of the logits' Jacobian over the image, estimated from random projections",
        "lower",
        _HOFFMAN,
    ),
    "gauss_newton_input": Definition(
        "top eigenvalue of Jᵀ S J over the image, exact", "lower", _MOK
    ),
    "hessian_input": Definition(
        "eigenvalue of largest magnitude of the loss's Hessian over the image", "lower", _MOK
    ),
    "hessian_input_positive": Definition(
        "largest eigenvalue of the loss's Hessian over the image", "lower", _MOK
    ),
    "hessian_input_power": Definition("hessian_input by power iteration", "lower", _MOK),
    "hessian_params": Definition(
        "eigenvalue of largest magnitude of the loss's Hessian over the parameters", "lower", _YAO
    ),
    "hessian_params_positive": Definition(
        "largest eigenvalue of the loss's Hessian over the parameters", "lower", _YAO
    ),
    "hessian_params_power": Definition("hessian_params by power iteration", "lower", _YAO),
}
UNKNOWN = Definition("a score of the file that was read; this toolkit has no definition of it")


def definition(proxy: str) -> Definition:
    """Return what is known of a proxy by its name."""
    return DEFINITIONS.get(proxy, UNKNOWN)
