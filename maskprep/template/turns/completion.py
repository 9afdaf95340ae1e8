"""The checks of a completion: whether it may be trained, and the findings about it."""

from __future__ import annotations

from maskprep.conversation import Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.inputs import REASONING_NAMES
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import is_lost, message_of, part_of


def check_completion(
    template: ChatTemplate, conversation: Conversation, message: int, completion: Rendered, *, stopped: bool
) -> tuple[Finding, ...]:
    """Return the findings about the completion of assistant message ``message``.

    ``stopped`` says whether it ends with a stop token.

    Raises:
        RowError: ``foreign-text`` where it holds text of another message, ``content-dropped`` where it holds none of
            its own message though there is some.
    """
    name = f"messages[{message}]"
    sources = {source for source in completion.sources(0, len(completion)) if source}
    foreign = sorted({message_of(source) for source in sources} - {message})
    if foreign:
        whose = ", ".join(f"messages[{i}]" if i >= 0 else "tools or documents" for i in foreign)
        msg = f"{name}: the template puts text of {whose} into this turn's completion"
        raise RowError("foreign-text", msg, "such templates are not written for chat: use another one")
    said = written(conversation.messages[message])
    rendered = {part_of(source) for source in sources}
    if said and not sources:
        msg = f"{name}: the template renders nothing of this message's {', '.join(sorted(said))}"
        raise RowError("content-dropped", msg, "use a template that renders it, or take the message out of the data")
    dropped = () if any(map(is_lost, sources)) else sorted(said - rendered)
    findings = [Finding("content-dropped", f"{name}: the template renders nothing of its {part}") for part in dropped]
    if not template.has_generation_prompt:
        findings.append(no_generation_prompt(message))
    if not stopped:
        findings.append(Finding("no-stop-token", f"{name}: the template ends this turn with no stop token"))
    return tuple(findings)


def no_generation_prompt(message: int) -> Finding:
    """Return the finding about a turn whose template has no generation prompt."""
    return Finding("no-generation-prompt", f"messages[{message}]: the template has none, so the header is trained")


def written(message: Message) -> set[Part]:
    """Return the parts in which the message holds more than white space."""
    fields = message.fields
    parts = {Part.CONTENT} if message.content.strip() else set()
    if len(fields) > _USUAL or "content" not in fields:
        parts.update([part for name, part in _ELSEWHERE if name in fields and _says_something(fields[name])])
    return parts


def _says_something(value: object) -> bool:
    return bool(value.strip() if isinstance(value, str) else value)


_USUAL = 2  # a role and a content
_ELSEWHERE = (
    *((name, Part.REASONING) for name in REASONING_NAMES),
    *((name, Part.TOOL_CALL) for name in ("tool_calls", "function_call")),
)
