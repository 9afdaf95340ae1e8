"""Variables that a row sets for the chat template, and that the template never asks for: they are told, once each."""

from __future__ import annotations

from dataclasses import replace

from maskprep.conversation import Conversation, Finding
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.lookups import unasked


def with_unasked(conversation: Conversation, template: ChatTemplate) -> Conversation:
    """Return a conversation with a finding for each of its variables that the template does not mention."""
    names = (conversation.template_kwargs or {}).keys() - template.looked_up if conversation.template_kwargs else ()
    found = [
        Finding("unknown-kwarg", f"chat_template_kwargs: {unasked(name, template.looked_up)}") for name in sorted(names)
    ]
    return replace(conversation, findings=(*conversation.findings, *found)) if found else conversation
