"""The fields of a row beside its messages, in every format: system prompt, tools, documents, weight and reasoning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from maskprep.conversation import RESERVED_KWARGS, Conversation, Finding, Message
from maskprep.errors import RowError
from maskprep.formats.dialogue import check_prefix
from maskprep.formats.keys import MEDIA, is_switch, says_nothing
from maskprep.formats.names import REASONING_KEYS
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.parts import joined_text
from maskprep.formats.reasoning import once
from maskprep.formats.row import InputRow
from maskprep.formats.tags import untagged
from maskprep.formats.tools import TOOL_FIELDS, as_tools, read_objects, read_tools
from maskprep.formats.weights import WEIGHT_KEYS, as_weight, read_weight
from maskprep.formats.wording import kind

SYSTEM_FIELDS = (
    *("system", "system_prompt", "system_message", "systemPrompt", "systemMessage", "systemInstruction"),
    *("system_instruction", "sys_prompt"),
)
"""The fields of a row that may hold its system prompt."""

COMMON_FIELDS = (*SYSTEM_FIELDS, *TOOL_FIELDS, "documents", "chat_template_kwargs", *WEIGHT_KEYS, *REASONING_KEYS)
"""The fields that a row of every format may have."""


_FACTORS = frozenset({"weight", "loss_weight", "loss_scale", "train", "training", "trainable"})
_SWITCHES = (True, False, "true", "false", "True", "False")
"""Keys that may hold a row's weight as a yes or no; a number there (``loss: 1.7``) may be a measurement."""


def finish(row: InputRow, messages: Sequence[Message], *, tags: bool = True) -> Conversation:
    """Return the conversation made of a row's messages and of the fields beside them.

    ``tags``: whether calls, tools and results that stand as tags in the text are read. Raises RowError, among others
    ``unread-field`` where the row has a field left that must not be passed over.
    """
    _check_media(row)
    listed = _with_system(row, list(messages))
    tools = read_tools(row)
    if tags:
        listed, told = untagged(listed, row.findings)
        tools = _one_of(tools, as_tools(told) if told else None)
    listed = _with_reasoning(row, listed)
    check_prefix(listed, "the row")
    return Conversation(
        messages=tuple(_weighted(row, listed)),
        tools=tools,
        documents=read_objects(_parsed(row, "documents", "bad-documents"), "documents", "bad-documents"),
        template_kwargs=_read_kwargs(_parsed(row, "chat_template_kwargs", "bad-kwargs")),
        findings=tuple(row.findings),
        account=row.account(listed),
    )


def _one_of(tools: list[Any] | None, told: list[Any] | None) -> list[Any] | None:
    """Return the tools of a row, which its text may list as well. Raises RowError where the text lists other tools."""
    if tools and told and sorted(map(_name_of, tools)) != sorted(map(_name_of, told)):
        text = "the row has tools, and others between <tools> and </tools> in its text"
        raise RowError("bad-tools", text, "Keep one of the two, or say tool_tags: keep.")
    return tools or told


def _name_of(tool: dict[str, Any]) -> str:
    function = tool.get("function")
    return str(function.get("name") if isinstance(function, dict) else tool.get("name"))


def _with_system(row: InputRow, messages: list[Message]) -> list[Message]:
    texts = {key: _system_text(row.take(key), key) for key in row.saying(SYSTEM_FIELDS)}
    found = {text for text in texts.values() if text.strip()}
    if not found:
        return messages
    if len({text.strip() for text in found}) > 1:
        raise RowError("bad-message", f"the row has two system prompts, {' and '.join(texts)}", "Keep one of the two.")
    system = next(text for text in texts.values() if text.strip())
    if messages and messages[0].role == "system":
        if messages[0].fields["content"].strip() == system.strip():
            return messages
        text = "the row has a system prompt, and its first message is another one"
        raise RowError("bad-message", text, "Keep one of the two.")
    return [Message({"role": "system", "content": system}), *messages]


