"""The zoo: real architectures of timm and transformers, made small, with random weights.

A source is a name of timm, or the path of a function or class; a text among the settings that
is such a path stands for what it names. So this table needs none of the libraries.
"""

import importlib
import os
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from tests.zoo.without_torchvision import zoo_library

__all__ = ["CLASSES", "ZOO", "Architecture", "chosen", "whole"]

CLASSES = 5


@dataclass(frozen=True, eq=False)
class Architecture:
    """One network: its name and family, where it comes from, its images' height and width."""

    name: str
    family: str
    source: str
    pixels: int = 32
    settings: dict[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Return the network, the same at each call, or skip the test without its library."""
        library = zoo_library("transformers" if "transformers" in self.source else "timm")
        settings = {key: _named(value) for key, value in self.settings.items()}
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if library.__name__ == "transformers":
                config = _named(f"{self.source}Config")(num_labels=CLASSES, **settings)
                network = Logits(_named(f"{self.source}ForImageClassification")(config))
            elif "." in self.source:
                network = _named(self.source)(num_classes=CLASSES, **settings)
            else:
                network = library.create_model(self.source, num_classes=CLASSES, **settings)
            return _roughen(network).eval()


class Logits(nn.Module):
    """A classifier of transformers, whose output is a record, as a map to logits."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> Tensor:
        return self.model(images).logits


def _named(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith(("timm.", "torch.", "transformers.")):
        return value
    path, _, name = value.rpartition(".")
    return getattr(importlib.import_module(path), name)


def _roughen(network: nn.Module) -> nn.Module:
    """Give every layer something to do, and every parameter a value of its own, in place.

    Fresh networks hide faults: last batch norms of a block with weight 0, layer scales of 1e-5,
    heads of zeros, biases of 0, and transformers so small (.02) that attention is uniform.
    """
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            constant = bool((parameter == parameter.flatten()[0]).all())
            if parameter.numel() > max(parameter.shape, default=1):  # a matrix, an embedding
                usual = (parameter.shape[0] / parameter.numel()) ** 0.5
                if constant:
                    parameter.normal_(std=usual)
                else:
                    parameter.mul_(max(1.0, usual / float(parameter.std())))
            elif constant and name.endswith("bias"):
                parameter.normal_(std=0.1)
            elif constant:
                parameter.uniform_(0.5, 1.5)
    return network


def _stage(branches: int, block: str = "BASIC") -> dict[str, Any]:
    ones, widths = (1,) * branches, (4, 8, 12, 16)[:branches]
    names = ("num_modules", "num_branches", "block_type", "num_blocks", "num_channels")
    return dict(zip(names, (1, branches, block, ones, widths), strict=True)) | {
        "fuse_method": "SUM"
    }


WIDTHS, ONES = (16, 24, 32, 48), (1, 1, 1, 1)
HRNET = {"stem_width": 16, "stage1": _stage(1, "BOTTLENECK")}
HRNET |= {f"stage{i}": _stage(i) for i in (2, 3, 4)}
XCEPTION = [
    {"in_chs": 64, "out_chs": 24, "stride": 2}, {"in_chs": 24, "out_chs": 24, "stride": 1},
    {"in_chs": 24, "out_chs": 32, "stride": 2},
    {"in_chs": 32, "out_chs": 48, "stride": 1, "no_skip": True},
]  # fmt: skip
HARDCORE = [
    ["ds_r1_k3_s1_e1_c16_nre"], ["ir_r1_k5_s2_e3_c24_nre", "ir_r1_k5_s1_e3_c24_nre_se0.25"],
    ["ir_r1_k5_s2_e6_c32_se0.25"], ["cn_r1_k1_s1_c96"],
]  # fmt: skip
REGNET = {"depth": 6, "w0": 8, "wa": 8.0, "wm": 2.0, "group_size": 8}
PATCHES = {"img_size": 32, "patch_size": 8}
VIT = PATCHES | {"depth": 2, "embed_dim": 48, "num_heads": 3}
MLP = PATCHES | {"num_blocks": 2, "embed_dim": 48}
VGG = {"cfg": [8, "M", 16, "M", 24, 24, "M", 32, "M"], "mlp_ratio": 1 / 64}
T, MIXER = "timm.models.", "timm.models.mlp_mixer."
LAYERS_BN = "torch.nn.BatchNorm2d"


def _of(name: str, family: str, source: str = "", pixels: int = 32, /, **settings: Any):
    return Architecture(name, family, source or name, pixels, settings)


ZOO = (
    _of("resnet10t", "resnet", stem_width=8, channels=(8, 16, 24, 32)),
    _of("resnext50", "resnext", "resnext50_32x4d", layers=ONES, cardinality=4, base_width=16,
        channels=WIDTHS, stem_width=8),
    _of("seresnet18", "squeeze-excite", layers=ONES, channels=WIDTHS),
    _of("res2net50", "res2net", "res2net50_26w_4s", layers=ONES, channels=(8, 12, 16, 24),
        base_width=16),
    _of("densenet121", "densenet", growth_rate=8, block_config=(2, 2, 2, 2)),
    _of("vgg", "vgg", T + "vgg.VGG", **VGG),
    _of("vgg_bn", "vgg", T + "vgg.VGG", **VGG, norm_layer=LAYERS_BN),
    _of("mobilenetv2", "mobilenet", "mobilenetv2_035", 64),
    _of("mobilenetv3", "mobilenet", "mobilenetv3_small_050", 64),
    _of("efficientnet_lite0", "efficientnet", T + "efficientnet._gen_efficientnet_lite", 64,
        variant="efficientnet_lite0", channel_multiplier=0.25, depth_multiplier=0.3),
    _of("efficientnet_b0", "efficientnet", T + "efficientnet._gen_efficientnet", 64,
        variant="efficientnet_b0", channel_multiplier=0.25, depth_multiplier=0.3),
    _of("regnetx", "regnet", "regnetx_002", **REGNET),
    _of("regnety", "regnet", "regnety_002", **REGNET),
    _of("convnext", "convnext", "convnext_atto", depths=ONES, dims=WIDTHS),
    _of("ghostnet", "ghostnet", "ghostnet_050"),
    _of("hardcorenas", "hardcorenas", T + "hardcorenas._gen_hardcorenas", pretrained=False,
        variant="hardcorenas_a", arch_def=HARDCORE),
    _of("inception_next", "inception", T + "inception_next.MetaNeXt", depths=ONES, dims=WIDTHS,
        token_mixers=(T + "inception_next.InceptionDWConv2d")),
    _of("xception41", "xception", block_cfg=XCEPTION),
    _of("dla46_c", "dla", "dla46_c", 64, levels=(1, 1, 1, 2, 1, 1),
        channels=(8, 8, 16, 16, 24, 32)),
    _of("hrnet", "hrnet", T + "hrnet.HighResolutionNet", cfg=HRNET),
    _of("repvgg", "repvgg", "repvgg_a0", stem_chs=8, width_factor=0.1),
    _of("nf_resnet26", "normaliser-free", depths=ONES, channels=WIDTHS, stem_chs=8),
    _of("nfnet", "normaliser-free", "test_nfnet"),
    _of("starnet", "starnet", T + "starnet.StarNet", base_dim=16, depths=ONES, mlp_ratio=3),
    _of("rexnet", "rexnet", T + "rexnet.RexNet", 64, width_mult=0.3, depth_mult=0.5, final_chs=60),
    _of("vit_tiny", "vit", "vit_tiny_patch16_224", **VIT),
    _of("deit_tiny", "deit", "deit_tiny_distilled_patch16_224", **VIT),
    _of("cait", "cait", "cait_xxs24_224", **VIT, depth_token_only=1),
    _of("xcit", "xcit", "xcit_nano_12_p8_224", img_size=32, depth=2, embed_dim=48,
        num_heads=3),
    _of("pit", "pit", "pit_ti_224", **PATCHES, stride=4, base_dims=(16,) * 3, depth=(1,) * 3,
        heads=(1, 2, 4)),
    _of("swin", "swin", "swin_tiny_patch4_window7_224", img_size=32, window_size=4, depths=(2, 2),
        embed_dim=16, num_heads=(1, 2)),
    _of("coat_lite", "coat", "coat_lite_tiny", img_size=32, embed_dims=WIDTHS,
        serial_depths=ONES),
    _of("levit", "levit", "levit_128s", 96, img_size=96, embed_dim=(32, 48, 64), key_dim=8,
        num_heads=(2, 3, 4), depth=(1, 1, 1)),
    _of("mixer", "mlp", MIXER + "MlpMixer", **MLP),
    _of("resmlp", "mlp", MIXER + "MlpMixer", **MLP, mlp_ratio=4,
        block_layer=MIXER + "ResBlock", norm_layer=MIXER + "Affine"),
    _of("gmlp", "mlp", MIXER + "MlpMixer", **MLP, mlp_ratio=6,
        mlp_layer="timm.layers.GatedMlp", block_layer=MIXER + "SpatialGatingBlock"),
    _of("convmixer", "convmixer", T + "convmixer.ConvMixer", dim=32, depth=3, kernel_size=5,
        patch_size=4),
    _of("poolformer", "poolformer", T + "metaformer.MetaFormer", depths=ONES, dims=WIDTHS,
        norm_layers=T + "metaformer.GroupNorm1"),
    _of("mobilevit", "mobilevit", "mobilevit_xxs"),
    _of("tiny_vit", "tiny_vit", "tiny_vit_5m_224", embed_dims=WIDTHS, depths=ONES,
        num_heads=(1, 2, 2, 3), window_sizes=(4, 4, 4, 2)),
    _of("edgenext", "edgenext", "edgenext_xx_small", depths=(1, 1, 2, 1), dims=(8, 16, 24, 32)),
    _of("fastvit", "fastvit", "fastvit_t8", layers=ONES, embed_dims=(16, 32, 64, 128)),
    _of("repvit", "repvit", T + "repvit.RepVit", embed_dim=WIDTHS, depth=ONES),
    _of("ViT", "vit", "transformers.ViT", image_size=32, patch_size=8, hidden_size=48,
        num_hidden_layers=2, num_attention_heads=3, intermediate_size=96),
    _of("ConvNextV2", "convnext", "transformers.ConvNextV2", depths=ONES, hidden_sizes=WIDTHS),
    _of("ResNet", "resnet", "transformers.ResNet", embedding_size=8, hidden_sizes=WIDTHS,
        depths=ONES, layer_type="basic"),
    _of("MobileViT", "mobilevit", "transformers.MobileViT", image_size=32,
        hidden_sizes=[16, 24, 32], neck_hidden_sizes=[8, 8, 16, 16, 24, 32, 64]),
)  # fmt: skip
SAMPLE = ("resnet10t", "densenet121", "convnext", "vit_tiny")


def whole() -> bool:
    """Say whether the environment asks for the whole zoo: ``ZOO=all``."""
    return os.environ.get("ZOO") == "all"


def chosen() -> tuple[Architecture, ...]:
    """Return the whole zoo where it is asked for, else a sample of it."""
    return ZOO if whole() else tuple(item for item in ZOO if item.name in SAMPLE)
