"""Where the assets lie: a folder of tokenizers and templates, and real conversations beside the checkout."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from bundled import ROOT


@pytest.fixture(scope="session")
def assets():
    return Path(os.environ["MASKPREP_ASSETS"])


@pytest.fixture(scope="session")
def conversations():
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no folder of real conversations beside the checkout")
    return folder
