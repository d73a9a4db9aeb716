"""All proxies in one table."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testbed.basis.errors import InputError, ToolkitError, did_you_mean
from testbed.basis.lazy import Later

if TYPE_CHECKING:
    from proxies.probe import Score

__all__ = ["PROXIES", "ProxySpec", "UnknownProxyError", "get"]

HOFFMAN = "Hoffman, Roberts and Yaida 2019, arXiv:1908.02729"
ADVRUSH = "Mok et al., ICCV 2021, arXiv:2108.01289"
PYHESSIAN = "Yao et al. 2020, arXiv:1912.07145"


@dataclass(frozen=True)
class ProxySpec:
    """The record of a proxy.

    Attributes:
        name: the name on the command line and in the store.
        function: ``function(probe, **options)``, which returns a `Score`; it is named here and
            imported when it scores.
        summary: one line for ``--help`` and tables.
        reference: the paper that the proxy comes from.
        better: ``lower`` or ``higher``: which scores promise robustness, by the reference.
        structural: whether it depends on the architecture alone, not on weights or images.
        needs_labels: whether it depends on the labels.
        independent: whether it needs samples that do not influence each other, so that
            batch-norm mode ``batch`` is refused.
        cost: the cost in passes over the batch, in words.
        options: the options, which enter the key of a score, with their defaults.
    """

    name: str
    function: Callable[..., "Score"]
    summary: str
    reference: str
    better: str
    cost: str
    structural: bool = False
    needs_labels: bool = False
    independent: bool = False
    options: dict[str, Any] = field(default_factory=dict)

    def check_mode(self, batch_norm: str) -> None:
        """Raise ValueError if the proxy has no meaning under this batch-norm mode."""
        if self.independent and batch_norm == "batch":
            raise InputError(
                f"{self.name} needs independent samples, which batch-norm mode 'batch' has not; "
                "use 'calibrated' or 'running'"
            )


class UnknownProxyError(ToolkitError):
    """A name that is not in the table."""


ITERATIVE = {"tolerance": 1e-3, "max_iterations": 200}
_magnitude, _positive = {"which": "magnitude"}, {"which": "positive"}
_power = {"method": "power", "max_iterations": 500}

_TABLE = (
    ProxySpec(
        "params", Later("proxies.cost:params"), "number of parameters (baseline)", "-", "higher",
        "none", structural=True,
    ),
    ProxySpec(
        "flops", Later("proxies.cost:flops"), "multiply-accumulates of an image (baseline)", "-",
        "higher", "none", structural=True,
    ),
    ProxySpec(
        "jacobian_norm", Later("proxies.jacobian:jacobian_norm"),
        "Frobenius norm of the logits' Jacobian over the image, exact",
        HOFFMAN, "lower", "1 forward, K backward",
    ),
    ProxySpec(
        "jacobian_projection", Later("proxies.jacobian:jacobian_projection"),
        "the same, estimated from random projections",
        HOFFMAN, "lower", "1 forward, `projections` backward",
        options={"projections": 1},
    ),
    ProxySpec(
        "gauss_newton_input", Later("proxies.hessian:gauss_newton_input"),
        "top eigenvalue of Jᵀ S J over the image, exact",
        ADVRUSH, "lower", "that of jacobian_norm", independent=True,
    ),
    ProxySpec(
        "hessian_input", Later("proxies.hessian:hessian_input"),
        "eigenvalue of largest magnitude of the loss's Hessian over the image",
        ADVRUSH, "lower", "that of jacobian_norm if piecewise linear, else Lanczos",
        needs_labels=True, independent=True, options=_magnitude | {"method": "auto"} | ITERATIVE,
    ),
    ProxySpec(
        "hessian_input_positive", Later("proxies.hessian:hessian_input"),
        "largest eigenvalue of the loss's Hessian over the image",
        ADVRUSH, "lower", "that of jacobian_norm if piecewise linear, else Lanczos",
        needs_labels=True, independent=True, options=_positive | {"method": "auto"} | ITERATIVE,
    ),
    ProxySpec(
        "hessian_input_power", Later("proxies.hessian:hessian_input"),
        "hessian_input by power iteration",
        ADVRUSH, "lower", "3 passes a step, tens to hundreds of steps",
        needs_labels=True, independent=True, options=_magnitude | ITERATIVE | _power,
    ),
    ProxySpec(
        "hessian_params", Later("proxies.hessian_parameters:hessian_parameters"),
        "eigenvalue of largest magnitude of the loss's Hessian over the parameters",
        PYHESSIAN, "lower", "6 passes a step, about ten steps (Lanczos)",
        needs_labels=True, options=_magnitude | {"method": "lanczos"} | ITERATIVE,
    ),
    ProxySpec(
        "hessian_params_positive", Later("proxies.hessian_parameters:hessian_parameters"),
        "largest eigenvalue of the loss's Hessian over the parameters",
        PYHESSIAN, "lower", "6 passes a step, about ten steps (Lanczos)",
        needs_labels=True, options=_positive | {"method": "lanczos"} | ITERATIVE,
    ),
    ProxySpec(
        "hessian_params_power", Later("proxies.hessian_parameters:hessian_parameters"),
        "hessian_params by power iteration",
        PYHESSIAN, "lower", "6 passes a step, tens to hundreds of steps",
        needs_labels=True, options=_magnitude | ITERATIVE | _power,
    ),
)  # fmt: skip


def _index(table: tuple[ProxySpec, ...]) -> dict[str, ProxySpec]:
    index = {spec.name: spec for spec in table}
    if len(index) != len(table):
        names = [spec.name for spec in table]
        raise ValueError(f"a proxy name stands twice in the table: {sorted(names)}")
    return index


PROXIES = _index(_TABLE)


def get(name: str) -> ProxySpec:
    """Return the record of a proxy.

    Raises:
        UnknownProxyError: if there is no such proxy; the message lists the known names.
    """
    if name not in PROXIES:
        raise UnknownProxyError(
            f"unknown proxy {name!r}{did_you_mean(name, PROXIES)}; known are {', '.join(PROXIES)}"
        )
    return PROXIES[name]
