"""Rows in a terminal to leaf through, with the keys of the page: ``maskprep inspect --browse``."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.widgets import Footer, Input, Static

from maskprep.errors import MaskprepError
from maskprep.inspect.browsed import Browsed, count_in, other_side, pattern_of
from maskprep.inspect.views import RejectView, RowView, View
from maskprep.show.browse_codes import CodeChooser
from maskprep.show.browse_row import heading, rejected_text, trained_text
from maskprep.show.browse_text import TextWindow
from maskprep.show.compared import differences
from maskprep.show.rows import row_text, trained_styles
from maskprep.show.safe import safe
from maskprep.show.tables import count

_BUSY = 0.05  # seconds of a search after which keys are heard
_FOUND = "color(16) on color(220)"
_SIDES = ("what differs", "the first", "the second")


class RowBrowser(App[MaskprepError]):
    """Shows one row at a time. What it returns is the error that ended it, if one did: the build is damaged.

    Args:
        rows: the rows.
        place: which of them is shown first.
    """

    TITLE = "maskprep inspect"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    TextWindow { overflow-x: hidden; overflow-y: scroll; scrollbar-size-vertical: 1; }
    #head { height: auto; max-height: 40%; background: $surface; padding: 0 1; }
    #needle { display: none; border: none; height: 1; padding: 0 1; }
    #needle.asked { display: block; }
    #status { height: 1; background: $surface; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        ("j", "step(1)", "next row"),
        ("k", "step(-1)", "previous"),
        ("s", "trained", "next trained"),
        ("t", "only", "only trained"),
        ("f", "full", "fold"),
        ("slash", "ask", "search"),
        ("r", "regular", "regex"),
        ("n", "found", "next match"),
        ("c", "codes", "findings"),
        ("x", "side", "other side"),
        ("d", "light", "theme"),
        ("q", "quit", "quit"),
    ]

    def __init__(self, rows: Browsed, place: int = 0) -> None:
        super().__init__()
        self.rows, self.place = rows, place
        self.order: Sequence[int] = range(len(rows))
        self.needle, self.regular = "", False
        self.hits: dict[int, int] = {}
        self._pattern: re.Pattern[str] | None = None
        self._code, self._codes = "", dict[str, Sequence[int]]()
        self._full = self._only = False
        self._side = 0
        self._view: View | None = None

    def compose(self) -> ComposeResult:
        """Return the parts of the screen."""
        yield Static(id="head")
        yield TextWindow("row")
        yield Input(placeholder="search; Enter: the rows that match, Esc: all rows", id="needle")
        yield Static(id="status")
        yield Footer()

    def on_mount(self) -> None:
        """Show the first row."""
        self.query_one(TextWindow).focus()
        self._open(self.place)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Tell which keys mean something: there is another side only where two masks are compared."""
        del parameters
        return action != "side" or _is_compared(self._view)

    def action_step(self, by: int) -> None:
        """Go to the next (1) or previous (-1) row of those that are chosen."""
        if by > 0:
            place = next((place for place in self.order if place > self.place), None)
        else:
            place = next((place for place in reversed(self.order) if place < self.place), None)
        if place is not None:
            self._open(place)

    def action_trained(self) -> None:
        """Go to the next stretch of trained tokens."""
        styles = trained_styles(self._side_shown()) if isinstance(self._view, RowView) else frozenset()
        self.query_one(TextWindow).go_to(lambda line: any(str(span.style) in styles for span in line.spans))

    def action_only(self) -> None:
        """Show only what is trained, or all."""
        self._only = not self._only
        self._draw()

    def action_full(self) -> None:
        """Fold long masked text, or show all of it."""
        self._full = not self._full
        self._draw()

    def action_light(self) -> None:
        """Change between a light and a dark screen."""
        self.theme = "textual-dark" if self.theme == "textual-light" else "textual-light"

    def action_side(self) -> None:
        """Show what differs, the mask of the first, the mask of the second."""
        self._side = (self._side + 1) % len(_SIDES)
        self._draw()

    def action_ask(self) -> None:
        """Ask what to search for."""
        field = self.query_one("#needle", Input)
        field.add_class("asked")
        field.focus()

    def action_regular(self) -> None:
        """Search for a text, or for a regular expression."""
        self.regular = not self.regular
        self.search(self.needle)

    def action_found(self) -> None:
        """Go to the next match in this row; behind the last one, to the next row that matches."""
        window = self.query_one(TextWindow)
        before = window.at
        if self._pattern and (not window.go_to(_is_found) or window.at <= before):
            self.action_step(1)
            window.go_to(_is_found)

    async def action_codes(self) -> None:
        """Ask for a finding or reject, and show only rows with it."""
        with self._damage_told():
            self._codes = dict(self._codes or self.rows.codes())
        counts = {code: len(places) for code, places in self._codes.items()}
        self.push_screen(CodeChooser(counts, len(self.rows)), self._filter)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Search for what was typed."""
        self._close_field()
        self.search(event.value)

    def on_key(self, event: object) -> None:
        """End the search with Esc."""
        if getattr(event, "key", "") == "escape" and self.needle_open:
            self.query_one("#needle", Input).value = ""
            self._close_field()
            self.search("")

    @property
    def needle_open(self) -> bool:
        """Whether something to search for is asked for."""
        return self.query_one("#needle", Input).has_class("asked")

    def _close_field(self) -> None:
        self.query_one("#needle", Input).remove_class("asked")
        self.query_one(TextWindow).focus()

    def _filter(self, code: str | None) -> None:
        if code is not None:
            self._code = code
            self._choose()

    def search(self, needle: str) -> None:
        """Show only rows that hold what is searched for, and how often it is there."""
        self.needle, self.hits = needle, {}
        try:
            self._pattern = pattern_of(needle, regular=self.regular)
        except re.error as error:
            self._pattern = None
            self._say(f"no regular expression: {error}")
            return
        self.run_worker(self._scan(), exclusive=True)

    async def _scan(self) -> None:
        """Count the matches in all rows; keys are heard in between."""
        pattern, paused = self._pattern, time.monotonic()
        with self._damage_told():
            for place in range(len(self.rows)):
                if pattern is None:
                    break
                if found := count_in(self.rows.text(place), pattern):
                    self.hits[place] = found
                if time.monotonic() - paused > _BUSY:
                    self._say(f"searching … {place + 1:,} of {len(self.rows):,}")
                    await asyncio.sleep(0)
                    paused = time.monotonic()
        self._choose()

    def _choose(self) -> None:
        """Let the rows through that have the chosen code and what is searched for, and show one of them."""
        chosen: Sequence[int] = self._codes[self._code] if self._code else range(len(self.rows))
        self.order = [place for place in chosen if place in self.hits] if self._pattern else chosen
        if self.order and self.place not in self.order:
            self._open(next((place for place in self.order if place > self.place), self.order[0]))
        else:
            self._draw()
        if self._pattern:
            self.query_one(TextWindow).go_to(_is_found)

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        try:
            yield
        except MaskprepError as error:
            self.exit(error)

    def _open(self, place: int) -> None:
        self.place = place
        with self._damage_told():
            self._view = self.rows.view(place) if len(self.rows) else None
        self.refresh_bindings()
        self._draw()

    def _draw(self) -> None:
        view, window = self._view, self.query_one(TextWindow)
        head = self.query_one("#head", Static)
        if view is None:
            head.update(Text(f"{safe(self.rows.title)}: there is no row"))
        elif isinstance(view, RejectView):
            head.update(heading(self.rows.title, self.place, view))
            window.show(rejected_text(view, window.size.width or self.size.width))
        else:
            side = f"  {_SIDES[self._side]}" if _is_compared(view) else ""
            head.update(heading(self.rows.title, self.place, view, side))
            window.show(self._row())
        self._say("")

    def _side_shown(self) -> RowView:
        """Return the row with the mask of the side that is shown."""
        assert isinstance(self._view, RowView)
        return other_side(self._view) if self._side == len(_SIDES) - 1 else self._view

    def _row(self) -> Text:
        view = self._side_shown()
        if _is_compared(view) and not self._side:
            text = differences(view)
        elif self._only:
            text = trained_text(view)
        else:
            text = row_text(view, full=self._full, bracketed=self.app.no_color, find=self._pattern)
        if self._pattern:
            text.highlight_regex(self._pattern, _FOUND)
        return text

    def _say(self, text: str) -> None:
        told = [f"{self.place + 1:,} of {count(len(self.rows), 'row')}"]
        if self._code:
            told.append(f"only {safe(self._code)}: {count(len(self._codes[self._code]), 'row')}")
        if self._pattern and not text:
            matches = sum(self.hits.values())
            rows = f"{len(self.hits):,} of {count(len(self.rows), 'row')}"
            told.append(f"{safe(self.needle)}: {matches:,} {'match' if matches == 1 else 'matches'} in {rows}")
        told.append("regular expressions" if self.regular else "")
        told.append("only trained" if self._only else "")
        told.append(safe(text))
        self.query_one("#status", Static).update(
            Text("  ·  ".join(filter(None, told)), overflow="ellipsis", no_wrap=True)
        )


def _is_found(line: Text) -> bool:
    return any(span.style == _FOUND for span in line.spans)


def _is_compared(view: View | None) -> bool:
    return isinstance(view, RowView) and any(token.other is not None for token in view.tokens)
