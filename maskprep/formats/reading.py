"""How the rows of one source are read: the line as it comes, the format it has, and what the data calls things."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace

from maskprep.conversation import Conversation, Where
from maskprep.errors import RowError, UsageError
from maskprep.formats.finish import COMMON_FIELDS, finish
from maskprep.formats.names import MESSAGE_FIELDS, Names
from maskprep.formats.nulls import filled_nulls, without_nulls
from maskprep.formats.openai import FORMAT as OPENAI
from maskprep.formats.openai import list_name, speaks_for_nobody, texts_fault
from maskprep.formats.plain import plain_conversation
from maskprep.formats.preference import FIELDS, choose, is_preference, refuse_preference
from maskprep.formats.registry import GUESSED, ROW_FIELDS, ROW_FORMATS
from maskprep.formats.row import InputRow
from maskprep.formats.row_format import RowFormat
from maskprep.formats.strict_json import loads
from maskprep.formats.suggest import suggestions
from maskprep.policy import Format

_PLAIN = frozenset({Format.AUTO, Format.OPENAI})
_FIELDS = tuple(dict.fromkeys((*sorted(ROW_FIELDS), *MESSAGE_FIELDS)))


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read the rows of one source.

    ``format`` is ``auto`` or a format by its name. ``columns``: canonical field name → what the data calls it.
    ``roles``: a role name of the data → one of ``ROLES``. ``ignore``: keys that are left out before anything is read.
    ``chosen``: whether a preference row is read as its good answer; otherwise it is refused. ``tags``: whether calls,
    tools and results that stand as tags in the text are read. ``drop_nulls``: take null values out of tool arguments
    and schemas. ``mixed``: rows may have several formats. ``decided_by``: the row that told the format, None where it
    was chosen, or where each row tells. Raises UsageError where ``columns`` names what does not exist.
    """

    format: Format = Format.AUTO
    columns: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    drop_nulls: bool = False
    mixed: bool = False
    decided_by: Where | None = None
    ignore: tuple[str, ...] = ()
    chosen: bool = False
    tags: bool = True

    def __post_init__(self) -> None:
        """Check the names of the columns."""
        for name in self.columns:
            if name not in _FIELDS:
                message = f"columns: there is no field {name!r}"
                raise UsageError(message, f"{_meant(name, _FIELDS)} Write `field: name in the data`.")

    def names(self) -> Names:
        """Return what the data calls things."""
        return Names(self.columns, self.roles, ROW_FIELDS, frozenset(self.ignore))

    def format_of(self, row: object) -> Format | None:
        """Return the format of a row, the chosen one if it fits; None where the row fits none."""
        if not isinstance(row, dict):
            return None
        try:
            read = self._row(row)
        except RowError:
            return None
        found = self._row_format(read)
        return None if found is None or (found is OPENAI and speaks_for_nobody(read)) else found.name

    def parse(self, row: object) -> Conversation:
        """Normalise a parsed row; the row itself is left as it is. Raises RowError."""
        if self.format in _PLAIN and not (self.columns or self.roles or self.ignore):
            plain = plain_conversation(row)
            if plain is not None:
                return plain
        read = self._row(row)
        row_format = self._row_format(read)
        is_ours = self.format in {Format.AUTO, OPENAI.name}
        if row_format is None or (row_format is OPENAI and is_ours and speaks_for_nobody(read)):
            row_format = self._unknown(read)
        elif self.format not in {Format.AUTO, row_format.name}:
            raise self._another(row_format.name)
        return self._finished(read, row_format)

    def _finished(self, read: InputRow, row_format: RowFormat) -> Conversation:
        messages = row_format.read(read)
        conversation = finish(read, messages, tags=self.tags)
        if row_format.name == Format.TEXT:
            return replace(conversation, plain_text=True)
        if self.drop_nulls:
            return without_nulls(conversation)
        noticed = filled_nulls(conversation)
        return replace(conversation, findings=(*conversation.findings, noticed)) if noticed else conversation

    def reads(self, column: str) -> bool:
        """Tell whether the format that was decided on ever reads a field, of the row or of its messages."""
        if self.format == Format.AUTO:
            return True
        row_format = ROW_FORMATS[self.format]
        own = {*row_format.fields, *COMMON_FIELDS, *FIELDS, *(MESSAGE_FIELDS if row_format.messages else ())}
        return column in own

    def _row(self, row: object) -> InputRow:
        """Return the row, with the good answer in its place. Raises RowError."""
        read = InputRow(row, self.names())
        if is_preference(read):
            if not self.chosen:
                raise self._refused_preference(read, row)
            choose(read)
        return read

    def _row_format(self, row: InputRow) -> RowFormat | None:
        if self.format != Format.AUTO and ROW_FORMATS[self.format].fits(row):
            return ROW_FORMATS[self.format]
        return next((row_format for row_format in GUESSED if row_format.fits(row)), None)

    def _refused_preference(self, read: InputRow, row: object) -> RowError:
        """Return the error of a preference row, which says whether its good answer can be read: that is tried."""
        refused = refuse_preference(read)
        try:
            replace(self, chosen=True, format=Format.AUTO).parse(row)
        except RowError as error:
            hint = f"preference: chosen trains the good answers of such rows; this one has none: {error.message}"
            return RowError(refused.code, refused.message, hint)
        return refused

    def _unknown(self, row: InputRow) -> RowFormat:
        """Return the format by which to say what is wrong with a row that has none, or raise what it is."""
        name = list_name(row)
        if isinstance(row.get("text"), str) and not (name is not None and isinstance(row.get(name), list)):
            message = "the row has one text and no turns: nothing in it says what is asked, and what is answered"
            hint = "say format: text to train plain documents whole; else give messages, or prompt and completion"
            raise RowError("plain-text", message, hint)
        fault = texts_fault(name, row.get(name)) if name is not None else None
        if fault is not None and (self.format != Format.TEXTS or self.decided_by is not None):
            hint = "give messages with their roles; format: texts reads such a list as it stands, the user's text first"
            raise RowError("no-messages", fault, hint)
        named = ROW_FORMATS.get(self.format)
        is_told = named is not OPENAI or self.decided_by is not None
        if named is not None and is_told and row.fields.keys() & {*named.fields}:
            return named
        for columns in suggestions(row):
            if not self._is_read_with(columns, row):
                continue
            keys = ", ".join(repr(key)[:40] for key in list(row.fields)[:8])
            mapped = ", ".join(f"{new}: {old}" for new, old in columns.items())
            hint = f"columns: {{{mapped}}} reads this row: it was tried"
            raise RowError("no-messages", f"the row has no fields of a known format; it has {keys}", hint)
        return OPENAI

    def _is_read_with(self, columns: Mapping[str, str], row: InputRow) -> bool:
        """Tell whether a row is read where its fields have these names as well."""
        trial = replace(self, format=Format.AUTO, columns={**self.columns, **columns})
        try:
            read = trial._row(dict(row.fields))  # noqa: SLF001 - a reading of the same kind
            row_format = trial._row_format(read)  # noqa: SLF001
            return row_format is not None and bool(trial._finished(read, row_format).messages)  # noqa: SLF001
        except (RowError, UsageError):
            return False

    def _another(self, row_format: str) -> RowError:
        decided = f"that {self.decided_by} has" if self.decided_by else "that the configuration names"
        remedy = "say mixed_formats: true" if self.decided_by else "leave format: away"
        message = f"the row has the format {row_format}, not the {self.format} {decided}"
        return RowError("mixed-formats", message, f"Divide the file by format, or {remedy} so that each row tells.")


