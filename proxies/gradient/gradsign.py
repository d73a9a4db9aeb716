"""GradSign: in how many weights the samples ask for a step of one sign.

Zhang and Jia, "GradSign: Model Performance Inference with Theoretical Insights", ICLR 2022,
equation 9.
"""

from proxies.part_gradients import loss_of, part_gradients
from proxies.probe import Probe, Score

__all__ = ["gradsign"]


def gradsign(probe: Probe) -> Score:
    """Return Σ_w |Σ_i sign ∂L_i/∂w|, a sum over all weights and samples of the batch.

    One of the authors' two codes takes the mean over the weights, which cancels the size of the
    network; it is in the details.
    """
    total, count = 0.0, 0
    for group in part_gradients(probe, len(probe.images), loss_of):
        for rows in group.values():
            total += float(rows.sign().sum(0).abs().double().sum())
            count += rows.shape[1]
    return Score(total, details={"mean": total / count})
