"""The rows of all configured sources, in order: one by one as they are read, or in chunks that workers read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import Any

from maskprep.config import Config, Source
from maskprep.errors import BuildError, UsageError
from maskprep.formats import Line, Reading, detect, readable
from maskprep.policy import Preference, ToolTags
from maskprep.sources import HUB, find, open_source, total_bytes
from maskprep.sources.chunk import Chunk, InputFile, copies
from maskprep.sources.files import facts_of
from maskprep.sources.kinds import Kind
from maskprep.sources.names import key_of
from maskprep.sources.opening import Opened
from maskprep.sources.parts import divide
from maskprep.sources.splits import Chosen
from maskprep.sources.streams import STDIN

HELD = 8 * 2**20
"""The most bytes of rows that the driver puts into one chunk, where only it can read them."""

_FIRST_ROWS = 100  # that tell the format of a file
_FIRST_BYTES = 4 * 2**20


@dataclass(frozen=True, slots=True)
class KeyCounts:
    """Counts over the first rows of a file: how many rows and messages have each key, and each name of a role."""

    keys: Counter[str]
    roles: Counter[str]

    @classmethod
    def of(cls, rows: Sequence[object]) -> KeyCounts:
        """Return the counts over some rows."""
        objects = [row for row in rows if isinstance(row, dict)]
        lists = [value for row in objects for value in row.values() if isinstance(value, list)]
        messages = [item for value in lists for item in value if isinstance(item, dict)]
        keys = Counter(key for each in (*objects, *messages) for key in each)
        roles = (each[key] for each in messages for key in ("role", "from") if isinstance(each.get(key), str))
        return cls(keys, Counter(roles))


class Feed:
    """Reads the sources of a configuration.

    ``found`` tells of each source which files are read, and which are left out; ``under`` holds, for a file whose rows
    are a list within an object, the name of that list; ``kinds`` and ``readings`` say of each file that was opened what
    it is, and how its rows are read. The first rows of every source but standard input are read to
    know their formats.

    Args:
        config: names the sources.

    Raises:
        UsageError: a source cannot be opened, has rows of several formats, or is named twice in different ways.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self.found = [find(source.path) for source in config.sources]
        self.files = list(_files(config.sources, self.found))
        self._facts = {file: facts_of(file.name) for file in self.files}
        self.under: dict[InputFile, str] = {}
        self.kinds: dict[InputFile, Kind] = {}
        self.seen: dict[InputFile, KeyCounts] = {}
        self.readings = {file: self._look(file) for file in self.files if file.name != STDIN}
        self._refuse_columns()

    @property
    def names(self) -> list[str]:
        """The names of all files, as they were given or found."""
        return [file.name for file in self.files]

    def facts(self) -> list[list[Any]]:
        """Return facts that change when another file is given, or one is written to, as JSON types."""
        return [[file.name, [str(fact) for fact in self._facts[file] or ()]] for file in self.files]

    def total(self) -> int | None:
        """Return the bytes of all sources as they lie on disk, None where that is not known."""
        sizes = [total_bytes(name) for name in self.names]
        return None if None in sizes else sum(size or 0 for size in sizes)

    def lines(self) -> Iterator[Line]:
        """Yield the rows that are used, in order, each as often as it is used in one."""
        for number, source in enumerate(self._config.sources):
            left = source.max_rows
            for file in (each for each in self.files if each.source == number and left != 0):
                opened, reading = self._open(file)
                for line in opened.lines:
                    left = None if left is None else left - 1
                    times = copies(source.weight, self._config.seed, file.source, file.number, line.where.line)
                    if times:
                        yield replace(line, reading=reading, copies=times)
                    if left == 0:
                        break

    def chunks(self, target: int) -> Iterator[Chunk]:
        """Yield all rows, also those that are not used, in chunks of about ``target`` bytes on disk.

        A file that can be read only from its start is cut as it is read, and so is one of which only some rows are
        wanted. Every file that is opened has one chunk at least.
        """
        count = 0
        for number, source in enumerate(self._config.sources):
            left = source.max_rows
            for file in (each for each in self.files if each.source == number and left != 0):
                for chunk in self._divided(file, target, left):
                    left = None if left is None else left - len(chunk.lines)
                    yield replace(chunk, number=count)
                    count += 1

    def _divided(self, file: InputFile, target: int, most: int | None) -> Iterator[Chunk]:
        source = self._config.sources[file.source]
        made = partial(Chunk, 0, file, weight=source.weight, seed=self._config.seed)
        parts = divide(file.name, target) if self._alone(file) else None
        if not parts:
            yield from self._cut(file, min(target, HELD), most, made)
            return
        self._check_unchanged(file)
        for part in parts:
            yield made(name=file.name, kind=part.kind, reading=self.readings[file], size=part.size, part=part)

    def _cut(self, file: InputFile, target: int, most: int | None, made: Callable[..., Chunk]) -> Iterator[Chunk]:
        """Yield the first ``most`` rows, in chunks, of a file that only the driver can read."""
        read = told = size = count = 0

        def on_progress(consumed: int) -> None:
            nonlocal read
            read = consumed

        opened, reading = self._open(file, on_progress)
        made = partial(made, name=opened.name, kind=opened.kind, reading=reading)
        waiting: list[Line] = []
        for line in opened.lines:
            waiting.append(line)
            size, count = size + len(line.data), count + 1
            if count == most:
                break
            if size >= target:
                yield made(size=read - told, lines=tuple(waiting))
                waiting, size, told = [], 0, read
        yield made(size=read - told, lines=tuple(waiting))

    def _alone(self, file: InputFile) -> bool:
        whole = self._config.sources[file.source].max_rows is None
        return whole and file.name != STDIN and not file.name.startswith(HUB)

    def _open(self, file: InputFile, on_progress: Callable[[int], None] | None = None) -> tuple[Opened, Reading]:
        self._check_unchanged(file)
        opened = self._note(file, open_source(file.name, self._config.max_row_bytes, on_progress))
        reading = self.readings.get(file)
        if reading is None:  # standard input, which can be read once
            first = list(_first(opened.lines))
            reading, opened = self._detect(file, first), replace(opened, lines=chain(first, opened.lines))
        return opened, reading

    def _check_unchanged(self, file: InputFile) -> None:
        if facts_of(file.name) != self._facts[file]:
            message = f"{file.name}: the file was changed since its first rows were looked at"
            raise BuildError(message, "Let whoever writes it finish, or take a copy, then build again.")

    def _look(self, file: InputFile) -> Reading:
        opened = self._note(file, open_source(file.name, self._config.max_row_bytes))
        with closing(opened.lines):  # type: ignore[type-var]  # a generator
            return self._detect(file, list(_first(opened.lines)))

    def _refuse_columns(self) -> None:
        """Refuse an entry of ``columns`` for a field that the format of no file of its source ever reads."""
        if len(self.readings) < len(self.files):
            return  # the format of standard input is not known yet
        for number, source in enumerate(self._config.sources):
            own = [reading for file, reading in self.readings.items() if file.source == number]
            _refuse_unread(source.columns, own, f"sources[{number}].columns")
        _refuse_unread(self._config.columns, list(self.readings.values()), "columns")

    def _note(self, file: InputFile, opened: Opened) -> Opened:
        self.kinds[file] = opened.kind
        if opened.under:
            self.under[file] = opened.under
        return opened

    def _detect(self, file: InputFile, first: Sequence[Line]) -> Reading:
        rows = readable(first)
        self.seen[file] = KeyCounts.of([row for _, row in rows])
        return detect(rows, reading_of(self._config, self._config.sources[file.source]))


