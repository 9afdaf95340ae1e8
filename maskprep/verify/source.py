"""Rows against their sources: a row rebuilt from its line must be equal, and transformers alone must give it, too."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import BuildError, UsageError
from maskprep.examples import PreparedSequence, Preparer
from maskprep.examples.chats import Chats
from maskprep.examples.clock import clock
from maskprep.examples.oracle import Oracle
from maskprep.formats import DEFAULT, Line, Reading
from maskprep.labelled import IGNORED, Labelled
from maskprep.plural import count
from maskprep.sources import open_source, pick_rows, total_bytes
from maskprep.sources.names import HUB
from maskprep.sources.streams import STDIN
from maskprep.storage import is_remote
from maskprep.verify.branches import StoredBranches, depths
from maskprep.verify.result import Faults, Result, skipped

_ADVICE = (
    "the rows are not what their sources become: build again; if the source was edited since, that is the reason, "
    "otherwise find out who changed the data set"
)


@dataclass(frozen=True, slots=True)
class Rebuild:
    """The tokenizer, policy and readings with which a row is built again as the manifest says it was built.

    ``variables`` are the configured ``template_kwargs``, ``now`` the time that ``strftime_now`` tells, ``readings`` how
    the rows of each source are read, by its name. ``places`` are the folders in which relative names are looked up.
    """

    preparer: Preparer
    oracle: Oracle
    variables: Mapping[str, Any]
    now: datetime
    max_row_bytes: int
    readings: Mapping[str, Reading]
    places: Sequence[Path] = ()


def check_source(
    data: StoredDataSet, numbers: Sequence[int], rebuild: Rebuild, advance: Callable[[int], None]
) -> Result:
    """Return the result of rebuilding the rows ``numbers``; ``advance`` is called with the rows seen since the last."""
    check = _SourceCheck(data, rebuild, advance)
    with clock(rebuild.now):
        for file, lines in wanted_lines(data, numbers).items():
            check.file(file, lines)
    facts = {"not_found": check.missing}
    if not check.rows:
        return replace(skipped("source", "; ".join(check.gone) or "there is no row"), facts=facts)
    oracle = rebuild.oracle
    rows = f"{check.rows:,} of {count(len(data), 'row')}"
    said = f"{rows} {'is' if len(data) == 1 else 'are'} what their source lines become, and transformers alone agrees"
    flags = list(check.gone)
    if oracle.as_rendered:
        flags.append(
            f"{count(oracle.as_rendered, 'turn')} trained in a context that no server sends (as configured): by "
            "transformers alone, compared with the rendering in which they stand"
        )
    if oracle.as_sampled:
        flags.append(
            f"{oracle.as_sampled:,} turns were compared with their source's ids, those sampled and those fed: no "
            "rendering gives them"
        )
    return check.faults.result(
        "source",
        said,
        "rows differ from what their source lines become",
        _ADVICE,
        figures={
            "rows": check.rows,
            "of": len(data),
            "turns_proved": oracle.proved,
            "turns_as_rendered": oracle.as_rendered,
            **({"turns_as_sampled": oracle.as_sampled} if oracle.as_sampled else {}),
        },
        flags=tuple(flags),
        facts=facts,
    )


class _SourceCheck:
    def __init__(self, data: StoredDataSet, rebuild: Rebuild, advance: Callable[[int], None]) -> None:
        self.data, self.rebuild, self.advance = data, rebuild, advance
        self.faults = Faults()
        self.gone: list[str] = []
        self.missing: list[str] = []
        self.rows = 0

    def file(self, file: str, lines: Mapping[int, list[int]]) -> None:
        waiting = dict(lines)
        path, gone = found_source(file, self.rebuild.places)
        if gone:
            rows = sum(map(len, lines.values()))
            self.gone.append(f"{gone}: {count(rows, 'row')} not compared")
            self.missing.append(path)
            self.advance(rows)
            return
        try:
            for line in read_lines(file, path, lines.keys(), self.rebuild):
                self._line(line, waiting.pop(line.where.line))
        except (UsageError, BuildError) as error:
            self.faults.add(f"{file}: {error.message}")
        for number, numbers in waiting.items():
            self.rows += len(numbers)
            self.faults.add(f"row {numbers[0]}: {file} has no line {number} any more", len(numbers))
            self.advance(len(numbers))

    def _line(self, line: Line, numbers: Sequence[int]) -> None:
        self.rows += len(numbers)
        (rebuilt,) = self.rebuild.preparer.prepare_rows([line])
        if rebuilt.error is not None or rebuilt.proved is None or rebuilt.made is None:
            said = rebuilt.error.message if rebuilt.error is not None else ""
            self.faults.add(f"row {numbers[0]}: {line.where} is rejected now: {said}", len(numbers))
            self.advance(len(numbers))
            return
        chats = Chats(rebuilt.proved.conversation, self.rebuild.variables)
        made = rebuilt.made.sequences
        for number in numbers:
            row = self.data.row(number)
            if row.sequence >= len(made):
                self.faults.add(
                    f"row {number}: {line.where} gives {len(made)} sequences, this is number {row.sequence}"
                )
            else:
                found = [
                    *_differences(row.labelled, made[row.sequence].labelled),
                    *self._alone(chats, made[row.sequence], row.labelled),
                ]
                if found:
                    self.faults.add(f"row {number} ({line.where}): {'; '.join(found)}")
            self.advance(1)

    def _alone(self, chats: Chats, made: PreparedSequence, row: Labelled) -> Iterator[str]:
        """Yield what transformers alone says of a row, or of each sequence of a tree."""
        if not made.branches:
            yield from self._sequence(chats, made, row)
        elif len(row.labels) == len(row.input_ids) and row.spans:  # else that is told already
            stored = StoredBranches(row, made.branches)
            for branch, sequence in stored.found():
                yield from self._sequence(chats, branch, sequence)
            yield from stored.faults

    def _sequence(self, chats: Chats, made: PreparedSequence, row: Labelled) -> Iterator[str]:
        try:
            for fault in self.rebuild.oracle.faults(chats.of(made), chats.renumbered(row, made)):
                yield f"by transformers alone, {fault}"
        except Exception as error:  # noqa: BLE001 - a template is a program from a stranger
            yield f"by transformers alone, it cannot be rendered: {type(error).__name__}: {error}"


def wanted_lines(data: StoredDataSet, numbers: Sequence[int]) -> Mapping[str, Mapping[int, list[int]]]:
    """Return the source lines of rows, by file and line, each with the numbers of its rows."""
    wanted: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for number in numbers:
        where = data.row(number).where
        wanted[where.file][where.line].append(number)
    return wanted


def read_lines(file: str, path: str, numbers: Collection[int], rebuild: Rebuild) -> Iterator[Line]:
    """Yield lines of a source, named as the rows have it (``file``), wherever it was found (``path``).

    Raises:
        UsageError, BuildError: it cannot be read.
    """
    reading = rebuild.readings.get(file, DEFAULT)
    for line in pick_rows(path, numbers, rebuild.max_row_bytes):
        yield replace(line, reading=reading, where=replace(line.where, file=file))


def looked_up(root: Path, sources_from: object) -> tuple[Path, ...]:
    """Return the folders in which relative names of sources are looked up, in their order.

    Args:
        root: the data set's folder.
        sources_from: the folder of the build as seen from there, as the manifest has it; None: it tells of none.

    The first is where the build ran, as seen from the data set: both may have been moved. Then the current folder.
    """
    built = (Path(os.path.normpath(root.resolve() / sources_from)),) if isinstance(sources_from, str) else ()
    return tuple(dict.fromkeys((*built, Path.cwd())))


def found_source(file: str, places: Sequence[Path]) -> tuple[str, str]:
    """Return the name under which a source can be read now, and why it cannot, an empty text where it can."""
    if file == STDIN or file.startswith(HUB) or is_remote(file):
        return file, _unreachable(file)
    paths = list(dict.fromkeys(str(place / file) for place in places or (Path.cwd(),)))
    found = next((path for path in paths if Path(path).exists()), None)
    if found is not None:
        return found, ""
    return paths[0], f"source not found at {' or '.join(paths)}"


def _unreachable(file: str) -> str:
    """Return why a source that is no file cannot be read now, an empty text where it can."""
    if file == STDIN:
        return "standard input cannot be read again"
    if file.startswith(HUB):
        try:
            open_source(file, 1)
        except UsageError as error:
            return error.message
        return ""
    try:
        total_bytes(file)
    except (UsageError, BuildError) as error:
        return error.message
    return ""


def _differences(here: Labelled, there: Labelled) -> Iterator[str]:
    """Yield how a stored row differs from the rebuilt one."""
    if not np.array_equal(here.input_ids, there.input_ids):
        if len(here.input_ids) != len(there.input_ids):
            yield f"it has {len(here.input_ids):,} ids, the source gives {len(there.input_ids):,}"
        else:
            other = np.flatnonzero(here.input_ids != there.input_ids)
            yield f"{len(other):,} ids are others, the first at token {int(other[0]):,}"
    elif len(here.labels) != len(there.labels):
        yield f"it has {len(here.labels):,} labels, the source gives {len(there.labels):,}"
    elif not np.array_equal(here.labels, there.labels):
        more = (here.labels != IGNORED) & (there.labels == IGNORED)
        less = (here.labels == IGNORED) & (there.labels != IGNORED)
        yield f"{int(more.sum()):,} tokens are trained that must not be{_at(more)}"
        yield f"{int(less.sum()):,} are not that must{_at(less)}"
    elif not _same_weights(here, there):
        yield "the weights of its tokens are others"
    elif not _same_logprobs(here, there):
        yield "the log-probabilities of its tokens are others"
    elif here.spans != there.spans:
        pairs = zip((*here.spans, None), (*there.spans, None), strict=False)
        first = next((pair for pair in pairs if pair[0] != pair[1]), (None, None))
        yield f"the spans are others, the first: {_span(first[0])} instead of {_span(first[1])}"
    if len(here.input_ids) == len(there.input_ids) and not np.array_equal(depths(here), depths(there)):
        at = int(np.flatnonzero(depths(here) != depths(there))[0])
        yield f"the position of token {at:,} is {int(depths(here)[at]):,}, the source gives {int(depths(there)[at]):,}"


def _same_weights(here: Labelled, there: Labelled) -> bool:
    one, two = (
        (row.labels != IGNORED).astype(np.float32) if row.weights is None else row.weights for row in (here, there)
    )
    return np.array_equal(one, two)


def _same_logprobs(here: Labelled, there: Labelled) -> bool:
    unknown = np.full(len(here.labels), np.nan, np.float32)
    one, two = (unknown if row.logprobs is None else row.logprobs for row in (here, there))
    return np.array_equal(one, two, equal_nan=True)


def _at(mask: np.ndarray) -> str:
    places = np.flatnonzero(mask)
    return f" (token {int(places[0]):,})" if len(places) else ""


def _span(span: Any) -> str:
    return f"{span.role} {span.part} {span.start}:{span.end}" if span else "none"
