"""Where turns end, and where their headers do: the tokens that templates write as text."""

from __future__ import annotations

from collections.abc import Iterable

from maskprep.template.turns.literals import Literals


class Stops:
    """Finds the token that ends a turn.

    Args:
        stop: the tokens at which generation stops.
        special: all special tokens of the tokenizer, of which the last one ends a turn that holds none of ``stop``.
        added: all tokens outside the plain vocabulary: text is never parted inside one.
    """

    def __init__(self, stop: Iterable[str], special: Iterable[str], added: Iterable[str]) -> None:
        self.tokens = tuple(dict.fromkeys(filter(None, stop)))
        self._given = tuple(special), tuple(added)
        self._stop, self._special, self._added = map(Literals, (self.tokens, *self._given))

    def with_stop(self, token: str) -> Stops:
        """Return these stop tokens and ``token`` as one more."""
        return Stops((*self.tokens, token), *self._given)

    def first(self, text: str, start: int) -> tuple[int, int] | None:
        """Return the place of the first stop token that begins at or after ``start``."""
        return self._stop.search(text, start)

    def count(self, text: str, start: int) -> int:
        """Return how many stop tokens the text holds from ``start`` on."""
        return sum(1 for _ in self._stop.all(text, start))

    def first_special(self, text: str, start: int, end: int) -> tuple[int, int] | None:
        """Return the place of the first special token inside ``start:end``."""
        return self._special.search(text, start, end)

    def last_special(self, text: str, start: int) -> tuple[int, int] | None:
        """Return the place of the last special token that begins at or after ``start``."""
        *_, last = (None, *self._special.all(text, start))
        return last

    def last_added(self, text: str) -> tuple[int, int] | None:
        """Return the place of the last token from outside the plain vocabulary."""
        *_, last = (None, *self._added.all(text))
        return last

    def begins_added(self, text: str) -> bool:
        """Tell whether ``text`` begins with a token from outside the plain vocabulary."""
        return self._added.begins(text)

    def shared(self, one: str, two: str) -> int:
        """Return the length of the text with which ``one`` and ``two`` both begin; no added token is cut."""
        length = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
        inside = (start for text in (one, two) for start, end in self._added.all(text) if start < length < end)
        return min(inside, default=length)

    def header_end(self, asked: str, generation_prompt: str, gap: str) -> int:
        """Return how far into ``gap`` a turn's header goes.

        Args:
            asked: the template's text with which the prompt ends, behind the last message.
            generation_prompt: the end of ``asked`` that is there only when a generation prompt is asked for.
            gap: the template's text in front of the turn's own text, behind the last message.

        As far as both agree it is the header, in whole added tokens. Where they part in the middle of what may be the
        header itself, all of the gap counts as header.
        """
        shared = self.shared(asked, gap)
        wanted, rendered = asked[shared:], gap[shared:]
        agreed = shared > len(asked) - len(generation_prompt) and (
            not rendered.strip() or self.begins_added(wanted) or self.begins_added(rendered)
        )
        return shared if agreed else len(gap)
