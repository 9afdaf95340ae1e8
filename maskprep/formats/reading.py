"""How the rows of one source are read: the shape they have, and what the data calls things."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from maskprep.conversation import Conversation, Where
from maskprep.errors import RowError, UsageError
from maskprep.formats.alpaca import fits_alpaca, from_alpaca
from maskprep.formats.names import Names
from maskprep.formats.nulls import filled_nulls, without_nulls
from maskprep.formats.openai import fits_openai, fits_sharegpt, to_conversation
from maskprep.formats.prompt_completion import fits_prompt_completion, from_prompt_completion

Shape = Literal["openai", "sharegpt", "alpaca", "prompt_completion"]
"""The name of a shape that rows may have."""

Format = Literal["auto", Shape]
"""The name of a shape; ``auto``: each row tells."""

_Fits = Callable[[Mapping[str, Any], Names], bool]
_Read = Callable[[object, Names], Conversation]

_SHAPES: dict[Shape, tuple[_Fits, _Read]] = {
    "sharegpt": (fits_sharegpt, to_conversation),
    "openai": (fits_openai, to_conversation),
    "prompt_completion": (fits_prompt_completion, from_prompt_completion),
    "alpaca": (fits_alpaca, from_alpaca),
}
"""The shapes; a row that fits several has the first of them, unless another one was named."""

FORMATS: tuple[Shape, ...] = get_args(Shape)


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the rows of one source.

    ``columns``: canonical field name → what the data calls it. ``roles``: a role name of the data → one of ``ROLES``.
    ``drop_nulls``: take null values out of tool arguments and schemas. ``mixed``: rows may have several shapes.
    ``decided_by``: the row that told the format, None where it was chosen, or where each row tells. Raises UsageError
    where ``columns`` names a field that does not exist.
    """

    format: Format = "auto"
    columns: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    drop_nulls: bool = False
    mixed: bool = False
    decided_by: Where | None = None

    def __post_init__(self) -> None:
        """Check the columns."""
        self.names()

    def names(self) -> Names:
        """Return what the data calls things."""
        return Names(self.columns, self.roles)

    def shape_of(self, row: object) -> Shape | None:
        """Return the shape of a row, ``format`` if it fits; None where the row fits none."""
        if not isinstance(row, dict):
            return None
        names = self.names()
        fields = names.row(row)
        fitting = [shape for shape, (fits, _) in _SHAPES.items() if fits(fields, names)]
        if self.format != "auto" and self.format in fitting:
            return self.format
        return fitting[0] if fitting else None

    def parse(self, row: object) -> Conversation:
        """Normalise a parsed row; the row itself is left as it is. Raises RowError."""
        shape = self.shape_of(row)
        if shape is None:
            _refuse_plain_text(row, self.names())
        elif self.format not in {"auto", shape}:
            raise self._another(shape)
        known = shape or ("openai" if self.format == "auto" else self.format)
        conversation = _SHAPES[known][1](row, self.names())
        if self.drop_nulls:
            return without_nulls(conversation)
        noticed = filled_nulls(conversation)
        return replace(conversation, findings=(*conversation.findings, noticed)) if noticed else conversation

    def _another(self, shape: Shape) -> RowError:
        decided = f"that {self.decided_by} has" if self.decided_by else "that the configuration names"
        remedy = "say mixed_formats: true" if self.decided_by else "leave format: away"
        message = f"the row has the shape {shape}, not the {self.format} {decided}"
        return RowError("mixed-formats", message, f"Divide the file by shape, or {remedy} so that each row tells.")


DEFAULT = Reading()
"""Each row tells its shape, by the names that it usually has."""


def detect(rows: Sequence[tuple[Where, object]], reading: Reading) -> Reading:
    """Return ``reading`` with the format that the first rows of one file have, where it is ``auto``.

    Rows of no known shape do not decide; where there is no other, the format is ``openai``, so that each of them is
    rejected with its reason. With ``mixed`` it stays ``auto``: each row tells. Raises UsageError where two rows differ.
    """
    if reading.format != "auto" or reading.mixed:
        return reading
    decided: Reading | None = None
    for where, row in rows:
        shape = (decided or reading).shape_of(row)
        if shape is None:
            continue
        if decided is None:
            decided = replace(reading, format=shape, decided_by=where)
        elif shape != decided.format:
            message = f"{decided.decided_by} has the shape {decided.format}, but {where} the shape {shape}"
            hint = "Say mixed_formats: true if each row shall tell its shape, or name one with format:."
            raise UsageError(message, hint)
    return decided or replace(reading, format="openai")


def _refuse_plain_text(row: object, names: Names) -> None:
    """Explain why a row of nothing but text cannot be used."""
    if isinstance(row, dict) and isinstance(names.row(row).get("text"), str):
        message = (
            "the row has one text and no turns: nothing in it says what a model would be asked, and what it answers"
        )
        hint = "Plain text is for pretraining; give conversations as messages, or as prompt and completion."
        raise RowError("plain-text", message, hint)
