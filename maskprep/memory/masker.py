"""Rows in memory prepared: one by one, in lists, or as they come."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any

import maskprep
from maskprep.conversation import Conversation
from maskprep.errors import UsageError
from maskprep.examples.advice import Adviser
from maskprep.examples.prepared import PreparedRow
from maskprep.examples.setup import Template
from maskprep.formats import Line
from maskprep.inspect.tokens import LoadedTokens
from maskprep.inspect.views import Viewer
from maskprep.memory.example import Example, Rejected
from maskprep.memory.lines import FIRST, decided_by, lines_of, read_alike
from maskprep.memory.settings import configured, ready
from maskprep.tokenizer.backend import choose_backend

_MANY = 1000  # rows: a fast tokenizer takes seconds to load, in which as many are encoded
_LIST = 200  # rows that count as many are to come: single ones are not encoded faster


class RowMasker:
    """Prepares rows with one tokenizer and one configuration. ``api.Masker`` says what for.

    One thread at a time: calls from several wait for each other. A process that is forked off goes on by itself; one
    that is started anew gets the settings, and loads the tokenizer again.
    """

    def __init__(
        self,
        tokenizer: Any,
        settings: Mapping[str, Any],
        now: datetime | None = None,
        template: Template | None = None,
    ) -> None:
        self._ready = ready(tokenizer, configured(tokenizer, settings), now, template)
        # A tokenizer that was given loaded is ours from here on: who gave it may change it.
        own = tokenizer if isinstance(tokenizer, str | Mapping | Path) else self._ready.loaded.tokenizer
        self._given = (own, dict(settings))
        self.config, self.loaded = self._ready.config, self._ready.loaded
        self.preparer, self.reading = self._ready.preparer, self._ready.reading
        self._lock = threading.RLock()
        self._is_fast = False
        self._seen = 0  # rows so far that came in long lists

    def __getstate__(self) -> tuple[Any, ...]:
        """Return what another process needs to make it again: the same time of day, template and way of reading."""
        return (*self._given, self._ready.now, self._ready.template), self.reading, self.fingerprint

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        """Make it again. Raises ``UsageError`` where the tokenizer is no longer what it was."""
        given, reading, fingerprint = state
        self.__init__(*given)  # type: ignore[misc]
        self.reading = reading
        if self.fingerprint != fingerprint:
            msg = f"the tokenizer {self.loaded.name!r} is another one now than when the masker was made"
            raise UsageError(msg, "make the masker again")

    def like(self, rows: Iterable[Any]) -> RowMasker:
        """Return this masker, which reads all rows in the format that the first of these have.

        Raises:
            UsageError: two of them have different formats.
        """
        other = object.__new__(RowMasker)
        other.__dict__.update(self.__dict__)
        other.reading = decided_by(list(lines_of(islice(rows, FIRST), self.config.max_row_bytes)), self.reading)
        return other

    @property
    def makes_trees(self) -> bool:
        """Whether rows may become trees, which have columns of their own."""
        return self.config.history == "tree"

    @cached_property
    def fingerprint(self) -> str:
        """A hash of all that decides on what becomes of a row: settings, tokenizer, template, version, used clock."""
        templates = {str(tools): chat.source for tools, chat in self.preparer.templates.items()}
        uses_clock = any(chat.uses_clock for chat in self.preparer.templates.values())
        decisive = {key: value for key, value in self.config.decisive().items() if key not in {"sources", "tokenizer"}}
        facts = {
            "settings": decisive,
            "tokenizer": self.loaded.digest(),
            "stops": self.loaded.stop_tokens,
            "templates": templates,
            "version": maskprep.__version__,
            "now": str(self._ready.now) if uses_clock else None,
        }
        return hashlib.sha256(json.dumps(facts, sort_keys=True, default=str).encode()).hexdigest()[:32]

    @cached_property
    def viewer(self) -> Viewer:
        """Shows what was made, token by token."""
        return Viewer(LoadedTokens(self.loaded, self.preparer.encoder))

    def one(self, row: Mapping[str, Any]) -> Example:
        """Return what one row becomes. Raises ``Rejected``."""
        # It tells its format by itself: nothing else could.
        (line,) = lines_of([row], self.config.max_row_bytes)
        (made,) = self.examples([replace(line, reading=self.reading)])
        if isinstance(made, Rejected):
            raise made
        return made

    def many(self, rows: Iterable[Any]) -> list[Example | Rejected]:
        """Return what rows become, each in its place."""
        return list(self.each(rows))

    def each(self, rows: Iterable[Any]) -> Iterator[Example | Rejected]:
        """Yield what rows become, in their order, some hundred at a time."""
        return self.examples(self.lines(rows))

    def lines(self, rows: Iterable[Any]) -> Iterator[Line]:
        """Yield rows as the lines that ``examples`` takes: the first ones tell their format."""
        return read_alike(lines_of(rows, self.config.max_row_bytes), self.reading)

    def examples(self, lines: Iterable[Line]) -> Iterator[Example | Rejected]:
        """Yield what some lines become, in their order."""
        adviser = Adviser(self.preparer)
        for rows in self.prepared(lines):
            for row in rows:
                yield self.example(row, adviser)

    def prepared(self, lines: Iterable[Line]) -> Iterator[list[PreparedRow]]:
        """Yield rows prepared, some hundred at a time; once there were many, a fast tokenizer encodes them."""
        rest = iter(lines)
        while first := list(islice(rest, _MANY)):
            with self._lock:
                self._seen += len(first) if len(first) >= _LIST else 0
                if self._seen >= _MANY:
                    self.speed_up()
                made = list(self.preparer.prepared(first))
            yield from made

    def speed_up(self) -> None:
        """Encode with a fast tokenizer from here on, where there is one that encodes as transformers does."""
        if not self._is_fast:
            backend = choose_backend(self.loaded.tokenizer, self.config.tokenizer.backend)
            backend.load()
            self.preparer = self.preparer.encoding_with(backend)
            self._is_fast = True

    def example(self, row: PreparedRow, adviser: Adviser) -> Example | Rejected:
        """Return what a prepared row is to who asked for it."""
        number = row.line.where.line - 1
        if row.made is None:
            assert row.error is not None
            with self._lock:
                return Rejected.of(adviser.advise(row.error, row.line.where, row.conversation), number)
        labelled = tuple(sequence.labelled for sequence in row.made.sequences)
        viewer = self.viewer
        return Example(number, labelled, row.made.findings, self._not_read(row.conversation), viewer=viewer)

    def shown(self, example: Example | Rejected) -> Any:
        """Return an example that can be shown, also one that came from another process."""
        if isinstance(example, Rejected) or example.viewer is not None:
            return example
        return replace(example, viewer=self.viewer)

    def _not_read(self, conversation: Conversation | None) -> tuple[str, ...]:
        """Return the keys of a row that nothing read, not even the chat template."""
        unread = conversation.account.unread if conversation is not None else ()
        return tuple(key for key in unread if key.partition("[].")[2] not in self.preparer.mentioned)
