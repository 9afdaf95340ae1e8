"""Why a server feeds its model other ids than a turn was trained behind: found by trying, on this very turn.

Each trial renders the prompt with transformers as a server might that has one thing otherwise. The first whose ids are
those that the server told is the cause; one that comes closer than the build's own prompt is named as likely.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import product
from typing import Any

from maskprep.examples.chats import Chat
from maskprep.examples.clock import clock
from maskprep.template.sandbox.limits import Limits
from maskprep.template.variables import free_variables
from maskprep.tokenizer.load import LoadedTokenizer

Trial = tuple[str, Chat, Mapping[str, Any]]
"""What a server might have otherwise, the conversation as it would render it, and what it gives the template."""

_DATE = "the template tells the date: that of today there, that of the build here (now: … sets it)"
_TRIED = (False, True)
_EFFORTS = ("low", "medium", "high")


class Causes:
    """Finds out why a server's prompt differs.

    Args:
        loaded: the tokenizer of the build.
        limits: what one rendering may take.
        variables: the template's variables, by name, that nobody has set.
        now: the time that the build told templates: every trial but that of the date is told it, too.
    """

    def __init__(self, loaded: LoadedTokenizer, limits: Limits, variables: Sequence[str], now: datetime) -> None:
        self._tokenizer, self._limits, self._variables = loaded.tokenizer, limits, variables
        self._now = now

    def of(self, chat: Chat, upto: int, expected: list[int], served: list[int]) -> str:
        """Return the likely cause in words; an empty text where no trial comes closer.

        Args:
            chat: the conversation.
            upto: how many of its messages precede the turn.
            expected: the ids that stand before the turn in the build.
            served: the ids that the server feeds.
        """
        for said, own in self._begins(expected):
            if own == served:
                return said
        asked = replace(chat, messages=chat.messages[:upto])
        if self._prompt(asked, {}) == served:
            return _DATE
        with clock(self._now):
            return self._tried(asked, expected, served)

    def _tried(self, asked: Chat, expected: list[int], served: list[int]) -> str:
        """Return the first trial that gives what the server feeds, else the one that comes closest."""
        best, nearest = "", _alike(expected, served)
        for said, changed, given in self._trials(asked):
            prompt = self._prompt(changed, given)
            if prompt is None or prompt == expected:
                continue
            if any(beginning == served for _, beginning in (("", prompt), *self._begins(prompt))):
                return said
            if (near := _alike(prompt, served)) > nearest:
                best, nearest = said, near
        if best:
            return f"likely, as that comes closer, though not all the way: {best}"
        if self._text(expected) == self._text(served):
            return "the text is the same, its ids are not: the server has another tokenizer, or other added tokens"
        return ""

    def _begins(self, ids: list[int]) -> Iterator[tuple[str, list[int]]]:
        """Yield ids with another beginning: a begin token that is doubled, put in front, or left out."""
        begin = self._tokenizer.bos_token_id
        if begin is None:
            return
        if ids[:1] == [begin]:
            yield "the begin token stands twice: the template writes it, and the server adds it again", [begin, *ids]
            yield "the begin token is left out", ids[1:]
        else:
            yield "the server puts the begin token in front, which the template does not write", [begin, *ids]

    def _trials(self, chat: Chat) -> Iterator[Trial]:
        """Yield what a server may have otherwise, the commonest first."""
        yield from self._of_variables(chat)
        yield "it does not ask for an answer (no generation prompt)", chat, {"add_generation_prompt": False}
        for said, change in _OF_MESSAGES:
            changed = [change(dict(message)) for message in chat.messages]
            yield said, replace(chat, messages=changed), {}
        if chat.messages[:1] and chat.messages[0]["role"] == "system":
            yield "the system message is left out", replace(chat, messages=chat.messages[1:]), {}
        if chat.tools:
            for said, tools in _tools(chat.tools):
                yield said, replace(chat, tools=tools), {}
        for name in self._templates():
            yield f"the server has another template, the tokenizer's {name!r}", chat, {"chat_template": name}

    def _of_variables(self, chat: Chat) -> Iterator[Trial]:
        for name in chat.variables:
            rest = {key: value for key, value in chat.variables.items() if key != name}
            yield f"the server does not get the template variable {name}", replace(chat, variables=rest), {}
        for name, value in product(self._variables, (*_TRIED, *_EFFORTS)):
            if value in _EFFORTS and "effort" not in name:
                continue
            said = f"the template variable {name} is {json.dumps(value)} there (template_kwargs: {{{name}: …}} here)"
            yield said, replace(chat, variables={**chat.variables, name: value}), {}

    def _templates(self) -> Sequence[str]:
        named = self._tokenizer.chat_template
        return sorted(named) if isinstance(named, Mapping) else ()

    def _prompt(self, chat: Chat, given: Mapping[str, Any]) -> list[int] | None:
        """Return the ids of a prompt, None where the template refuses it."""
        settings: dict[str, Any] = {"add_generation_prompt": True, **chat.variables, **given}
        try:
            with self._limits.running():
                text = self._tokenizer.apply_chat_template(
                    [dict(message) for message in chat.messages],
                    tools=chat.tools,
                    documents=chat.documents,
                    tokenize=False,
                    **settings,
                )
        except Exception:  # noqa: BLE001 - a template is a program from a stranger: this trial says nothing
            return None
        ids: list[int] = self._tokenizer(str(text), add_special_tokens=False, verbose=False)["input_ids"]
        return ids

    def _text(self, ids: list[int]) -> str:
        return str(self._tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False))


def causes_for(loaded: LoadedTokenizer, limits: Limits, templates: Mapping[bool, Any], now: datetime) -> Causes:
    """Return what finds causes, with the variables of the templates for chats with and without tools."""
    return Causes(loaded, limits, sorted({name for each in templates.values() for name in free_variables(each)}), now)


def first_difference(one: Sequence[int], other: Sequence[int]) -> int:
    """Return the place of the first id that differs, or where the shorter one ends."""
    both = zip(one, other, strict=False)
    return next((at for at, (a, b) in enumerate(both) if a != b), min(len(one), len(other)))


def _alike(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many ids are the same from the beginning on, and from the end back."""
    ahead = first_difference(one, other)
    behind = first_difference(one[ahead:][::-1], other[ahead:][::-1])
    return ahead + behind


