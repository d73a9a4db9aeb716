"""Gradients of a loss over the weights, and the weights themselves."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

ZERO_COST = "Abdelfattah et al., ICLR 2021, arXiv:2101.08134"
SNIP = "Lee, Ajanthan and Torr, ICLR 2019, arXiv:1810.02340"
SKELETON = "Mozer and Smolensky, NeurIPS 1988"
GRASP = "Wang, Zhang and Grosse, ICLR 2020, arXiv:2002.07376"
FISHER = "Turner et al., ICLR 2020, arXiv:1906.04113; Theis et al. 2018, arXiv:1801.05787"
SYNFLOW = "Tanaka et al., NeurIPS 2020, arXiv:2006.05467"
SUITE = ("suite-zero",)
LOSS = ("images", "labels", "gradients")
ONE_BACKWARD = "1 forward, 1 backward"

RECORDS = (
    ProxySpec(
        "grad_norm", Later("proxies.saliency:grad_norm"),
        "sum over the layers of the norm of the loss's gradient over their weights",
        ZERO_COST, "higher", ONE_BACKWARD, "saliency", SUITE, LOSS,
        cites=("abdelfattah2021zero",),
    ),
    ProxySpec(
        "snip", Later("proxies.saliency:snip"),
        "Σ |θ ∘ g| over the weights",
        SNIP, "higher", ONE_BACKWARD, "saliency", SUITE, LOSS,
        cites=("lee2019snip",),
    ),
    ProxySpec(
        "plain", Later("proxies.saliency:plain"),
        "Σ θ ∘ g over the weights",
        SKELETON, "higher", ONE_BACKWARD, "saliency", SUITE, LOSS,
        cites=("mozer1988skeletonization",),
    ),
    ProxySpec(
        "fisher", Later("proxies.saliency:fisher"),
        "squared derivative of the loss over a gate of each channel, counted once a weight",
        FISHER, "higher", ONE_BACKWARD, "saliency", SUITE, LOSS,
        cites=("turner2020blockswap",),
    ),
    ProxySpec(
        "grasp", Later("proxies.grasp:grasp"),
        "−Σ θ ∘ (H g) over the weights, H the loss's Hessian over them",
        GRASP, "higher", "3 forward, 3 backward", "saliency", SUITE, (*LOSS, "second order"),
        cites=("wang2020picking",),
    ),
    ProxySpec(
        "synflow", Later("proxies.synflow:synflow"),
        "log Σ θ ∘ ∂R/∂θ, R the sum of the logits of an image of ones with weights |θ|",
        SYNFLOW, "higher", "1 forward, 1 backward of one image in float64", "saliency", SUITE,
        ("gradients",),
        cites=("tanaka2020pruning",),
    ),
    ProxySpec(
        "l2_norm", Later("proxies.saliency:l2_norm"),
        "sum over the layers of the norm of their weights",
        ZERO_COST, "higher", "1 forward", "saliency", SUITE, (),
        cites=("abdelfattah2021zero",),
    ),
)  # fmt: skip
