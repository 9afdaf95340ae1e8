"""One core for all tests of collators: the models are tiny, and the tests may run side by side."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(scope="session", autouse=True)
def _one_core():
    torch.set_num_threads(1)
