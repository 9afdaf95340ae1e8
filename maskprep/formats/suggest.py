"""Mappings for ``columns`` that might read a row of no known format, made of its own keys: the caller tries them.

A mapping that reads a row and loses some of its text is worse than none. So one is made only where no field is left
over that might be context or an answer: ``frage`` and ``antwort``, but not where a ``kontext`` stands beside them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from maskprep.formats.finish import COMMON_FIELDS
from maskprep.formats.keys import ABOUT, MEANINGLESS, may_stand_twice, says_nothing, words_of
from maskprep.formats.names import CALL, MESSAGE_FIELDS, usual_role
from maskprep.formats.openai import LISTS
from maskprep.formats.row import InputRow

_ASKED = frozenset(
    {"prompt", "question", "query", "instruction", "input", "user", "human", "problem", "request", "ask", "frage"}
)
_SAID = frozenset(
    {
        *("completion", "answer", "response", "output", "assistant", "reply", "solution", "result", "antwort"),
        *("generation", "target", "gpt"),
    }
)
_LETTERS = {"q": _ASKED, "a": _SAID}  # a key of one letter; within another key it says nothing: model_a
_SYSTEM = frozenset({"system", "sys"})
_THOUGHT = frozenset({"reasoning", "thinking", "thought", "thoughts", "cot", "rationale", "scratchpad"})
_CONTENT = ("content", "text", "value", "message")
_PAIR = 2


def suggestions(row: InputRow) -> Iterator[dict[str, str]]:
    """Yield mappings for ``columns``, canonical name → key of this row, the likeliest first."""
    left = [key for key, value in row.fields.items() if _might_matter(key, value)]
    lists = [key for key in row.fields if key not in COMMON_FIELDS and _is_list_of_objects(row.fields[key])]
    if len(lists) == 1:
        yield from _of_messages(lists[0], row.fields[lists[0]], alone=not {*left} - {*lists})
    elif not lists:
        yield from _of_texts(left, row.fields)


def _might_matter(key: str, value: object) -> bool:
    """Tell whether a field, which nothing may read, might be context or an answer: it holds text, and no fact."""
    if key in MEANINGLESS or key in COMMON_FIELDS or says_nothing(value):
        return False
    return isinstance(value, str | list | dict) and not _is_fact(key)


def _is_fact(key: str) -> bool:
    return not ABOUT.isdisjoint(words_of(key)[-1:])


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _of_messages(key: str, messages: list[Mapping[str, object]], *, alone: bool) -> Iterator[dict[str, str]]:
    """Yield mappings that read a list of messages whose keys have other names.

    ``alone``: whether the row has no other text. Where it has, and the messages do not end with the assistant's, an
    answer to them stands elsewhere.
    """
    names = list(dict.fromkeys(name for each in messages for name in each))
    for role in (name for name in names if all(_speaker(each.get(name)) for each in messages)):
        if not alone and _speaker(messages[-1][role]) not in {"assistant", CALL}:
            continue
        content = _content(messages, [name for name in names if name != role])
        if content is not None:
            named = {"messages": key, "role": role, "content": content}
            yield {new: old for new, old in named.items() if new != old and not (new == "messages" and old in LISTS)}


def _is_text(name: str, value: object) -> bool:
    return bool(value) and isinstance(value, str | list if name == "content" else str)


def _speaker(value: object) -> str | None:
    return usual_role(value) if isinstance(value, str) else None


def _content(messages: list[Mapping[str, object]], names: list[str]) -> str | None:
    """Return the key under which messages hold their text, None where there is another text beside it."""
    texts = [name for name in names if any(_is_text(name, each.get(name)) for each in messages)]
    matter = [name for name in texts if name not in MEANINGLESS and not _is_fact(name)]
    usual = [name for name in _CONTENT if name in matter]
    found = usual[0] if usual else (matter[0] if len(matter) == 1 else None)
    rest = {*matter} - {found} - {*MESSAGE_FIELDS}
    return None if rest else found


def _of_texts(left: list[str], fields: Mapping[str, object]) -> Iterator[dict[str, str]]:
    """Yield mappings that read a question and its answer, with every other field as what its name says."""
    beside = {
        new: [key for key in left if words & {*words_of(key)} and not _SAID & {*words_of(key)}]
        for new, words in (("system", _SYSTEM), ("reasoning_content", _THOUGHT))
    }
    taken = [key for keys in beside.values() for key in keys]
    pair = [key for key in left if key not in taken]
    if len(pair) != _PAIR or any(len(keys) > 1 for keys in beside.values()):
        return
    if not all(isinstance(fields[key], str) for key in (*pair, *taken)):
        return
    named = {new: key for new, keys in beside.items() for key in keys}
    one, other = pair
    ahead = _likely(one, other) - _likely(other, one)
    if ahead:
        asked, said = (one, other) if ahead > 0 else (other, one)
        if _may_be(asked, _ASKED) and _may_be(said, _SAID):
            named = {"prompt": asked, "completion": said, **named}
            yield {new: old for new, old in named.items() if new != old}


def _likely(asked: str, said: str) -> int:
    return _is_named(asked, _ASKED) + _is_named(said, _SAID)


def _is_named(key: str, names: frozenset[str]) -> bool:
    words = words_of(key)
    return not names.isdisjoint(words) or (len(words) == 1 and _LETTERS.get(words[0]) is names)


def _may_be(key: str, names: frozenset[str]) -> bool:
    """Tell whether a key may name a question or an answer: it has one of ``names``, or no word for another thing."""
    return _is_named(key, names) or not (may_stand_twice(key) or _OTHER.intersection(words_of(key)))


_OTHER = frozenset({*ABOUT, "chat", "transcript", "conversation", "dialog", "dialogue", "context", "kontext"})