DEFAULT = Reading()
"""Each row tells its format, by the names that it usually has."""


def detect(rows: Sequence[tuple[Where, object]], reading: Reading) -> Reading:
    """Return ``reading`` with the format that the first rows of one file have, where it is ``auto``.

    Rows of no known format do not decide; where there is no other, the format is ``openai``, so that each of them is
    rejected with its reason. With ``mixed`` it stays ``auto``: each row tells. Raises UsageError where two rows differ.
    """
    if reading.format != Format.AUTO or reading.mixed:
        return reading
    decided: Reading | None = None
    for where, row in rows:
        row_format = (decided or reading).format_of(row)
        if row_format is None:
            continue
        if decided is None:
            decided = replace(reading, format=row_format, decided_by=where)
        elif row_format != decided.format:
            message = f"{decided.decided_by} has the format {decided.format}, but {where} the format {row_format}"
            hint = "Say mixed_formats: true if each row shall tell its format, or name one with format:."
            raise UsageError(message, hint)
    return decided or replace(reading, format=Format.OPENAI)


def _meant(name: str, known: Collection[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
    return f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(known)}."


@dataclass(frozen=True, slots=True)
class Line:
    """One row: its bytes as JSON, or ``fault`` where it could not be read.

    ``reading`` says how to understand it, ``copies`` how many times it is used.
    """

    where: Where
    data: bytes
    fault: RowError | None = None
    reading: Reading = DEFAULT
    copies: int = 1


def readable(lines: Iterable[Line]) -> list[tuple[Where, object]]:
    """Return what ``detect`` is given of some lines: those that are JSON. The others are rejected in their turn."""
    rows: list[tuple[Where, object]] = []
    for line in lines:
        if line.fault is None:
            with suppress(RowError):
                rows.append((line.where, loads(line.data)))
    return rows


def parse(line: Line) -> Conversation:
    """Return the conversation of one line; raises RowError, be it the line's own fault or that of what it holds."""
    if line.fault is not None:
        raise line.fault
    return line.reading.parse(loads(line.data))
