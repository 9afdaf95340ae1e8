r"""Text to ids, with proof of which bytes of the text each id stands for.

    text   <|im_start|>user\nhé
    ids    151644 872 198 71 963
    ends   12 16 17 18 20          in bytes of UTF-8

No offset table is trusted where none is needed: each id spells some bytes; when the bytes of all ids, joined, are the
text, their lengths are exact spans. Otherwise (a normaliser changed the text, say) the tokenizer's offsets
decide.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from maskprep.arrays import Ints, begin_alike, limits_of, places_of
from maskprep.errors import RowError
from maskprep.tokenizer.backend import Backend, TransformersBackend
from maskprep.tokenizer.batch import EncodedBatch
from maskprep.tokenizer.known_ids import KnownIds
from maskprep.tokenizer.leads import Leads, behind
from maskprep.tokenizer.offsets import Offsets
from maskprep.tokenizer.spelling import Spelling
from maskprep.tokenizer.split_points import SplitPoints

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids and, for each, where it starts and ends in the bytes of the text (int64, half-open)."""

    ids: Ints
    starts: Ints
    ends: Ints

    def with_border(self, index: int, start: int) -> Encoded:
        """Return this encoding with a border between two texts at byte ``start``, in front of token ``index``.

        The tokens from ``index`` on begin there at the earliest, those before end there at the latest. Where several
        tokens share characters, the ids decide: the first ``index`` of them are those of the text in front.
        """
        starts, ends = self.starts, self.ends
        if len(starts[index:]) and starts[index:].min() < start:
            starts = np.concatenate((starts[:index], np.maximum(starts[index:], start)))
        if index and ends[:index].max() > start:
            ends = np.concatenate((np.minimum(ends[:index], start), ends[index:]))
        return self if starts is self.starts and ends is self.ends else Encoded(self.ids, starts, ends)

    def then(self, other: Encoded, offset: int) -> Encoded:
        """Return this encoding followed by ``other``, the encoding of text that begins at byte ``offset``."""
        return Encoded(
            np.concatenate((self.ids, other.ids)),
            np.concatenate((self.starts, other.starts + offset)),
            np.concatenate((self.ends, other.ends + offset)),
        )


@dataclass(frozen=True, slots=True)
class Context:
    """The ids of the beginning of a text, encoded alone: the first ``shared`` ids of the whole text, then ``rest``."""

    shared: int
    rest: Ints

    def __len__(self) -> int:
        """Return the number of ids."""
        return self.shared + len(self.rest)

    def begins(self, ids: Ints) -> bool:
        """Tell whether ``ids``, of the whole text or of a beginning of it, begin with the ids of this context."""
        return np.array_equal(ids[self.shared : len(self)], self.rest)


