"""Where a turn stands in a longer rendering that does not begin with the turn's own prompt and completion."""

from __future__ import annotations

from collections.abc import Iterable

from maskprep.conversation import Conversation
from maskprep.template.render import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.source import TEMPLATE
from maskprep.template.stops import Stops
from maskprep.template.turns import Turn, generation_prompt


def locate(
    template: ChatTemplate, conversation: Conversation, whole: Rendered, turns: Iterable[Turn], stops: Stops
) -> dict[int, tuple[int, int, int]]:
    """Return ``(start, stop, end)`` of each turn's completion as it stands in ``whole``, by message.

    Turns that ``whole`` begins with need not be asked for: they stand where they were proved.

    It begins behind the turn's header and ends with the first stop token behind its own text, or, as in a rewritten
    history, with the first special token. A turn of which ``whole`` holds no text is left out.
    """
    found = {}
    for turn in turns:
        own = whole.extent(turn.message, like=turn.text)
        if own is None or whole.lost:
            continue
        edge = whole.end_of_others(turn.message, own[0])
        gap, asked = whole.text[edge : own[0]], _asked(turn)
        if asked and asked in gap:
            start = edge + gap.rindex(asked) + len(asked)
        else:
            prompt = turn.text.text[: turn.start]
            opening = generation_prompt(template, conversation, turn.message, prompt)
            start = edge + stops.header_end(asked, opening, gap)
        limit = whole.start_of_others(turn.message, own[1])
        stop = _closing(whole, own, stops, stops.count(turn.text.text[: turn.stop], turn.start))
        if stop is None or stop[1] > limit:
            stop = stops.first_special(whole.text, own[1], limit) or (own[1], own[1])
        found[turn.message] = (start, *stop)
    return found


def _closing(whole: Rendered, own: tuple[int, int], stops: Stops, inner: int) -> tuple[int, int] | None:
    """Return the place of the stop token of a turn that holds ``inner`` others of the template's in its midst.

    What stands behind it, own text or not, is not of the turn: the name of a function that heads its answer, say.
    """
    position = own[0]
    while (found := stops.first(whole.text, position)) is not None and found[0] < own[1]:
        position = found[1]
        if whole.sources(*found) == {TEMPLATE}:
            if not inner:
                return found
            inner -= 1
    return stops.first(whole.text, own[1])


def _asked(turn: Turn) -> str:
    """Return the template's text in front of the completion, behind the last message."""
    return turn.text.text[turn.text.end_of_others(-2, turn.start) : turn.start]
