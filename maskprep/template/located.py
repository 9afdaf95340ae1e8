"""Where a turn stands in a longer rendering that does not begin with the turn's own prompt and completion."""

from __future__ import annotations

from collections.abc import Iterable

from maskprep.template.rendered import Rendered
from maskprep.template.turns import Stops, Turn


def locate(whole: Rendered, turns: Iterable[Turn], stops: Stops) -> dict[int, tuple[int, int, int]]:
    """Return ``(start, stop, end)`` of each turn's completion as it stands in ``whole``, by message.

    It begins behind the turn's header and ends with the first stop token behind its own text, or, as in a rewritten
    history, with the first special token. A turn of which ``whole`` holds no text is left out.
    """
    found = {}
    for turn in turns:
        own = whole.extent(turn.message, like=turn.text)
        if own is None or whole.lost:
            continue
        gap = whole.end_of_others(turn.message, own[0])
        header = _header(turn)
        behind = whole.text.rfind(header, gap, own[0]) if header else -1
        start = behind + len(header) if behind >= 0 else own[0]
        limit = whole.start_of_others(turn.message, own[1])
        stop = stops.first(whole.text, own[1])
        if stop is None or stop[1] > limit:
            stop = stops.first_special(whole.text, own[1], limit) or (own[1], own[1])
        found[turn.message] = (start, *stop)
    return found


def _header(turn: Turn) -> str:
    """Return the template's text in front of the completion, from the last line break or token that opens it."""
    edge = turn.text.end_of_others(-2, turn.start)
    return turn.text.text[edge : turn.start]
