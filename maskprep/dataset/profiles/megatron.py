"""Megatron-Bridge: packed Parquet, where the mask stands at the token before the one that is trained.

The files are the same for all releases that read them; what names them in a recipe changed with 0.6.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from maskprep.arrays import Ints, positions
from maskprep.dataset.profiles.arrays import flat, ints, lists, table
from maskprep.dataset.profiles.profile import Container, Handover, Profile, RowLayout
from maskprep.dataset.profiles.quoting import ending, quoted
from maskprep.labelled import IGNORED
from maskprep.policy import ProfileName


class Megatron(Profile):
    """The profile ``megatron``. It shifts by itself, document by document; labels are the ids that follow.

    input_ids       a b c d e f g
    seq_start_id    0       4               where documents begin; an unpacked row is a document
    loss_mask       0 1 1 0 1 1 0           c and d, f and g are trained: rolled by one in each document
    """

    name: ClassVar[ProfileName] = ProfileName.MEGATRON
    title: ClassVar[str] = "Megatron-Bridge"
    container: ClassVar[Container] = "parquet"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "python"

    def settings(self, handover: Handover) -> str:
        """Return the lines of a Megatron-Bridge recipe that read the data set."""
        path = handover.folder
        train = f"{path}/train" if handover.divided else path
        paths = [f"packed_train_data_path={quoted(train)},"]
        paths += [f"packed_val_data_path={quoted(f'{path}/validation')},"] if handover.divided else []
        lines = [
            "try:  # Megatron-Bridge 0.6 and later",
            "    from megatron.bridge.data.builders import GPTSFTDatasetConfig as DatasetConfig",
            "    from megatron.bridge.data.packing import PackedSequenceSpecs",
            "",
            "    def packing(specs):",
            '        return {"enable_offline_packing": True, "offline_packing_specs": specs}',
            "except ImportError:  # 0.4 and 0.5; earlier ones cannot read these files",
            "    from megatron.bridge.data.datasets.packed_sequence import PackedSequenceSpecs",
            "    from megatron.bridge.training.config import FinetuningDatasetConfig as DatasetConfig",
            "",
            "    def packing(specs):",
            '        return {"packed_sequence_specs": specs, "dataset_kwargs": {"answer_only_loss": True}}',
            "",
            "specs = PackedSequenceSpecs(",
            f"    packed_sequence_size={handover.max_length},",
            *(f"    {line}" for line in paths),
            "    # Not read; without it, folders are made in the data set.",
            f"    packed_metadata_path={quoted(path.rstrip('/') + '-packed.jsonl')},",
            ")",
            "cfg.dataset = DatasetConfig(",
            f"    seq_length={handover.max_length},",
            f"    dataset_root={quoted(path)},  # something must be said here; what is read is named above",
            f"    do_validation={handover.divided},",
            "    do_test=False,",
            "    **packing(specs),",
            ")",
            f"cfg.tokenizer.tokenizer_model = {quoted(handover.tokenizer)}",
            "cfg.train.micro_batch_size = 1  # a micro-batch is one packed row",
            *([f"# {ending(handover.stops)}."] if handover.stops else []),
            "",
        ]
        return "\n".join(lines)

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        found = [
            "answer_only_loss: False in dataset_kwargs ignores loss_mask: every token but eos is trained.",
            (
                "A token that follows the tokenizer's eos_id is never trained there, whatever loss_mask says: what a "
                "template writes behind eos is lost, should it be trained."
            ),
            (
                "Releases that know only packed .npy files (0.3, the newest on PyPI in November 2026) cannot read the "
                "Parquet files; they say so."
            ),
            "context_parallel_size above 1 needs documents padded to a multiple, which these are not.",
        ]
        if not layout.packed:
            found.append("Unpacked rows are right, too, but each takes a micro-batch of its own: build with packing.")
        return found

    def _main(self, batch: Any) -> Any:
        _, edges = flat(batch.column("input_ids"))
        labels, _ = flat(batch.column("labels"))
        starts, documents = _starts(batch, edges)
        # The first label of a document is never trained, so that none rolls over into the document before.
        trained = np.append(labels[1:] != IGNORED, [False] * bool(len(labels)))
        return table(
            {
                "input_ids": batch.column("input_ids"),
                "seq_start_id": lists(starts, documents),
                "loss_mask": lists(trained.astype(np.int8), edges, pa.int8()),
            }
        )

    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        ids, edges = flat(main.column("input_ids"))
        mask, _ = flat(main.column("loss_mask"))
        trained = np.append([False] * bool(len(mask)), mask[:-1] > 0).astype(bool)
        labels = lists(np.where(trained, ids, IGNORED), edges)
        columns = {"input_ids": ints(main.column("input_ids")), "labels": labels}
        if packed:
            starts, documents = flat(main.column("seq_start_id"))
            lengths = np.diff([*(starts + np.repeat(edges[:-1], np.diff(documents))), len(ids)])
            columns |= {"position_ids": lists(positions(lengths), edges), "seq_lengths": lists(lengths, documents)}
        return columns


def _starts(batch: Any, edges: Ints) -> tuple[Ints, Ints]:
    """Return where in its row each document begins, and the first document of each row."""
    if "seq_lengths" not in batch.schema.names:
        return np.zeros(len(edges) - 1, np.int64), np.arange(len(edges))
    lengths, documents = flat(batch.column("seq_lengths"))
    return np.cumsum(lengths) - lengths - np.repeat(edges[:-1], np.diff(documents)), documents


PROFILE = Megatron()
