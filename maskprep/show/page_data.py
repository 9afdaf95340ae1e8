"""Rows in the compact form in which a page carries them: distinct tokens once, the rest as columns of integers."""

from __future__ import annotations

import base64
import gzip
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import Any

import numpy as np

from maskprep.dataset.statistics import Distribution
from maskprep.inspect.views import RejectView, RowView, TokenView

VERSION = 1
_BLOCK_TOKENS = 65_536  # the page unpacks a block at once to show one of its rows: some 10 ms
_BLOCK_ROWS = 256
_PREVIEW = 100  # characters of a row in the list, and tokens that are looked at for them
_COLUMNS = (
    *("number", "file", "line", "sequence", "tokens", "trained", "findings", "rejected"),
    *("preview", "packed", "branches"),
)

TokenKind = tuple[str, str, int, bool, bool, bool | None]


def pack(value: Any) -> bytes:
    """Return a value as base64 of gzip of JSON: no character of it can act in HTML, whatever the value holds."""
    return base64.b64encode(gzip.compress(json.dumps(value, separators=(",", ":")).encode(), 6, mtime=0))


@dataclass(slots=True)
class PageData:
    """The data of a page, collected row by row.

    ``add`` gives a block of packed rows back whenever one is full, so that only the row index, the distinct tokens and
    the distinct kinds (role, part, message, trained, border split, trained in the other data set) stay in memory.
    A row in a block is ``{"t": [token, …], "r": [length, kind, length, kind, …]}``, a reject its facts. A tree has
    ``"b": [[start, on, parent, trained], …]``, too, an item a branch, none of which shares a run with another one.
    """

    title: str
    _tokens: dict[tuple[int, bytes, bool], int] = field(default_factory=dict)
    _kinds: dict[TokenKind, int] = field(default_factory=dict)
    _files: dict[str, int] = field(default_factory=dict)
    _index: list[list[Any]] = field(default_factory=list)
    _starts: list[int] = field(default_factory=lambda: [0])
    _pending: list[dict[str, Any]] = field(default_factory=list)
    _weight: int = 0
    _tally: Counter[int] = field(default_factory=Counter)
    _turns: Counter[int] = field(default_factory=Counter)
    _rejects: dict[str, dict[str, Any]] = field(default_factory=dict)
    _findings: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, view: RowView | RejectView) -> bytes | None:
        """Add the view of a row; return a packed block where that fills one."""
        self._pending.append(self._row(view) if isinstance(view, RowView) else self._reject(view))
        full = self._weight >= _BLOCK_TOKENS or len(self._pending) >= _BLOCK_ROWS
        return self.rest() if full else None

    def rest(self) -> bytes | None:
        """Return the block of rows that none of the blocks before holds, None where there are no such rows."""
        if not self._pending:
            return None
        block = pack(self._pending)
        self._starts.append(self._starts[-1] + len(self._pending))
        self._pending, self._weight = [], 0
        return block

    def meta(self, statistics: Mapping[str, Any] | None, run: Mapping[str, Any] | None = None) -> bytes:
        """Return the data that all rows share, packed.

        Args:
            statistics: those of a build; without, the rows here are counted.
            run: what is told of the run that made the rows, see ``run_facts``.
        """
        columns = zip(*self._index, strict=True) if self._index else ((),) * len(_COLUMNS)
        return pack(
            {
                "version": VERSION,
                "title": self.title,
                "run": run,
                "measured": "the build" if statistics is not None else "the rows on this page",
                "statistics": statistics if statistics is not None else self._count(),
                "files": list(self._files),
                "kinds": list(self._kinds),
                "tokens": {
                    "id": [token[0] for token in self._tokens],
                    "text": [_text(token[1]) for token in self._tokens],
                    "special": [place for place, token in enumerate(self._tokens) if token[2]],
                },
                "blocks": self._starts[:-1],
                "rows": dict(zip(_COLUMNS, map(list, columns), strict=True)),
            }
        )

    def _row(self, view: RowView) -> dict[str, Any]:
        runs: list[int] = []
        starts = [branch.start for branch in view.branches]
        for (kind, _), tokens in groupby(
            view.tokens, key=lambda token: (_kind(token), bisect_right(starts, token.index))
        ):
            number = self._kinds.setdefault(kind, len(self._kinds))
            length = sum(1 for _ in tokens)
            self._tally[number] += length
            runs += (length, number)
        known = self._tokens
        ids = [known.setdefault((token.id, token.data, token.special), len(known)) for token in view.tokens]
        self._weight += len(ids)
        self._turns[len({token.message for token in view.tokens if token.trained} - {-1})] += 1
        for code, detail in dict(view.findings).items():
            _notice(self._findings, code, view, detail, "")
        shape = (_preview(view), view.place, len(view.branches))
        self._enter(view, view.sequence, len(ids), view.trained, view.findings, None, *shape)
        return {"t": ids, "r": runs, **({"b": _branches(view)} if view.branches else {})}

    def _reject(self, view: RejectView) -> dict[str, Any]:
        _notice(self._rejects, view.code, view, view.message, view.hint)
        self._enter(view, 0, 0, 0, (), view.code, _short(view.message), None, 0)
        # The place counts in the whole row, of which a page shows the beginning.
        details = {name: value for name, value in view.details.items() if name != "at"}
        around = {"around": view.around.facts()} if view.around else {}
        return {"message": view.message, "hint": view.hint, "details": details, "source": view.source, **around}

    def _enter(self, view: RowView | RejectView, *columns: Any) -> None:
        file = self._files.setdefault(view.where.file, len(self._files))
        self._index.append([view.number, file, view.where.line, *columns])

    def _count(self) -> dict[str, Any]:
        """Return the figures of the page's rows, in the form of a build's statistics."""
        used = [entry for entry in self._index if entry[7] is None]
        lengths, trained = (np.array([entry[column] for entry in used], dtype=np.int64) for column in (4, 5))
        by: dict[tuple[str, str], list[int]] = {}
        for kind, number in self._kinds.items():
            counts = by.setdefault(kind[:2], [0, 0])
            counts[0] += self._tally[number]
            counts[1] += self._tally[number] if kind[3] else 0
        return {
            "rows": len({(entry[1], entry[2]) for entry in self._index}),
            "rows_used": len({(entry[1], entry[2]) for entry in used}),
            "rows_rejected": len(self._index) - len(used),
            "sequences": len(used),
            "tokens": int(lengths.sum()),
            "trained_tokens": int(trained.sum()),
            "longest_sequence": int(lengths.max(initial=0)),
            "by_role_and_part": [
                {"role": role, "part": part, "tokens": counts[0], "trained_tokens": counts[1]}
                for (role, part), counts in sorted(by.items())
            ],
            "rejects": self._rejects,
            "findings": self._findings,
            "length": Distribution.of(lengths).facts(),
            "trained_fraction": Distribution.of(trained / np.maximum(lengths, 1), (0.0, 1.0)).facts(),
            "trained_turns": {str(turns): rows for turns, rows in sorted(self._turns.items())},
        }