def _system_text(value: object, key: str) -> str:
    if not isinstance(value, str | list | dict) or (isinstance(value, list) and not _is_text(value)):
        hint = "Give the system prompt as text."
        raise RowError("bad-message", f"{key} must be a string, not {kind(value)}", hint)
    return joined_text(value, key)


def _is_text(value: list[Any]) -> bool:
    return all(isinstance(item, dict) for item in value)


def _check_media(row: InputRow) -> None:
    """Refuse a row with pictures or sound: without them its text means something else."""
    media = [key for key in row.fields if key in MEDIA and not says_nothing(row.fields[key])]
    if media:
        text = f"the row has {', '.join(media)}; only text is supported"
        hint = f"Take such rows out; or say ignore: [{', '.join(media)}] where the text stands without them."
        raise RowError("media-part", text, hint)


def _with_reasoning(row: InputRow, messages: list[Message]) -> list[Message]:
    """Return the messages, the row's reasoning put into its answer: the only one, or the completion's last."""
    keys = [key for key in row.saying(REASONING_KEYS) if not isinstance(row.fields[key], bool | int | float)]
    if not keys:
        return messages
    answers = [index for index, message in enumerate(messages) if message.role == "assistant" and message.weight > 0]
    texts = {row.fields[key] for key in keys} if all(isinstance(row.fields[key], str) for key in keys) else set()
    if len(answers) != 1 or len(texts) != 1:
        return messages  # whose it is, or which of two, nobody can tell: it is left, and speaks
    for key in keys:
        row.take(key)
    answer = messages[answers[0]]
    held = next((key for key in REASONING_KEYS if answer.fields.get(key)), None)
    text = texts.pop()
    if held is not None and answer.fields[held] != text:
        raise RowError("bad-message", f"the row's {keys[0]} is not the {held} of its answer", "Keep one of the two.")
    fields = dict(answer.fields) if held else {**answer.fields, "reasoning_content": text}
    if not answer.ranges:
        once(fields, f"messages[{answers[0]}]", row.findings)
    return [*messages[: answers[0]], replace(answer, fields=fields), *messages[answers[0] + 1 :]]


def _weighted(row: InputRow, messages: Sequence[Message]) -> Sequence[Message]:
    """Return the messages with their weights multiplied by that of the row, where it has one."""
    said = {key: row.fields[key] for key in row.saying(WEIGHT_KEYS)}
    keys = [key for key, value in said.items() if is_switch(value) and (key in _FACTORS or _is_yes_or_no(key, value))]
    if not keys:
        return messages
    factor = read_weight({key: row.take(key) for key in keys}, "the row")
    if factor is None or factor == 1:
        return messages
    row.findings.append(Finding("row-weight", f"the row's weight of {factor:g} multiplies those of its messages"))
    return [
        replace(
            message,
            weight=as_weight(message.weight * factor, "the weight of a message, times that of its row,"),
            ranges=tuple(replace(span, weight=as_weight(span.weight * factor, "a range")) for span in message.ranges),
        )
        for message in messages
    ]


def _is_yes_or_no(key: str, value: object) -> bool:
    """Tell whether a value is a mere yes or no to training: ``loss: 0.0`` may be a measured loss."""
    return value in _SWITCHES and not (key == "loss" and isinstance(value, float))


def _parsed(row: InputRow, key: str, code: str) -> object:
    """Return a field, parsed where it is JSON text. Raises RowError with ``code`` where it is broken JSON."""
    try:
        return unwrapped(row.take(key))
    except RowError as error:
        message = f"{key} is a string that is not JSON: {error.message}"
        raise RowError(code, message, f"Give {key} as JSON, or leave the key out.") from error


def _read_kwargs(value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        message = f"chat_template_kwargs must be an object, not {kind(value)}"
        raise RowError("bad-kwargs", message, 'Give it as an object, for example {"enable_thinking": false}.')
    reserved = sorted(RESERVED_KWARGS.intersection(value))
    if reserved:
        message = f"chat_template_kwargs may not set {', '.join(reserved)}"
        raise RowError("reserved-kwarg", message, "Remove it: the tokenizer and maskprep set these themselves.")
    return value
