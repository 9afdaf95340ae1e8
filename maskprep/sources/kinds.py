"""What kind of data a source holds: by its first bytes, or else by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from maskprep.errors import RowError, UsageError
from maskprep.formats.strict_json import loads
from maskprep.sources.json_head import JsonLayout, jq, layout_of, scan
from maskprep.sources.jsonl import BOM
from maskprep.sources.streams import STDIN
from maskprep.storage import RemoteFile, is_remote

_PEEKED = 1 << 20  # the most bytes that are looked at


class Kind(StrEnum):
    """What a source is; the value is what people call it."""

    JSONL = "JSONL"
    JSON = "JSON array"
    OBJECTS = "JSON objects over several lines"
    WRAPPED = "JSON object around a list"
    CSV = "CSV"
    TSV = "TSV"
    PARQUET = "Parquet"
    ARROW_FILE = "Arrow file"
    ARROW_STREAM = "Arrow stream"
    FOLDER = "data set folder"
    HUB = "Hub data set"

    @property
    def numbered(self) -> bool:
        """Whether ``Where.line`` is the number of the row, and not that of a line of text."""
        return self not in {Kind.JSONL, Kind.CSV, Kind.TSV}


TABLES = {Kind.PARQUET, Kind.ARROW_FILE, Kind.ARROW_STREAM, Kind.FOLDER}
"""The kinds that ``tables`` reads."""

SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet", ".arrow", ".feather")
"""Extensions of files that hold rows, before one of ``PACKED``."""

PACKED = (".gz", ".zst")
"""Extensions of compressed files."""

_MAGIC = {b"PAR1": Kind.PARQUET, b"ARROW1": Kind.ARROW_FILE, b"\xff\xff\xff\xff": Kind.ARROW_STREAM}
_BY_SUFFIX = {".csv": Kind.CSV, ".tsv": Kind.TSV}
_TABLE_SUFFIXES = {".parquet": "Parquet", ".arrow": "Arrow", ".feather": "Arrow"}
_FOREIGN = {
    b"PK\x03\x04": "a zip archive",
    b"\xfd7zXZ\x00": "compressed with xz",
    b"BZh": "compressed with bzip2",
    b"SQLite format 3": "a database of SQLite",
    b"Obj\x01": "Avro",
}
# UTF-16 or UTF-32: with their mark, or with zero bytes beside the first characters, which are ASCII in any such file.
_WIDE = re.compile(rb"\xff\xfe|\xfe\xff|\0\0\xfe\xff|[\t-~]\0{1,3}[\t-~]\0|\0{1,3}[\t-~]\0{1,3}[\t-~]")


def suffix_of(name: str) -> str:
    """Return the extension of a file name in small letters, without that of its compression."""
    path = Path(name.lower())
    return Path(path.stem).suffix if path.suffix in PACKED else path.suffix


def table_kind(source: str) -> Kind | None:
    """Tell which kind of table a file is, by its first bytes; None for everything else."""
    if source == STDIN or (not is_remote(source) and not Path(source).is_file()):
        return None
    try:
        with RemoteFile(source) if is_remote(source) else Path(source).open("rb") as file:
            return _magic(file.read(8))
    except OSError:
        return None  # whoever opens it next says why


def text_kind(source: str, stream: Iterator[bytes]) -> tuple[Kind, Iterator[bytes]]:
    """Tell what a stream of plain bytes holds, and return the whole stream again.

    Raises UsageError where it is nothing that rows can be read from.
    """
    held: list[bytes] = []
    fault: RowError | None = None
    try:
        kind = _look(source, _kept(stream, held))
    except RowError as error:  # the compressed data is damaged at its very start: whoever reads the rows says where
        kind, fault = _BY_SUFFIX.get(suffix_of(source), Kind.JSONL), error
    return kind, _again(held, fault, stream)


def _look(source: str, stream: Iterator[bytes]) -> Kind:
    head, next_look = b"", 0
    for block in stream:
        head += block[:_PEEKED]
        if len(head) >= min(next_look, _PEEKED):
            # Twice as much each time: what is looked at again costs no more than what is looked at once.
            next_look = 2 * len(head)
            kind = _kind(source, head, whole=False)
            if kind is not None:
                return kind
    return _kind(source, head, whole=True) or Kind.JSONL


def _kind(source: str, head: bytes, *, whole: bool) -> Kind | None:
    """Tell the kind by the first bytes, None where more of them must be seen; ``whole``: there are no more."""
    start, enough = head.removeprefix(BOM).lstrip(), len(head) >= _PEEKED
    if not start and not whole and not enough:
        return None
    _refuse_foreign(source, head)
    if start.startswith(b"{"):
        return _of_objects(source, start, whole=whole, enough=enough)
    named = _BY_SUFFIX.get(suffix_of(source))
    if named is None and start.startswith(b"["):
        if not (whole or enough or _line_and_more(start)):
            return None
        return Kind.JSONL if _line_is_array(start) else Kind.JSON
    if suffix_of(source) in _TABLE_SUFFIXES:
        name = _TABLE_SUFFIXES[suffix_of(source)]
        raise UsageError(f"{source}: it is called {name}, but is none", "Check the file: it may be cut off or empty.")
    return named or Kind.JSONL


_BY_LAYOUT = {JsonLayout.LINES: Kind.JSONL, JsonLayout.OBJECTS: Kind.OBJECTS, JsonLayout.WRAPPER: Kind.WRAPPED}


def _of_objects(source: str, start: bytes, *, whole: bool, enough: bool) -> Kind | None:
    layout = layout_of(start, whole=whole, enough=enough)
    if layout is JsonLayout.WRAPPERS:
        names = scan(start).several()
        message = f"{source} is one JSON object with lists of rows under {', '.join(names)}: nobody knows which to read"
        hint = f"{jq(f'.{names[0]}[]', source)} writes those of one as JSONL: name the file that you put them into."
        raise UsageError(message, hint)
    return None if layout is None else _BY_LAYOUT[layout]


def _refuse_foreign(source: str, head: bytes) -> None:
    table = _magic(head)
    if table is not None:
        what = "standard input" if source == STDIN else source
        raise UsageError(f"{what} holds {table} data, which is read from an uncompressed file only", "Unpack it first.")
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise UsageError(f"{source} is {what}, which is not read", "Unpack or convert it to JSONL.")
    if _WIDE.match(head):
        hint = f"Convert it: `iconv -f UTF-16 -t UTF-8`. Every row of {source} would be rejected as it is."
        raise UsageError(f"{source} is UTF-16 or UTF-32 text, not UTF-8", hint)


def _magic(head: bytes) -> Kind | None:
    return next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)


def _line_and_more(text: bytes) -> bool:
    """Tell whether there is a line and something after it."""
    _, newline, rest = text.partition(b"\n")
    return bool(newline and rest.strip())


def _line_is_array(text: bytes) -> bool:
    """Tell whether the first line is an array of its own, followed by others: JSONL of lists, and no rows of ours."""
    line, _, rest = text.partition(b"\n")
    if not rest.strip() or len(line) >= _PEEKED:
        return False
    try:
        return isinstance(loads(line), list)
    except RowError:
        return False


def _kept(stream: Iterator[bytes], held: list[bytes]) -> Iterator[bytes]:
    for block in stream:
        held.append(block)
        yield block


def _again(held: list[bytes], fault: RowError | None, stream: Iterator[bytes]) -> Iterator[bytes]:
    while held:
        yield held.pop(0)
    if fault is not None:
        raise fault
    yield from stream
