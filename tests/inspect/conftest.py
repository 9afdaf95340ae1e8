"""Every test works in a folder of its own."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _there(place):
    """Work in a new folder."""
