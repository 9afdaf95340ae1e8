"""The keys that rows and messages have beside those that a format reads, and what becomes of each.

    read          by the format, or by what all formats have in common (system prompt, tools, weight …)
    meaningless   known to say nothing about training: ``MEANINGLESS``, with what it is
    speaks        of the loss, of the context or of reasoning: a row that has one which nothing reads is rejected
    not read      anything else: the row is used, and the summary names the key

A value that says nothing (null, an empty text, list or object) is nothing, whatever its key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from collections.abc import Set as AbstractSet
from enum import StrEnum
from itertools import pairwise
from typing import Any

from maskprep.formats.names import usual_role
from maskprep.formats.weights import WEIGHT_KEYS


class Speaks(StrEnum):
    """The subjects of a key that a training example must not be made without: loss, context, reasoning."""

    LOSS = "the loss"
    CONTEXT = "the context of the answer"
    REASONING = "reasoning"


_WHICH = "names the row"
_FROM = "where the row comes from"
_ABOUT = "what the row is about"
_WHEN = "when it was made"
_WHO = "who or what made it"
_HOW = "how an answer was asked for: nothing that a template shows"
_SIZE = "a size or a count"

_TABLE: Mapping[str, str] = {
    _WHICH: "id _id uuid guid idx index row_id row_idx example_id sample_id conversation_id conv_id dialog_id "
    "dialogue_id session_id chat_id thread_id question_id prompt_id message_id parent_id data_id task_id custom_id "
    "hash instance_id trajectory_id request_id trace_id conversation_hash call_id",
    _FROM: "source sources origin dataset dataset_name data_source file filename url link license licence split subset "
    "config provenance doi",
    _ABOUT: "meta metadata meta_data info extra extra_info extra_fields misc category categories domain topic topics "
    "tag tags subject theme task task_type task_name type kind difficulty level title skill language lang locale "
    "country keywords notes comment comments",
    _WHEN: "created created_at updated_at timestamp date time datetime object",
    _WHO: "model model_name generator author authors annotator user_id username version schemaVersion schema_version "
    "format_version system_fingerprint signature",
    _HOW: "temperature top_p top_k max_tokens seed stream stop logprobs parallel_tool_calls tool_choice "
    "max_completion_tokens response_format n usage finish_reason stop_reason stop_sequence service_tier status "
    "cache_control annotations citations",
    _SIZE: "length num_turns n_turns turn num_tokens n_tokens token_count",
}

MEANINGLESS: Mapping[str, str] = {key: meaning for meaning, keys in _TABLE.items() for key in keys.split()}
"""The keys of rows, messages and parts that are known to mean nothing for training, each with its meaning."""

_LOSS_WORDS = frozenset({"loss", "mask", "masks", "masked", "unmasked", "train", "trained", "trainable", "training"})
_REASONING_WORDS = frozenset(
    {
        *("reasoning", "think", "thinking", "thought", "thoughts", "cot", "rationale", "rationales"),
        *("scratchpad", "scratchpads"),
    }
)
_LISTS = frozenset(
    {"messages", "conversations", "conversation", "dialog", "dialogue", "turns", "chat", "contents", "history"}
)
_CONTEXT = frozenset(
    {
        *_LISTS,
        *("history", "system", "system_prompt", "system_message", "prompt", "instruction", "instructions", "query"),
        *("question", "context", "contexts", "input", "inputs", "documents", "document", "passages", "passage"),
        *("tools", "functions", "tool_defs", "tool_definitions", "tool_schemas", "available_tools", "knowledge"),
        *("request", "background", "persona", "few_shot", "few_shots", "examples", "demonstrations", "retrieved"),
        *("search_results", "few_shot_examples", "options", "meta_instruction", "preamble", "custom_instruction"),
        *("custom_instructions", "developer", "developer_message", "developer_prompt", "sysprompt", "article"),
        *("articles", "table", "tables", "schema", "premise", "paragraph", "paragraphs", "story", "evidence"),
    }
)
_CONTEXT_WORDS = frozenset({"history", "documents", "tools", "passage", "passages"})
_MESSAGE_CONTEXT = frozenset(
    {
        *("tool_calls", "tool_call", "function_call", "tool_invocations", "tool_use", "tool_uses", "tools"),
        *("functions", "documents", "context", "content", "parts", "system", "system_prompt", "history"),
    }
)
_SAID = frozenset(
    {
        *("completion", "completions", "response", "responses", "answer", "answers", "output", "outputs", "target"),
        *("correct_answer", "solution", "ground_truth", "reference", "reference_answer"),
    }
)
_JUDGED = frozenset(
    {
        *("label", "labels", "chosen", "accepted", "winner", "preference", "better", "worse", "dispreferred"),
        *("desirable", "feedback_label", "choices"),
    }
)
_WEIGHTS = frozenset(WEIGHT_KEYS) - {"weight"}  # which may be that of a person: a text there is no weight of ours
_COMPARED = re.compile(
    r"(rejected|chosen|preferred|non_preferred|dispreferred|worse|better|bad|good)(_.*)?|.*_(output|chosen|rejected)"
)
_FOR = frozenset(
    {
        *("kto_tag", "good", "preferred", "correct", "approved", "thumbs_up", "learn", "supervised"),
        *("is_chosen", "is_preferred", "is_correct", "is_good", "is_accepted", "is_approved", "is_desirable"),
    }
)
_AGAINST = frozenset(
    {
        *("bad", "rejected", "incorrect", "thumbs_down", "skip", "skipped", "exclude", "excluded"),
        *("is_bad", "is_rejected", "is_wrong", "is_incorrect", "is_excluded"),
    }
)
ABOUT = frozenset(
    {
        *("type", "types", "model", "models", "name", "names", "id", "ids", "len", "length", "lengths", "tokens"),
        *("score", "scores", "rating", "ratings", "count", "counts", "source", "sources", "category", "lang"),
        *("language", "url"),
    }
)
"""The last words of keys that are about the thing their other words name: ``chosen_model``, ``cot_type``."""

MEDIA = frozenset(
    {
        *("image", "images", "img", "imgs", "image_path", "image_paths", "image_url", "image_urls", "pixel_values"),
        *("video", "videos", "video_path", "video_url", "audio", "audios", "audio_path", "audio_url", "pictures"),
        *("media", "attachments", "files", "pdf", "pdfs"),
    }
)
"""The keys of rows under which pictures, sound or files stand."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


