"""The weight of a message in the loss, by the data's own keys.

The names are those of trainers and of published data sets, and their polarity differs: most say what is trained, a few
what is not.

    weight            a number, 0 to leave it out         OpenAI, Mistral, Together
    train, training   yes or no                           Axolotl
    loss, loss_scale  yes or no; a number                 ms-swift, XTuner
    loss_mask         1: trained                          published agent data, slime's step_loss_mask
    masked            true: NOT trained                   torchtune
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

from maskprep.errors import RowError
from maskprep.formats.wording import QUOTED, kind

TRAINED_KEYS = (
    *("weight", "train", "training", "loss_weight", "loss", "loss_scale", "loss_mask", "step_loss_mask", "trainable"),
    *("trained", "is_trained", "is_trainable", "train_on", "train_on_turn", "should_train", "do_train", "compute_loss"),
    *("calculate_loss", "in_loss", "include_in_loss", "train_mask", "unmasked"),
)
"""Keys of a message that are true, or more than 0, where it is trained."""

MASKED_KEYS = ("masked", "is_masked", "mask", "mask_loss", "no_loss", "ignore_loss", "skip_loss", "loss_masked")
"""Keys of a message that are true where it is *not* trained."""

WEIGHT_KEYS = (*TRAINED_KEYS, *MASKED_KEYS)
"""The keys under which a message may say how much it counts in the loss."""

DETAIL_KEYS = ("training_detail", "train_detail")
"""The keys under which a message may say which of its characters are trained."""

_WEIGHT_KEYS = frozenset(WEIGHT_KEYS)
_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_NUMBER = re.compile(r"[0-9]+(\.[0-9]*)?")


def read_weight(raw: Mapping[str, Any], at: str) -> float | None:
    """Return the weight that the keys of ``WEIGHT_KEYS`` give a message, None where they give none; true is 1.

    A number is more exact than true: ``{"train": true, "weight": 0.5}`` is 0.5. Raises RowError ``bad-weight``, or
    ``unread-field`` where a key holds a mask of single tokens.
    """
    if _WEIGHT_KEYS.isdisjoint(raw):
        return None
    given = {key: _switch(raw[key], f"{at}.{key}") for key in WEIGHT_KEYS if raw.get(key) is not None}
    weights = {key: _polar(key, as_weight(value, f"{at}.{key}")) for key, value in given.items()}
    if not weights:
        return None
    numbers = {weights[key] for key, value in given.items() if not isinstance(value, bool) and key not in MASKED_KEYS}
    if len({bool(weight) for weight in weights.values()}) > 1 or len(numbers) > 1:
        message = f"{at}: {' and '.join(weights)} disagree on how much the message counts"
        raise RowError("bad-weight", message, "Keep one of them.")
    return numbers.pop() if numbers else next(iter(weights.values()))


def as_weight(value: object, at: str) -> float:
    """Return a value as a weight. Raises RowError ``bad-weight``."""
    try:
        weight = float(value) if isinstance(value, (int, float)) else math.nan
    except OverflowError:
        weight = math.inf
    if not (math.isfinite(weight) and weight >= 0):
        shown = str(value)[:QUOTED] if isinstance(value, (int, float)) else kind(value)
        message = f"{at} must be true, false or a finite number of 0 or more, not {shown}"
        raise RowError("bad-weight", message, "Use 0 for what is not to be trained, else 1.")
    return weight + 0.0  # -0.0 is 0.0


def _polar(key: str, weight: float) -> float:
    return float(not weight) if key in MASKED_KEYS else weight


def _switch(value: object, at: str) -> object:
    """Return a yes, a no or a number that is spelt as text, as in CSV; refuse a mask of single tokens."""
    if isinstance(value, str):
        text = value.strip().lower()
        return float(text) if _NUMBER.fullmatch(text) else _WORDS.get(text, value)
    if isinstance(value, list):
        msg = f"{at} is a list: a mask of single tokens or characters, by a tokenization that nobody tells"
        name = at.rpartition(".")[2]
        hint = f"say ignore: [{name}] to train as `train` says, or give training_detail: characters that are trained"
        raise RowError("unread-field", msg, hint)
    return value
