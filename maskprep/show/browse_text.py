"""A long text in a terminal's window: folded to its width, and moved to lines by what is in them."""

from __future__ import annotations

from collections.abc import Callable

from rich.segment import Segment
from rich.text import Text
from textual.geometry import Size
from textual.scroll_view import ScrollView
from textual.strip import Strip

_ABOVE = 2  # lines that are left above the one that is gone to


class TextWindow(ScrollView, can_focus=True):
    """Shows a text of any length: only the lines in view are rendered."""

    def __init__(self, name: str) -> None:
        super().__init__(id=name)
        self._text = Text()
        self._lines: list[Text] = []
        self._at = -1  # the line that was gone to last

    def show(self, text: Text) -> None:
        """Show another text, from its beginning."""
        self._text, self._at = text, -1
        self._fold()
        self.scroll_to(y=0, animate=False)

    @property
    def shown(self) -> str:
        """The text, as it is folded."""
        return "\n".join(line.plain for line in self._lines)

    @property
    def at(self) -> int:
        """The line that was gone to last, -1 for none."""
        return self._at

    def go_to(self, is_sought: Callable[[Text], bool]) -> bool:
        """Go to where the next lines of some kind begin, around the end; tell whether there are any."""
        sought = [is_sought(line) for line in self._lines]
        starts = [number for number, found in enumerate(sought) if found and not (number and sought[number - 1])]
        if starts:
            self._at = next((number for number in starts if number > self._at), starts[0])
            self.scroll_to(y=max(0, self._at - _ABOVE), animate=False)
        return bool(starts)

    def on_resize(self) -> None:
        """Fold the text to the new width."""
        self._fold()

    def render_line(self, y: int) -> Strip:
        """Return one line of the window."""
        number = self.scroll_offset.y + y
        width = self.scrollable_content_region.width
        if number >= len(self._lines):
            return Strip.blank(width, self.rich_style)
        segments = Segment.apply_style(self._lines[number].render(self.app.console), self.rich_style)
        return Strip(segments).crop(0, width).extend_cell_length(width, self.rich_style)

    def _fold(self) -> None:
        width = self.scrollable_content_region.width
        if width:
            self._lines = list(self._text.wrap(self.app.console, width, overflow="fold", tab_size=4))
            self.virtual_size = Size(width, len(self._lines))
            self.refresh()
