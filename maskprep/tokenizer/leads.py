r"""Leads: short texts behind which a tokenizer encodes other text as it does in the middle of a text.

    text alone       hi     ▁hi          the blank is put in front of every text
    behind a lead    ,hi    ▁ , h i      less the ids of the lead: h i

A lead is tried out before it is trusted: what is encoded behind it must spell that very text, without a blank that the
tokenizer puts in front, and leave the ids of the lead as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import numpy as np

from maskprep.arrays import Ints

Encode = Callable[[str], Ints]
Spell = Callable[[Ints], bytes]

_MARKS, _WORDS = (",", ".", ":", ")", "-", "\u3002"), ("a", "x", "0", "的", "e", "1")
_TRIED = ("a", "hi", "0", "的", ".", "x")  # one of which every vocabulary should have


class Leads:
    """The leads of one tokenizer.

    Args:
        encode: returns the ids of a text.
        spell: returns what ids spell.
        added: what the added tokens spell.
    """

    def __init__(self, encode: Encode, spell: Spell, added: Sequence[str]) -> None:
        self._encode, self._spell, self._added = encode, spell, added

    def of(self, text: str) -> Iterator[str]:
        """Yield the leads for a text, best first: its first character must not make one word with the lead."""
        others = (_MARKS, _WORDS) if text[:1].isalnum() else (_WORDS, _MARKS)
        yield from self._sound
        for lead in (*others[0], *others[1]):
            if self._is_sound(lead):
                yield lead

    @cached_property
    def _sound(self) -> list[str]:
        """The sound leads among those that stand in front of text in conversations: line break, added tokens."""
        return [lead for lead in ("\n", *self._added) if self._is_sound(lead)]

    def _is_sound(self, lead: str) -> bool:
        """Tell whether the tokenizer encodes text behind ``lead`` with nothing added and nothing lost."""
        return any(self._spells(lead, text) for text in _TRIED)

    def _spells(self, lead: str, text: str) -> bool:
        rest = behind(self._encode(lead), self._encode(lead + text))
        return rest is not None and self._spell(rest) == text.encode()


def behind(lead: Ints, both: Ints) -> Ints | None:
    """Return the ids in ``both`` behind those of ``lead``, None where ``both`` does not begin with the lead's ids."""
    return both[len(lead) :] if len(lead) and np.array_equal(both[: len(lead)], lead) else None
