"""The clock of transformers stands still, where maskprep's does."""

from __future__ import annotations

import pytest

from law.comparing import FrozenClock


@pytest.fixture(autouse=True)
def frozen_clock(monkeypatch):
    monkeypatch.setattr("transformers.utils.chat_template_utils.datetime", FrozenClock)
