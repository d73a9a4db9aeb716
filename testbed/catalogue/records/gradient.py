"""Statistics of the gradients of samples and of parts of the batch, and the tangent kernel."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

ZICO = "Li et al., ICLR 2023, arXiv:2301.11300"
GRADSIGN = "Zhang and Jia, ICLR 2022, arXiv:2110.08616"
TENAS = "Chen, Gong and Wang, ICLR 2021, arXiv:2102.11535"
VKDNW = "Týbl and Neumann, CVPR 2025, arXiv:2502.04975"
LSWAG = "Casarin, Escalera and Lanz, CVPR 2025, arXiv:2505.07300"
LOSS, LOGITS = ("images", "labels", "gradients"), ("images", "gradients")

RECORDS = (
    ProxySpec(
        "zico", Later("proxies.gradient.zico:zico"),
        "Σ_l log Σ_w E|g| / std|g| over parts of the batch",
        ZICO, "higher", "`parts` of 1 forward, 1 backward", "gradient", (), LOSS,
        options={"parts": 2},
        cites=("li2023zico",),
    ),
    ProxySpec(
        "zico_reference", Later("proxies.gradient.zico:zico_reference"),
        "zico with the deviation of the signed gradient, as its code has it",
        ZICO, "higher", "that of zico", "gradient", (), LOSS, options={"parts": 2},
        cites=("li2023zico",),
    ),
    ProxySpec(
        "gradsign", Later("proxies.gradient.gradsign:gradsign"),
        "in how many weights the samples' gradients have one sign",
        GRADSIGN, "higher", "1 forward, 1 backward a sample", "gradient", (), LOSS,
        independent=True,
        cites=("zhang2022gradsign",),
    ),
    ProxySpec(
        "ntk_cond", Later("proxies.gradient.ntk:ntk_cond"),
        "condition number of the tangent kernel of the summed logits",
        TENAS, "lower", "1 forward, 1 backward a sample", "gradient", (), LOGITS,
        independent=True,
        cites=("chen2021neural",),
    ),
    ProxySpec(
        "vkdnw", Later("proxies.gradient.vkdnw:vkdnw"),
        "layers plus the entropy of the Fisher information's spectrum over a few weights",
        VKDNW, "higher", "1 forward, K backward a sample", "gradient", (), LOGITS,
        independent=True, options={"tensors": 128}, cites=("tybl2025training",),
    ),
    ProxySpec(
        "vkdnw_entropy", Later("proxies.gradient.vkdnw:vkdnw_entropy"),
        "entropy of the Fisher information's spectrum over a few weights",
        VKDNW, "higher", "that of vkdnw", "gradient", (), LOGITS,
        independent=True, options={"tensors": 128}, cites=("tybl2025training",),
    ),
    ProxySpec(
        "vkdnw_reference", Later("proxies.gradient.vkdnw:vkdnw_reference"),
        "vkdnw as its code has it: parameter tensors plus the entropy of another matrix",
        VKDNW, "higher", "that of vkdnw", "gradient", (), LOGITS,
        independent=True, options={"tensors": 128}, cites=("tybl2025training",),
    ),
    ProxySpec(
        "lswag", Later("proxies.gradient.lswag:lswag"),
        "steadiness of the samples' gradients times the number of distinct units",
        LSWAG, "higher", "1 forward, 1 backward a sample", "gradient", (), LOSS,
        independent=True, cites=("casarin2025lswag",),
    ),
)  # fmt: skip
