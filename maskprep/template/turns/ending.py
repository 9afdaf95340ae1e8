"""Where a turn ends: at its stop token, which the template writes behind the turn's own text.

    continued(k), from the prompt on     stop tokens      the turn
    Yo<end>                              <end>            Yo<end>       the first one behind the own text
    Yo                                   <user>           Yo<user>      where render(M[:k+2]) goes on Yo<user>…: the
                                                                        next turn's header closes this one
    Yo<end>                              none is named    Yo<end>       the last special token
    Yo␣                                  none is there    Yo            as far as the text goes, blanks left out

Where the template has mixed the turn's characters (it reverses the text, say), only a stop token that is the only one
in the turn and ends the rendering is taken.
"""

from __future__ import annotations

from maskprep.conversation import Conversation
from maskprep.errors import RowError
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import TEMPLATE, is_lost, message_of
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Fit


class Ending:
    """Finds the end of the turn of one assistant message.

    Args:
        template: the chat template.
        stops: where turns end.
        conversation: the conversation.
        message: the assistant's message.
        continued: the rendering of the conversation up to and with that message.
    """

    def __init__(
        self, template: ChatTemplate, stops: Stops, conversation: Conversation, message: int, continued: Rendered
    ) -> None:
        self.template, self.stops, self.conversation = template, stops, conversation
        self.message, self.continued = message, continued
        self._own = continued.extent(message)

    def find(self, start: int, fit: Fit) -> tuple[int, int, str]:
        """Return where the stop token begins and ends in continued(k), and a stop token that only the next turn writes.

        That text is empty where continued(k) itself holds the stop token, or nothing closes the turn.
        """
        size = len(self.continued)
        rest = self.continued.between(start, size)
        tail = max(0, self._own[1] - start) if self._own else 0
        if any(is_lost(source) for source in self.continued.sources(start, size)):
            stop, end = self._only_stop(rest, start, fit)
            return start + stop, start + end, ""
        found = self.stops.first(rest, tail)
        if not found:
            ending = self._stop_of_next_turn(start + tail)
            if ending:
                return size, size, ending
            found = self.stops.last_special(rest, tail)
        if not found:
            end = tail + len(rest[tail:].rstrip())
            found = end, end
        return start + found[0], start + found[1], ""

    def _stop_of_next_turn(self, tail: int) -> str:
        """Return the stop token with which the next turn's header closes this one, if that alone closes it."""
        following = self.message + 1
        rest = self.continued.between(tail, len(self.continued))
        if following >= len(self.conversation.messages) or self.stops.last_special(rest, 0):
            return ""
        try:
            later = self.template.tracked(self.conversation, following + 1, generation_prompt=False)
        except RowError:
            return ""
        if self._own is not None:
            own = later.extent_like(self.message, self.continued.amounts(self.message))
            edge = own[1] if own else len(later)
        else:
            edge = tail if later.starts_with(self.continued) else len(later)
        behind = later.between(edge, len(later))
        found = self.stops.first(behind, len(rest))
        if not behind.startswith(rest) or found is None or found[0] != len(rest):
            return ""
        return behind[slice(*found)] if later.sources(edge, edge + found[1]) == {TEMPLATE} else ""

    def _only_stop(self, rest: str, start: int, fit: Fit) -> tuple[int, int]:
        """Return the stop token of a turn with lost text: proved where it is the only one and ends the rendering."""
        found = self._alone(rest, self.stops)
        known = {source for source in self.continued.sources(start, start + len(rest)) if source}
        mine = all(message_of(source) == self.message for source in known)
        if fit is not Fit.PROMPT or not mine:
            raise lost_text(self.message)
        if found is None:
            raise lost_text(self.message, self._token_that_would_help(rest))
        return found

    @staticmethod
    def _alone(rest: str, stops: Stops) -> tuple[int, int] | None:
        """Return the place of the only stop token, if it ends the text."""
        found = stops.first(rest, 0)
        return found if found and stops.count(rest, 0) == 1 and not rest[found[1] :].strip() else None

    def _token_that_would_help(self, rest: str) -> str:
        """Return the token that would prove where a turn with lost text ends, were it a stop token; empty if none."""
        last = self.stops.last_added(rest)
        token = rest[slice(*last)] if last else ""
        known = token in self.stops.tokens
        return token if token and not known and self._alone(rest, self.stops.with_stop(token)) else ""


def lost_text(message: int, token: str = "") -> RowError:
    """Return the error for a turn whose proof needs to know whose text is whose; ``token`` as a stop would help."""
    msg = (
        f"messages[{message}]: the template mixes this text in a way that hides whose characters are whose, "
        "and the prompt alone does not prove where the completion lies"
    )
    hint = f"name {token!r} in `stop_tokens`, if it ends turns: that was tried, and proves this one"
    return RowError("provenance-lost", msg, hint if token else "use a template that prints message text as it is")
