"""What all tests share: no network, quick and repeatable properties, and the mark of tests that need assets."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, settings

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

settings.register_profile("ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") else "dev")


def pytest_collection_modifyitems(items):
    if os.environ.get("MASKPREP_ASSETS"):
        return
    skip = pytest.mark.skip(reason="MASKPREP_ASSETS names no folder of tokenizers and templates")
    for item in items:
        if item.get_closest_marker("assets"):
            item.add_marker(skip)
