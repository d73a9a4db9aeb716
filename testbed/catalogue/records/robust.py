"""Made for robustness: attacked inputs, smoothness, margins, kernels."""

from testbed.basis.lazy import Later
from testbed.catalogue.spec import ProxySpec

__all__ = ["RECORDS"]

CURE = "Moosavi-Dezfooli et al., CVPR 2019, arXiv:1811.09716"
ADVRUSH = "Mok et al., ICCV 2021, arXiv:2108.01289"
FGSM = "Goodfellow et al., ICLR 2015, arXiv:1412.6572"
LLR = "Qin et al., NeurIPS 2019, arXiv:1907.02610"
DEEPFOOL = "Moosavi-Dezfooli et al., CVPR 2016, arXiv:1511.04599"
CLEVER = "Weng et al., ICLR 2018, arXiv:1801.10578"
DSRNA = "own, after Hosseini et al., CVPR 2021, arXiv:2012.06122"
ROBUST_NTK = "arXiv:2403.13134"
FENG = "Feng et al., ICLR 2025"
UNIVERSAL = "Moosavi-Dezfooli et al., CVPR 2017, arXiv:1610.08401"
FOURIER = "Yin et al., NeurIPS 2019, arXiv:1906.08988"
CROZE = "Ha, Kim and Hwang, NeurIPS 2023, arXiv:2306.05031"
OWN = "own"
LOSS = ("images", "labels", "gradients")
JACOBIAN = "that of jacobian_norm"
ONE, TWO = "1 forward, 1 backward", "2 forward, 2 backward"


def _spec(
    name: str, place: str, summary: str, reference: str, better: str, cost: str,
    needs: tuple[str, ...] = LOSS, independent: bool = True, **options: object,
) -> ProxySpec:  # fmt: skip
    return ProxySpec(
        name, Later(f"proxies.robust.{place}:{name}"), summary, reference, better, cost, "robust",
        (), needs, independent=independent, options=options,
    )  # fmt: skip


RECORDS = (
    _spec(
        "curvature", "curvature",
        "turn of the loss's gradient along its sign, over the length of the step",
        CURE, "lower", TWO, h=1.5,
    ),
    _spec(
        "advrush", "curvature",
        "the same as AdvRush's code has it: h = 3, not divided by it",
        ADVRUSH, "lower", TWO, h=3.0,
    ),
    _spec(
        "fgsm_rise", "attacked",
        "relative rise of the loss under a step of ε along the gradient's sign",
        FGSM, "lower", "2 forward, 1 backward", epsilon=1.0,
    ),
    _spec(
        "local_nonlinearity", "attacked",
        "share of the first-order rise of the loss under that step which fails to come",
        LLR, "lower", "2 forward, 1 backward", epsilon=1.0,
    ),
    _spec(
        "flipped_relus", "attacked",
        "share of ReLUs that change their state under that step",
        OWN, "lower", "3 forward, 1 backward", epsilon=1.0,
    ),
    _spec(
        "first_order_radius", "radius",
        "ℓ∞ distance to the nearest class to first order, logits standardised over the batch",
        DEEPFOOL, "higher", JACOBIAN,
    ),
    _spec(
        "first_order_radius_predicted", "radius",
        "the same from the class that the network predicts",
        DEEPFOOL, "higher", JACOBIAN, ("images", "gradients"),
    ),
    _spec(
        "clever", "clever",
        "margin over the largest slope that extreme-value theory expects in a ball",
        CLEVER, "higher", "`images` · `batches` · `samples` Jacobians",
        ("images", "gradients"), images=4, batches=10, samples=2, radius=8.0, norm="inf",
    ),
    _spec(
        "norm_bound", "norm_bound",
        "logarithm of a bound of how far a perturbation is carried, from the layers' norms",
        DSRNA, "lower", "1 forward of two images, and norms of the weights", ("images",),
    ),
    _spec(
        "robust_ntk", "tangent",
        "smallest eigenvalue of the tangent kernel of clean and attacked images",
        ROBUST_NTK, "higher", "2 forward, 2 backward, image by image", epsilon=1.0, beta=0.5,
    ),
    _spec(
        "robust_zcp", "tangent",
        "−t · mean product of gradients − log of the squared curvature",
        FENG, "higher", "3 forward, 3 backward", t=1.0, h=3.0,
    ),
    _spec(
        "croze", "croze",
        "consistency of features, weights and gradients with a perturbed network's",
        CROZE, "higher", "4 forward, 3 backward", LOSS, False, beta=2.0, epsilon=2.55, rate=0.1,
    ),
    _spec(
        "croze_reference", "croze_reference",
        "croze as its code has it: positive weights, no batch norm, cosines added up",
        CROZE, "higher", "7 forward, 3 backward in float64", LOSS, False, beta=2.0, step=0.01,
    ),
    _spec(
        "gradient_alignment", "frequencies",
        "mean cosine between the loss's gradients of different images",
        UNIVERSAL, "lower", ONE,
    ),
    _spec(
        "gradient_alignment_low", "frequencies",
        "the same of the gradients' low frequencies",
        UNIVERSAL, "lower", ONE, band=0.125,
    ),
    _spec(
        "jacobian_spectrum", "frequencies",
        "share of the Jacobian's energy at high spatial frequencies",
        FOURIER, "lower", JACOBIAN, ("images", "gradients"), cutoff=0.25,
    ),
    _spec(
        "positive_receptive_field", "positive",
        "number of pixels that a feature averages with weights |θ|",
        OWN, "higher", "1 forward, 1 backward of one image in float64", ("gradients",), False,
    ),
    _spec(
        "positive_leak", "positive",
        "high frequencies that pass with weights |θ|, relative to the mean",
        OWN, "lower", "1 forward, 1 backward of one image in float64", ("gradients",), False,
        cutoff=0.3,
    ),
)  # fmt: skip
