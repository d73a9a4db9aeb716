"""What every score should be, in float64 and by the plainest means; no code of the toolkit.

Jacobians are loops of ``torch.autograd.grad``; Hessians are differences of gradients, see
`spectrum`.
"""

from collections.abc import Callable
from copy import deepcopy
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from torch.nn.modules.batchnorm import _BatchNorm

from tests.zoo.spectrum import OracleError, Spectra, ends

__all__ = ["Oracle", "OracleError", "calibrate", "forget"]


def calibrate(network: nn.Module, images: Tensor) -> None:
    """Set running statistics to the mean and unbiased variance of one pass, in place.

    In that pass each batch norm normalises with its own batch's biased statistics.
    """
    found: dict[_BatchNorm, tuple[Tensor, Tensor]] = {}

    def look(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, _BatchNorm)
        if norm in found:
            raise OracleError("a batch norm is called twice: it has no statistics of one pass")
        rows = inputs[0].transpose(0, 1).flatten(1)  # (C, everything else)
        found[norm] = rows.mean(1), rows.var(1, correction=1)

    network.eval()
    norms = [layer for layer in network.modules() if isinstance(layer, _BatchNorm)]
    hooks = [norm.train().register_forward_pre_hook(look) for norm in norms]
    with torch.no_grad():
        network(images)
    for hook in hooks:
        hook.remove()
    network.eval()
    for norm in norms:
        # A norm that no image reaches stays fresh.
        mean, variance = found.get(norm, (torch.zeros(()), torch.ones(())))
        assert norm.running_mean is not None
        assert norm.running_var is not None
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
    for norm in norms:
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked.fill_(1)


def forget(network: nn.Module) -> None:
    """Drop what LeViT and TinyViT made of their parameters and keep in eval mode."""
    network.train().eval()


class Oracle:
    """The scores of one network, whose samples are independent, on one batch.

    Args:
        network: in eval mode with its final statistics; it is copied.
        images: (B, C, H, W).
        labels: (B,).
    """

    def __init__(self, network: nn.Module, images: Tensor, labels: Tensor) -> None:
        self.network = deepcopy(network).double()
        forget(self.network)
        self.images, self.labels = images.double(), labels
        self._found: dict[str, Spectra | OracleError] = {}

    @cached_property
    def logits(self) -> np.ndarray:
        """(B, K)."""
        with torch.no_grad():
            return self.network(self.images).numpy()

    @cached_property
    def jacobians(self) -> np.ndarray:
        """(B, K, D), one backward pass of the batch for each logit of each image."""
        images = self.images.clone().requires_grad_()
        logits = self.network(images)
        rows = np.empty((*logits.shape, images[0].numel()))
        for i, k in np.ndindex(*logits.shape):
            (gradient,) = torch.autograd.grad(logits[i, k], images, retain_graph=True)
            rows[i, k] = gradient[i].flatten()
            if gradient.count_nonzero() != gradient[i].count_nonzero():
                raise OracleError(f"the logits of image {i} depend on other images")
        return rows

    @property
    def jacobian_norm(self) -> float:
        return float(np.linalg.norm(self.jacobians, axis=(1, 2)).mean())

    @property
    def gauss_newton_input(self) -> float:
        """The mean top eigenvalue of J Jᵀ S, which is that of Jᵀ S J."""
        tops = []
        for logits, J in zip(self.logits, self.jacobians, strict=True):
            p = np.exp(logits - logits.max())
            p /= p.sum()
            S = np.diag(p) - np.outer(p, p)
            tops.append(np.linalg.eigvals(J @ J.T @ S).real.max())
        return float(np.mean(tops))

    def input_ends(self) -> Spectra:
        """Return the ends of the spectrum of each image's Hessian over its own pixels."""
        return self._once("input", self._input_ends)

    def parameter_ends(self) -> Spectra:
        """Return the ends of the spectrum of the mean loss's Hessian over the parameters."""
        return self._once("parameters", self._parameter_ends)

    def _once(self, name: str, compute: Callable[[], Spectra]) -> Spectra:
        # A failure, too, is dear.
        if name not in self._found:
            try:
                self._found[name] = compute()
            except OracleError as error:
                self._found[name] = error
        found = self._found[name]
        if isinstance(found, OracleError):
            raise found
        return found

    def _input_ends(self) -> Spectra:
        return [
            ends(lambda v, h, i=i: self._input_product(i, v, h), self.images[i].numel())
            for i in range(len(self.images))
        ]

    def _input_product(self, i: int, vector: np.ndarray, step: float) -> np.ndarray:
        length = np.linalg.norm(vector)
        move = torch.from_numpy(step * vector / length).view_as(self.images[i])
        pair = torch.stack([self.images[i] + move, self.images[i] - move]).requires_grad_()
        loss = cross_entropy(self.network(pair), self.labels[i].expand(2), reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pair)
        return length * (gradient[0] - gradient[1]).flatten().numpy() / (2 * step)

    def _parameter_ends(self) -> Spectra:
        parameters = list(self.network.parameters())
        before = [parameter.detach().clone() for parameter in parameters]

        def gradient(move: Tensor) -> np.ndarray:
            pieces = move.split([parameter.numel() for parameter in parameters])
            with torch.no_grad():
                for parameter, value, piece in zip(parameters, before, pieces, strict=True):
                    parameter.copy_(value + piece.view_as(value))
            forget(self.network)
            loss = cross_entropy(self.network(self.images), self.labels)
            found = torch.autograd.grad(loss, parameters, materialize_grads=True)
            return torch.cat([part.flatten() for part in found]).numpy()

        def product(vector: np.ndarray, step: float) -> np.ndarray:
            length = np.linalg.norm(vector)
            move = torch.from_numpy(step * vector / length)
            return length * (gradient(move) - gradient(-move)) / (2 * step)

        size = sum(parameter.numel() for parameter in parameters)
        try:
            return [ends(product, size)]
        finally:
            gradient(torch.zeros(size))  # puts the parameters back
