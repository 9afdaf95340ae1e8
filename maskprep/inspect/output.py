"""A finished build, with the tokenizer that shows its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain, islice
from pathlib import Path
from typing import Any

from maskprep.conversation import Where
from maskprep.dataset.open_build import damage_told, open_build
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import ShardRow
from maskprep.errors import BuildError, UsageError
from maskprep.inspect.finding_index import FindingIndex, text
from maskprep.inspect.selection import Selection
from maskprep.inspect.tokens import tokens_of_build
from maskprep.inspect.views import RejectView, RowView, View, Viewer, sought
from maskprep.labelled import IGNORED
from maskprep.light_imports import spare_pandas

_PAGE_ROWS = 50  # rows of a build's page
_PAGE_EXAMPLES = 3  # rows in it for each code of a reject or a finding
_LONGEST = 200_000  # tokens of a row on a page of many: each takes some hundred bytes until it is written


class Output:
    """A finished build, with the tokenizer that shows its rows."""

    def __init__(self, data: StoredDataSet, viewer: Viewer) -> None:
        """Show the rows of ``data`` with ``viewer``."""
        self.data, self.viewer = data, viewer

    @classmethod
    def open(cls, path: str) -> Output:
        """Open the finished build in folder ``path``.

        Raises:
            UsageError: there is no finished build, or no tokenizer in it.
            BuildError: the build is damaged.
        """
        spare_pandas()
        data = open_build(path)
        if not Path(data.tokenizer).is_dir():  # its name alone would be taken for one of the hub's
            raise UsageError(f"{path!r} is no build of maskprep: it lacks the folder tokenizer", "build it again")
        return cls(data, Viewer(tokens_of_build(data.tokenizer)))

    @property
    def config(self) -> dict[str, Any]:
        """The configuration of the build, and the time that ``strftime_now`` told its templates."""
        with damage_told(self.data.path):
            return {**self.data.manifest["config"], "now": self.data.manifest["now"]}

    @cached_property
    def _found(self) -> FindingIndex:
        with damage_told(self.data.path):
            return FindingIndex(self.data.placed_findings(), self.data.finding)

    @cached_property
    def codes(self) -> list[str]:
        """The codes of the findings, rejects and drops that there are."""
        left = chain(self.rejects(), self.dropped())
        return sorted({*self._found.first, *(reject.code for reject in left)})

    def codes_of(self, numbers: Sequence[int]) -> Iterator[set[str]]:
        """Yield the codes of the findings about each of some rows, which are numbered in order."""
        with damage_told(self.data.path):
            places = dict.fromkeys(numbers)
            for number, (file, line, _) in enumerate(self.data.origins()):
                if number in places:
                    yield {code for code, _ in self._found.of((file, line))}

    def row(self, number: int) -> ShardRow:
        """Return row ``number``. Raises ``BuildError`` where its columns do not fit together."""
        with damage_told(self.data.path):
            row = self.data.row(number)
            _check(number, row)
            return row

    def view(self, number: int) -> RowView:
        """Return the view of row ``number``."""
        row = self.row(number)
        with damage_told(self.data.path):
            findings = self._found.of((row.where.file, row.where.line))
            view = self.viewer.view(number, row.where, row.sequence, row.labelled, findings)
            return replace(view, place=self.data.place(number))

    def rejects(self, most: int | None = None) -> Iterator[RejectView]:
        """Yield the rejected rows; with ``most``, the first of every code, at most so many of each."""
        yield from self._left(self.data.rejects(), most)

    def shown_rejects(self, most: int | None = None) -> Iterator[RejectView]:
        """Yield rejected rows with the text around their fault, where that can be read from their source."""
        from maskprep.inspect.excerpt import stored_excerpt  # noqa: PLC0415 - not for rows that are chosen by number

        for reject in self.rejects(most):
            yield replace(reject, around=stored_excerpt(reject.where, reject.code, reject.message, reject.details))

    def dropped(self) -> Iterator[RejectView]:
        """Yield the rows that were left out though nothing is wrong with them."""
        yield from self._left(self.data.dropped(), None)

    def _left(self, entries: Iterator[dict[str, Any]], most: int | None) -> Iterator[RejectView]:
        seen: Counter[str] = Counter()
        with damage_told(self.data.path):
            for reject in entries:
                code = text(reject, "code")
                seen[code] += 1
                if most is None or seen[code] <= most:
                    where = Where(text(reject, "file"), int(reject["line"]), int(reject["byte"]))
                    hint = text({"hint": "", **reject}, "hint")
                    yield RejectView(-1, where, code, text(reject, "message"), hint, _details(reject), "")

    def examples(self, most: int, of_each: int) -> list[int]:
        """Return the first ``most`` rows, and one of each of the first ``of_each`` conversations with each finding.

        Rows that are too long for a page of many are left out.
        """
        lengths = self.data.lengths()[0]
        chosen = set(range(min(most, len(self.data))))
        wanted = {place for places in self._found.first.values() for place in places[:of_each]}
        for number, (file, line, _) in enumerate(self.data.origins()):
            if (file, line) in wanted and lengths[number] <= _LONGEST:
                wanted.discard((file, line))
                chosen.add(number)
        return [number for number in sorted(chosen) if lengths[number] <= _LONGEST]

    def page_rows(self) -> Iterator[View]:
        """Yield the rows of a build's page: the first ones, some with each finding, and some rejects of each code."""
        yield from map(self.view, self.examples(_PAGE_ROWS, _PAGE_EXAMPLES))
        yield from self.shown_rejects(_PAGE_EXAMPLES)

    def run_facts(self) -> dict[str, Any]:
        """Return what a page tells of the run that made the build."""
        from maskprep.inspect.run_facts import run_facts  # noqa: PLC0415 - rows on a terminal do without

        with damage_told(self.data.path):
            return run_facts(self.data.whole)

    def numbers(self, selection: Selection) -> Iterator[int]:
        """Yield the numbers of the selected rows."""
        if selection.by_number:
            yield from selection.numbers(len(self.data))
            return
        with damage_told(self.data.path):
            if selection.find is not None:
                wanted, texts = selection.find, (self.viewer.text(ids) for ids in self._ids())
                yield from (number for number, text in enumerate(texts) if wanted in text)
                return
            place = selection.place() if selection.origin is not None else None
            code = selection.finding or ""
            for number, (file, line, _) in enumerate(self.data.origins()):
                if (file, line) == place or (place is None and self._found.has((file, line), code)):
                    yield number

    def chosen(self, selection: Selection) -> Iterator[View]:
        """Yield the selected rows, then the rejects and drops that were searched for; at most ``limit`` of a search."""
        found: Iterator[View] = map(self.view, self.numbers(selection))
        if selection.by_number:
            return found
        from maskprep.inspect.excerpt import stored_excerpt  # noqa: PLC0415 - not for rows that are chosen by number

        rejects = (
            replace(reject, around=stored_excerpt(reject.where, reject.code, reject.message, reject.details))
            for reject in chain(self.rejects(), self.dropped())
            if sought(reject, selection)
        )
        return islice(chain(found, rejects), selection.limit)

    def _ids(self) -> Iterator[list[int]]:
        for number in range(len(self.data)):
            yield self.row(number).labelled.input_ids.tolist()


