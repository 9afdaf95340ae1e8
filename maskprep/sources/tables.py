"""Parquet, Arrow and folders of `save_to_disk`: rows by number, each as JSON.

Tool arguments that a table holds as structs have got nulls for keys of other rows: it is the table that says so, and
the row as it stands here still has them. Columns of JSON text stay text; those of Arrow's JSON type become what they
spell.
"""

from __future__ import annotations

from collections.abc import Collection, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow as pa

from maskprep.conversation import Where
from maskprep.errors import RowError, UsageError
from maskprep.formats.reading import Line
from maskprep.sources.bounds import check_rows
from maskprep.sources.files import Unchanged, check_regular, within
from maskprep.sources.kinds import Kind
from maskprep.sources.sidecars import is_plain, read_sidecar
from maskprep.sources.streams import BytesRead
from maskprep.sources.table_files import Table, open_table
from maskprep.sources.table_rows import Wanted, rows_of

DAMAGE = (OSError, pa.ArrowException, ValueError, LookupError, RuntimeError, MemoryError)
"""What a damaged file raises."""


def read_table(  # noqa: PLR0913 - a table, and what of it
    source: str,
    kind: Kind,
    max_bytes: int,
    on_progress: BytesRead | None = None,
    wanted: Collection[int] | None = None,
    *,
    tokenized: bool = False,
) -> Iterator[Line]:
    """Yield the rows of a table, or only those ``wanted`` by number; ``Where.line`` is that number, from 1.

    Of a file only the row groups, or batches, that hold wanted rows are read. A row that has no place in JSON has a
    fault that says so; rows of a group that cannot be read have one fault together, ``truncated-file``, as has the rest
    of a file that ends early. A table of token ids is refused unless it may be ``tokenized``. Raises UsageError where
    the file cannot be opened as what it is, BuildError where it is changed meanwhile. A file that tells of more than it
    can hold has one row, with the fault ``compression-bomb``.
    """
    chosen, first, done = Wanted(wanted), 1, 0
    for path, of_kind in table_files(source) if kind is Kind.FOLDER else [(source, kind)]:
        check_regular(path)
        unchanged = Unchanged(path)
        try:
            table = opened(path, of_kind, unchanged.size)
        except RowError as fault:
            yield Line(Where(source, first, -1), b"", fault)
        else:
            if not tokenized and {"input_ids", "labels"} <= set(table.names):
                hint = "Give the data that it was made from; `maskprep judge` looks at token ids."
                raise UsageError(f"{path}: it holds token ids, not conversations", hint)

            def tell(end: int, before: int = done) -> None:
                if on_progress is not None:
                    on_progress(before + end)

            stretch = Stretch(source, path, table, None, unchanged, unchanged.size, tell)
            first = yield from stretch.lines(first, max_bytes, chosen)
        unchanged()
        done += unchanged.size


@dataclass(frozen=True, slots=True)
class Stretch:
    """Pieces of one file that are read one after the other: those ``at`` a place, or all.

    ``size`` is how many bytes of the file they stand for; ``tell`` gets the place up to which it was read.
    """

    source: str
    path: str
    table: Table
    at: tuple[int, int] | None
    unchanged: Unchanged
    size: int
    tell: BytesRead = lambda _: None

    def lines(self, first: int, max_bytes: int, wanted: Wanted) -> Generator[Line, None, int]:
        """Yield the wanted rows, of which ``first`` is the number of the first; return the number after the last."""
        begun, held = first, 0
        try:
            for extent in self.table.extents(self.at):
                check_rows(self.path, first - begun + extent.rows, self.unchanged.size)
                after = first
                try:
                    if wanted.within(first, extent.rows):
                        for line in rows_of(self.source, first, self.table.batches(extent), max_bytes, wanted):
                            held += len(line.data)
                            check_rows(self.path, 0, self.size, held)
                            yield line
                            self.unchanged.before_touching()
                            after = line.where.line + 1
                except DAMAGE as error:
                    yield self._broken(after, error, f"rows {after:,} to {first + extent.rows - 1:,} cannot be read")
                first += extent.rows
                self.tell(extent.end)
        except DAMAGE as error:
            yield self._broken(first, error, "nothing after this place can be read")
        except RowError as fault:
            yield Line(Where(self.source, first, -1), b"", fault)
        return first

    def _broken(self, line: int, error: BaseException, what: str) -> Line:
        self.unchanged()
        message = f"{self.path}: {what}: {(str(error).splitlines() or [type(error).__name__])[0]}"
        fault = RowError("truncated-file", message, "Copy or download the file again.")
        return Line(Where(self.source, line, -1), b"", fault)


def opened(path: str, kind: Kind, size: int) -> Table:
    """Open a table. Raises UsageError where it is none of its kind, RowError where it is a bomb."""
    with _told(f"{path}: it cannot be read as {kind}"):
        return open_table(path, kind, size)


def table_files(folder: str) -> list[tuple[str, Kind]]:
    """Return the shards of a folder that `save_to_disk` wrote, in order. Raises UsageError where it is none."""
    path = within(folder, "state.json")
    with _told(f"{folder}: it cannot be read as a data set of save_to_disk"):
        state = read_sidecar(path)
        names = [entry["filename"] for entry in state["_data_files"]]
        indices = state.get("_indices_data_files")
        if not all(map(is_plain, names)):
            message = "state.json names files outside of it"
            raise ValueError(message)
    if indices:
        hint = "Load it with datasets, call flatten_indices(), and save it again."
        raise UsageError(f"{folder}: its rows are chosen by an index of an old version of datasets", hint)
    return [(within(folder, name), Kind.ARROW_STREAM) for name in names]


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Raise what goes wrong while a table is opened as a UsageError."""
    try:
        yield
    except (*DAMAGE, TypeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UsageError(f"{what}: {reason}", "Check that the file is whole, or copy it again.") from error
