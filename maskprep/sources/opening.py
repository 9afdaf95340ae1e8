"""Opening a source, whatever it is: its kind, and its rows as lines of JSON."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from maskprep.errors import UsageError
from maskprep.formats.reading import Line
from maskprep.sources.csv_rows import read_csv
from maskprep.sources.files import is_folder, size_of, sizes_within
from maskprep.sources.json_array import read_json_array
from maskprep.sources.json_objects import read_json_objects
from maskprep.sources.json_wrapped import open_wrapped
from maskprep.sources.jsonl import read_jsonl
from maskprep.sources.kinds import TABLES, Kind, table_kind, text_kind
from maskprep.sources.names import HUB
from maskprep.sources.streams import STDIN, BytesRead, blocks


@dataclass(frozen=True, slots=True)
class Opened:
    """A source that is being read.

    ``name`` is what its rows are said to come from; ``under`` is the name of the list that holds them, within an object
    that is wrapped around it.
    """

    name: str
    kind: Kind
    lines: Iterator[Line]
    under: str = ""


def open_source(
    source: str,
    max_bytes: int,
    on_progress: BytesRead | None = None,
    wanted: Collection[int] | None = None,
    *,
    tokenized: bool = False,
) -> Opened:
    """Open one source that ``expand`` returned.

    Args:
        source: its name.
        max_bytes: a row of more bytes has the fault ``row-too-large``.
        on_progress: called with the number of its bytes, as it lies on disk, that have been read so far.
        wanted: yield these rows only, by ``Where.line``, as far as that saves reading: others may come, too.
        tokenized: whether a table may hold token ids in place of conversations.

    Raises:
        UsageError: it cannot be opened, or holds no rows of a known kind.
        BuildError: from ``lines``: reading fails.
    """
    if source.startswith(HUB):
        from maskprep.sources.hub import open_hub, read_hub  # noqa: PLC0415 - as below

        name, rows = open_hub(source)
        return Opened(name, Kind.HUB, read_hub(name, rows, max_bytes))
    kind = Kind.FOLDER if is_folder(source) else table_kind(source)
    if kind in TABLES:
        from maskprep.sources.tables import read_table  # noqa: PLC0415 - imports pyarrow, which others do without

        return Opened(source, kind, read_table(source, kind, max_bytes, on_progress, wanted, tokenized=tokenized))
    kind, stream = text_kind(source, blocks(source, on_progress))
    if kind is Kind.WRAPPED:
        under, lines = open_wrapped(source, stream, max_bytes)
        return Opened(source, kind, lines, under)
    return Opened(source, kind, _TEXT[kind](source, stream, max_bytes))


_TEXT: dict[Kind, Callable[[str, Iterator[bytes], int], Iterator[Line]]] = {
    Kind.JSONL: read_jsonl,
    Kind.JSON: read_json_array,
    Kind.OBJECTS: read_json_objects,
    Kind.CSV: partial(read_csv, delimiter=","),
    Kind.TSV: partial(read_csv, delimiter="\t"),
}


def pick_rows(source: str, lines: Collection[int], max_bytes: int) -> Iterator[Line]:
    """Yield the rows of a source whose ``Where.line`` is among ``lines``, reading no further than the last of them.

    Raises UsageError and BuildError as ``open_source`` does.
    """
    waiting = set(lines)
    if not waiting:
        return
    for line in open_source(source, max_bytes, wanted=waiting).lines:
        if line.where.line in waiting:
            waiting.discard(line.where.line)
            yield line
            if not waiting:
                return


def total_bytes(source: str) -> int | None:
    """Tell how many bytes will be read of a source, or None where that cannot be known (a pipe, ``-``, the Hub)."""
    if source == STDIN or source.startswith(HUB):
        return None
    if is_folder(source):
        from maskprep.sources.tables import table_files  # noqa: PLC0415 - as above

        sizes = sizes_within(source)
        names = [Path(path).name for path, _ in table_files(source)]
        missing = next((name for name in names if name not in sizes), None)
        if missing is not None:
            raise UsageError(f"{source}: it lacks {missing}", "Copy the folder again.")
        return sum(sizes[name] for name in names)
    return size_of(source)
