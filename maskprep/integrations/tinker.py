"""tinker: a data set builder for the supervised training of its cookbook.

config = train.Config(
    dataset_builder=MaskedDatasetBuilder(
        tokenizer="Qwen/Qwen3-8B", files=["rows.jsonl"], batch_size=128, settings={"history": "split"}
    ),
    ...
)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import chz
import tinker
import torch
from tinker_cookbook.supervised.common import datum_from_model_input_weights
from tinker_cookbook.supervised.data import SupervisedDatasetFromHFDataset
from tinker_cookbook.supervised.types import SupervisedDataset, SupervisedDatasetBuilder

from maskprep.integrations.rows import read, settings_of
from maskprep.labelled import IGNORED

Reduction = Literal["none", "mean"]


@chz.chz
class MaskedDatasetBuilder(SupervisedDatasetBuilder):  # type: ignore[misc]
    """Makes the rows of files data of tinker.

    Attributes:
        tokenizer: a folder or hub id.
        files: files, folders or globs of rows in any format that maskprep reads.
        batch_size: how many sequences are in a batch; those that fill none are left out, as the cookbook does.
        settings: keys of maskprep's configuration.
        test_size: how many sequences, drawn by ``seed``, are kept for evaluation, as one batch.
        seed: of the order of the sequences.
        reduction: ``none``: each trained token counts the same. ``mean``, the cookbook's: each sequence does.
    """

    tokenizer: str
    files: list[str]
    batch_size: int
    settings: Mapping[str, Any] = chz.field(default_factory=dict)
    test_size: int = 0
    seed: int = 0
    reduction: Reduction = "none"

    def __call__(self) -> tuple[SupervisedDataset, SupervisedDataset | None]:
        """Return the data set for training, and that for evaluation, if any.

        Raises:
            UsageError: a setting, a file or the tokenizer cannot be used.
            BuildError: the rows cannot be used.
        """
        data = read(self.tokenizer, self.files, settings_of(self.settings, "settings"), "tinker", weights=True)
        data = data.shuffle(seed=self.seed)
        kept = data.select(range(min(self.test_size, len(data))))
        trained = SupervisedDatasetFromHFDataset(data.select(range(len(kept), len(data))), self.batch_size, self._datum)
        return trained, SupervisedDatasetFromHFDataset(kept, len(kept), self._datum) if len(kept) else None

    def _datum(self, row: Mapping[str, Any]) -> tinker.Datum:
        return datum_of(row["input_ids"], row["labels"], row.get("loss_weights"), self.reduction)


def datum_of(
    ids: list[int], labels: list[int], weights: list[float] | None = None, reduction: Reduction = "none"
) -> tinker.Datum:
    """Return one sequence as tinker has it: the targets are the tokens that follow, each with its weight.

    Args:
        ids: the token ids.
        labels: of each token its id where it is trained, -100 elsewhere; unshifted.
        weights: of each token; 1 where it is trained unless given.
        reduction: as in ``MaskedDatasetBuilder``.
    """
    if weights is None:
        weights = [float(label != IGNORED) for label in labels]
    given = tinker.ModelInput.from_ints(list(ids))
    return datum_from_model_input_weights(given, torch.tensor(weights), reduction=reduction)
