"""Rows of trainers that want a mask beside ids and labels, and nothing else."""

from __future__ import annotations

from typing import Any

from maskprep.dataset.profiles.arrays import ints, ones, table
from maskprep.dataset.profiles.profile import Profile


class Masked(Profile):
    """``input_ids``, ``attention_mask`` (all ones, int8) and ``labels``; a row is one document."""

    def _main(self, batch: Any) -> Any:
        ids = batch.column("input_ids")
        return table({"input_ids": ids, "attention_mask": ones(ids), "labels": batch.column("labels")})

    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        del packed
        return {name: ints(main.column(name)) for name in ("input_ids", "labels")}
