r"""What an assistant's message must have been, that a template would write it as this text.

A template is a program, and cannot be run backwards. But it can be run forwards on a message of known texts; what it
writes around these is what it writes around any:

    written    <think>\n QVXTHOUGHT \n</think>\n\n QVXCONTENT <|im_end|>
    pattern    <think>\n (reasoning) \n</think>\n\n (content)

An answer is held against the patterns of all kinds of messages: with or without reasoning, content and calls. Of those
that fit, the one is taken whose message the template writes as this very text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from maskprep.errors import RowError, UsageError
from maskprep.integrations.message_tokens import MessageTokenizer

CONTENT, REASONING = "content", "reasoning_content"


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it was written: ``arguments`` is an object, or the text where that is no JSON; ``raw`` is all of it."""

    name: str
    arguments: dict[str, Any] | str
    raw: str

    @property
    def is_valid(self) -> bool:
        """Whether the arguments are an object."""
        return isinstance(self.arguments, dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """The fields of an assistant's message.

    ``proved`` tells that the template writes this very text for them; ``complete`` whether the reasoning was ended,
    None where the template does not tell.
    """

    content: str = ""
    reasoning: str | None = None
    calls: tuple[Call, ...] = ()
    proved: bool = False
    complete: bool | None = None

    def message(self) -> dict[str, Any]:
        """Return the message."""
        made: dict[str, Any] = {"role": "assistant", "content": self.content}
        if self.reasoning is not None:
            made[REASONING] = self.reasoning
        if self.calls:
            made["tool_calls"] = [_call(call.name, call.arguments, n) for n, call in enumerate(self.calls)]
        return made


@dataclass(frozen=True, slots=True)
class Shape:
    """Which fields a message has, and how many calls."""

    content: bool
    reasoning: bool = False
    calls: int = 0

    def message(self) -> dict[str, Any]:
        """Return a message of this shape, with known texts."""
        made: dict[str, Any] = {"role": "assistant", "content": _CONTENT if self.content else ""}
        if self.reasoning:
            made[REASONING] = _THOUGHT
        if self.calls:
            made["tool_calls"] = [_call(f"{_NAME}{n}", {_KEY: f"{_VALUE}{n}"}, n) for n in range(self.calls)]
        return made


@dataclass(slots=True)
class Answers:
    """Reads answers under one template, without tools and with them."""

    maker: MessageTokenizer
    _patterns: dict[tuple[Shape, bool, bool], re.Pattern[str] | None] = field(default_factory=dict)

    def read(self, text: str, *, tools: bool = False) -> Answer:
        """Return what the message was of which ``text`` is the completion, less its stop token.

        Where no kind of message would be written so, all of it is content.

        Raises:
            UsageError: it holds calls, and the template writes none as JSON.
        """
        if tools and self._calls_in(text) and not self.reads_calls:
            msg = "the chat template writes the arguments of a call in a form of its own, not as JSON"
            raise UsageError(msg, "parse the answer with the package's own renderer of the model")
        found = None
        for shape in self._shapes(text, tools=tools):
            if shape == Shape(content=True) and found is None:
                found = self._unended(text, tools=tools)
            for followed in (False, True):
                pattern = self._pattern(shape, tools=tools, followed=followed)
                match = pattern.fullmatch(text) if pattern else None
                if match is None:
                    continue
                answer = _answer(match, shape)
                if found and found.complete is False:
                    return found
                if self.completion(answer.message(), tools=tools, followed=followed) == text:
                    return replace(answer, proved=True)
                found = found or answer
        return found or Answer(text)

    @property
    def reads_calls(self) -> bool:
        """Whether the template writes a call in such a way that it can be read back."""
        shape = Shape(content=False, calls=1)
        return any(self._pattern(shape, tools=True, followed=followed) is not None for followed in (False, True))

    def completion(self, message: dict[str, Any], *, tools: bool, followed: bool = False) -> str | None:
        """Return what the template writes for a message, less its stop; None where the law refuses it.

        That is its completion, or, if it is ``followed``, what stands in its place once other messages follow.
        """
        written = self._written(message, tools=tools, followed=followed)
        return None if written is None else written[0]

    def stops(self) -> list[str]:
        """Return the tokens that the template ends answers with, the one of a plain answer first.

        Where a turn is not ended at all, its last token is none of these: it may stand within another turn.
        """
        shapes = [Shape(content=True), Shape(content=True, reasoning=True), *(Shape(False, calls=n) for n in (1, 2))]  # noqa: FBT003
        found = [self._written(each.message(), tools=each.calls > 0, followed=False) for each in shapes]
        texts = [written for written, _ in filter(None, found)]
        ends = dict.fromkeys(stop for _, stop in filter(None, found) if stop)
        return [stop for stop in ends if not any(stop in text for text in texts)]

    def _written(self, message: dict[str, Any], *, tools: bool, followed: bool) -> tuple[str, str] | None:
        behind = _behind(message) if followed else []
        conversation = [USER, message, *behind]
        try:
            read = self.maker.read(self.maker.parsed(conversation, TOOLS if tools else None))
            return self.maker.written(read, 1)
        except RowError:
            return None

    def _shapes(self, text: str, *, tools: bool) -> Iterator[Shape]:
        """Yield the shapes that a text may have, the most particular first."""
        for calls in (self._calls_in(text), 0) if tools else (0,):
            if calls or not tools:
                for reasoning in (True, False):
                    for content in (True, False):
                        if calls or content or reasoning:
                            yield Shape(content, reasoning, calls)
            else:
                yield from (Shape(True, True), Shape(False, True), Shape(True))  # noqa: FBT003 - the two fields

    def _calls_in(self, text: str) -> int:
        """Return how many calls a text seems to hold: as often as it has what stands in front of a call's name."""
        one = self.completion(Shape(content=False, calls=1).message(), tools=True)
        two = self.completion(Shape(content=False, calls=2).message(), tools=True)
        if one is None:
            return 0
        opening = one.partition(f"{_NAME}0")[0]
        if two is None or f"{_NAME}1" not in two:
            return int(opening in text)
        between = two.partition(f"{_NAME}0")[2].partition(f"{_NAME}1")[0]
        shared = opening
        while shared and not between.endswith(shared):
            shared = shared[1:]
        return text.count(shared.lstrip()) if shared.strip() else 0

    def _pattern(self, shape: Shape, *, tools: bool, followed: bool) -> re.Pattern[str] | None:
        key = shape, tools, followed
        if key not in self._patterns:
            if len(self._patterns) >= _MOST:
                self._patterns.clear()
            written = self.completion(shape.message(), tools=tools, followed=followed)
            self._patterns[key] = None if written is None else _pattern_of(written, shape)
        return self._patterns[key]

    def _unended(self, text: str, *, tools: bool) -> Answer | None:
        """Return the reasoning that a text begins with and does not end, None where it is none."""
        written = self.completion(Shape(content=True, reasoning=True).message(), tools=tools)
        if written is None or _THOUGHT not in written or _CONTENT not in written:
            return None
        opening, _, rest = written.partition(_THOUGHT)
        between = rest.partition(_CONTENT)[0].strip()
        if not between or between in text or not text.startswith(opening):
            return None
        return Answer("", text[len(opening) :], complete=False)


def _pattern_of(written: str, shape: Shape) -> re.Pattern[str] | None:
    """Return the pattern of texts that are written as this one is; None where a field is not written as it stands."""
    fields = [("reasoning", _THOUGHT)] if shape.reasoning else []
    fields += [("content", _CONTENT)] if shape.content else []
    places = []
    for name, marker in fields:
        if written.count(marker) != 1:
            return None
        places.append((written.index(marker), written.index(marker) + len(marker), f"(?P<{name}>.+?)"))
    for number in range(shape.calls):
        value = re.escape(f"{_VALUE}{number}")
        arguments = list(re.finditer(rf'\{{\s*"{_KEY}"\s*:\s*"{value}"\s*\}}', written))
        called = written.count(f"{_NAME}{number}")
        if len(arguments) != 1 or not called:
            return None
        places.append((*arguments[0].span(), f"(?P<arguments{number}>.*?)"))
        names = [m.span() for m in re.finditer(f"{_NAME}{number}", written)]
        places += [
            (*span, f'(?P<name{number}>[^\\s"<>]+?)' if not n else f"(?P=name{number})") for n, span in enumerate(names)
        ]
    done, made = 0, ""
    for low, high, pattern in sorted(places):
        if low < done:
            return None
        made += re.escape(written[done:low]) + pattern
        done = high
    return re.compile(made + re.escape(written[done:]), re.DOTALL)


def _answer(match: re.Match[str], shape: Shape) -> Answer:
    groups = match.groupdict()
    calls = []
    for number in range(shape.calls):
        raw = groups[f"arguments{number}"]
        low, high = (
            min(match.start(f"name{number}"), match.start(f"arguments{number}")),
            match.end(f"arguments{number}"),
        )
        try:
            found = json.loads(raw)
        except ValueError:
            found = raw
        calls.append(Call(groups[f"name{number}"], found if isinstance(found, dict) else raw, match.string[low:high]))
    return Answer(groups.get("content", ""), groups.get("reasoning"), tuple(calls), complete=True)


def _call(name: str, arguments: Any, number: int) -> dict[str, Any]:
    function = {"name": name, "arguments": arguments}
    return {"id": f"call{number:05}", "type": "function", "function": function}


def _behind(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return messages that may follow a message."""
    found = [
        {"role": "tool", "name": call["function"]["name"], "tool_call_id": call["id"], "content": "12"}
        for call in message.get("tool_calls", ())
    ]
    return found or [USER]


USER = {"role": "user", "content": "Hello"}
"""Who asks for an answer that is tried out."""
_CONTENT, _THOUGHT, _NAME, _KEY, _VALUE = "qvxcontent", "qvxthought", "qvxname", "qvxkey", "qvxvalue"
_MOST = 200
TOOLS: Sequence[dict[str, Any]] = (
    {
        "type": "function",
        "function": {
            "name": f"{_NAME}0",
            "description": "It is called.",
            "parameters": {"type": "object", "properties": {_KEY: {"type": "string"}}},
        },
    },
)
"""A tool for conversations in which a call is tried out."""
