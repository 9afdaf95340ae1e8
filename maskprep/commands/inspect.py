"""``maskprep inspect``: rows of a finished build, or of a source as a build would make them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from maskprep.commands.inputs import Inputs
from maskprep.commands.selection import Selection
from maskprep.commands.views import RejectView, RowView, Viewer
from maskprep.conversation import Where
from maskprep.errors import RowError, UsageError
from maskprep.formats import Line, parse
from maskprep.pipeline import guarded
from maskprep.shards.reader import StoredDataSet
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import load_tokenizer

View = RowView | RejectView


@dataclass(frozen=True, slots=True)
class InspectReport:
    """The rows that were chosen. ``total`` is the number of rows there are, None where they were not counted."""

    target: str
    total: int | None
    rows: tuple[View, ...]

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {"target": self.target, "total_rows": self.total, "rows": [row.facts() for row in self.rows]}


def is_output(path: str) -> bool:
    """Tell whether ``path`` is the folder of a build, finished or not."""
    folder = Path(path)
    return (folder / "maskprep").is_dir() or (folder / "state.json").exists()


class Output:
    """A build, with what is needed to show its rows."""

    def __init__(self, data: StoredDataSet, viewer: Viewer) -> None:
        """Show the rows of ``data`` with ``viewer``."""
        self.data, self.viewer = data, viewer

    @classmethod
    def open(cls, path: str) -> Output:
        """Open the finished build in folder ``path``."""
        data = StoredDataSet(path)
        loaded = load_tokenizer(data.tokenizer)
        return cls(data, Viewer(loaded, Encoder(loaded.tokenizer)))

    @property
    def config(self) -> dict[str, Any]:
        """The configuration that it was built with."""
        config: dict[str, Any] = self.data.manifest["config"]
        return config

    @cached_property
    def _findings(self) -> dict[tuple[str, int], list[tuple[str, str]]]:
        found = defaultdict(list)
        for finding in self.data.findings():
            found[finding["file"], finding["line"]].append((finding["code"], finding["message"]))
        return found

    def view(self, number: int) -> RowView:
        """Return the view of row ``number``."""
        row = self.data.row(number)
        findings = self._findings.get((row.where.file, row.where.line), [])
        return self.viewer.view(number, row.where, row.sequence, row.labelled, findings)

    def rejects(self, most: int) -> Iterator[RejectView]:
        """Yield the first rejected rows of every code, at most ``most`` of each."""
        seen: Counter[str] = Counter()
        for reject in self.data.rejects():
            seen[reject["code"]] += 1
            if seen[reject["code"]] <= most:
                where = Where(reject["file"], reject["line"], reject["byte"])
                details, hint = reject.get("details", {}), reject.get("hint", "")
                yield RejectView(-1, where, reject["code"], reject["message"], hint, details, "")

    def examples(self, most: int, of_each: int) -> list[int]:
        """Return the first ``most`` rows, and after them the first ``of_each`` with each finding."""
        chosen = dict.fromkeys(range(min(most, len(self.data))))
        seen: Counter[str] = Counter()
        for number, (file, line, _) in enumerate(self.data.origins()):
            codes = {code for code, _ in self._findings.get((file, line), [])}
            if any(seen[code] < of_each for code in codes):
                seen.update(codes)
                chosen.setdefault(number)
        return sorted(chosen)

    def numbers(self, selection: Selection) -> list[int]:
        """Return the numbers of the selected rows."""
        if selection.by_number:
            return selection.numbers(len(self.data))
        if selection.find is not None:
            wanted = selection.find
            return selection.search(
                iter(range(len(self.data))),
                lambda number: wanted in self.viewer.text(self.data.row(number).labelled.input_ids.tolist()),
            )
        places = (
            {selection.place()}
            if selection.origin is not None
            else {
                (found["file"], found["line"]) for found in self.data.findings() if found["code"] == selection.finding
            }
        )
        numbered = enumerate(self.data.origins())
        return [number for number, _ in selection.search(numbered, lambda item: item[1][:2] in places)]


def inspect_output(path: str, selection: Selection) -> InspectReport:
    """Return the selected rows of a build.

    Raises:
        UsageError: there is no finished build, or no such row.
    """
    selection.check()
    output = Output.open(path)
    rows = tuple(output.view(number) for number in output.numbers(selection))
    _refuse_nothing(rows, selection)
    return InspectReport(path, len(output.data), rows)


def inspect_source(inputs: Inputs, selection: Selection) -> InspectReport:
    """Return the selected rows of a source as a build would make them, each with all its sequences.

    Raises:
        UsageError: a source cannot be read, or there is no such row.
    """
    selection.check()
    viewer = Viewer(inputs.loaded, inputs.preparer.encoder)
    if selection.by_number:
        views = [
            view for number, line in selection.pick(inputs.lines()) for view in _prepare(inputs, viewer, number, line)
        ]
    else:
        lines: Iterator[tuple[int, Line]] = enumerate(inputs.lines())
        if selection.origin is not None:
            place = selection.place()
            lines = (item for item in lines if (item[1].where.file, item[1].where.line) == place)
        made = (view for number, line in lines for view in _prepare(inputs, viewer, number, line))
        views = selection.search(made, lambda view: _matches(view, selection))
    _refuse_nothing(views, selection)
    return InspectReport(", ".join(inputs.sources), None, tuple(views))


def _prepare(inputs: Inputs, viewer: Viewer, number: int, line: Line) -> Iterator[View]:
    try:
        with guarded():
            prepared = inputs.preparer.prepare(parse(line))
    except RowError as error:
        yield RejectView.of(number, line.where, error, line.data)
        return
    findings = [(finding.code, finding.detail) for finding in prepared.findings]
    for index, sequence in enumerate(prepared.sequences):
        yield viewer.view(number, line.where, index, sequence.labelled, findings)


def _matches(view: View, selection: Selection) -> bool:
    if selection.find is not None:
        return selection.find in (view.text if isinstance(view, RowView) else view.source)
    if selection.finding is not None:
        codes = [code for code, _ in view.findings] if isinstance(view, RowView) else [view.code]
        return selection.finding in codes
    return True


def _refuse_nothing(rows: Sequence[View], selection: Selection) -> None:
    if not rows:
        sought = (
            next(
                f"--{name} {value}"
                for name in ("find", "origin", "finding", "rows", "random", "row")
                if (value := getattr(selection, name)) is not None
            )
            if selection != Selection()
            else "the first row"
        )
        raise UsageError(f"no row matches {sought}", "`maskprep inspect … --stats` tells what there is")
