r"""What a template writes between an answer and the next one: the new messages, and the generation prompt.

    answer                       new messages                       prompt of the next turn
    Hello <|end|>   ─▶   \n <|user|> And now? <|end|> \n   ─▶   <|assistant|>

The answers before are known as tokens only. So the new messages are rendered behind conversations that are made up: one
of the last answer alone, others with reasoning and calls ahead of it. Where the template writes any of these answers
otherwise once the new messages follow, or other text behind them, nobody knows what it would do to the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskprep.errors import RowError, UsageError
from maskprep.integrations.answers import USER, Answers, Shape
from maskprep.integrations.message_tokens import MessageTokenizer, MessageTokens


class NextTurn:
    """Makes the tokens between two answers, under one template."""

    def __init__(self, maker: MessageTokenizer, answers: Answers) -> None:
        self._maker, self._answers = maker, answers

    def tokens(self, answer: str, stop: str, new: Sequence[Mapping[str, Any]], tools: Any) -> MessageTokens | None:
        """Return what follows an answer that ended with ``stop``; None where that depends on what was before."""
        if not new or any(message.get("role") == "assistant" for message in new):
            return None
        try:
            read = self._answers.read(answer, tools=bool(tools))
        except UsageError:
            return None
        if not read.proved:
            return None
        last = read.message()
        calls = last.get("tool_calls", [])
        results = [dict(message) for message in new]
        for message, call in zip([m for m in results if m.get("role") == "tool"], calls, strict=False):
            message.setdefault("tool_call_id", call["id"])
        found = self._behind([USER, last], stop, results, tools)
        if found is None:
            return None
        for earlier in self._earlier(tools=bool(tools)):
            other = self._behind([*earlier, last], stop, results, tools)
            if other is None or other.ids != found.ids:
                return None
        return found

    def _earlier(self, *, tools: bool) -> list[list[Mapping[str, Any]]]:
        """Return conversations that a template may treat otherwise, so far as it takes them."""
        thought = Shape(content=True, reasoning=True)
        found: list[list[Mapping[str, Any]]] = [[USER, Shape(content=True).message(), USER]]
        if self._answers.completion(thought.message(), tools=tools) is not None:
            found.append([USER, thought.message(), USER])
        if tools:
            for reasoning in (False, True):
                called = Shape(content=False, reasoning=reasoning, calls=1)
                if self._answers.completion(called.message(), tools=True) is not None:
                    call = called.message()
                    name, key = call["tool_calls"][0]["function"]["name"], call["tool_calls"][0]["id"]
                    result = {"role": "tool", "name": name, "tool_call_id": key, "content": "12"}
                    found.append([USER, call, result])
        return found

    def _behind(
        self, before: Sequence[Mapping[str, Any]], stop: str, new: Sequence[Mapping[str, Any]], tools: Any
    ) -> MessageTokens | None:
        """Return the tokens of new messages and a generation prompt behind a conversation.

        None where the template writes the conversation otherwise once they follow, or ends its answer otherwise.
        """
        messages = [*before, *new]
        try:
            asked = self._maker.read(self._maker.parsed(before, tools))
            read = self._maker.read(self._maker.parsed(messages, tools))
            text = read.template.tracked(read.conversation, len(messages), generation_prompt=True)
            turn = next((turn for turn in asked.turns if turn.message == len(before) - 1), None)
            if turn is None or not text.text.startswith(turn.text.between(0, turn.stop) + stop):
                return None
            return self._maker.tokens_from(read, text, turn.stop + len(stop), len(before))
        except RowError:
            return None
