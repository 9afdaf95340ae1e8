"""Sources in parts: stretches that can be read by themselves, so that several processes read one file.

    divide ─▶ SourcePart │ SourcePart │ … ─▶ read_part ─▶ Line

The lines of all parts, one after the other, are those of the whole source: numbers, offsets and faults included. Only
what is found to be a bomb while it is read ends its part, and not the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise

from maskprep.errors import RowError, UsageError
from maskprep.formats.reading import Line
from maskprep.sources.files import Unchanged, is_folder, open_file, reading, stretch
from maskprep.sources.jsonl import read_jsonl
from maskprep.sources.kinds import TABLES, Kind, table_kind, text_kind
from maskprep.sources.names import HUB
from maskprep.sources.part import SourcePart
from maskprep.sources.streams import STDIN, blocks, is_plain


def divide(name: str, target: int) -> list[SourcePart] | None:
    """Cut a source into parts of about ``target`` bytes on disk, in order; their sizes add up to that of the source.

    None: it can be read only from its start, by ``open_source``: standard input, the Hub, compressed text, CSV, a JSON
    array, and whatever is damaged, refused or not there, so that opening it says what is wrong.

    Args:
        name: a name that ``expand`` returned.
        target: at least 1.

    Raises:
        BuildError: the file was changed meanwhile.
    """
    if name == STDIN or name.startswith(HUB):
        return None
    kind = Kind.FOLDER if is_folder(name) else table_kind(name)
    try:
        if kind in TABLES:
            from maskprep.sources.table_parts import divide_table  # noqa: PLC0415 - imports pyarrow

            return divide_table(name, kind, target)
        return _divide_text(name, target)
    except (UsageError, RowError):
        return None


def read_part(part: SourcePart, max_bytes: int) -> Iterator[Line]:
    """Yield the rows of a part.

    Raises BuildError where the file is not what it was when the source was divided, or reading fails.
    """
    if part.kind in TABLES:
        from maskprep.sources.table_parts import read_table_part  # noqa: PLC0415 - imports pyarrow

        return read_table_part(part, max_bytes)
    return _read_text(part, max_bytes)


def _divide_text(name: str, target: int) -> list[SourcePart] | None:
    unchanged = Unchanged(name)
    if not is_plain(name):
        return None
    with closing(blocks(name)) as stream:
        kind, _ = text_kind(name, stream)
    if kind is not Kind.JSONL:
        return None
    from maskprep.sources.jsonl_parts import edges  # noqa: PLC0415 - imports numpy

    with open_file(name) as file, reading(f"{name}: reading failed"), stretch(file, 0, unchanged.size) as forward:
        found = edges(forward, unchanged.size, target)
    unchanged()
    return [
        SourcePart(name, kind, start, end, first, end - start, name, unchanged.facts)
        for (start, first), (end, _) in pairwise([*found, (unchanged.size, 0)])
    ]


def _read_text(part: SourcePart, max_bytes: int) -> Iterator[Line]:
    from maskprep.sources.jsonl_parts import first_line, lines_from  # noqa: PLC0415 - imports numpy

    unchanged = Unchanged(part.file, part.facts)
    unchanged()
    with open_file(part.file) as file, reading(f"{part.name}: reading failed"):
        begin = first_line(file, part.start, part.end)
        stream = lines_from(file, begin, part.end)
        yield from read_jsonl(part.name, stream, max_bytes, part.first, begin)
    unchanged()
