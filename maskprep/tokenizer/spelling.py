"""The bytes that each id of a vocabulary stands for, looked up for many ids at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from maskprep.arrays import Ints

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class Pieces:
    """What ids are in a vocabulary.

    Args:
        piece: returns the piece of an id, as the vocabulary writes it, empty for an id that it has not.
        added: what the added tokens spell, by id.
        is_byte_level: whether each character of a piece stands for a byte.
    """

    piece: Callable[[int], str]
    added: dict[int, bytes]
    is_byte_level: bool

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> Pieces:
        """Return the pieces of a tokenizer."""
        added = {id_: token.content.encode() for id_, token in tokenizer.added_tokens_decoder.items()}
        return cls(lambda number: tokenizer.convert_ids_to_tokens(number) or "", added, _is_byte_level(tokenizer))


class Spelling:
    """Looks up the bytes of ids. Its table fills as ids are met: few texts hold all of a vocabulary.

    Args:
        tokenizer: whose ids they are, or their pieces.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase | Pieces) -> None:
        pieces = tokenizer if isinstance(tokenizer, Pieces) else Pieces.of(tokenizer)
        self._piece, self._added, self.is_byte_level = pieces.piece, pieces.added, pieces.is_byte_level
        self._table = np.empty(0, dtype=np.object_)
        self._lengths = np.empty(0, dtype=np.int32)  # -1: not looked up yet

    @property
    def added(self) -> dict[int, bytes]:
        """The bytes of the added tokens, by id."""
        return self._added

    def of(self, ids: Ints) -> list[bytes]:
        """Return the bytes that each id stands for. A token may hold a part of a character.

        An id that the vocabulary has not stands for no bytes.
        """
        self.lengths(ids)
        spelled: list[bytes] = self._table[_known(ids)].tolist()
        return spelled

    def lengths(self, ids: Ints) -> npt.NDArray[np.int32]:
        """Return how many bytes each id stands for."""
        ids = _known(ids)
        if len(ids) and ids.max() >= len(self._lengths):
            self._make_room(min(_MOST, max(int(ids.max()) + 1, 2 * len(self._lengths))))
        lengths = self._lengths[ids]
        if len(lengths) and lengths.min() < 0:
            for token in np.unique(ids[lengths < 0]).tolist():
                spelled = self._added.get(token) or self._spell(token)
                self._table[token], self._lengths[token] = spelled, len(spelled)
            lengths = self._lengths[ids]
        return lengths

    def spells(self, ids: Ints, raw: bytes) -> bool:
        """Tell whether the bytes of ``ids``, joined, are ``raw``."""
        position = 0
        for start in range(0, len(ids), _AT_ONCE):
            piece = b"".join(self.of(ids[start : start + _AT_ONCE]))
            if not raw.startswith(piece, position):
                return False
            position += len(piece)
        return position == len(raw)

    def _make_room(self, size: int) -> None:
        """Let the table hold ids below ``size``."""
        more = size - len(self._lengths)
        self._table = np.concatenate((self._table, np.empty(more, dtype=np.object_)))
        self._lengths = np.concatenate((self._lengths, np.full(more, -1, dtype=np.int32)))

    def _spell(self, token: int) -> bytes:
        piece = self._piece(token)
        if self.is_byte_level:
            # A character outside the alphabet means that the piece is not byte-level: the joined text will differ.
            return b"".join(BYTES.get(char, char.encode()) for char in piece)
        if len(piece) == 6 and piece.startswith("<0x") and piece.endswith(">"):  # noqa: PLR2004 - <0xAB>
            return bytes.fromhex(piece[3:5])
        return piece.replace("\u2581", " ").encode()


def _is_byte_level(tokenizer: PreTrainedTokenizerBase) -> bool:
    backend = getattr(tokenizer, "backend_tokenizer", None)
    decoder = getattr(backend, "decoder", None)
    return decoder is not None and "ByteLevel" in json.dumps(json.loads(decoder.__getstate__()))


def _byte_alphabet() -> dict[str, bytes]:
    """Return the byte behind each character of byte-level vocabularies (the table of OpenAI's GPT-2)."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    hidden = [byte for byte in range(256) if byte not in printable]
    table = {chr(byte): bytes([byte]) for byte in printable}
    return table | {chr(256 + index): bytes([byte]) for index, byte in enumerate(hidden)}


def _known(ids: Ints) -> Ints:
    if len(ids) and (ids.min() < 0 or ids.max() >= _MOST):
        return np.where((ids < 0) | (ids >= _MOST), _MOST - 1, ids)
    return ids


_AT_ONCE = 2**20  # ids, so that a long text does not take a list as long
BYTES = _byte_alphabet()
"""The byte behind each character of byte-level vocabularies."""
_MOST = 2**22  # ids: a stored row may hold any number, and the table must not grow with it
