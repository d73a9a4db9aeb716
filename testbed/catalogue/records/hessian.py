"""Curvature of the loss, over the image or over the parameters."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

ADVRUSH = "Mok et al., ICCV 2021, arXiv:2108.01289"
PYHESSIAN = "Yao et al. 2020, arXiv:1912.07145"
MOK, YAO = ("mok2021advrush",), ("yao2020pyhessian",)
DENSITY = "Ghorbani et al., ICML 2019, arXiv:1901.10159"
ITERATIVE = {"tolerance": 1e-3, "max_iterations": 200}
MAGNITUDE, POSITIVE = {"which": "magnitude"}, {"which": "positive"}
POWER = {"method": "power", "max_iterations": 500}
NEEDS = ("images", "labels", "gradients", "second order")
EXACT_OR_LANCZOS = "that of jacobian_norm if piecewise linear, else Lanczos"
LANCZOS = "6 passes a step, about ten steps (Lanczos)"

RECORDS = (
    ProxySpec(
        "gauss_newton_input", Later("proxies.hessian:gauss_newton_input"),
        "top eigenvalue of Jᵀ S J over the image, exact",
        ADVRUSH, "lower", "that of jacobian_norm", "hessian", (), ("images", "gradients"),
        independent=True, cites=MOK,
    ),
    ProxySpec(
        "hessian_input", Later("proxies.hessian:hessian_input"),
        "eigenvalue of largest magnitude of the loss's Hessian over the image",
        ADVRUSH, "lower", EXACT_OR_LANCZOS, "hessian", (), NEEDS,
        independent=True, options=MAGNITUDE | {"method": "auto"} | ITERATIVE, cites=MOK,
    ),
    ProxySpec(
        "hessian_input_positive", Later("proxies.hessian:hessian_input"),
        "largest eigenvalue of the loss's Hessian over the image",
        ADVRUSH, "lower", EXACT_OR_LANCZOS, "hessian", (), NEEDS,
        independent=True, options=POSITIVE | {"method": "auto"} | ITERATIVE, cites=MOK,
    ),
    ProxySpec(
        "hessian_input_power", Later("proxies.hessian:hessian_input"),
        "hessian_input by power iteration",
        ADVRUSH, "lower", "3 passes a step, tens to hundreds of steps", "hessian", (), NEEDS,
        independent=True, options=MAGNITUDE | ITERATIVE | POWER, cites=MOK,
    ),
    ProxySpec(
        "hessian_params", Later("proxies.hessian_parameters:hessian_parameters"),
        "eigenvalue of largest magnitude of the loss's Hessian over the parameters",
        PYHESSIAN, "lower", LANCZOS, "hessian", (), NEEDS,
        options=MAGNITUDE | {"method": "lanczos"} | ITERATIVE, cites=YAO,
    ),
    ProxySpec(
        "hessian_params_positive", Later("proxies.hessian_parameters:hessian_parameters"),
        "largest eigenvalue of the loss's Hessian over the parameters",
        PYHESSIAN, "lower", LANCZOS, "hessian", (), NEEDS,
        options=POSITIVE | {"method": "lanczos"} | ITERATIVE, cites=YAO,
    ),
    ProxySpec(
        "hessian_params_power", Later("proxies.hessian_parameters:hessian_parameters"),
        "hessian_params by power iteration",
        PYHESSIAN, "lower", "6 passes a step, tens to hundreds of steps", "hessian", (), NEEDS,
        options=MAGNITUDE | ITERATIVE | POWER, cites=YAO,
    ),
    ProxySpec(
        "hessian_input_trace", Later("proxies.hessian_spectrum:hessian_input_trace"),
        "trace of the loss's Hessian over the image",
        PYHESSIAN, "lower", "that of jacobian_norm if piecewise linear, else 3 passes a sample",
        "hessian", (), NEEDS, independent=True, options={"method": "auto", "samples": 8},
    ),
    ProxySpec(
        "hessian_params_trace", Later("proxies.hessian_spectrum:hessian_params_trace"),
        "trace of the loss's Hessian over the parameters (Hutchinson)",
        PYHESSIAN, "lower", "6 passes a sample", "hessian", (), NEEDS, options={"samples": 8},
    ),
    ProxySpec(
        "hessian_params_negative", Later("proxies.hessian_spectrum:hessian_params_negative"),
        "share of the negative eigenvalues of that Hessian in Σ |λ| (stochastic Lanczos)",
        DENSITY, "lower", "6 passes a step", "hessian", (), NEEDS,
        options={"starts": 1, "steps": 16},
    ),
    ProxySpec(
        "hessian_params_entropy", Later("proxies.hessian_spectrum:hessian_params_entropy"),
        "entropy of that Hessian's eigenvalues |λ| / Σ |λ| (stochastic Lanczos)",
        DENSITY, "higher", "6 passes a step", "hessian", (), NEEDS,
        options={"starts": 1, "steps": 16},
    ),
)  # fmt: skip
