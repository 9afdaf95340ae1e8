r"""Where tokens stand in the bytes of a text by the tokenizer's own offsets, made exact where several tokens share one.

    text     assistant \n é a           \n and é are not in the vocabulary: they fall back to their bytes
    tokens   ▁ assistant 0A C3 A9 a
    offsets  └───────┘ └────────┘ └┘    one for all three bytes, which were fused before the model saw them
    exact              0A├ C3 A9 ┤      by what each of them spells

Three things make offsets inexact: an added token that swallows white space, a blank that the tokenizer puts in front of
each stretch between added tokens, and fused characters. The bytes that tokens spell tell in all three which is whose.
Where they do not (a normaliser has changed the fused characters as well), the tokens keep what they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from maskprep.arrays import Ints, limits_of
from maskprep.errors import RowError
from maskprep.tokenizer.spelling import Spelling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Normalize = Callable[[str], bytes | None]

_NO_OFFSETS = "the tokenizer changes the text and tells no offsets: nobody can say which token holds which character"


class Offsets:
    """The offsets of one tokenizer, in bytes.

    Args:
        tokenizer: the tokenizer.
        spelling: what its ids spell.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, spelling: Spelling) -> None:
        self._tokenizer, self._spelling = tokenizer, spelling

    def of(self, text: str, ids: Ints) -> tuple[Ints, Ints]:
        """Return where each of the ids of ``text`` starts and ends in the text's bytes.

        Raises:
            RowError: ``no-alignment`` where the tokenizer gives no offsets.
        """
        if not self._tokenizer.is_fast:
            raise RowError("no-alignment", _NO_OFFSETS, "use a fast tokenizer (a tokenizer.json)")
        encoding = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        if encoding["input_ids"] != ids.tolist():
            raise RowError("no-alignment", "the tokenizer encodes one text in two ways")
        offsets = np.asarray(encoding["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        in_bytes = np.concatenate(([0], np.cumsum([len(char.encode()) for char in text], dtype=np.int64)))
        starts, ends = in_bytes[offsets[:, 0]], np.maximum.accumulate(in_bytes[offsets[:, 1]])
        if self._spelling.is_byte_level:
            # Its offsets leave out the white space with which a token begins. (Several tokens of one character all
            # begin where that character does.) Other tokenizers drop white space, which then is nobody's.
            starts = np.minimum(starts, np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1])))
        tokens = _Tokens(text.encode(), self._spelling.of(ids), starts, ends)
        added = [at for at, token in enumerate(ids.tolist()) if tokens.narrow(at, self._spelling.added.get(token))]
        for low, high in pairwise([-1, *added, len(ids)]):
            tokens.sharpen(range(low + 1, high), self._normalize)
        return starts, ends

    @cached_property
    def _normalize(self) -> Normalize | None:
        """A function that normalises one character, as it would stand behind another; None without a normaliser."""
        normalizer = self._tokenizer.backend_tokenizer.normalizer
        if normalizer is None:
            return None
        before = normalizer.normalize_str(_ANY)

        def normalize(char: str) -> bytes | None:
            both: str = normalizer.normalize_str(_ANY + char)
            return both.removeprefix(before).replace("\u2581", " ").encode() if both.startswith(before) else None

        return normalize


@dataclass(frozen=True, slots=True)
class _Tokens:
    """The bytes of a text, and its tokens: what each spells, where it starts, and where it ends."""

    raw: bytes
    spelled: list[bytes]
    starts: Ints
    ends: Ints

    def narrow(self, index: int, content: bytes | None) -> bool:
        """Take from token ``index`` the white space it swallows; tell whether it is the added token ``content``."""
        found = self.raw.find(content, self.starts[index], self.ends[index]) if content else -1
        if content is None or found < 0:
            return False
        self.starts[index], self.ends[index] = found, found + len(content)
        return True

    def sharpen(self, stretch: range, normalize: Normalize | None) -> None:
        """Make exact where the tokens of a stretch between two added ones stand, as far as they spell its bytes."""
        if not stretch:
            return
        low = int(self.ends[stretch[0] - 1]) if stretch[0] else 0
        high = int(self.starts[stretch[-1] + 1]) if stretch[-1] + 1 < len(self.ends) else len(self.raw)
        if self._share(stretch, low, high):
            return
        for run in self._runs(stretch):
            low, high = int(self.starts[run[0]]), int(self.ends[run[0]])
            if not self._share(run, low, high) and normalize is not None:
                self._share_changed(run, low, [(char, normalize(char)) for char in self.raw[low:high].decode()])

    def _runs(self, stretch: range) -> Iterator[range]:
        """Yield the runs of two or more tokens that have one offset."""
        first = stretch[0]
        for index in range(first + 1, stretch[-1] + 2):
            alike = index <= stretch[-1] and self.starts[index] == self.starts[first]
            if not (alike and self.ends[index] == self.ends[first]):
                if index - first > 1:
                    yield range(first, index)
                first = index

    def _share(self, run: range, low: int, high: int) -> bool:
        """Give each token of a run the bytes that it spells; tell whether these are all bytes from ``low`` to ``high``.

        A blank that they spell in front of that text was put there by the tokenizer, and takes no room.
        """
        joined, raw = b"".join(self.spelled[run[0] : run[-1] + 1]), self.raw[low:high]
        blank = joined == b" " + raw
        if not (blank or joined == raw):
            return False
        edges = self._edges(run) + low
        if blank:
            edges[1:] -= 1
        self.starts[run[0] : run[-1] + 1], self.ends[run[0] : run[-1] + 1] = edges[:-1], edges[1:]
        return True

    def _share_changed(self, run: range, low: int, changed: list[tuple[str, bytes | None]]) -> None:
        """Give each token of a run the characters whose normalised form, in ``changed``, is the bytes it spells."""
        became = [one for _, one in changed if one is not None]
        if len(became) < len(changed) or b"".join(became) != b"".join(self.spelled[run[0] : run[-1] + 1]):
            return
        edges, limits = self._edges(run), limits_of(map(len, became))
        places = limits_of(len(char.encode()) for char, _ in changed) + low
        self.starts[run[0] : run[-1] + 1] = places[np.searchsorted(limits, edges[:-1], side="right") - 1]
        self.ends[run[0] : run[-1] + 1] = places[np.searchsorted(limits, edges[1:], side="left")]

    def _edges(self, run: range) -> Ints:
        return limits_of(len(self.spelled[index]) for index in run)


_ANY = "x"  # no normaliser changes it beside another letter
