"""Recurrent layers step by step, where the steps are looked at.

On a CPU oneDNN computes an LSTM in float32 as one operation. Whoever watches a network's operations
would see no product with weights and no gate in it, though in float64, or on a GPU, he would.
"""

from typing import Any

import torch
from torch.overrides import TorchFunctionMode

__all__ = ["step_by_step"]


class step_by_step(TorchFunctionMode):  # noqa: N801 - used as a context manager
    """Let LSTMs be computed of matrix products and gates, inside the context."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is not torch.lstm:
            return func(*args, **(kwargs or {}))
        before = torch._C._get_mkldnn_enabled()  # `mkldnn.flags` sets, and warns about, more
        torch._C._set_mkldnn_enabled(False)
        try:
            return func(*args, **(kwargs or {}))
        finally:
            torch._C._set_mkldnn_enabled(before)