class Encoder:
    """Encodes text with one tokenizer, adding no special token: the chat template wrote those that belong.

    Args:
        tokenizer: a loaded tokenizer.
        backend: what encodes with it; transformers, if none is given.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, backend: Backend | None = None) -> None:
        self._tokenizer = tokenizer
        self.backend = backend or TransformersBackend(tokenizer)
        self._spelling = Spelling(tokenizer)
        self._known = KnownIds(self.backend.encode)

    def begin(self) -> None:
        """Forget the texts that were encoded lately."""
        self._known.forget()

    @cached_property
    def _segments(self) -> SplitPoints:
        return SplitPoints.of(self._tokenizer)

    def ids(self, text: str) -> Ints:
        """Return the ids of ``text``, as ``apply_chat_template(..., tokenize=True)`` would."""
        return self._known.of([text])[text]

    def contexts(self, text: str, starts: Sequence[int]) -> dict[int, Context]:
        """Return the ids of each beginning ``text[:start]``, encoded alone, by ``start``.

        The text in front of its last isolated token has the ids that it has in ``text`` (``split_points.py``): only the
        rest is encoded.
        """
        bounds = self._segments.bounds(text)
        ends = dict(zip(starts, _ends_of(text, bounds, starts), strict=True))
        known = self._known.of([text, *(rest for _, rest in ends.values())])
        positions = self._segments.positions(text, bounds, known[text])
        if positions is None:
            wholes = self._known.of([text[:start] for start in starts])
            return {start: Context(0, wholes[text[:start]]) for start in starts}
        return {
            start: Context(int(positions[index]) if index >= 0 else 0, known[rest])
            for start, (index, rest) in ends.items()
        }

    def encoded_batch(self, texts: Sequence[str], starts: Sequence[Sequence[int]]) -> EncodedBatch | None:
        """Return many texts encoded at once, None where one of them needs more than its ids and their lengths.

        Args:
            texts: one text at least.
            starts: where the contexts of each text end, in characters.
        """
        if self._puts_blank_first:
            return None
        known = self._known.of(texts)
        own_ids = [known[text] for text in texts]
        ids, tokens = np.concatenate(own_ids), limits_of(map(len, own_ids))
        lengths = self._spelling.lengths(ids)
        raws = [text.encode() for text in texts]
        raw, limits, edges = b"".join(raws), limits_of(map(len, raws)), limits_of(lengths)
        if not (all(map(len, own_ids)) and lengths.all() and self._spelling.spells(ids, raw)):
            return None
        if not np.array_equal(edges[tokens], limits):
            return None
        whose = np.repeat(np.arange(len(texts)), np.fromiter(map(len, starts), np.int64, len(starts)))
        borders = np.asarray([start for each in starts for start in each], np.int64)
        borders += limits_of(map(len, texts))[whose]
        places = places_of(raw)
        low = borders if places is None else places[borders]
        firsts = self._heads(ids, edges, low, tokens[whose])
        rests = [raw[start:end].decode() for start, end in zip(edges[firsts].tolist(), low.tolist(), strict=True)]
        known = self._known.of(rests)
        context_ids = [known[rest] for rest in rests]
        prefix_ok = begin_alike(ids, firsts, context_ids, tokens[whose + 1])
        after = firsts + np.fromiter(map(len, context_ids), np.int64, len(rests))
        prefix_ok &= edges[np.minimum(after, len(ids))] == low
        return EncodedBatch(
            ids, edges, tokens, limits, places, np.bincount(whose[~prefix_ok], minlength=len(texts)) == 0
        )

    def _heads(self, ids: Ints, edges: Ints, ends: Ints, first: Ints) -> Ints:
        """Return which token begins what is to be encoded of each context: its last isolated one, else its first.

        The ids spell their texts, so that an isolated token is spelt, and found, wherever its id is.

        Args:
            ids: the ids of many texts.
            edges: where each token begins, and the last one ends, in bytes.
            ends: where each context ends.
            first: the first token of the text of each context.
        """
        isolated = self._segments.isolated(ids)
        place = np.searchsorted(edges[isolated + 1], ends, side="right")
        heads: Ints = np.maximum(first, np.append(isolated, 0)[place - 1])
        return heads

    def spell(self, ids: Iterable[int]) -> list[bytes]:
        """Return the bytes that each id stands for. A token may hold only a part of a character."""
        return self._spelling.of(np.fromiter(ids, np.int64))

    def encode(self, text: str) -> Encoded:
        """Return the ids of ``text`` with their places.

        Raises:
            RowError: ``no-alignment`` where nobody can tell which characters an id stands for.
        """
        return self._place(text, self.ids(text))

    def encode_rest(self, text: str) -> Encoded:
        """Return the ids of text that continues other text: as it stands behind a lead, less the ids of the lead.

        Raises:
            RowError: ``no-alignment`` where the text cannot be encoded apart from what precedes it.
        """
        if not self._puts_blank_first:
            encoded = self._place_by_spelling(text, self.ids(text))
            if encoded is not None:
                return encoded
        for lead in self._leads.of(text):
            encoded = self._behind(lead, text)
            if encoded is not None:
                return encoded
        msg = "the tokenizer cannot encode the completion apart from its prompt"
        raise RowError("no-alignment", msg, "use another tokenizer file, or a template whose prompt ends with a token")

    def _behind(self, lead: str, text: str) -> Encoded | None:
        """Return the ids of ``text`` as it stands behind a lead, None where one of them holds a part of the lead."""
        before, both = self.ids(lead), self.ids(lead + text)
        ids = behind(before, both)
        if ids is None:
            return None
        encoded = self._place_by_spelling(text, ids)
        if encoded is not None or not self._tokenizer.is_fast:
            return encoded
        starts, ends = self._offsets.of(lead + text, both)
        size = len(lead.encode())
        if ends[: len(before)].max() > size:  # the lead's, and unknown as the first characters of the text are
            return None
        starts, ends = starts[len(before) :], ends[len(before) :]
        # Nobody knows what a token in front of the text, or one that takes no room, is: a blank maybe.
        if len(starts) and (starts.min() < size or ends[0] <= size):
            return None
        return Encoded(ids, starts - size, ends - size)

    @cached_property
    def _leads(self) -> Leads:
        added = sorted(content.decode() for content in self._spelling.added.values())
        return Leads(self.ids, lambda ids: b"".join(self._spelling.of(ids)), added)

    @cached_property
    def _puts_blank_first(self) -> bool:
        return b"".join(self.spell(self.ids("a").tolist())) != b"a"

    @cached_property
    def _offsets(self) -> Offsets:
        return Offsets(self._tokenizer, self._spelling)

    def _place(self, text: str, ids: Ints) -> Encoded:
        """Return ``ids``, which the tokenizer gives for ``text``, with their places in it. Raises ``RowError``."""
        return self._place_by_spelling(text, ids, blank=True) or Encoded(ids, *self._offsets.of(text, ids))

    def _place_by_spelling(self, text: str, ids: Ints, *, blank: bool = False) -> Encoded | None:
        """Return ``ids`` with their places in ``text`` by the bytes they spell, None where they do not spell the text.

        Some tokenizers put a ``blank`` before the first word, where the text is the beginning of the whole.
        """
        raw = text.encode()
        edges = limits_of(self._spelling.lengths(ids))
        blank = blank and len(ids) > 0 and int(edges[-1]) == len(raw) + 1
        if not self._spelling.spells(ids, b" " + raw if blank else raw):
            return None
        if blank:
            edges[1:] -= 1
        return Encoded(ids, edges[:-1], edges[1:])  # one array: where a token ends, the next one begins


def _ends_of(text: str, bounds: Sequence[tuple[int, int]], starts: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield for each ``text[:start]`` the number of its last isolated token (-1: none), and its text from there on."""
    heads = [end for _, end in bounds]
    for start in starts:
        index = bisect_right(heads, start) - 1
        yield index, text[bounds[index][0] if index >= 0 else 0 : start]
