"""OLMo-core: the flat arrays of ids and masks that its packed data set reads, with the bounds of rows beside them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import pyarrow as pa

from maskprep.dataset.profiles.arrays import flat, ints, lists, table
from maskprep.dataset.profiles.profile import Container, Handover, Profile, RowLayout
from maskprep.dataset.profiles.quoting import ending, quoted
from maskprep.labelled import IGNORED
from maskprep.policy import ProfileName


class Olmo(Profile):
    """The profile ``olmo``. OLMo-core shifts the mask by itself, and packs rows.

    It must be told ``use_array_if_local=False``: otherwise it looks for rows by their eos, which ends each turn in many
    chat templates, and takes every turn for a document that sees no other.
    """

    name: ClassVar[ProfileName] = ProfileName.OLMO
    title: ClassVar[str] = "OLMo-core"
    container: ClassVar[Container] = "arrays"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "python"

    def refuses(self, layout: RowLayout) -> str | None:
        """Return why packed rows, or rows with weights, cannot be handed over; None for any others."""
        if layout.packed and not layout.trees:
            return (
                "OLMo-core takes a packed row for one document, whose parts would see each other: leave out packing "
                "here, its packed data set packs by itself"
            )
        return super().refuses(layout)

    def settings(self, handover: Handover) -> str:
        """Return a program that makes the data sets."""
        sets = {"train": "train", "validation": "validation"} if handover.divided else {"data": ""}
        lines = [
            "from pathlib import Path",
            "",
            "from olmo_core.data import NumpyPackedFSLDatasetConfig, TokenizerConfig",
            "from transformers import AutoTokenizer",
            "",
            f"words = AutoTokenizer.from_pretrained({quoted(handover.tokenizer)})",
            *([f"words.pad_token = {quoted(handover.pad_token)}"] if handover.pad_token is not None else []),
            *([f"# The model needs {handover.vocabulary} embeddings."] if handover.vocabulary is not None else []),
            *([f"# {ending(handover.stops)}."] if handover.stops else []),
            "tokenizer = TokenizerConfig(",
            "    vocab_size=len(words), eos_token_id=words.eos_token_id, pad_token_id=words.pad_token_id",
            ")",
            "",
            "",
            "def packed(folder):",
            '    shards = sorted(Path(folder).glob("data-*-of-?????.npy"))',
            "    return NumpyPackedFSLDatasetConfig(",
            "        paths=[str(path) for path in shards],",
            '        label_mask_paths=[str(path.with_suffix(".mask.npy")) for path in shards],',
            '        dtype="uint32",',
            "        tokenizer=tokenizer,",
            f"        sequence_length={handover.max_length},",
            "        generate_doc_lengths=True,  # keeps rows apart",
            "        use_array_if_local=False,  # the bounds of rows are beside them; eos ends turns, not rows",
            '        work_dir=f"{folder}-work",',
            "    )",
            "",
            "",
        ]
        for name, split in sets.items():
            folder = f"{handover.folder}/{split}" if split else handover.folder
            lines.append(f"{name} = packed({quoted(folder)})")
        return "\n".join([*lines, ""])

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        del layout
        return [
            "Without use_array_if_local=False every turn becomes a document that sees no other.",
            "Without generate_doc_lengths=True the rows of a packed sequence see each other.",
            "Without label_mask_paths every token is trained.",
            "A sequence_length below the longest row cuts off its end, with the turns in it.",
        ]

    def _main(self, batch: Any) -> Any:
        ids = batch.column("input_ids")
        labels, edges = flat(batch.column("labels"))
        return table({"input_ids": ids, "label_mask": lists((labels != IGNORED).astype(np.int8), edges, pa.int8())})

    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        del packed
        ids, edges = flat(main.column("input_ids"))
        mask, _ = flat(main.column("label_mask"))
        return {"input_ids": ints(main.column("input_ids")), "labels": lists(np.where(mask > 0, ids, IGNORED), edges)}


PROFILE = Olmo()
