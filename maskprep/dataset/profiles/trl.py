"""TRL's ``SFTTrainer``: takes rows that are ready, with the setting not to prepare them."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from maskprep.arrays import positions
from maskprep.dataset.profiles.arrays import flat, ints, lists
from maskprep.dataset.profiles.profile import Container, Handover, Profile, RowLayout
from maskprep.dataset.profiles.program import loading, trainer
from maskprep.policy import ProfileName


class Trl(Profile):
    """The profile ``trl``: ``input_ids``, ``labels``, and ``seq_lengths`` where rows are packed."""

    name: ClassVar[ProfileName] = ProfileName.TRL
    title: ClassVar[str] = "TRL"
    container: ClassVar[Container] = "arrow"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "python"

    def _main(self, batch: Any) -> Any:
        return batch.select(["input_ids", "labels", *(["seq_lengths"] if "seq_lengths" in batch.schema.names else [])])

    def _tokens(self, main: Any, *, packed: bool) -> dict[str, Any]:
        columns = {name: ints(main.column(name)) for name in main.schema.names}
        if packed:
            _, edges = flat(main.column("input_ids"))
            lengths, _ = flat(main.column("seq_lengths"))
            columns["position_ids"] = lists(positions(lengths), edges)
        return columns

    def settings(self, handover: Handover) -> str:
        """Return a program that trains with ``SFTTrainer``."""
        arguments = [
            "args=SFTConfig(",
            '    output_dir="checkpoints",',
            "    max_length=None,  # the default, 1024, is there to cut rows",
            "    packing=False,",
            *(["    padding_free=True,  # keeps the documents of a row apart"] if handover.packed else []),
            '    dataset_kwargs={"skip_prepare_dataset": True},  # the rows are ready',
            "),",
        ]
        lines = [
            "from datasets import load_from_disk",
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "from trl import SFTConfig, SFTTrainer",
            "",
            *loading(handover),
            *trainer("SFTTrainer", arguments, handover, "processing_class=tokenizer,"),
        ]
        return "\n".join(lines)

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        found = [
            (
                "Without skip_prepare_dataset, max_length (default 1024) cuts longer rows in the middle of an answer; "
                "and files named cache-*.arrow appear in the data set's folder."
            ),
            "loss_type other than nll, and label_smoothing_factor, make it another loss.",
        ]
        if layout.packed:
            return [
                "Without padding_free=True the documents of a row see each other.",
                "packing=True packs the packed rows once more, as if each were one document.",
                *found,
            ]
        return [
            *found,
            (
                'packing=True with packing_strategy="wrapped" cuts rows anywhere and lets documents see each other: '
                "build with packing instead."
            ),
        ]


PROFILE = Trl()
