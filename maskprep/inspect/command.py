"""``maskprep inspect``: rows of a finished build, or of a source as a build would make them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from maskprep.dataset.open_build import is_output
from maskprep.errors import UsageError
from maskprep.inspect.output import Output
from maskprep.inspect.selection import Selection
from maskprep.inspect.views import View

if TYPE_CHECKING:
    from maskprep.examples.inputs import Inputs

__all__ = ["InspectReport", "Output", "View", "inspect_output", "inspect_source", "is_output"]


@dataclass(frozen=True, slots=True)
class InspectReport:
    """The rows that were chosen. ``total`` is the number of rows there are, None where they were not counted."""

    target: str
    total: int | None
    rows: tuple[View, ...]

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {"target": self.target, "total_rows": self.total, "rows": [row.facts() for row in self.rows]}


def inspect_output(path: str, selection: Selection) -> InspectReport:
    """Return the selected rows of a build.

    Raises:
        UsageError: there is no finished build, or no such row.
        BuildError: the build is damaged.
    """
    selection.check()
    output = Output.open(path)
    rows = tuple(output.chosen(selection))
    _refuse_nothing(rows, selection)
    return InspectReport(path, len(output.data), rows)


def inspect_source(inputs: Inputs, selection: Selection) -> InspectReport:
    """Return the selected rows of a source as a build would make them, each with all its sequences.

    Raises:
        UsageError: a source cannot be read, or there is no such row.
    """
    from maskprep.inspect.source import source_views  # noqa: PLC0415 - the rows of a build do without

    selection.check()
    rows = tuple(source_views(inputs, selection))
    _refuse_nothing(rows, selection)
    return InspectReport(", ".join(inputs.sources), None, rows)


def _refuse_nothing(rows: Sequence[View], selection: Selection) -> None:
    if not rows:
        names = ("find", "origin", "finding", "rows", "random", "row")
        sought = [f"--{name} {value}" for name in names if (value := getattr(selection, name)) is not None]
        if not sought:
            raise UsageError("there is no row", "give a source that holds one JSON object a line")
        raise UsageError(f"no row matches {sought[0]}", "rows are counted from 0; text is compared letter by letter")
