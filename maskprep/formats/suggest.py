"""Mappings that might read a row of no known shape, made of its own keys: whoever asks tries them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import permutations

from maskprep.formats.keys import MEANINGLESS
from maskprep.formats.names import usual_role
from maskprep.formats.row import Row

_ASKED = ("prompt", "question", "query", "instruction", "input", "user", "problem", "request", "ask", "frage", "q")
_SAID = ("completion", "answer", "response", "output", "assistant", "reply", "solution", "result", "antwort", "a")
_MOST = 6  # keys that are looked at: a row of more tells too little by its keys


def suggestions(row: Row) -> Iterator[dict[str, str]]:
    """Yield mappings for ``columns``, canonical name → key of this row, the likeliest first."""
    keys = [key for key in row.fields if key not in MEANINGLESS]
    for key in keys:
        value = row.fields[key]
        if isinstance(value, list) and value and isinstance(value[0], dict):
            yield from _of_messages(key, value[0])
    texts = [key for key in keys if isinstance(row.fields[key], str) and row.fields[key].strip()][:_MOST]
    pairs = sorted(permutations(texts, 2), key=lambda pair: -_likely(pair))
    for asked, said in pairs:
        rest = [key for key in texts if key not in {asked, said}]
        two = {"prompt": asked, "completion": said}
        yield two
        yield from ({**two, third: key} for key in rest for third in ("system", "reasoning_content"))


def _of_messages(key: str, message: Mapping[str, object]) -> Iterator[dict[str, str]]:
    """Yield what reads a list of messages whose keys have other names."""
    texts = [name for name, value in message.items() if isinstance(value, str)]
    speakers = [name for name in texts if usual_role(str(message[name])) is not None]
    listed = {} if key == "messages" else {"messages": key}
    for role in speakers:
        for content in (name for name in texts if name != role):
            named = {"role": role, "content": content}
            yield {**listed, **{new: old for new, old in named.items() if new != old}}


def _likely(pair: Sequence[str]) -> int:
    asked, said = (key.lower() for key in pair)
    return any(name in asked for name in _ASKED) + any(name in said for name in _SAID)
