"""LLaMA-Factory: ``tokenized_path`` takes a data set of splits as it is, and asks no more."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np

from maskprep.arrays import Ints, positions
from maskprep.dataset.profiles.arrays import flat, lists, table
from maskprep.dataset.profiles.masked import Masked
from maskprep.dataset.profiles.profile import Container, Handover, RowLayout
from maskprep.dataset.profiles.quoting import ending, quoted
from maskprep.labelled import IGNORED
from maskprep.policy import ProfileName

_MULTIPLE = 8
"""Its collator pads ids, labels and mask to a multiple of this, but not ``position_ids``: so rows must be as long."""


class LlamaFactory(Masked):
    """The profile ``llamafactory``. A packed row is as ``neat_packing`` makes it.

    input_ids        a b c d e f g 0
    attention_mask   1 1 1 1 2 2 2 0        the number of the document, from 1
    position_ids     0 1 2 3 0 1 2 0
    labels           - - c d - f g -
    """

    name: ClassVar[ProfileName] = ProfileName.LLAMAFACTORY
    title: ClassVar[str] = "LLaMA-Factory"
    container: ClassVar[Container] = "dict"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "yaml"

    def settings(self, handover: Handover) -> str:
        """Return the part of LLaMA-Factory's YAML file that reads the data set."""
        lines = [
            "stage: sft",
            "dataset: none  # something must be said here, and is not read",
            *(["eval_dataset: none"] if handover.divided else []),
            f"tokenized_path: {quoted(handover.folder)}",
            f"model_name_or_path: {quoted(handover.model)}",
            f"cutoff_len: {handover.max_length}  # cuts nothing here, but tells how long rows are",
        ]
        if handover.packed:
            lines += ["neat_packing: true  # keeps the documents of a row apart", "per_device_train_batch_size: 1"]
            lines += ["per_device_eval_batch_size: 1"] if handover.divided else []
        if handover.eos_token is not None:
            eos = quoted(handover.eos_token)
            lines.append(
                f"# The tokenizer of model_name_or_path must have the eos_token {eos}: generation stops there."
            )
        elif handover.stops:
            lines.append(
                "# Take the tokenizer of the data set for that of model_name_or_path: generation stops at its eos."
            )
        if handover.stops:
            lines.append(f"# {ending(handover.stops)}.")
        return "\n".join([*lines, ""])

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        found = [
            (
                "With tokenized_path nothing else about data counts: dataset, template, mask_history, train_on_prompt, "
                "max_samples and cutoff_len neither choose, mask nor cut anything."
            ),
            (
                "If tokenized_path is empty or misspelt, what dataset names is tokenized, trained and written there: "
                "name one that does not exist, and it stops instead."
            ),
            "ignore_pad_token_for_loss: false trains padding.",
            (
                "The tokenizer is that of model_name_or_path: save the one of the data set there, with embeddings to "
                "match, if tokens were added to it."
            ),
        ]
        if layout.packed:
            found[:0] = [
                "Without neat_packing: true the documents of a row see each other: its mask counts as all ones.",
                (
                    "Models with positions in three dimensions (Qwen2-VL and its kin) have them counted anew over the "
                    "whole row, and documents see each other: train these unpacked."
                ),
            ]
        return found

    def _main(self, batch: Any) -> Any:
        if "seq_lengths" not in batch.schema.names:
            return super()._main(batch)
        ids, edges = flat(batch.column("input_ids"))
        labels, _ = flat(batch.column("labels"))
        lengths, documents = flat(batch.column("seq_lengths"))
        numbers = np.arange(len(lengths)) - np.repeat(documents[:-1], np.diff(documents)) + 1
        sizes = np.diff(edges)
        padded = np.concatenate(([0], np.cumsum(-(-sizes // _MULTIPLE) * _MULTIPLE)))
        places = np.arange(len(ids)) + np.repeat(padded[:-1] - edges[:-1], sizes)

        def spread(values: Ints, fill: int) -> Any:
            wide = np.full(int(padded[-1]), fill, np.int32)
            wide[places] = values
            return lists(wide, padded)

        return table(
            {
                "input_ids": spread(ids, 0),
                "attention_mask": spread(np.repeat(numbers, lengths), 0),
                "labels": spread(labels, IGNORED),
                "position_ids": spread(positions(lengths), 0),
            }
        )

    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        if not packed:
            return super()._tokens(main, packed=packed)
        numbers, padded = flat(main.column("attention_mask"))
        there = numbers > 0
        edges = np.concatenate(([0], np.cumsum(there)))[padded]
        columns = {
            name: lists(flat(main.column(name))[0][there], edges) for name in ("input_ids", "labels", "position_ids")
        }
        starts = np.flatnonzero(flat(columns["position_ids"])[0] == 0)
        lengths = np.diff([*starts, edges[-1]])
        return {**columns, "seq_lengths": lists(lengths, np.searchsorted(starts, edges))}


PROFILE = LlamaFactory()