def _branches(view: RowView) -> list[list[int]]:
    return [
        [branch.start, branch.on, branch.parent, sum(token.trained for token in view.tokens[branch.start : branch.end])]
        for branch in view.branches
    ]


def _preview(view: RowView) -> str:
    """Return how the last question before the trained text begins; where there is none, how that text begins."""
    first = next((token.index for token in view.tokens if token.trained), len(view.tokens))
    ask = next((token.message for token in reversed(view.tokens[:first]) if _is_asked(token)), None)
    asked = (token for token in view.tokens[:first] if _is_asked(token) and token.message == ask)
    taken = [token.data for token in islice(asked, _PREVIEW)]
    return _short(
        b"".join(taken or [token.data for token in view.tokens[first : first + _PREVIEW]]).decode(errors="replace")
    )


def _is_asked(token: TokenView) -> bool:
    return token.role == "user" and token.part == "content"


def _short(text: str) -> str:
    """Return the beginning of a text on one line."""
    return " ".join(text.split())[:_PREVIEW]


def _kind(token: TokenView) -> TokenKind:
    return (token.role, token.part, token.message, token.trained, token.split, token.other)


def _text(data: bytes) -> str | list[str]:
    """Return the text of a token; bytes that are a part of a character as hex in a list."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return [data.hex()]


def _notice(noticed: dict[str, dict[str, Any]], code: str, view: RowView | RejectView, message: str, hint: str) -> None:
    example = {"file": view.where.file, "line": view.where.line, "message": message}
    entry = noticed.setdefault(code, {"rows": 0, "example": example, **({"hint": hint} if hint else {})})
    entry["rows"] += 1
