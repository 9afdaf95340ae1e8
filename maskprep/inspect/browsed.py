"""The rows that ``inspect --browse`` leafs through: those of a build, read when they are looked at, or some at hand."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Protocol

from maskprep.inspect.output import Output
from maskprep.inspect.selection import Selection
from maskprep.inspect.views import RejectView, RowView, View

_REJECTS = 1000  # rejected rows behind the others; more are found in rejects.jsonl


class Browsed(Protocol):
    """Rows by their place, from 0. ``title`` says where they come from."""

    @property
    def title(self) -> str:
        """Where they come from."""

    def __len__(self) -> int:
        """Return how many rows there are."""

    def view(self, place: int) -> View:
        """Return the row at a place."""

    def text(self, place: int) -> str:
        """Return the text of the row at a place, to be searched."""

    def codes(self) -> Mapping[str, Sequence[int]]:
        """Return the places of the rows with each finding or reject."""


class BrowsedBuild:
    """The rows of a build that a selection chooses, then its rejected rows where nothing was chosen.

    Args:
        output: the build.
        selection: chooses rows; all where it is empty.
    """

    def __init__(self, output: Output, selection: Selection) -> None:
        self._output = output
        chosen = selection if selection.given else replace(selection, rows=":")
        self._numbers = list(output.numbers(chosen))
        self._rejects = [] if selection.given else list(islice(output.rejects(), _REJECTS))
        self.title = str(output.data.path)

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._numbers) + len(self._rejects)

    def view(self, place: int) -> View:
        """Return the row at a place. Raises ``BuildError`` where it is damaged."""
        rows = len(self._numbers)
        return self._output.view(self._numbers[place]) if place < rows else self._rejects[place - rows]

    def text(self, place: int) -> str:
        """Return the text of the row at a place."""
        rows = len(self._numbers)
        if place >= rows:
            return _text(self._rejects[place - rows])
        return self._output.viewer.text(self._output.row(self._numbers[place]).labelled.input_ids.tolist())

    def codes(self) -> Mapping[str, Sequence[int]]:
        """Return the places of the rows with each finding or reject."""
        found = defaultdict[str, list[int]](list)
        for place, codes in enumerate(self._output.codes_of(self._numbers)):
            for code in codes:
                found[code].append(place)
        for place, reject in enumerate(self._rejects, len(self._numbers)):
            found[reject.code].append(place)
        return dict(sorted(found.items()))


class BrowsedViews:
    """Rows that have been made: those of a source, or the differing ones of two masks."""

    def __init__(self, title: str, views: Sequence[View]) -> None:
        self.title, self._views = title, views

    def __len__(self) -> int:
        """Return how many rows there are."""
        return len(self._views)

    def view(self, place: int) -> View:
        """Return the row at a place."""
        return self._views[place]

    def text(self, place: int) -> str:
        """Return the text of the row at a place."""
        return _text(self._views[place])

    def codes(self) -> Mapping[str, Sequence[int]]:
        """Return the places of the rows with each finding or reject."""
        found = defaultdict[str, list[int]](list)
        for place, view in enumerate(self._views):
            for code in {view.code} if isinstance(view, RejectView) else {code for code, _ in view.findings}:
                found[code].append(place)
        return dict(sorted(found.items()))


def pattern_of(needle: str, *, regular: bool) -> re.Pattern[str] | None:
    """Return the pattern of what is searched for, None for nothing; case does not matter.

    Raises:
        re.error: it is no regular expression.
    """
    return re.compile(needle if regular else re.escape(needle), re.IGNORECASE) if needle else None


def count_in(text: str, pattern: re.Pattern[str]) -> int:
    """Return how often a pattern is found in a text, not counting matches of nothing."""
    return sum(bool(match[0]) for match in pattern.finditer(text))


def other_side(view: RowView) -> RowView:
    """Return a compared row with the mask that the other side has, and this side's to compare with."""
    tokens = (
        token if token.other is None else replace(token, trained=token.other, other=token.trained)
        for token in view.tokens
    )
    return replace(view, tokens=tuple(tokens))


def _text(view: View) -> str:
    if isinstance(view, RowView):
        return view.text
    around = (view.around.before, view.around.after) if view.around else ()
    return "\n".join((view.message, view.hint, view.source, *around))
