r"""Where tokens stand in the bytes of a text by the tokenizer's own offsets, made exact where several tokens share one.

    text     assistant \n é a          \n and é are not in the vocabulary: they fall back to their bytes
    tokens   ▁ assistant ‹0A› ‹C3› ‹A9› a
    offsets  └─┘└──────┘ └─────────┘    one for all three bytes, which were fused before the model saw them
    exact               ├0A┤├──C3 A9──┤  by what each of them spells

Three things make offsets inexact: an added token that swallows white space, a blank that the tokenizer puts in front of
each stretch between added tokens, and fused characters. The bytes that tokens spell tell in all three which is whose.
Where they do not (a normaliser has changed the fused characters as well), the tokens keep what they share.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from maskprep.errors import RowError
from maskprep.tokenizer.spelling import Spelling
from maskprep.tokenizer.together import limits_of

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ints = npt.NDArray[np.int64]
Sizes = list[int]

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
        """Return where each of the ids of ``text`` starts and ends in its bytes.

        Raises:
            RowError: ``no-alignment`` where the tokenizer tells no offsets.
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
        raw, added = text.encode(), self._narrow(text.encode(), ids, starts, ends)
        spelled = self._spelling.of(ids)
        for low, high in pairwise([-1, *added, len(ids)]):
            self._sharpen(raw, spelled, starts, ends, range(low + 1, high))
        return starts, ends

    def _narrow(self, raw: bytes, ids: Ints, starts: Ints, ends: Ints) -> list[int]:
        """Take away from added tokens the white space around them that they swallow; return which tokens they are."""
        added = []
        for index, token in enumerate(ids.tolist()):
            content = self._spelling.added.get(token)
            found = raw.find(content, starts[index], ends[index]) if content else -1
            if content and found >= 0:
                starts[index], ends[index] = found, found + len(content)
                added.append(index)
        return added

    def _sharpen(self, raw: bytes, spelled: Sequence[bytes], starts: Ints, ends: Ints, stretch: range) -> None:
        """Make exact what a stretch between two added tokens says, as far as its tokens spell what stands there."""
        if not stretch:
            return
        low = int(ends[stretch[0] - 1]) if stretch[0] else 0
        high = int(starts[stretch[-1] + 1]) if stretch[-1] + 1 < len(ends) else len(raw)
        if _share(raw[low:high], low, spelled, starts, ends, stretch):
            return
        for run in _runs(starts, ends, stretch):
            low, high = int(starts[run[0]]), int(ends[run[0]])
            if not _share(raw[low:high], low, spelled, starts, ends, run):
                self._share_changed(raw[low:high], low, spelled, starts, ends, run)

    def _share_changed(
        self, raw: bytes, low: int, spelled: Sequence[bytes], starts: Ints, ends: Ints, run: range
    ) -> None:
        """Give each token of a run the characters that became its bytes, where a normaliser changes one at a time."""
        normalize = self._normalize
        if normalize is None:
            return
        changed = [normalize(char) for char in raw.decode()]
        if any(one is None for one in changed):
            return
        own = [len(one or b"") for one in changed]
        edges, limits = limits_of([len(spelled[index]) for index in run]), limits_of(own)
        if b"".join(one or b"" for one in changed) != b"".join(spelled[index] for index in run):
            return
        places = limits_of([len(char.encode()) for char in raw.decode()]) + low
        starts[list(run)] = places[np.searchsorted(limits, edges[:-1], side="right") - 1]
        ends[list(run)] = places[np.searchsorted(limits, edges[1:], side="left")]

    @property
    def _normalize(self) -> Callable[[str], bytes | None] | None:
        """What the normaliser makes of one character behind another, None where the two cannot be told apart."""
        normalizer = self._tokenizer.backend_tokenizer.normalizer
        if normalizer is None:
            return None
        before = normalizer.normalize_str(_ANY)

        def normalize(char: str) -> bytes | None:
            both: str = normalizer.normalize_str(_ANY + char)
            return both.removeprefix(before).replace("\u2581", " ").encode() if both.startswith(before) else None

        return normalize


def _share(raw: bytes, low: int, spelled: Sequence[bytes], starts: Ints, ends: Ints, run: range) -> bool:
    """Give each token of a run the bytes that it spells, from byte ``low`` on. Tell whether they spell ``raw``.

    A blank in front of them that is not there was put there by the tokenizer, and takes no room.
    """
    joined = b"".join(spelled[index] for index in run)
    blank = joined == b" " + raw
    if not (blank or joined == raw):
        return False
    edges = limits_of([len(spelled[index]) for index in run]) + low
    if blank:
        edges[1:] -= 1
    starts[list(run)], ends[list(run)] = edges[:-1], edges[1:]
    return True


def _runs(starts: Ints, ends: Ints, stretch: range) -> Iterator[range]:
    """Yield the runs of tokens, two at least, that have one offset."""
    first = stretch[0]
    for index in range(first + 1, stretch[-1] + 2):
        if index <= stretch[-1] and (starts[index], ends[index]) == (starts[first], ends[first]):
            continue
        if index - first > 1:
            yield range(first, index)
        first = index


_ANY = "x"  # no normaliser changes it beside another letter
