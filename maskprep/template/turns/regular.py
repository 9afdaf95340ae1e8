r"""Regular turns: proved by the last pieces of a replay alone, where nothing is unusual about them.

    prompt(k)      …│<end>\n<bot>\n│
    continued(k)   …│<end>\n<bot>\n│Yo│<end>\n│        it begins with prompt(k); behind that stand but texts of message k
                                    ▲  ▲    ▲          and the template's, and a stop token behind the last of them
                                start  stop end

What ``finder.py`` proves of any turn holds for such a one at a glance, and it is the same. Every other turn, and every
doubt, is left to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskprep.conversation import Finding
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered, Replayed
from maskprep.template.strings.origin import NOTATION, is_lost, message_of, part_of
from maskprep.template.turns.completion import written
from maskprep.template.turns.empty_thought import EmptyThoughts
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Fit, Turn

if TYPE_CHECKING:
    from maskprep.conversation import Conversation


class RegularTurn(Turn):
    """A turn of which it is known what it consists of.

    ``own`` are the texts of its message, with their sources, and ``asked`` the template's at the end of its prompt.
    """

    __slots__ = ("_parts", "asked", "own")
    _parts: set[Part]
    asked: str
    own: list[tuple[str, int]]

    def know(self, parts: set[Part], own: list[tuple[str, int]], asked: str) -> None:
        """Note what the turn consists of."""
        put = object.__setattr__
        put(self, "_parts", parts)
        put(self, "own", own)
        put(self, "asked", asked)

    def parts(self) -> set[Part]:
        return self._parts


class RegularTurns:
    """Proves the regular turns of one conversation; the arguments are those of ``TurnFinder``."""

    def __init__(
        self, template: ChatTemplate, stops: Stops, thoughts: EmptyThoughts, conversation: Conversation, whole: Rendered
    ) -> None:
        self._template, self._stops, self._thoughts = template, stops, thoughts
        self._conversation, self._whole = conversation, whole

    def find(self, message: int) -> tuple[RegularTurn, str] | None:
        """Return the turn of a message and its prompt(k), None where it is for the finder to prove it, or not."""
        prompt = self._template.replayed(self._conversation, message, prompted=True)
        continued = self._template.replayed(self._conversation, message + 1, prompted=False)
        if prompt is None or continued is None:
            return None
        before, text = "".join(prompt[0]), "".join(continued[0])
        start = len(before)
        if not text.startswith(before) or self._template.beyond(text):
            return None
        found = _own(*continued, len(text), start, message)
        if found is None:
            return None
        first, last, own, edge = found
        stop = self._stops.first(text, last)
        parts = {part_of(source) for _, source in own}
        if stop is None or not written(self._conversation.messages[message]) <= parts:
            return None
        lead = text[start:first]
        thought = self._thoughts.known(lead)
        if thought is None:
            return None
        if lead or stop[0] > last or sum([len(piece) for piece, _ in own]) < last - first:
            parts.add(Part.SCAFFOLD)
        parts.add(Part.STOP)
        findings = () if self._template.has_generation_prompt else (_no_prompt(message),)
        rendered = Replayed(*continued, text).within(self._whole)
        low, high = start + thought[0], start + thought[1]
        turn = RegularTurn(message, rendered, start, *stop, Fit.PROMPT, findings, (low, high))
        turn.know(parts, own, text[edge:start])
        return turn, before


def _own(
    texts: list[str], sources: list[int], size: int, start: int, message: int
) -> tuple[int, int, list[tuple[str, int]], int] | None:
    """Return where the message's texts behind ``start`` begin and end, all of them, and where others' texts end.

    None where there are none, or others' or lost ones behind it, or it is within one of them.
    """
    own: list[tuple[str, int]] = []
    position, first, last = size, -1, -1
    for number in range(len(texts) - 1, -1, -1):
        length = len(texts[number])
        source = sources[number]
        position -= length
        if not source or not length:
            continue
        if position < start:
            if position + length > start:
                return None
            return (first, last, own, position + length) if last >= 0 else None
        if source >= NOTATION or is_lost(source) or message_of(source) != message:
            return None
        own.append((texts[number], source))
        first, last = position, position + length if last < 0 else last
    return (first, last, own, 0) if last >= 0 else None


def _no_prompt(message: int) -> Finding:
    return Finding("no-generation-prompt", f"messages[{message}]: the template has none, so the header is trained")


def place_of(turn: RegularTurn, whole: Replayed, stops: Stops) -> tuple[int, int, int] | None:
    """Return where a turn stands in a whole that it does not begin, None where ``locate`` has to find out."""
    if not turn.asked:
        return None
    pieces = whole.own_pieces(turn.message)
    if pieces is None:
        return None
    first, last, own, edge, limit = pieces
    if not all([piece in turn.own for piece in own]) or len(set(own)) < len(own):
        return None
    gap, text = whole.text[edge:first], whole.text
    if turn.asked not in gap or stops.count(turn.text.text[: turn.stop], turn.start):
        return None
    found = stops.first(text, first)
    if found is None or found[0] < last or found[1] > limit:
        return None
    return (edge + gap.rindex(turn.asked) + len(turn.asked), *found)
