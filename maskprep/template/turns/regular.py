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
    """A turn of which it is known what it consists of; ``asked`` is the template's text at the end of its prompt."""

    __slots__ = ("_asked", "_parts")
    _parts: set[Part]
    _asked: str

    @classmethod
    def of(cls, turn: Turn, parts: set[Part], asked: str) -> RegularTurn:
        """Return a turn that consists of these parts."""
        made = cls(turn.message, turn.text, turn.start, turn.stop, turn.end, turn.fit, turn.findings, turn.thought)
        object.__setattr__(made, "_parts", parts)
        object.__setattr__(made, "_asked", asked)
        return made

    @property
    def asked(self) -> str:
        """The template's text with which the turn's prompt ends, behind the last message."""
        return self._asked

    def parts(self) -> set[Part]:
        return self._parts


def regular_turn(  # noqa: PLR0911, PLR0913, PLR0917 - each doubt ends it
    template: ChatTemplate,
    stops: Stops,
    thoughts: EmptyThoughts,
    conversation: Conversation,
    message: int,
    whole: Rendered,
) -> tuple[RegularTurn, str] | None:
    """Return the turn of a message and its prompt(k), None where it is for the finder to prove it, or not."""
    prompt = template.replayed(conversation, message, prompted=True)
    continued = template.replayed(conversation, message + 1, prompted=False)
    if prompt is None or continued is None:
        return None
    before, text = "".join(prompt[0]), "".join(continued[0])
    start = len(before)
    if not text.startswith(before) or template.beyond(text):
        return None
    found = _own(*continued, len(text), start, message)
    if found is None:
        return None
    first, last, parts, edge = found
    stop = stops.first(text, last)
    if stop is None or not written(conversation.messages[message]) <= parts:
        return None
    lead = text[start:first]
    thought = thoughts.known(lead)
    if thought is None:
        return None
    if lead or stop[0] > last or len(parts) > 1:
        parts.add(Part.SCAFFOLD)
    parts.add(Part.STOP)
    findings = () if template.has_generation_prompt else (_no_prompt(message),)
    rendered = Replayed(*continued, text).within(whole)
    low, high = start + thought[0], start + thought[1]
    turn = Turn(message, rendered, start, *stop, Fit.PROMPT, findings, (low, high))
    return RegularTurn.of(turn, parts, text[edge:start]), before


def _own(
    texts: list[str], sources: list[int], size: int, start: int, message: int
) -> tuple[int, int, set[Part], int] | None:
    """Return where the message's texts behind ``start`` begin and end, their parts, and where others' texts end.

    None where there are none, or others' or lost ones behind it, or it is within one of them.
    """
    parts: set[Part] = set()
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
            return (first, last, parts, position + length) if last >= 0 else None
        if source >= NOTATION or is_lost(source) or message_of(source) != message:
            return None
        parts.add(part_of(source))
        first, last = position, position + length if last < 0 else last
    return (first, last, parts, 0) if last >= 0 else None


def _no_prompt(message: int) -> Finding:
    return Finding("no-generation-prompt", f"messages[{message}]: the template has none, so the header is trained")


def place_of(turn: RegularTurn, whole: Replayed, stops: Stops) -> tuple[int, int, int] | None:
    """Return where a turn stands in a whole that it does not begin, None where ``locate`` has to find out."""
    rendered = turn.text
    if not isinstance(rendered, Replayed) or not turn.asked:
        return None
    pieces = whole.own_pieces(turn.message)
    if pieces is None:
        return None
    first, last, own, edge, limit = pieces
    mine = rendered.own_pieces(turn.message)
    if mine is None or not all(piece in mine[2] for piece in own) or len(set(own)) < len(own):
        return None
    gap, text = whole.text[edge:first], whole.text
    if turn.asked not in gap or stops.count(rendered.text[: turn.stop], turn.start):
        return None
    found = stops.first(text, first)
    if found is None or found[0] < last or found[1] > limit:
        return None
    return (edge + gap.rindex(turn.asked) + len(turn.asked), *found)