def _refuse_unread(columns: Mapping[str, str], readings: Sequence[Reading], where: str) -> None:
    unread = [name for name in columns if readings and not any(reading.reads(name) for reading in readings)]
    if unread:
        formats = " or ".join(sorted({reading.format for reading in readings}))
        msg = f"{where}: a row of the format {formats} has no field {', '.join(unread)}: the entry would do nothing"
        raise UsageError(msg, "take it out, or name another format with format: (docs/pages/formats.md has them)")


def reading_of(config: Config, source: Source) -> Reading:
    """Return the reading of a source's rows, as far as the configuration decides on it."""
    return Reading(
        format=source.format or config.format,
        columns={**config.columns, **source.columns},
        # Plain text, as the roles of the data are: of a template's input, other kinds of text have lost their origin.
        roles={name: role.value for name, role in {**config.roles, **source.roles}.items()},
        drop_nulls=config.drop_nulls,
        mixed=config.mixed_formats,
        ignore=(*config.ignore, *source.ignore),
        chosen=config.preference == Preference.CHOSEN,
        tags=config.tool_tags == ToolTags.READ,
    )


def _files(sources: Sequence[Source], found: Sequence[Chosen]) -> Iterator[InputFile]:
    """Yield the files of all sources, each once. Raises UsageError where two sources say different things of one."""
    seen: dict[str, Source] = {}
    for index, source in enumerate(sources):
        number = 0
        for name in found[index].names:
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
