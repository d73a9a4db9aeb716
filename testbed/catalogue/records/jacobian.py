"""Derivatives of the logits over the image."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

HOFFMAN = "Hoffman, Roberts and Yaida 2019, arXiv:1908.02729"
NASWOT_V1 = "Mellor et al. 2020, arXiv:2006.04647v1"
EPE_NAS = "Lopes et al. 2021, arXiv:2102.08099"
NEEDS = ("images", "gradients")
ONE_BACKWARD = "1 forward, 1 backward"

RECORDS = (
    ProxySpec(
        "jacobian_norm", Later("proxies.jacobian:jacobian_norm"),
        "Frobenius norm of the logits' Jacobian over the image, exact",
        HOFFMAN, "lower", "1 forward, K backward", "jacobian", (), NEEDS,
        cites=("hoffman2019robust",),
    ),
    ProxySpec(
        "jacobian_projection", Later("proxies.jacobian:jacobian_projection"),
        "that norm, estimated from random projections",
        HOFFMAN, "lower", "1 forward, `projections` backward", "jacobian", (), NEEDS,
        options={"projections": 1}, cites=("hoffman2019robust",),
    ),
    ProxySpec(
        "jacov", Later("proxies.jacobian_correlation:jacov"),
        "how little the samples' gradients of the summed logits correlate",
        NASWOT_V1, "higher", ONE_BACKWARD, "jacobian", ("suite-zero",), NEEDS,
        options={"k": 1e-5}, cites=("mellor2020neural",),
    ),
    ProxySpec(
        "epe_nas", Later("proxies.jacobian_correlation:epe_nas"),
        "correlation of the samples' gradients of the summed logits, within classes",
        EPE_NAS, "higher", ONE_BACKWARD, "jacobian", ("suite-zero",), (*NEEDS, "labels"),
        options={"k": 1e-5}, cites=("lopes2021epenas",),
    ),
)  # fmt: skip
