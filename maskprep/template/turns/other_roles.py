r"""Turns of other roles than the assistant's: no generation prompt asks for them.

What is learnt of such a message is its own text and what the template writes behind it, up to its stop token:

    <|im_start|>user\n  [hello<|im_end|>]  \n<|im_start|>assistant\n …
"""

from __future__ import annotations

from maskprep.conversation import Conversation, Finding
from maskprep.errors import RowError
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import is_lost
from maskprep.template.turns.stop_tokens import Stops
from maskprep.template.turns.turn import Fit, Turn


def find_other_role(
    template: ChatTemplate, stops: Stops, conversation: Conversation, message: int, whole: Rendered
) -> Turn | None:
    """Return the turn of ``message``, None where it has no text.

    Args:
        template: the chat template.
        stops: where turns end.
        conversation: the conversation.
        message: the index of the message, of any role.
        whole: the audited rendering of the conversation. A message whose text stands in it, but not its stop token (one
            of several results that share a turn), ends with its text; one that cannot be rendered without those that
            follow is looked up in it.

    Raises:
        RowError: ``content-dropped`` or ``provenance-lost``.
    """
    try:
        text = template.tracked(conversation, message + 1, generation_prompt=False)
    except RowError:
        text = whole
    own = text.extent(message)
    if own is None:
        if not conversation.messages[message].content.strip():
            return None
        msg = f"messages[{message}]: the template renders nothing of it"
        raise RowError("content-dropped", msg, "use a template that renders it, or leave its role out of train.roles")
    start, spoken = own
    if any(is_lost(source) for source in text.sources(start, spoken)):
        msg = f"messages[{message}]: the template mixes this text in a way that hides whose characters are whose"
        raise RowError("provenance-lost", msg, "use a template that prints message text as it is")
    if text.end_of_others(message, spoken) > start:
        raise RowError("foreign-text", f"messages[{message}]: text of another message stands inside this one's")
    rest = text.between(spoken, text.start_of_others(message, spoken))
    place = stops.first(rest, 0) or stops.last_special(rest, 0)
    found = place and (spoken + place[0], spoken + place[1])
    begun = text is not whole and whole.starts_alike(text, spoken)
    if found and begun and not whole.text.startswith(text.between(spoken, found[1]), spoken):
        found = None
    stop, end = found or (spoken, spoken)
    findings = () if found else (Finding("no-stop-token", f"messages[{message}]: no stop token follows its text"),)
    return Turn(message, text, start, stop, end, Fit.OTHER_ROLE, findings)
