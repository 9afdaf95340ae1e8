"""One clean build, and a small model, for all tests of the checks."""

from __future__ import annotations

import planting
import pytest
import torch

from maskprep.verify.models import random_model


@pytest.fixture(scope="session", autouse=True)
def _one_core():
    torch.set_num_threads(1)  # the models are tiny, and the tests may run side by side


@pytest.fixture(scope="session")
def clean(tmp_path_factory):
    return planting.build(tmp_path_factory.mktemp("clean"))


@pytest.fixture(scope="session")
def runner():
    return random_model(300, 64, torch.device("cpu"), seed=1)
