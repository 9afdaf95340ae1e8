"""Empty thoughts: what a template writes in front of an answer where a thought would stand, had there been one.

Nothing is known of any template. The message is rendered once more with a thought in it: where taking that thought out
of the rendering leaves what stands there without one, white space apart, the template has put an empty thought there.
"""

from __future__ import annotations

import re
from dataclasses import replace

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import message_of, part_of

_PROBE = "x"
_EMPTY_ELEMENT = re.compile(r"<([^<>/\s]+)>\s*</\1>\s*")


class EmptyThoughts:
    """Finds the empty thoughts that one template writes; remembers, by the text in front, whether it ends with one."""

    def __init__(self, template: ChatTemplate) -> None:
        self._template = template
        self._known: dict[str, bool] = {}

    def begin(self) -> None:
        """Forget which texts in front of completions end with an empty thought."""
        self._known.clear()

    def known(self, lead: str) -> tuple[int, int] | None:
        """Return where in the text in front of a completion an empty thought stands, None where that is not known."""
        if not lead or not lead.strip():
            return 0, 0
        element = _EMPTY_ELEMENT.search(lead)
        if element is not None:
            return element.start(), element.end()
        return (0, len(lead) if self._known[lead] else 0) if lead in self._known else None

    def find(self, conversation: Conversation, message: int, text: Rendered, start: int) -> tuple[int, int]:
        """Return where an empty thought of assistant ``message`` begins and ends.

        ``text`` is the conversation up to and with that message, ``start`` where its completion begins. Without an
        empty thought, both are ``start``.
        """
        place = text.first_source(start)
        own = place[0] if place else len(text)
        lead = text.between(start, own)
        if own == len(text):
            return start, start
        found = self.known(lead)
        if found is None:
            self._known[lead] = self._is_empty_thought(conversation, message, text.between(0, own))
            found = 0, len(lead) if self._known[lead] else 0
        return start + found[0], start + found[1]

    def _is_empty_thought(self, conversation: Conversation, message: int, before: str) -> bool:
        """Tell whether ``before``, all that precedes the message's text, is what a thought would be put into."""
        messages = list(conversation.messages)
        fields = {**messages[message].fields, "reasoning_content": _PROBE}
        messages[message] = Message(fields)
        try:
            probed = self._template.tracked(
                replace(conversation, messages=tuple(messages)), message + 1, generation_prompt=False
            )
        except RowError:
            return False
        own = [place for place in probed.places() if place[2] and message_of(place[2]) == message]
        thought = [place for place in own if part_of(place[2]) is Part.REASONING]
        if not thought:
            return False
        answer = next((low for low, _, _ in own if low >= thought[-1][1]), len(probed))
        opening, closing = probed.text[: thought[0][0]], probed.text[thought[-1][1] : answer]
        return bool(closing.strip()) and _solid(opening + closing) == _solid(before)


def _solid(text: str) -> str:
    return "".join(text.split())
