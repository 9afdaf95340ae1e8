"""What tokens are: what ids spell, which are special, and where the tokens of a text begin."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from maskprep.errors import RowError
from maskprep.tokenizer.saved import SavedTokenizer

if TYPE_CHECKING:
    from maskprep.tokenizer.encode import Encoder
    from maskprep.tokenizer.load import LoadedTokenizer


class Tokens(Protocol):
    """The tokens of one tokenizer. ``special`` are the ids of the special ones."""

    @property
    def special(self) -> frozenset[int]:
        """The ids of the special tokens."""

    def spell(self, ids: Iterable[int]) -> list[bytes]:
        """Return the bytes that each id stands for."""

    def within(self, text: str, places: Sequence[int]) -> set[int]:
        """Return which of some places, in bytes, lie within a token of the whole text; none where nobody can tell."""


class LoadedTokens:
    """The tokens of a tokenizer that transformers has loaded."""

    def __init__(self, loaded: LoadedTokenizer, encoder: Encoder) -> None:
        self._encoder = encoder
        self.special = frozenset(loaded.tokenizer.convert_tokens_to_ids(list(loaded.special_tokens)))

    @classmethod
    def load(cls, folder: str) -> LoadedTokens:
        """Load the tokenizer in a folder. Raises ``UsageError`` where that cannot be done."""
        from maskprep.tokenizer.encode import Encoder  # noqa: PLC0415 - a second to load, and seldom wanted
        from maskprep.tokenizer.load import load_tokenizer  # noqa: PLC0415

        loaded = load_tokenizer(folder)
        return cls(loaded, Encoder(loaded.tokenizer))

    def spell(self, ids: Iterable[int]) -> list[bytes]:
        """Return the bytes that each id stands for."""
        return self._encoder.spell(ids)

    def within(self, text: str, places: Sequence[int]) -> set[int]:
        """Return which of some places lie within a token."""
        try:
            natural = self._encoder.encode(text)
        except RowError:
            return set()
        return set(places).difference([0], natural.ends.tolist())


class SavedTokens:
    """The tokens of a build's tokenizer, read from its files; transformers loads it where these do not say enough."""

    def __init__(self, saved: SavedTokenizer, load: Callable[[], Tokens]) -> None:
        self._saved, self._load = saved, load
        self.special = saved.special

    def spell(self, ids: Iterable[int]) -> list[bytes]:
        """Return the bytes that each id stands for."""
        return self._saved.spelling.of(np.fromiter(ids, np.int64))

    def within(self, text: str, places: Sequence[int]) -> set[int]:
        """Return which of some places lie within a token."""
        return set() if self._saved.surely_begin(text, places) else self._loaded.within(text, places)

    @cached_property
    def _loaded(self) -> Tokens:
        return self._load()


def tokens_of_build(folder: str | Path, load: Callable[[], Tokens] | None = None) -> Tokens:
    """Return the tokens of the tokenizer that a build saved.

    Args:
        folder: where it lies.
        load: returns them as transformers has them, if it has loaded the tokenizer.

    Raises:
        UsageError: it cannot be loaded.
    """
    load = load or (lambda: LoadedTokens.load(str(folder)))
    saved = SavedTokenizer.read(Path(folder))
    return load() if saved is None else SavedTokens(saved, load)
