"""An ensemble of small networks, all trained at once: a mean and a spread of predictions."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ensemble"]

Array = NDArray[np.float32]
BETA1, BETA2, TINY = 0.9, 0.999, 1e-8


class Ensemble:
    """Multilayer perceptrons with ReLUs, trained by Adam on the absolute error.

    Each has its own initial weights. The parameters lie in one array, so that a step of
    all networks is a handful of NumPy calls: they are too small for anything heavier.

    Args:
        features: F, the number of features of an input.
        source: the generator of the initial weights.
        networks: the number of networks in the ensemble.
        hidden: the widths of the hidden layers.
    """

    def __init__(
        self,
        features: int,
        source: np.random.Generator,
        networks: int = 5,
        hidden: Sequence[int] = (20, 20, 20),
    ) -> None:
        widths = [*hidden, 1]
        sizes = [(a, b) for a, b in pairwise([features, *widths])]
        total = sum(networks * (a + 1) * b for a, b in sizes)
        self._flat, self._gradient = np.zeros(total, np.float32), np.zeros(total, np.float32)
        self._weights, self._weight_gradients = [], []
        self._biases, self._bias_gradients = [], []
        start = 0
        for a, b in sizes:
            for shape, values, gradients in (
                ((networks, a, b), self._weights, self._weight_gradients),
                ((networks, 1, b), self._biases, self._bias_gradients),
            ):
                stop = start + int(np.prod(shape))
                values.append(self._flat[start:stop].reshape(shape))
                gradients.append(self._gradient[start:stop].reshape(shape))
                start = stop
            limit = np.sqrt(6 / (a + b))  # Glorot and Bengio 2010
            self._weights[-1][:] = source.uniform(-limit, limit, (networks, a, b))
        self._centre, self._scale = 0.0, 1.0

    def fit(self, inputs: Array, targets: Sequence[float], steps: int, rate: float = 0.01) -> None:
        """Train on all inputs (n, F) at once, for this number of steps of Adam."""
        wanted = np.asarray(targets, dtype=np.float64)
        self._centre, self._scale = float(wanted.mean()), float(wanted.std()) or 1.0
        scaled = ((wanted - self._centre) / self._scale).astype(np.float32)[None, :, None]
        first, second = np.zeros_like(self._flat), np.zeros_like(self._flat)
        for step in range(1, steps + 1):
            self._backward(inputs, scaled)
            first += (1 - BETA1) * (self._gradient - first)
            second += (1 - BETA2) * (self._gradient**2 - second)
            length = rate * np.sqrt(1 - BETA2**step) / (1 - BETA1**step)
            self._flat -= np.float32(length) * first / (np.sqrt(second) + np.float32(TINY))

    def predict(self, inputs: Array) -> tuple[Array, Array]:
        """Return the mean and the standard deviation of the networks' predictions, (n,) each."""
        outputs = self._forward(inputs)[-1][..., 0] * self._scale + self._centre
        return outputs.mean(axis=0), outputs.std(axis=0)

    def _forward(self, inputs: Array) -> list[Array]:
        layers = [inputs]
        for number, (weight, bias) in enumerate(zip(self._weights, self._biases, strict=True)):
            output = layers[-1] @ weight + bias  # (networks, n, width)
            if number + 1 < len(self._weights):
                np.maximum(output, 0, out=output)
            layers.append(output)
        return layers

    def _backward(self, inputs: Array, targets: Array) -> None:
        layers = self._forward(inputs)
        delta = np.sign(layers[-1] - targets) / np.float32(len(inputs))
        for number in reversed(range(len(self._weights))):
            below = layers[number]
            np.matmul(np.swapaxes(below, -1, -2), delta, out=self._weight_gradients[number])
            np.sum(delta, axis=1, keepdims=True, out=self._bias_gradients[number])
            if number:
                delta = delta @ np.swapaxes(self._weights[number], -1, -2)
                delta *= below > 0