_EMPTY = frozenset({"", "[]", "{}", "null", '""'})
"""Texts that are empty, or the JSON of an empty value."""


def says_nothing(value: object) -> bool:
    """Tell whether a value says nothing: null, an empty text, list or object, or a list of values that say nothing."""
    if isinstance(value, str):
        return value.strip() in _EMPTY
    if isinstance(value, list):
        return all(map(says_nothing, value))
    return value is None or value == {}


def speaks_of(key: str, value: object, *, in_message: bool) -> Speaks | None:
    """Return the subject of an unread key of a row or a message, None where it does not matter for training.

    Names decide; where a name is only like those of its kind (``turn_loss_mask``, ``Complex_CoT``), its value must be
    of the kind as well: yes, no, a number or a list of these for the loss, text for reasoning. A yes, a no and a number
    say nothing of the context (``turns: 3``), and a name that ends like ``cot_type`` tells about something else.
    """
    if says_nothing(value):
        return None
    if _speaks_of_loss(key, value, in_message=in_message):
        return Speaks.LOSS
    if _is_like(key, _REASONING_WORDS) and not _is_about(key) and not _measures(key, value):
        return Speaks.REASONING
    context = bool(names_of(key) & _MESSAGE_CONTEXT) if in_message else _is_context(key)
    if context and not isinstance(value, int | float) and not _names_a_list(key, value):
        return Speaks.CONTEXT
    is_medium = key.strip().lower().replace("-", "_") in MEDIA and not isinstance(value, bool)
    return Speaks.CONTEXT if is_medium else None


