"""The text of a control token, encoded as ordinary text: as if the tokenizer had no added tokens."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import numpy as np

from maskprep.arrays import Ints
from maskprep.errors import RowError
from maskprep.tokenizer.spelling import Spelling

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Ordinary:
    """Encodes stretches of text with the model of a tokenizer alone.

    Args:
        tokenizer: the tokenizer.
        control: the ids that must not come out.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, control: Collection[int]) -> None:
        self._backend = getattr(tokenizer, "backend_tokenizer", None)
        self._control = frozenset(control)
        self._spelling = Spelling(tokenizer)
        self._known: dict[str, tuple[Ints, Ints]] = {}

    def encode(self, text: str) -> tuple[Ints, Ints]:
        """Return the ids of ``text`` and where each ends in its bytes; put together, they spell exactly these bytes.

        Raises:
            RowError: ``no-alignment`` where no ids do.
        """
        known = self._known.get(text)
        if known is None:
            known = self._new(text)
            if len(text) < _SHORT:  # longer with white space that comes from data: no two are alike
                self._known[text] = known
        return known

    def spell(self, ids: Ints) -> bytes:
        """Return the bytes that the first of ``ids`` spells, none where there are no ids."""
        return b"".join(self._spelling.of(ids[:1]))

    def _new(self, text: str) -> tuple[Ints, Ints]:
        for ids in self._ways(text):
            found = np.asarray(ids, np.int64)
            if self._spelling.spells(found, text.encode()) and not self._control.intersection(ids):
                return found, np.cumsum(self._spelling.lengths(found), dtype=np.int64)
        msg = f"the tokenizer cannot encode {text!r:.80} as ordinary text"
        raise RowError("no-alignment", msg, "set control_tokens: keep, or take the text out")

    def _ways(self, text: str) -> Iterator[list[int]]:
        """Yield lists of ids for ``text`` to try: of the whole, then of its parts, should the whole be one token."""
        if self._backend is None:
            return
        yield self._model(text)
        for cut in range(1, len(text)):
            yield self._model(text[:cut]) + self._model(text[cut:])
        yield [token for char in text for token in self._model(char)]
        # The blank that is put in front of a blank may have become one token with it.
        letters = [self._backend.token_to_id(char.replace(" ", "\u2581")) for char in text]
        yield [token for token in letters if token is not None]

    def _model(self, text: str) -> list[int]:
        """Return the ids of a text that stands behind other text: a blank that is put in front of it is taken away."""
        backend = self._backend
        assert backend is not None
        if backend.normalizer is not None:
            text = backend.normalizer.normalize_str(text)
        pieces = (
            [text] if backend.pre_tokenizer is None else [p for p, _ in backend.pre_tokenizer.pre_tokenize_str(text)]
        )
        ids = [token.id for piece in pieces for token in backend.model.tokenize(piece)]
        return ids[1:] if self._spelling.of(np.asarray(ids[:1], np.int64)) == [b" "] else ids


_SHORT = 64
