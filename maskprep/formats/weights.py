"""How much a message counts in the loss, by the data's own word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from maskprep.errors import RowError
from maskprep.formats.names import WEIGHT_KEYS
from maskprep.formats.wording import QUOTED, kind


def read_weight(raw: Mapping[str, Any], at: str) -> float | None:
    """Read what the keys of ``WEIGHT_KEYS`` say, None where they say nothing; true is 1 and false 0.

    A number is more exact than true: ``{"train": true, "weight": 0.5}`` is 0.5. Raises RowError ``bad-weight``.
    """
    given = {key: raw[key] for key in WEIGHT_KEYS if raw.get(key) is not None}
    weights = {key: as_weight(value, f"{at}.{key}") for key, value in given.items()}
    if not weights:
        return None
    numbers = {weights[key] for key, value in given.items() if not isinstance(value, bool)}
    if len({bool(weight) for weight in weights.values()}) > 1 or len(numbers) > 1:
        message = f"{at}: {' and '.join(weights)} disagree on how much the message counts"
        raise RowError("bad-weight", message, "Keep one of them.")
    return numbers.pop() if numbers else next(iter(weights.values()))


def as_weight(value: object, at: str) -> float:
    """Read one weight. Raises RowError ``bad-weight``."""
    try:
        weight = float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:
        weight = math.inf
    if not (math.isfinite(weight) and weight >= 0):
        shown = str(value)[:QUOTED] if isinstance(value, (int, float)) else kind(value)
        message = f"{at} must be true, false or a finite number of 0 or more, not {shown}"
        raise RowError("bad-weight", message, "Use 0 for what is not to be trained, else 1.")
    return weight + 0.0  # -0.0 is 0.0