def _names_a_list(key: str, value: object) -> bool:
    """Tell whether a key that names turns holds one word: an id of a conversation, not the conversation itself."""
    if not isinstance(value, str) or not names_of(key) & _LISTS:
        return False
    return len(value.split()) == 1 and value.strip()[0] not in "[{"


def _speaks_of_loss(key: str, value: object, *, in_message: bool) -> bool:
    """Tell whether a key says what is trained, or how good the answer is.

    A verdict speaks where it is against the answer: to train one that is called good does no harm.
    """
    names = names_of(key)
    verdict = _verdict(value) if names & (_FOR | _AGAINST) else None
    if verdict is not None:
        return bool(names & (_AGAINST if verdict else _FOR))
    if not in_message and names & (_SAID | _JUDGED | _WEIGHTS):
        return True
    if not in_message and not _is_about(key) and not isinstance(value, bool | int | float):
        return any(map(_COMPARED.fullmatch, names)) or _weighs(key, value)
    return _weighs(key, value)


def _weighs(key: str, value: object) -> bool:
    """Tell whether a key is like those of the loss, and its value says how much is trained, or whose turns."""
    if not _is_like(key, _LOSS_WORDS) and words_of(key)[-1:] not in (["weight"], ["weights"]):
        return False
    listed = value if isinstance(value, list) else [value]
    is_whose = all(isinstance(each, str) and usual_role(each) is not None for each in listed)
    return (is_switch(value) or is_whose) and (isinstance(value, list) or not _is_about(key))


def _is_context(key: str) -> bool:
    return bool(names_of(key) & _CONTEXT) or (not _is_about(key) and _is_like(key, _CONTEXT_WORDS))


def _is_like(key: str, those: AbstractSet[str]) -> bool:
    """Tell whether a key has one of these words, also where capitals seem to divide it: ``CoT``."""
    words = words_of(key)
    return not those.isdisjoint({*words, *map("".join, pairwise(words))})


def _is_about(key: str) -> bool:
    """Tell whether a key is about the thing that its other words name, and does not hold it: ``cot_type``."""
    return not ABOUT.isdisjoint(words_of(key)[-1:])


def words_of(key: str) -> list[str]:
    """Return the words of a key in small letters: ``tool`` and ``calls`` of ``toolCalls``."""
    return [word.lower() for word in _WORD.findall(key)]


def names_of(key: str) -> AbstractSet[str]:
    """Return the ways to write a key in small letters: ``toolCalls`` is ``tool_calls``, too."""
    return {key.strip().lower().replace("-", "_"), "_".join(words_of(key))}


def _verdict(value: object) -> bool | None:
    """Return the yes or no that a value is, None where it is neither."""
    if isinstance(value, str):
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            value.strip().lower()
        )
    return bool(value) if value in (0, 1) else None


def _measures(key: str, value: object) -> bool:
    """Tell whether a value is a yes, a no, a number or a list of these, and so no text of its own."""
    if isinstance(value, list):
        return all(isinstance(each, bool | int | float) for each in value)
    asks = words_of(key)[:1] in (["is"], ["has"])
    return isinstance(value, bool | int | float) or (asks and is_switch(value))


def may_stand_twice(key: str) -> bool:
    """Tell whether a field of a row may repeat what stands in its messages, and then says nothing of its own."""
    return _is_context(key) or bool(names_of(key) & _SAID)


_SWITCH = re.compile(r"true|false|yes|no|[0-9]+(\.[0-9]*)?", re.IGNORECASE)


def is_switch(value: object) -> bool:
    """Tell whether a value can say how much a message counts: yes, no or a number."""
    if isinstance(value, list):
        return bool(value) and all(map(is_switch, value))
    if isinstance(value, str):
        return _SWITCH.fullmatch(value.strip()) is not None
    return isinstance(value, bool | int | float)


def meaningful(keys: Collection[str], row: Mapping[str, Any]) -> list[str]:
    """Return the keys that may mean something for training: not known to mean nothing, and with values."""
    return [key for key in sorted(keys) if key not in MEANINGLESS and not says_nothing(row[key])]
