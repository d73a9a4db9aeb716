"""Patterns and features of forward passes."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

NASWOT = "Mellor et al., ICML 2021, arXiv:2006.04647"
ZEN = "Lin et al., ICCV 2021, arXiv:2102.01063"
SWAP = "Peng et al., ICLR 2024, arXiv:2403.04161"
TENAS = "Chen, Gong and Wang, ICLR 2021, arXiv:2102.11535"
MECO = "Jiang, Wang and Bie, NeurIPS 2023"
NEAR = "Husistein, Reiher and Eckhoff, ICLR 2025, arXiv:2408.08776"
AZ_NAS = "Lee and Ham, CVPR 2024, arXiv:2403.19232"
WPCA = "Wang, ICLR 2025, arXiv:2504.15983"
SUITE = ("suite-zero",)

RECORDS = (
    ProxySpec(
        "nwot", Later("proxies.activation.patterns:nwot"),
        "log-determinant of how many ReLUs two samples share the state of",
        NASWOT, "higher", "1 forward", "activation", SUITE,
        cites=("mellor2021neural",),
    ),
    ProxySpec(
        "zen", Later("proxies.activation.zen:zen"),
        "how far the features of random networks move with their random input",
        ZEN, "higher", "2 forward a repeat", "activation", SUITE, (),
        options={"repeats": 4, "step": 0.01, "batch": 16},
        cites=("lin2021zen",),
    ),
    ProxySpec(
        "swap", Later("proxies.activation.patterns:swap"),
        "number of units that differ in their states over the samples",
        SWAP, "higher", "1 forward", "activation",
        cites=("peng2024swap",),
    ),
    ProxySpec(
        "swap_reg", Later("proxies.activation.patterns:swap_reg"),
        "swap times exp(−(P − μ)² / σ), P the parameters in millions",
        SWAP, "higher", "1 forward", "activation", options={"mu": 0.9, "sigma": 0.9},
        cites=("peng2024swap",),
    ),
    ProxySpec(
        "linear_regions", Later("proxies.activation.regions:linear_regions"),
        "number of linear regions that small random images fall into",
        TENAS, "higher", "1 forward of `samples` small images", "activation", (), (),
        options={"samples": 512, "size": 4},
        cites=("chen2021neural",),
    ),
    ProxySpec(
        "meco", Later("proxies.activation.meco:meco"),
        "sum over the convolutions of the least eigenvalue of their channels' correlations",
        MECO, "higher", "1 forward of one image", "activation", independent=True,
        options={"size": 64}, cites=("jiang2023meco",),
    ),
    ProxySpec(
        "near", Later("proxies.activation.near:near"),
        "effective ranks of what enters and leaves the non-linearities",
        NEAR, "higher", "1 forward", "activation", cites=("husistein2025near",),
    ),
    ProxySpec(
        "near_reference", Later("proxies.activation.near:near_reference"),
        "near as its code has it: outputs of all modules with a weight, neighbouring rows",
        NEAR, "higher", "2 forward", "activation", cites=("husistein2025near",),
    ),
    ProxySpec(
        "az_expressivity", Later("proxies.activation.az_nas:az_expressivity"),
        "entropy of the spectrum of the features, summed over the blocks",
        AZ_NAS, "higher", "2 forward", "activation",
        cites=("lee2024aznas",),
    ),
    ProxySpec(
        "az_progressivity", Later("proxies.activation.az_nas:az_progressivity"),
        "by how much at least a block adds to that entropy",
        AZ_NAS, "higher", "2 forward", "activation",
        cites=("lee2024aznas",),
    ),
    ProxySpec(
        "az_trainability", Later("proxies.activation.az_nas:az_trainability"),
        "how well the blocks keep the size of a random gradient",
        AZ_NAS, "higher", "2 forward, 1 backward", "activation", (), ("images", "gradients"),
        cites=("lee2024aznas",),
    ),
    ProxySpec(
        "wpca", Later("proxies.activation.wpca:wpca"),
        "parameters times the principal components of the hidden features (transformers)",
        WPCA, "higher", "1 forward", "activation", options={"share": 0.99},
        cites=("wang2025wpca",),
    ),
)  # fmt: skip
