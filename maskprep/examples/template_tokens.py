"""Which tokens a template writes into completions, where an assistant's own text may spell them: ``<think>``, say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.policy import Mismatch
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.turns.finder import TurnFinder
from maskprep.template.turns.readable import readable
from maskprep.template.turns.stop_tokens import Stops
from maskprep.tokenizer.load import LoadedTokenizer

_ASK = Message({"role": "user", "content": "What time is it?"})
_CALL = {"type": "function", "id": "call_0", "function": {"name": "clock", "arguments": {"place": "here"}}}
_TOOL = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "Tell the time.",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}, "required": ["place"]},
    },
}


def written_in_completions(
    template: ChatTemplate, stops: Stops, contents: Sequence[str], loaded: LoadedTokenizer
) -> frozenset[str]:
    """Return which of the tokens ``contents`` the template itself writes into completions.

    Stop tokens are not among them, nor is what frames a message of the user's: saying those would end the turn, or
    begin another one. Found by rendering conversations of each kind.
    """
    finder = TurnFinder(template, stops, Mismatch.TRAIN)
    written = {content for text in _scaffolds(template, finder) for content in contents if content in text}
    frame = _frame(template)
    framing = loaded.special_tokens if frame is None else [content for content in contents if content in frame]
    return frozenset(written.difference(framing, loaded.stop_tokens))


def _scaffolds(template: ChatTemplate, finder: TurnFinder) -> Iterator[str]:
    """Yield the template's own text in completions, and in front of them: a prompt may begin a thought."""
    special = finder.stops
    for conversation in _conversations():
        try:
            ready, whole = readable(template, conversation)
        except RowError:
            continue
        for index, message in enumerate(ready.messages):
            if message.role != "assistant":
                continue
            try:
                turn = finder.of(ready, whole).find(index)
            except RowError:
                continue
            yield from _own_text(turn.text.part(turn.start, turn.stop))
            prompt = turn.text.text[turn.text.end_of_others(-2, turn.start) : turn.start]
            last = special.last_special(prompt, 0)
            yield prompt[last[1] :] if last else prompt


def _own_text(text: Rendered) -> Iterator[str]:
    """Yield the stretches that the template wrote."""
    return (text.text[start:stop] for start, stop, source in text.places() if not source)


def _frame(template: ChatTemplate) -> str | None:
    """Return what the template writes around a message of the user's, None where it refuses one that stands alone."""
    try:
        _, alone = readable(template, Conversation((_ASK,)))
    except RowError:
        return None
    return "\0".join(_own_text(alone))


def _conversations() -> Iterator[Conversation]:
    """Yield conversations of each kind that a template may know."""
    said: dict[str, Any] = {"role": "assistant", "content": "Noon."}
    thought = {"reasoning_content": "The sun is high."}
    calls = {"tool_calls": [_CALL]}
    tool = Message({"role": "tool", "content": "12:00", "name": "clock", "tool_call_id": "call_0"})
    for fields in (said, {**said, **thought}):
        yield Conversation((_ASK, Message(fields)))
    for fields in ({**said, "content": "", **calls}, {**said, **thought, **calls}):
        yield Conversation((_ASK, Message(fields)), [_TOOL])
        yield Conversation((_ASK, Message(fields), tool, Message({**said, **thought})), [_TOOL])
