"""verl's SFT trainer: a data set with the interface of its ``MultiTurnSFTDataset``, whose rows are maskprep's.

    data.custom_cls.path=pkg://maskprep.integrations.verl data.custom_cls.name=MaskedDataset
    +data.maskprep.history=split

Keys of maskprep's configuration stand under ``data.maskprep``. ``max_length`` is ``data.max_length`` unless it is set
there: what is longer is treated by ``overflow``, and ``data.truncation`` cuts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.utils.data import Dataset

from maskprep.errors import UsageError
from maskprep.integrations.rows import read, settings_of
from maskprep.labelled import IGNORED

_FOREIGN = ("enable_thinking_default", "apply_chat_template_kwargs")


class MaskedDataset(Dataset[dict[str, Any]]):
    """Rows as verl's collator takes them: ``input_ids``, ``position_ids``, ``loss_mask``; padded: ``attention_mask``.

    The mask stands at the token itself: verl rolls it by one to where the token is predicted. The first token is never
    trained, so that nothing is rolled from one row into another.

    Args:
        parquet_files: files, folders or globs of rows in any format that maskprep reads.
        tokenizer: a loaded tokenizer, or its name.
        config: verl's ``data``.
        processor: what verl has for images; rows are text only here.
        max_samples: how many of the first rows are used, with those that need several sequences counted as such; -1:
            all of them.

    Raises:
        UsageError: a setting, a file or the tokenizer cannot be used.
        BuildError: the rows cannot be used.
    """

    def __init__(
        self,
        parquet_files: Any,
        tokenizer: Any,
        config: Mapping[str, Any] | None = None,
        processor: Any = None,
        max_samples: int = -1,
    ) -> None:
        del processor  # verl makes one wherever the model has one
        config = config or {}
        files = [parquet_files] if isinstance(parquet_files, str) else list(parquet_files)
        self.pad_mode = str(config.get("pad_mode", "right"))
        if self.pad_mode not in {"right", "no_padding"}:
            raise UsageError(f"pad_mode is {self.pad_mode}", "set data.pad_mode to no_padding, or to right")
        self.max_length = int(config.get("max_length", 1024))
        settings = _settings(config)
        settings.setdefault("max_length", self.max_length)
        if int(settings["max_length"]) > self.max_length:
            raise UsageError("data.maskprep.max_length is more than data.max_length", "raise data.max_length")
        pad = getattr(tokenizer, "pad_token_id", None)
        self._pad = 0 if pad is None else int(pad)
        self.data = read(tokenizer, files, settings, "verl")
        if 0 <= max_samples < len(self.data):
            self.data = self.data.select(range(max_samples))

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.data)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one sequence as tensors (tokens,) of int64; padded on the right where ``pad_mode`` is ``right``."""
        row = self.data[number]
        ids = torch.tensor(row["input_ids"])
        mask = (torch.tensor(row["labels"]) != IGNORED).long()
        made = {"input_ids": ids, "position_ids": torch.arange(len(ids)), "loss_mask": mask}
        if self.pad_mode == "no_padding":
            return made
        made["attention_mask"] = torch.ones_like(ids)
        short = self.max_length - len(ids)
        return {
            name: torch.nn.functional.pad(values, (0, short), value=self._pad if name == "input_ids" else 0)
            for name, values in made.items()
        }


def _settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return maskprep's settings, with what verl's own say of columns; what they say of templates is not dropped."""
    settings = settings_of(config.get("maskprep"), "data.maskprep")
    columns = {name: config.get(f"{name}_key", name) for name in ("messages", "tools")}
    named = {name: column for name, column in columns.items() if column != name}
    if named:
        settings.setdefault("columns", named)
    for key in _FOREIGN:
        if config.get(key) not in (None, "none", {}) and "template_kwargs" not in settings:
            msg = f"data.{key} means nothing to maskprep"
            raise UsageError(msg, "write template_kwargs under data.maskprep instead, such as {enable_thinking: false}")
    return settings
