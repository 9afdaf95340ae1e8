"""The form of a conversation: all that it is but for its texts, which any other texts may take the places of.

system  Be brief.   user  Hi.   assistant  Hello.          form   (system, content) (user, content) …
system  ⟨0⟩         user  ⟨1⟩   assistant  ⟨2⟩             texts  Be brief. │ Hi. │ Hello.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from maskprep.conversation import Conversation, Message
from maskprep.template.symbolic.placeholder import MOST, spelt

_OBJECTS = frozenset({"arguments", "parameters"})  # printed as JSON, as a rule
_NAMED = frozenset({"type"})  # texts that templates compare


@dataclass(frozen=True, slots=True)
class Form:
    """The form of a conversation and its ``values``: texts, and objects that are printed as JSON."""

    key: Hashable
    values: list[Any]


def form_of(conversation: Conversation) -> Form | None:
    """Return the form of a conversation, None where it has what no form tells of."""
    values: list[Any] = []
    if conversation.documents is not None:
        return None
    try:
        messages = tuple([_message(message, values) for message in conversation.messages])
        tools = None if conversation.tools is None else tuple([_object(tool, values) for tool in conversation.tools])
    except _NoFormError:
        return None
    kwargs = conversation.template_kwargs
    return Form((messages, tools, repr(sorted(kwargs.items())) if kwargs else ""), values)


def twin_of(conversation: Conversation, form: Form) -> Conversation | None:
    """Return a conversation with an atom in the place of each value, None where there are too many."""
    if len(form.values) > MOST:
        return None
    atoms = map(spelt, range(len(form.values)))
    messages = tuple(
        Message({name: _twin(name, value, atoms) for name, value in message.fields.items()}, message.weight)
        for message in conversation.messages
    )
    tools = conversation.tools
    twin = replace(
        conversation,
        messages=messages,
        tools=None if tools is None else [_twin("arguments", tool, atoms) for tool in tools],
        findings=(),
    )
    return twin if form_of(twin) == Form(form.key, [_given(value, i) for i, value in enumerate(form.values)]) else None


class _NoFormError(Exception):
    """There is something in a conversation that no form tells of."""


def _message(message: Message, values: list[Any]) -> Hashable:
    if message.ranges or message.prefix:
        raise _NoFormError
    marks: list[Hashable] = [message.weight]
    for name, value in message.fields.items():
        if name == "role":
            marks.append(value)
        elif name == "name" and message.fields["role"] == "assistant":
            raise _NoFormError  # it stands in the header
        else:
            marks.append(name)
            if type(value) is str and value and not value.isspace():
                values.append(value)
            else:
                marks.append(_mark(name, value, values))
    return tuple(marks)


def _mark(name: str, value: Any, values: list[Any]) -> Hashable:
    """Return what a value contributes to the form; add it to ``values``, or what is within it."""
    if isinstance(value, str):
        if not value or name in _NAMED:
            return ("text", value)
        if value.isspace():
            raise _NoFormError
        values.append(value)
        return "text"
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, dict):
        if name in _OBJECTS:
            return _object(value, values)
        return tuple([(key, _mark(key, item, values)) for key, item in value.items()])
    if isinstance(value, list):
        return (len(value), *[_mark("", item, values) for item in value])
    raise _NoFormError


def _object(value: Mapping[str, Any], values: list[Any]) -> Hashable:
    if value:
        values.append(value)
    return "object" if value else "empty object"


def _twin(name: str, value: Any, atoms: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(atoms) if value and name != "role" and name not in _NAMED else value
    if isinstance(value, dict):
        if name in _OBJECTS:
            return {next(atoms): 0} if value else value
        return {key: _twin(key, item, atoms) for key, item in value.items()}
    return [_twin("", item, atoms) for item in value] if isinstance(value, list) else value


def _given(value: Any, atom: int) -> Any:
    return spelt(atom) if isinstance(value, str) else {spelt(atom): 0}
