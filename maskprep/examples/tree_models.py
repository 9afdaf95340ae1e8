"""Whether the model of a tokenizer can be trained on trees, as far as the ``config.json`` beside it tells."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maskprep.config import Config
from maskprep.dataset.profiles import PROFILES
from maskprep.dataset.profiles.attention import why_never, why_untried
from maskprep.errors import UsageError
from maskprep.policy import History


def refuse_model(config: Config) -> None:
    """Raise ``UsageError`` where trees are to be built for a model that has layers which cannot be trained on them."""
    if config.history != History.TREE:
        return
    path, model = _model_of(config)
    reason = why_never(model)
    if reason is not None:
        hint = "take --history split, or mask; or give the tokenizer of the model that is to be trained"
        raise UsageError(f"{path}: {reason.partition(': build')[0]}", hint)


def can_have_trees(config: Config) -> bool:
    """Tell whether trees may be recommended: the trainer takes them, and nothing says that the model cannot."""
    return PROFILES[config.profile].trees and why_never(_model_of(config)[1]) is None


def notes_on_model(config: Config) -> list[dict[str, str]]:
    """Return a note where trees were built for a model that was not tried with them, as JSON types."""
    path, model = _model_of(config)
    reason = why_untried(model) if config.history == History.TREE and model else None
    if reason is None:
        return []
    return [{"code": "tree-model", "message": f"{path}: {reason}", "hint": _HINT}]


def _model_of(config: Config) -> tuple[Path, Mapping[str, Any]]:
    """Return the config of the model in the tokenizer's folder, empty where there is none that can be read."""
    path = Path(config.tokenizer.name) / "config.json"
    try:
        found = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return path, {}
    return path, found if isinstance(found, dict) and found.get("model_type") else {}


_HINT = "before you train, compare the loss of some trees with that of their sequences, or take --history split"
