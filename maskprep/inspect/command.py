"""``maskprep inspect``: rows of a finished build, or of a source as a build would make them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from maskprep.codes import DROPS, FINDINGS, REJECTS
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
    _refuse_nothing(rows, selection, lambda: output.codes)
    return InspectReport(path, len(output.data), rows)


def inspect_source(inputs: Inputs, selection: Selection) -> InspectReport:
    """Return the selected rows of a source as a build would make them, each with all its sequences.

    Raises:
        UsageError: a source cannot be read, or there is no such row.
    """
    from maskprep.inspect.source import source_views  # noqa: PLC0415 - the rows of a build do without

    selection.check()
    rows = tuple(source_views(inputs, selection))
    _refuse_nothing(rows, selection, lambda: sorted({*REJECTS, *FINDINGS, *DROPS}))
    return InspectReport(", ".join(inputs.sources), None, rows)


def _refuse_nothing(rows: Sequence[View], selection: Selection, codes: Callable[[], Sequence[str]]) -> None:
    """Raise ``UsageError`` where there are no rows; ``codes`` returns those that ``--finding`` may ask for."""
    if rows:
        return
    if selection.finding is not None:
        raise _no_finding(selection.finding, codes())
    for name, hint in (
        ("find", "text is compared letter by letter, blanks and capitals too; --browse searches by patterns"),
        ("origin", "give the file as the build was given it, and count lines from 1"),
        ("rows", "rows are counted from 0"),
    ):
        if (value := getattr(selection, name)) is not None:
            raise UsageError(f"no row matches --{name} {value}", hint)
    raise UsageError("there is no row", "give a source that holds one JSON object a line")


def _no_finding(code: str, codes: Sequence[str]) -> UsageError:
    """Return the error for a code that no row has."""
    if not codes:
        return UsageError(f"no row matches --finding {code}", "no row has a finding, and none was rejected or dropped")
    near = get_close_matches(code, codes, 1)
    guess = f"did you mean {near[0]}? " if near and near[0] != code else ""
    return UsageError(f"no row matches --finding {code}", f"{guess}the codes are {', '.join(codes)}")
