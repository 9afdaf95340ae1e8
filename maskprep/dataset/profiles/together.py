"""Together's fine-tuning service: one Parquet file of unpacked rows, and no column that it does not know."""

from __future__ import annotations

from typing import ClassVar, Literal

from maskprep.dataset.profiles.masked import Masked
from maskprep.dataset.profiles.profile import Container, Handover, RowLayout
from maskprep.dataset.profiles.quoting import quoted, shell_quoted
from maskprep.policy import ProfileName


class Together(Masked):
    """The profile ``together``."""

    name: ClassVar[ProfileName] = ProfileName.TOGETHER
    title: ClassVar[str] = "Together"
    container: ClassVar[Container] = "parquet"
    language: ClassVar[Literal["python", "yaml", "bash"]] = "bash"
    one_file: ClassVar[bool] = True

    def refuses(self, layout: RowLayout) -> str | None:
        """Return why packed rows, or rows with weights, cannot be handed over; None for any others."""
        if layout.packed and not layout.trees:
            return "Together takes a packed row for one document, whose parts would see each other: leave out packing"
        return super().refuses(layout)

    def settings(self, handover: Handover) -> str:
        """Return the shell commands that upload the data set and start a job."""
        folders = [f"{handover.folder}/{name}" for name in ("train", "validation")]
        folders = folders if handover.divided else [handover.folder]
        lines = [
            "# pip install 'together[pyarrow]'",
            *(f"together files upload {shell_quoted(folder)}/*.parquet  # prints an id" for folder in folders),
            f"together fine-tuning create --model {shell_quoted(handover.model)} --training-file TRAINING_ID"
            # Without --n-evals, which is 0 by default, a validation file is uploaded for nothing.
            + (" --validation-file VALIDATION_ID --n-evals 1" if handover.divided else ""),
        ]
        if handover.stops:
            tokens = ", ".join(map(quoted, handover.ends))
            lines.append(f"# Name where turns end in requests to the trained model: stop=[{tokens}]")
        return "\n".join([*lines, ""])

    def pitfalls(self, layout: RowLayout) -> list[str]:
        """Return the settings that would change the loss silently."""
        del layout
        return [
            "A file without labels trains every token: upload the file as it is.",
            (
                "Rows longer than the service's limit for the model (together fine-tuning model-limits), or than "
                "--max-seq-length, are not seen from here: build with max_length at most that."
            ),
            (
                "--packing is true by default: the service puts rows together by itself, and does not say whether they "
                "see each other; --no-packing takes each by itself."
            ),
        ]


PROFILE = Together()
