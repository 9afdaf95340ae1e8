"""Tables in parts: runs of row groups, or of record batches, of one file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from maskprep.formats.reading import Line
from maskprep.sources.bounds import check_rows
from maskprep.sources.files import Unchanged, check_regular
from maskprep.sources.kinds import Kind
from maskprep.sources.part import SourcePart
from maskprep.sources.table_files import Extent
from maskprep.sources.table_rows import Wanted
from maskprep.sources.tables import DAMAGE, Stretch, opened, table_files
from maskprep.storage import is_remote
from maskprep.storage.ahead import several

_AT_ONCE = 16  # files of a folder in an object store whose headers are read
_Run = tuple[int, tuple[int, int], int]  # rows, their place, and the bytes that they stand for


def divide_table(name: str, kind: Kind, target: int) -> list[SourcePart] | None:
    """Return the parts of a table, as ``parts.divide`` does; None where something in it is damaged."""
    found: list[SourcePart] = []
    row = 0

    def planned(file: tuple[str, Kind]) -> tuple[Unchanged, list[_Run]]:
        path, of_kind = file
        check_regular(path)
        unchanged = Unchanged(path)
        extents = list(opened(path, of_kind, unchanged.size).extents())
        check_rows(path, sum(extent.rows for extent in extents), unchanged.size)
        unchanged()
        return unchanged, list(_runs(extents, target, unchanged.size))

    # Of an object, each header is a request: there the time goes by waiting.
    at_once = _AT_ONCE if is_remote(name) else 1
    try:
        files = table_files(name) if kind is Kind.FOLDER else [(name, kind)]
        for (path, _), (unchanged, runs) in zip(files, several(planned, files, at_once, wait=False), strict=True):
            for rows, at, size in runs:
                found.append(SourcePart(name, kind, row, row + rows, row + 1, size, path, unchanged.facts, at))
                row += rows
    except DAMAGE:
        return None
    return found


def _runs(extents: Sequence[Extent], target: int, size: int) -> Iterator[_Run]:
    """Put the pieces of a file of ``size`` bytes together until they have ``target`` bytes.

    Yields one run of no rows where there are no pieces.
    """
    pieces = [*extents[:-1], replace(extents[-1], end=size)] if extents else [Extent(0, (0, 0), size)]
    held: list[Extent] = []
    begun = 0
    for piece in pieces:
        held.append(piece)
        if piece.end - begun >= target or piece is pieces[-1]:
            yield sum(each.rows for each in held), (held[0].at[0], piece.at[1]), piece.end - begun
            held, begun = [], piece.end


def read_table_part(part: SourcePart, max_bytes: int) -> Iterator[Line]:
    """Yield the rows of a part of a table, as ``parts.read_part`` does."""
    unchanged = Unchanged(part.file, part.facts)
    unchanged()
    kind = Kind.ARROW_STREAM if part.kind is Kind.FOLDER else part.kind
    table = opened(part.file, kind, unchanged.size)
    stretch = Stretch(part.name, part.file, table, part.at, unchanged, part.size)
    yield from stretch.lines(part.first, max_bytes, Wanted(None))
    unchanged()
