r"""Text to ids, with proof of which bytes of the text each id stands for.

    text   <|im_start|>user\nhé
    ids    151644 872 198 71 963
    ends   12 16 17 18 20          in bytes of UTF-8

No offset table is trusted where none is needed: each id spells some bytes; when the bytes of all ids, put together,
are the text, their lengths are exact spans. Otherwise (a normaliser changed the text, say) the tokenizer's offsets
decide.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from maskprep.errors import RowError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

_KNOWN_CHARACTERS = 8_000_000  # of text whose ids are remembered: about 25 MB, and most conversations of 100 turns

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids and, for each, where it starts and ends in the bytes of the text (int64, half-open)."""

    ids: Ints
    starts: Ints
    ends: Ints

    def with_border(self, index: int, start: int) -> Encoded:
        """Return the same with token ``index`` beginning not before byte ``start``."""
        if index >= len(self.starts) or self.starts[index] >= start:
            return self
        starts = self.starts.copy()
        starts[index] = start
        return Encoded(self.ids, starts, self.ends)

    def then(self, other: Encoded, offset: int) -> Encoded:
        """Return this encoding followed by one of text that begins at byte ``offset``."""
        return Encoded(
            np.concatenate((self.ids, other.ids)),
            np.concatenate((self.starts, other.starts + offset)),
            np.concatenate((self.ends, other.ends + offset)),
        )


class Encoder:
    """Encodes text with one tokenizer, adding no special token: the chat template wrote those that belong."""

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Take a loaded tokenizer."""
        self._tokenizer = tokenizer
        self._spelled: dict[int, bytes] = {}
        self._known: dict[str, Ints] = {}
        self._known_size = 0
        self._added = {id_: token.content.encode() for id_, token in tokenizer.added_tokens_decoder.items()}

    def ids(self, text: str) -> Ints:
        """Return the ids of ``text``, as ``apply_chat_template(..., tokenize=True)`` would."""
        # Prompts come again and again: in each sequence that is cut from one conversation, under each history.
        known = self._known.get(text)
        if known is None:
            known = self._encode(text)
            self._known_size += len(text)
            if self._known_size > _KNOWN_CHARACTERS:
                self._known, self._known_size = {}, len(text)
            self._known[text] = known
        return known

    def _encode(self, text: str) -> Ints:
        encoding = self._tokenizer(text, add_special_tokens=False, return_attention_mask=False, verbose=False)
        return np.asarray(encoding["input_ids"], dtype=np.int64)

    def spell(self, ids: Iterable[int]) -> list[bytes]:
        """Return the bytes that each id stands for. A token may hold only a part of a character."""
        return [self._spell(token) for token in ids]

    def encode(self, text: str) -> Encoded:
        """Return the ids of ``text`` with their places.

        Raises:
            RowError: ``no-alignment`` where nobody can tell which characters an id stands for.
        """
        return self._place(text, self.ids(text))

    def encode_rest(self, text: str) -> Encoded:
        """Return the ids of text that continues other text: without the blank that some tokenizers put in front.

        Raises:
            RowError: ``no-alignment`` where the text cannot be encoded apart from what precedes it.
        """
        if not self._puts_blank_first:
            return self.encode(text)
        # Behind other text the tokenizer puts no blank; the ids of that text are then taken away again.
        for lead in ("\n", *sorted(content.decode() for content in self._added.values())):
            before, ids = self.ids(lead), self.ids(lead + text)
            if len(before) and np.array_equal(ids[: len(before)], before):
                try:
                    return self._place(text, ids[len(before) :])
                except RowError:
                    continue
        raise RowError("no-alignment", "the tokenizer cannot encode the completion apart from its prompt")

    @cached_property
    def _puts_blank_first(self) -> bool:
        return b"".join(self.spell(self.ids("a").tolist())) != b"a"

    def _place(self, text: str, ids: Ints) -> Encoded:
        raw = text.encode()
        spelled = self.spell(ids.tolist())
        ends = np.cumsum(np.fromiter(map(len, spelled), np.int64, len(spelled)), dtype=np.int64)
        joined = b"".join(spelled)
        if joined == b" " + raw:  # the blank that some tokenizers put before the first word
            ends, joined = ends - 1, raw
        if joined == raw:
            return Encoded(ids, np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1])), ends)
        return self._place_by_offsets(text, ids)

    def _place_by_offsets(self, text: str, ids: Ints) -> Encoded:
        if not self._tokenizer.is_fast:
            msg = (
                "the tokenizer changes the text and tells no offsets: nobody can say which token holds which character"
            )
            raise RowError("no-alignment", msg, "use a fast tokenizer (a tokenizer.json)")
        encoding = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        if encoding["input_ids"] != ids.tolist():
            msg = "the tokenizer encodes the completion otherwise on its own than behind its prompt"
            raise RowError("no-alignment", msg)
        offsets = np.asarray(encoding["offset_mapping"], dtype=np.int64).reshape(-1, 2)
        in_bytes = np.concatenate(([0], np.cumsum([len(char.encode()) for char in text], dtype=np.int64)))
        starts, ends = in_bytes[offsets[:, 0]], np.maximum.accumulate(in_bytes[offsets[:, 1]])
        if self._is_byte_level:
            # Its offsets leave out the white space with which a token begins. (Several tokens of one character all
            # begin where that character does.) Other tokenizers drop white space, which then is nobody's.
            starts = np.minimum(starts, np.concatenate((np.zeros(min(1, len(ends)), np.int64), ends[:-1])))
        return self._narrow(text.encode(), Encoded(ids, starts, ends))

    def _narrow(self, raw: bytes, encoded: Encoded) -> Encoded:
        """Take away from added tokens the white space around them that they swallow (``lstrip``, ``rstrip``)."""
        starts, ends = encoded.starts.copy(), encoded.ends.copy()
        for index, token in enumerate(encoded.ids.tolist()):
            content = self._added.get(token)
            found = raw.find(content, starts[index], ends[index]) if content else -1
            if content and found >= 0:
                starts[index], ends[index] = found, found + len(content)
        return Encoded(encoded.ids, starts, ends)

    def _spell(self, token: int) -> bytes:
        known = self._spelled.get(token)
        if known is None:
            known = self._spelled[token] = self._added.get(token) or self._spell_new(token)
        return known

    def _spell_new(self, token: int) -> bytes:
        piece = self._tokenizer.convert_ids_to_tokens(token) or ""
        if self._is_byte_level:
            # A character outside the alphabet means that the piece is not byte-level: the joined text will differ.
            return b"".join(_BYTE_OF.get(char, char.encode()) for char in piece)
        if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):  # noqa: PLR2004 - <0xAB>
            return bytes.fromhex(piece[3:5])
        return piece.replace("\u2581", " ").encode()

    @cached_property
    def _is_byte_level(self) -> bool:
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        decoder = getattr(backend, "decoder", None)
        return decoder is not None and "ByteLevel" in json.dumps(json.loads(decoder.__getstate__()))


def _byte_alphabet() -> dict[str, bytes]:
    """Return the byte behind each character of byte-level vocabularies (the table of OpenAI's GPT-2)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): bytes([byte]) for byte in printable}
    return table | {chr(256 + index): bytes([byte]) for index, byte in enumerate(hidden)}


_BYTE_OF = _byte_alphabet()
