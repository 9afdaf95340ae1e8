"""Models of transformers in float64 throughout, so that what is equal is seen to be equal."""

from __future__ import annotations

from contextlib import contextmanager
from unittest.mock import patch

import torch


@contextmanager
def throughout(dtype):
    """Let models take norms, angles and softmax in a dtype, too: transformers always takes float32 for these."""
    with (
        patch.object(torch, "float", dtype),
        patch.object(torch, "float32", dtype),
        patch.object(torch.Tensor, "float", lambda tensor: tensor.to(dtype)),
    ):
        yield
