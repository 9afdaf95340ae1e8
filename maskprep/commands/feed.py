"""The rows of all configured sources, in order, each with how it is read and how often it is used."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from maskprep.config import Config, Source
from maskprep.errors import BuildError, RowError, UsageError
from maskprep.formats import Line, Reading, detect, loads
from maskprep.sources import Kind, expand, open_source
from maskprep.sources.mixture import copies
from maskprep.sources.names import key_of
from maskprep.sources.streams import STDIN, facts_of

_FIRST_ROWS = 100  # that tell the shape of a file
_FIRST_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class InputFile:
    """One source to open: its ``name``, the number of the configured source, and its own number within that."""

    name: str
    source: int
    number: int


@dataclass(slots=True)
class FileRows:
    """What was understood of a file, and how many of its rows were read, and used at least once."""

    file: InputFile
    name: str
    kind: Kind
    reading: Reading
    rows: int = 0
    chosen: int = 0


class Feed:
    """Reads the sources of a configuration.

    Args:
        config: names them.

    Raises:
        UsageError: one cannot be opened, its rows are of several shapes, or it is named twice in different ways.
    """

    def __init__(self, config: Config) -> None:
        """Look at the first rows of every source but standard input; see the class."""
        self._config = config
        self.files = list(_files(config.sources))
        self._facts = {file: facts_of(file.name) for file in self.files}
        self._readings = {file: self._look(file) for file in self.files if file.name != STDIN}

    @property
    def names(self) -> list[str]:
        """The names of all files, as they were given or found."""
        return [file.name for file in self.files]

    def lines(self, read: Callable[[int], None] | None = None, log: list[FileRows] | None = None) -> Iterator[Line]:
        """Yield the rows that are used.

        Args:
            read: is told how many more bytes of the files were read.
            log: gets an entry for each file as it is opened, which counts its rows.
        """
        for number, source in enumerate(self._config.sources):
            left = source.max_rows
            for file in (each for each in self.files if each.source == number):
                if left == 0:
                    break
                noted, lines = self._open(file, _growth(read) if read else None)
                if log is not None:
                    log.append(noted)
                yield from self._mixed(noted, lines, left)
                left = None if left is None else left - noted.rows

    def _mixed(self, noted: FileRows, lines: Iterator[Line], most: int | None) -> Iterator[Line]:
        """Yield the first ``most`` rows of a file, as often as they are to be used."""
        file, weight = noted.file, self._config.sources[noted.file.source].weight
        for line in lines:
            noted.rows += 1
            times = copies(weight, self._config.seed, file.source, file.number, line.where.line)
            if times:
                noted.chosen += 1
                yield replace(line, reading=noted.reading, copies=times)
            if noted.rows == most:
                return

    def _open(self, file: InputFile, on_progress: Callable[[int], None] | None) -> tuple[FileRows, Iterator[Line]]:
        if facts_of(file.name) != self._facts[file]:
            message = f"{file.name}: the file was changed since its first rows were looked at"
            raise BuildError(message, "Let whoever writes it finish, or take a copy, then build again.")
        opened = open_source(file.name, self._config.max_row_bytes, on_progress)
        lines, reading = opened.lines, self._readings.get(file)
        if reading is None:  # standard input, which can be read once
            first = list(_first(lines))
            reading, lines = self._detect(file, first), chain(first, lines)
        return FileRows(file, opened.name, opened.kind, reading), lines

    def _look(self, file: InputFile) -> Reading:
        opened = open_source(file.name, self._config.max_row_bytes)
        with closing(opened.lines):  # type: ignore[type-var]  # a generator
            return self._detect(file, list(_first(opened.lines)))

    def _detect(self, file: InputFile, first: Sequence[Line]) -> Reading:
        rows = []
        for line in first:
            if line.fault is None:
                try:
                    rows.append((line.where, loads(line.data)))
                except RowError:
                    continue  # it will be rejected when its turn comes
        return detect(rows, reading_of(self._config, self._config.sources[file.source]))


def reading_of(config: Config, source: Source) -> Reading:
    """Return how the rows of a source are read, as far as the configuration tells."""
    return Reading(
        format=source.format or config.format,
        columns={**config.columns, **source.columns},
        roles={**config.roles, **source.roles},
        drop_nulls=config.drop_nulls,
        mixed=config.mixed_formats,
    )


def understood(config: Config, log: Sequence[FileRows]) -> list[dict[str, Any]]:
    """Return what was understood of each source as JSON types: one entry for all files of the same kind and shape."""
    entries: dict[Any, dict[str, Any]] = {}
    for noted in log:
        source, reading = config.sources[noted.file.source], noted.reading
        key = (noted.file.source, noted.kind, reading.format)
        entry = entries.setdefault(
            key,
            {
                "source": source.path,
                "kind": str(noted.kind),
                "format": reading.format,
                "columns": dict(reading.columns),
                "roles": dict(reading.roles),
                "weight": source.weight,
                "max_rows": source.max_rows,
                "files": [],
                "rows": 0,
                "rows_chosen": 0,
            },
        )
        entry["files"].append(noted.name)
        entry["rows"] += noted.rows
        entry["rows_chosen"] += noted.chosen
    return list(entries.values())


def _files(sources: Sequence[Source]) -> Iterator[InputFile]:
    seen: dict[str, Source] = {}
    for index, source in enumerate(sources):
        number = 0
        for name in expand([source.path]):
            other = seen.setdefault(key_of(name), source)
            if other is source:
                yield InputFile(name, index, number)
                number += 1
            elif other.model_copy(update={"path": source.path}) != source:
                hint = "Name it once; a glob need not match it, too."
                raise UsageError(f"{name} belongs to two sources that say different things of it", hint)


def _first(lines: Iterator[Line]) -> Iterator[Line]:
    size = 0
    for count, line in enumerate(lines, 1):
        yield line
        size += len(line.data)
        if count >= _FIRST_ROWS or size >= _FIRST_BYTES:
            return


def _growth(read: Callable[[int], None]) -> Callable[[int], None]:
    """Turn the number of bytes read so far, of one file, into by how much it has grown."""
    before = 0

    def grown(consumed: int) -> None:
        nonlocal before
        read(consumed - before)
        before = consumed

    return grown
