"""A conversation in the form that a template reads: another form is tried where the usual one fails, or is dropped.

    arguments of calls   an object            its JSON text                        (``tool_arguments.py``)
    content              a text               [{"type": "text", "text": …}]
    reasoning            reasoning_content    reasoning, thought

A form is taken where all that it is tried for stands whole in the rendering. What has to be tried depends on the
conversation alone, never on others.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from maskprep.conversation import Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.inputs import REASONING_NAMES, reasoning_of
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import MIXED, is_lost, message_of, part_of
from maskprep.template.turns.tool_arguments import with_arguments

_OTHER_NAMES = ("reasoning", "thought")  # transformers gives it under the rest in any case


def readable(template: ChatTemplate, conversation: Conversation) -> tuple[Conversation, Rendered]:
    """Return the conversation as the template reads it best, and its rendering.

    Raises:
        RowError: as ``ChatTemplate.tracked``; the one for the usual form, where none can be rendered.
    """
    try:
        given, whole = with_arguments(template, conversation)
    except RowError as error:
        found = None if error.code == "template-limit" else _in_parts(template, conversation)
        if found is None:
            raise
        given, whole = found
    else:
        if _may_read_parts(template) and _drops_content(given, whole):
            given, whole = _in_parts(template, conversation) or (given, whole)
    return _under_another_name(template, given, whole)


def _in_parts(template: ChatTemplate, conversation: Conversation) -> tuple[Conversation, Rendered] | None:
    """Return the conversation with its contents as parts, and its rendering; None where that does not help."""
    if not _may_read_parts(template):
        return None
    parts = _changed(conversation, _as_parts)
    if parts is conversation:
        return None
    finding = Finding("content-as-parts", "the template reads contents as lists of parts, not as texts")
    try:
        given, whole = with_arguments(template, replace(parts, findings=(*parts.findings, finding)))
    except RowError:
        return None
    texts = enumerate(message.content for message in given.messages)
    complete = all(_solid(text) in _own(whole, index, Part.CONTENT) for index, text in texts)
    return (given, whole) if complete and not whole.prints(Part.CONTENT) else None


def _may_read_parts(template: ChatTemplate) -> bool:
    return "text" in template.mentioned


def _as_parts(message: Message) -> Message:
    content = message.fields.get("content")
    if not isinstance(content, str):
        return message
    return replace(message, fields={**message.fields, "content": [{"type": "text", "text": content}]})


def _drops_content(conversation: Conversation, whole: Rendered) -> bool:
    """Tell whether there is nothing in a rendering of the content of a message that has one."""
    sources = whole.sources(0, len(whole))
    held = {message_of(source) for source in sources if part_of(source) is Part.CONTENT}
    written = {index for index, message in enumerate(conversation.messages) if message.content.strip()}
    return MIXED not in sources and not written <= held


def _under_another_name(
    template: ChatTemplate, conversation: Conversation, whole: Rendered
) -> tuple[Conversation, Rendered]:
    """Return the conversation with its reasoning under the name that the template reads, and its rendering.

    An earlier turn's reasoning may well be left out once others follow: the last one tells, when its turn is done.
    """
    names = [name for name in _OTHER_NAMES if name in template.mentioned]
    thinking = [index for index, message in enumerate(conversation.messages) if _thinks(message)] if names else []
    if not thinking:
        return conversation, whole
    last = thinking[-1]
    try:
        known = template.tracked(conversation, last + 1, generation_prompt=False)
    except RowError:
        return conversation, whole
    if known.lost or _own(known, last, Part.REASONING):
        return conversation, whole
    for name in names:
        renamed = _changed(conversation, partial(_renamed, name=name))
        if renamed is conversation:
            continue
        try:
            text = template.tracked(renamed, len(renamed.messages), generation_prompt=False)
            turn = template.tracked(renamed, last + 1, generation_prompt=False)
        except RowError:
            continue
        if _own(turn, last, Part.REASONING) == _solid(reasoning_of(renamed.messages[last].fields)):
            return renamed, text
    return conversation, whole


def _thinks(message: Message) -> bool:
    reasoning = reasoning_of(message.fields)
    return message.role == "assistant" and isinstance(reasoning, str) and bool(reasoning.strip())


def _renamed(message: Message, name: str) -> Message:
    """Return an assistant's message with its reasoning under one name alone."""
    if not _thinks(message) or name in message.fields:
        return message
    rest = {key: value for key, value in message.fields.items() if key not in REASONING_NAMES}
    return replace(message, fields={**rest, name: reasoning_of(message.fields)})


def _changed(conversation: Conversation, change: Callable[[Message], Message]) -> Conversation:
    """Return the conversation with ``change`` applied to its messages, the very object where none of them changes."""
    messages = tuple(map(change, conversation.messages))
    alike = all(new is old for new, old in zip(messages, conversation.messages, strict=True))
    return conversation if alike else replace(conversation, messages=messages)


def _own(rendered: Rendered, message: int, part: Part) -> str:
    """Return the text of one part of a message as it stands in ``rendered``, without white space."""
    return _solid(
        "".join(
            rendered.text[start:stop]
            for start, stop, source in rendered.places()
            if source and message_of(source) == message and part_of(source) is part and not is_lost(source)
        )
    )


def _solid(text: str) -> str:
    return "".join(text.split())
