"""Where a turn stands in a longer rendering that does not begin with the turn's own prompt and completion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from maskprep.conversation import Conversation
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered, count_visible
from maskprep.template.replayed import Replayed
from maskprep.template.strings.origin import TEMPLATE
from maskprep.template.turns.finder import generation_prompt
from maskprep.template.turns.regular import RegularTurn, place_of
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Turn


def locate(
    template: ChatTemplate, conversation: Conversation, whole: Rendered, turns: Iterable[Turn], stops: Stops
) -> dict[int, tuple[int, int, int]]:
    """Return ``(start, stop, end)`` of each turn's completion as it stands in ``whole``, by message.

    Turns that ``whole`` begins with need not be asked for: they stand where they were proved. A turn of which ``whole``
    holds no text is left out.
    """
    found = {}
    lost = whole.lost
    for turn in turns:
        if isinstance(turn, RegularTurn) and isinstance(whole, Replayed) and not lost:
            place = place_of(turn, whole, stops)
            if place is not None:
                found[turn.message] = place
                continue
        own = None if lost else whole.extent_like(turn.message, turn.text.amounts(turn.message))
        if own is None:
            continue
        first, last, used = own
        start = _start(template, conversation, whole, turn, stops, first)
        found[turn.message] = (start, *_stop(whole, turn, stops, (first, last), _reached(turn, used)))
    return found


def _start(  # noqa: PLR0913, PLR0917 - a turn, and where it may stand
    template: ChatTemplate, conversation: Conversation, whole: Rendered, turn: Turn, stops: Stops, first: int
) -> int:
    """Return where the completion begins: behind the turn's header, at its first own character at the latest."""
    edge = whole.end_of_others(turn.message, first)
    gap = whole.text[edge:first]
    asked = turn.text.text[turn.text.end_of_others(-2, turn.start) : turn.start]
    if asked and asked in gap:
        return edge + gap.rindex(asked) + len(asked)
    opening = generation_prompt(template, conversation, turn.message, turn.text.text[: turn.start])
    return edge + stops.header_end(asked, opening, gap)


def _stop(whole: Rendered, turn: Turn, stops: Stops, own: tuple[int, int], reached: int) -> tuple[int, int]:
    """Return where the turn's stop token begins and ends in ``whole``.

    It is the first stop token behind the turn's own text; else, where the turn goes on as it did when it was the last
    one, its end there; else, as in a rewritten history, the first special token. Without any of these, both are the
    place up to which ``whole`` and the turn go on alike.
    """
    limit = whole.start_of_others(turn.message, own[1])
    closing = _closing(whole, own, stops, stops.count(turn.text.text[: turn.stop], turn.start))
    if closing is not None and closing[1] <= limit:
        return closing
    rest, here = turn.text.text[reached : turn.end], whole.text[own[1] : limit]
    if here.startswith(rest):
        return own[1] + turn.stop - reached, own[1] + len(rest)
    special = stops.first_special(whole.text, own[1], limit)
    if special is not None:
        return special
    end = own[1] + len(here[: stops.shared(rest, here)].rstrip())
    return end, end


def _reached(turn: Turn, used: Mapping[int, int]) -> int:
    """Return where in the turn's text the used-up characters end: ``used`` counts those of each source."""
    left, reached = Counter(used), turn.start
    for start, stop, source in turn.text.places():
        if source not in left or start >= turn.end:
            continue
        left[source] -= count_visible(turn.text.text[start:stop])
        if left[source] < 0:
            break
        reached = stop
    return max(reached, turn.start)


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
