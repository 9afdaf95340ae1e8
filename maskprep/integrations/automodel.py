"""NeMo Automodel: a data set for its ``_target_``, which its own collators and packing take.

dataset:
  _target_: maskprep.integrations.automodel.make_dataset
  files: rows.jsonl
  settings: {history: split, max_length: 4096}

Settings are keys of maskprep's configuration.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskprep.integrations.rows import read, settings_of


def make_dataset(
    tokenizer: Any, files: str | Sequence[str], settings: Mapping[str, Any] | None = None
) -> MaskedDataset:
    """Return the rows of files.

    Args:
        tokenizer: Automodel gives it.
        files: files, folders or globs of rows in any format that maskprep reads.
        settings: keys of maskprep's configuration.

    Raises:
        UsageError: a setting, a file or the tokenizer cannot be used.
        BuildError: the rows cannot be used.
    """
    names = [files] if isinstance(files, str) else list(files)
    data = read(tokenizer, names, settings_of(settings, "settings"), "NeMo Automodel")
    return MaskedDataset(data, getattr(tokenizer, "pad_token_id", None) or 0)


class MaskedDataset:
    """Rows as Automodel has them: each label stands where it is predicted, one token before its own.

    Args:
        data: mapped rows.
        pad: the id that shorter rows of a batch are filled up with.
    """

    def __init__(self, data: Any, pad: int) -> None:
        self.data, self._pad = data, pad

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.data)

    def __getitem__(self, number: int) -> dict[str, Any]:
        """Return one sequence: lists of one number less than it has tokens, and what its collators fill up with."""
        row = self.data[number]
        ids, labels = row["input_ids"][:-1], row["labels"][1:]
        return {
            "input_ids": ids,
            "labels": labels,
            "attention_mask": [1] * len(ids),
            # The collator takes it out of the row.
            "___PAD_TOKEN_IDS___": {"input_ids": self._pad, "labels": -100, "attention_mask": 0},
        }
