"""After some steps of training on the batch: not training-free."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

LOSS = ("images", "labels", "gradients")
# Proxy → which scores promise robustness, and what it is.
AFTER = {
    "jacobian_norm": "lower", "hessian_input": "lower", "jacobian_spectrum": "lower",
    "first_order_radius": "higher", "local_nonlinearity": "lower", "gradient_alignment": "lower",
    "curvature": "lower", "nwot": "higher",
}  # fmt: skip

RECORDS = tuple(
    ProxySpec(
        f"warm_{name}", Later(f"proxies.warm:warm_{name}"),
        f"{name} after `steps` steps of SGD on the batch", "-", better,
        "`steps` of 1 forward, 1 backward, and that of the proxy", "warm", (), LOSS,
        independent=True, options={"steps": 20, "rate": 0.05},
    )
    for name, better in AFTER.items()
)  # fmt: skip
