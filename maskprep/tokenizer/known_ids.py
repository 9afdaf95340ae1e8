"""The ids of texts that were encoded lately: prompts come again and again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from maskprep.arrays import Ints

_MOST = 8_000_000  # characters whose ids are remembered: about 25 MB, and most conversations of 100 turns


class KnownIds:
    """Remembers the ids of texts.

    Args:
        encode: returns the ids of each of some texts that are not known.
    """

    def __init__(self, encode: Callable[[Sequence[str]], list[Ints]]) -> None:
        self._encode = encode
        self.forget()

    def __len__(self) -> int:
        """Return the number of texts that are remembered."""
        return len(self._known)

    def forget(self) -> None:
        """Forget all texts."""
        self._known: dict[str, Ints] = {}
        self._size = 0

    def of(self, texts: Sequence[str]) -> Mapping[str, Ints]:
        """Return the ids of texts, by text: of these, and maybe of others."""
        new = [text for text in dict.fromkeys(texts) if text not in self._known]
        if not new:
            return self._known
        encoded = dict(zip(new, self._encode(new), strict=True))
        size = sum(map(len, new))
        found = {text: encoded[text] if text in encoded else self._known[text] for text in texts}
        if self._size + size > _MOST:
            self.forget()
        self._known |= encoded
        self._size += size
        return found
