"""Axolotl: takes rows that are tokenized already, and packs them by itself."""

from __future__ import annotations

from typing import ClassVar, Literal

from maskprep.dataset.profiles.masked import Masked
from maskprep.dataset.profiles.profile import Container, Handover, RowLayout
from maskprep.dataset.profiles.quoting import ending, quoted
from maskprep.policy import ProfileName


class Axolotl(Masked):
    """The profile ``axolotl``. Its multipack joins every column of a row: structs would break it."""

    name: ClassVar[ProfileName] = ProfileName.AXOLOTL
    title: ClassVar[str] = "Axolotl"
    container: ClassVar[Container] = "arrow"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "yaml"

    def refuses(self, layout: RowLayout) -> str | None:
        """Return why packed rows, or rows with weights, cannot be handed over; None for any others."""
        if layout.packed and not layout.trees:
            return (
                "Axolotl packs by itself and takes a packed row for one document, whose parts would see each other: "
                "leave out packing here, and set sample_packing: true there"
            )
        return super().refuses(layout)

    def settings(self, handover: Handover) -> str:
        """Return the part of Axolotl's YAML file that reads the data set."""
        path = quoted(handover.folder)
        divided = ["test_datasets:", f"  - path: {path}", "    split: validation", "    type:"]
        lines = [
            "datasets:",
            f"  - path: {path}",
            *(["    split: train"] if handover.divided else []),
            "    type:  # left empty: the rows are tokenized",
            *(divided if handover.divided else []),
            f"dataset_prepared_path: {quoted(handover.folder.rstrip('/') + '-prepared')}",
            f"tokenizer_config: {quoted(handover.tokenizer)}",
            f"sequence_len: {handover.max_length}",
            "excess_length_strategy: raise",
            "sample_packing: true",
            "attn_implementation: flash_attention_2",
            "val_set_size: 0",
        ]
        special = {"eos_token": handover.eos_token, "pad_token": handover.pad_token}
        chosen = [f"  {name}: {quoted(token)}" for name, token in special.items() if token is not None]
        lines += ["special_tokens:", *chosen] if chosen else []
        if handover.stops:
            lines.append(f"# {ending(handover.stops)}.")
        return "\n".join([*lines, ""])

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        del layout
        return [
            (
                "Its copy under dataset_prepared_path goes by the path of the data, not by what is in it: delete that "
                "folder after each new build, or the old rows are trained."
            ),
            "Rows longer than sequence_len are dropped, unless excess_length_strategy is raise; truncate cuts answers.",
            (
                "skip_prepare_dataset: true with sample_packing: true leaves out the position_ids that keep documents "
                "apart."
            ),
            (
                "sample_packing with an attn_implementation that knows no documents (other than flash_attention_2 and "
                "its kind, flex_attention, sdpa, eager) lets them see each other, with a warning at most."
            ),
        ]


PROFILE = Axolotl()
