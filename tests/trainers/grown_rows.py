"""Rows of trees as the rows of their sequences."""

from __future__ import annotations

import numpy as np

from maskprep.dataset.trees import leaves
from maskprep.labelled import IGNORED


def unrolled(row):
    """Yield the sequences of a tree: what one before it trains is not trained again."""
    seen = np.zeros(len(row["input_ids"]), bool)
    for path in leaves(np.asarray(row["position_ids"])):
        columns = {name: np.asarray(row[name])[path] for name in ("input_ids", "labels", "loss_weights")}
        columns["labels"][seen[path]] = IGNORED
        seen[path] = True
        yield {name: values.tolist() for name, values in columns.items()}
