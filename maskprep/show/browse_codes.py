"""The question by which finding or reject the rows that one leafs through are filtered."""

from __future__ import annotations

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.screen import ModalScreen
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from maskprep.show.safe import safe


class CodeChooser(ModalScreen[str | None]):
    """Asks for a finding or reject, by which rows are filtered; returns its code, ``""`` for all rows."""

    CSS = "CodeChooser { align: center middle; } CodeChooser OptionList { width: 64; max-height: 80%; }"
    BINDINGS: ClassVar[list[BindingType]] = [("escape", "dismiss(None)", "close")]

    def __init__(self, codes: dict[str, int], rows: int) -> None:
        super().__init__()
        self._codes, self._rows = codes, rows

    def compose(self) -> ComposeResult:
        """Return the list."""
        told = [
            ("", f"all rows ({self._rows:,})"),
            *((code, f"{safe(code)} ({n:,})") for code, n in self._codes.items()),
        ]
        self._order = [code for code, _ in told]
        yield OptionList(*(Option(Text(text)) for _, text in told))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Return what was chosen."""
        self.dismiss(self._order[event.option_index])
