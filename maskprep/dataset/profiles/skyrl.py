"""SkyRL's SFT trainer: rows as its own tokenizing makes them, which it takes from a data set on disk."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from maskprep.dataset.profiles.arrays import flat, ints, lists, ones, table
from maskprep.dataset.profiles.profile import Container, Handover, Profile, RowLayout
from maskprep.dataset.profiles.quoting import ending, quoted
from maskprep.labelled import IGNORED
from maskprep.policy import ProfileName


class Skyrl(Profile):
    """The profile ``skyrl``. Its mask is that of the last ``num_actions`` tokens: of all but the first, here.

    input_ids       a b c d e
    loss_mask         0 1 1 0       c and d are trained: the first token never is
    num_actions     4
    """

    name: ClassVar[ProfileName] = ProfileName.SKYRL
    title: ClassVar[str] = "SkyRL"
    container: ClassVar[Container] = "arrow"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "python"

    def refuses(self, layout: RowLayout) -> str | None:
        """Return why packed rows, or rows with weights, cannot be handed over; None for any others."""
        if layout.packed and not layout.trees:
            return (
                "SkyRL takes a packed row for one document, whose parts would see each other: leave out packing here, "
                "and set use_sequence_packing=True there"
            )
        return super().refuses(layout)

    def settings(self, handover: Handover) -> str:
        """Return a program that trains with ``SFTTrainer``."""
        train = f"{handover.folder}/train" if handover.divided else handover.folder
        reading = [
            "    def load_dataset(self):",
            f"        return load_from_disk({quoted(train)}).to_list()",
        ]
        if handover.divided:
            reading += [
                "",
                "    def load_eval_dataset(self):",
                f"        return load_from_disk({quoted(f'{handover.folder}/validation')}).to_list()",
            ]
        lines = [
            "import sys",
            "",
            "from datasets import load_from_disk",
            "from skyrl.train.config.sft_config import SFTConfig",
            "from skyrl.train.sft_trainer import SFTTrainer",
            "",
            "",
            "class Tokenized(SFTTrainer):",
            *reading,
            "",
            "",
            "config = SFTConfig.from_cli_overrides(sys.argv[1:])  # strategy, num_gpus ...",
            f"config.model.path = {quoted(handover.model)}",
            f"config.max_length = {handover.max_length}",
            *([f"# {ending(handover.stops)}."] if handover.stops else []),
            "trainer = Tokenized(config)",
            "trainer.setup()",
            "trainer.train()",
            "trainer.shutdown()",
            "",
        ]
        return "\n".join(lines)

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        del layout
        return [
            "dataset_name and its kin are not read; nor is train_on_what: the rows are masked already.",
            (
                "The padding is pad_token_id of the tokenizer under model.path: it must have these tokens, and the "
                "model must have as many rows."
            ),
        ]

    def _main(self, batch: Any) -> Any:
        ids = batch.column("input_ids")
        labels, edges = flat(batch.column("labels"))
        behind = np.ones(len(labels), bool)
        starts = edges[:-1][np.diff(edges) > 0]
        behind[starts] = False
        counts = np.maximum(np.diff(edges) - 1, 0)
        mask = (labels[behind] != IGNORED).astype(np.int8)
        return table(
            {
                "input_ids": ids,
                "attention_mask": ones(ids),
                "loss_mask": lists(mask, np.append([0], np.cumsum(counts)), pa.int8()),
                "num_actions": pa.array(counts, pa.int32()),
            }
        )

    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        del packed
        ids, edges = flat(main.column("input_ids"))
        mask, _ = flat(main.column("loss_mask"))
        trained = np.zeros(len(ids), bool)
        behind = np.ones(len(ids), bool)
        behind[edges[:-1][np.diff(edges) > 0]] = False
        trained[behind] = mask > 0
        return {"input_ids": ints(main.column("input_ids")), "labels": lists(np.where(trained, ids, IGNORED), edges)}


PROFILE = Skyrl()