def _as_parts(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    return {**message, "content": [{"type": "text", "text": content}]} if isinstance(content, str) else message


def _trimmed(message: dict[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    return {**message, "content": content.strip()} if isinstance(content, str) else message


def _without_reasoning(message: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in message.items() if key != "reasoning_content"}


def _otherwise(change: Callable[[Any], Any]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    """Return what changes the arguments of the calls of a message."""

    def changed(message: dict[str, Any]) -> dict[str, Any]:
        calls = message.get("tool_calls")
        if not calls:
            return message
        own = [
            {**call, "function": {**call["function"], "arguments": change(call["function"]["arguments"])}}
            for call in calls
        ]
        return {**message, "tool_calls": own}

    return changed


def _sorted(value: Any) -> Any:
    """Return a value with the keys of its mappings in the order of the alphabet, at every depth."""
    if isinstance(value, Mapping):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(each) for each in value] if isinstance(value, list) else value


def _as_text(value: Any) -> Any:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _read(value: Any) -> Any:
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError:
        return value


_OF_MESSAGES: tuple[tuple[str, Callable[[dict[str, Any]], dict[str, Any]]], ...] = (
    ("earlier reasoning is dropped before the template sees it", _without_reasoning),
    ("contents reach the template as lists of parts, not as text", _as_parts),
    ("contents are trimmed before the template sees them", _trimmed),
    ("the keys of tool arguments come in another order there", _otherwise(_sorted)),
    ("tool arguments reach the template as JSON text, not as an object", _otherwise(_as_text)),
    ("tool arguments reach the template as an object, not as JSON text", _otherwise(_read)),
)


def _tools(tools: Sequence[Any]) -> Iterator[tuple[str, Any]]:
    """Yield tools as a server may hand them to its template."""
    inner = [tool.get("function", tool) if isinstance(tool, Mapping) else tool for tool in tools]
    yield "the tools are left out", None
    yield "the keys of the tools come in another order there", _sorted(list(tools))
    yield "the tools come in another order there", sorted(tools, key=lambda tool: str(_name(tool)))
    yield "the tools come in another order there", list(reversed(tools))
    yield "the tools reach the template without their wrapping {type, function}", inner
    yield (
        "the tools reach the template with the wrapping {type, function}",
        [{"type": "function", "function": tool} for tool in inner],
    )
    yield (
        "the tools get a key `strict` there, which the data does not have",
        [{**tool, "function": {**own, "strict": None}} for tool, own in zip(tools, inner, strict=True)],
    )


def _name(tool: Any) -> Any:
    own = tool.get("function", tool) if isinstance(tool, Mapping) else {}
    return own.get("name") if isinstance(own, Mapping) else None
