"""Rows as they are shown: token by token, with the role and part of each token and whether it is trained."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from maskprep.arrays import limits_of
from maskprep.conversation import Where
from maskprep.dataset.trees import Branch, hanging
from maskprep.inspect.selection import Selection
from maskprep.inspect.tokens import Tokens
from maskprep.labelled import IGNORED, Labelled

if TYPE_CHECKING:
    from maskprep.errors import RowError
    from maskprep.inspect.excerpt import Excerpt


@dataclass(slots=True)  # not frozen: a page has 200,000 of them, which would take three times as long to make
class TokenView:
    """One token of a row. ``data`` are the bytes that it stands for, maybe a part of a character, which has no text.

    ``split``: a token of the undivided text was split here, at the border in front of a completion. ``other``: whether
    the token is trained in the data set that this one is compared with, None without a comparison.
    """

    index: int
    id: int
    data: bytes
    trained: bool
    role: str
    part: str
    message: int
    special: bool
    split: bool = False
    other: bool | None = None

    @property
    def text(self) -> str | None:
        """The text of the token, None for a part of a character."""
        try:
            return self.data.decode()
        except UnicodeDecodeError:
            return None

    def facts(self) -> dict[str, Any]:
        """Return the token as JSON types; ``bytes`` stands in for the text of a part of a character."""
        shown = {"text": self.text} if self.text is not None else {"bytes": self.data.hex()}
        return {
            "index": self.index,
            "id": self.id,
            **shown,
            "label": self.id if self.trained else IGNORED,
            "role": self.role,
            "part": self.part,
            "message": self.message,
            "special": self.special,
            **({"border_split": True} if self.split else {}),
            **({"trained_in_other": self.other} if self.other is not None else {}),
        }


@dataclass(frozen=True, slots=True)
class RowView:
    """One sequence, shown. ``number`` is its place in the data set, or that of its row in the source; both from 0.

    ``place`` are the packed row that it stands in, and its number there, both from 0; None where rows are not packed.
    ``branches`` are those of a tree, none where it is an ordinary sequence.
    """

    number: int
    where: Where
    sequence: int
    tokens: tuple[TokenView, ...]
    findings: tuple[tuple[str, str], ...] = ()
    place: tuple[int, int] | None = None
    branches: tuple[Branch, ...] = ()

    @property
    def trained(self) -> int:
        """The number of trained tokens."""
        return sum(token.trained for token in self.tokens)

    @property
    def text(self) -> str:
        """The text of the row; of a tree, that of its branches, each with a copy of the token that it hangs on."""
        return b"".join(token.data for token in self.tokens).decode(errors="replace")

    def holding(self, text: str) -> set[int]:
        """Return the indices of the tokens that hold ``text``, wherever it stands in the row."""
        if not text:
            return set()
        starts = [0, *accumulate(len(token.data) for token in self.tokens)]
        wanted, joined = text.encode(errors="replace"), b"".join(token.data for token in self.tokens)
        found: set[int] = set()
        at = joined.find(wanted)
        while at >= 0:
            end = at + len(wanted)
            found.update(range(bisect_right(starts, at) - 1, bisect_left(starts, end)))
            at = joined.find(wanted, end)
        return found

    def between(self, start: int, stop: int) -> RowView:
        """Return the tokens ``start:stop`` as a row of their own, which is no tree."""
        return replace(self, tokens=self.tokens[start:stop], branches=())

    def matching(self, pattern: re.Pattern[str]) -> set[int]:
        """Return the indices of the tokens that hold what a pattern finds in the text of the row."""
        starts = [0, *accumulate(len(token.data) for token in self.tokens)]
        # A byte that is no part of a character is one character here, so that places in bytes stay known.
        text = b"".join(token.data for token in self.tokens).decode(errors="surrogateescape")
        found: set[int] = set()
        place = at = 0
        for match in pattern.finditer(text):
            place += len(text[at : match.start()].encode(errors="surrogateescape"))
            end = place + len(match[0].encode(errors="surrogateescape"))
            found.update(range(bisect_right(starts, place) - 1, bisect_left(starts, end)) if end > place else ())
            place, at = end, match.end()
        return found

    def facts(self) -> dict[str, Any]:
        """Return the row as JSON types."""
        return {
            "row": self.number,
            "origin": {"file": self.where.file, "line": self.where.line, "sequence": self.sequence},
            **({"packed": {"row": self.place[0], "document": self.place[1]}} if self.place else {}),
            "tokens": len(self.tokens),
            "trained_tokens": self.trained,
            "findings": [{"code": code, "detail": detail} for code, detail in self.findings],
            **({"branches": [branch._asdict() for branch in self.branches]} if self.branches else {}),
            "text": self.text,
            "by_token": [token.facts() for token in self.tokens],
        }


@dataclass(frozen=True, slots=True)
class RejectView:
    """A source row that cannot be used, and why.

    ``source`` is the beginning of the line, ``around`` the text around the fault; a build keeps neither, but tells
    where to look. ``number`` is the row's place in the source, -1 where that is not known.
    """

    number: int
    where: Where
    code: str
    message: str
    hint: str
    details: Mapping[str, Any]
    source: str
    around: Excerpt | None = None

    @classmethod
    def of(cls, number: int, where: Where, error: RowError, data: bytes, *, adapted: bool = False) -> RejectView:
        """Return the view of a rejected line; ``adapted``: the line numbers the messages of its error otherwise."""
        from maskprep.inspect.excerpt import excerpt  # noqa: PLC0415 - rows that were used do without

        shown = data[:_SOURCE_SHOWN].decode(errors="backslashreplace")
        around = excerpt(error, data, numbered=not adapted)
        return cls(number, where, error.code, error.message, error.hint, error.facts, shown, around)

    def facts(self) -> dict[str, Any]:
        """Return the reject as JSON types."""
        return {
            "row": self.number if self.number >= 0 else None,
            "origin": {"file": self.where.file, "line": self.where.line},
            "rejected": {"code": self.code, "message": self.message, "hint": self.hint, "details": {**self.details}},
            "source": self.source,
            "around": self.around.facts() if self.around else None,
        }


_SOURCE_SHOWN = 2000  # bytes of a rejected line


class Viewer:
    """Makes views of labelled sequences with the tokens of the tokenizer that encoded them."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def text(self, ids: Iterable[int]) -> str:
        """Return the text of token ids."""
        return b"".join(self._tokens.spell(ids)).decode(errors="replace")

    def view(
        self,
        number: int,
        where: Where,
        sequence: int,
        labelled: Labelled,
        findings: Sequence[tuple[str, str]] = (),
    ) -> RowView:
        """Return the view of one sequence."""
        ids = labelled.input_ids.tolist()
        spelled = self._tokens.spell(ids)
        trained = (labelled.labels != IGNORED).tolist()
        splits, special = self._splits(spelled, trained), self._tokens.special
        tokens = tuple(
            TokenView(
                index,
                ids[index],
                spelled[index],
                trained[index],
                span.role,
                span.part,
                span.message,
                ids[index] in special,
                index in splits,
            )
            for span in labelled.spans
            for index in range(span.start, span.end)
        )
        branches = () if labelled.positions is None else tuple(hanging(labelled.positions))
        return RowView(number, where, sequence, tokens, tuple(findings), branches=branches if len(branches) > 1 else ())

    def _splits(self, spelled: Sequence[bytes], trained: Sequence[bool]) -> set[int]:
        """Return the indices of tokens that begin a completion in the middle of a token of the undivided text."""
        begun = {index for index in range(1, len(trained)) if trained[index] and not trained[index - 1]}
        if not begun:
            return set()
        try:
            text = b"".join(spelled).decode()
        except UnicodeDecodeError:
            return set()
        places = dict(zip(begun, limits_of(map(len, spelled))[list(begun)].tolist(), strict=True))
        within = self._tokens.within(text, [*places.values()])
        return {index for index, place in places.items() if place in within}


View = RowView | RejectView


def sought(view: View, selection: Selection, data: bytes = b"") -> bool:
    """Tell whether a view is one of those searched for; ``data`` is the line of a rejected row, if it is at hand."""
    if selection.find is not None:
        return selection.find in (view.text if isinstance(view, RowView) else data.decode(errors="backslashreplace"))
    if selection.finding is not None:
        codes = [code for code, _ in view.findings] if isinstance(view, RowView) else [view.code]
        return selection.finding in codes
    return (view.where.file, view.where.line) == selection.place()
