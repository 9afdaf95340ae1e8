"""A row read, or refused with a reason and a hint."""

from __future__ import annotations

from typing import Any

import pytest

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.formats import Reading

Row = dict[str, Any]


def read(row: Row, **keys: Any) -> Conversation:
    return Reading(**keys).parse(row)


def refused(row: Row, **keys: Any) -> RowError:
    with pytest.raises(RowError) as caught:
        read(row, **keys)
    assert caught.value.hint
    return caught.value