def _check(number: int, row: ShardRow) -> None:
    """Refuse a row whose columns do not fit together: its tokens would be shown under wrong roles or labels."""
    ids, labels, spans = row.labelled.input_ids, row.labelled.labels, row.labelled.spans
    edges = [0, *(edge for span in spans for edge in (span.start, span.end)), len(ids)]
    tiled = edges[::2] == edges[1::2] and all(span.start < span.end for span in spans)
    kinds = (str, str, int, int, int, bool)
    whole = all(isinstance(field, kind) for span in spans for field, kind in zip(span, kinds, strict=True))
    known = isinstance(row.where.file, str) and isinstance(row.where.line, int) and isinstance(row.sequence, int)
    if not (len(labels) == len(ids) and tiled and whole and known and ((labels == ids) | (labels == IGNORED)).all()):
        raise BuildError(f"row {number}: its ids, labels and spans do not fit together", "build the data set again")


def _details(reject: Mapping[str, Any]) -> dict[str, Any]:
    """Return the details of a reject, the two texts of a mismatch checked: somebody else may have written the file."""
    details = dict(reject.get("details", {}))
    if "prompt" in details and "rendered" in details:
        for parting in (details["prompt"], details["rendered"]):
            text(parting, "before"), text(parting, "after")
        text(details, "graft"), text(details, "train")
    return details
