"""The keys that rows and messages have beside those that a shape reads, and what becomes of each.

    read          by the shape, or by what all shapes have in common (system prompt, tools, weight …)
    meaningless   known to say nothing about training: ``MEANINGLESS``, with what it is
    speaks        of the loss, of the context or of reasoning: a row that has one which nothing reads is rejected
    not read      anything else: the row is used, and the summary names the key

A value that says nothing (null, an empty text, list or object) is nothing, whatever its key.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from enum import StrEnum
from typing import Any


class Speaks(StrEnum):
    """What a key speaks of that a training example must not be made without."""

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
"""The keys of rows, messages and parts that are known to mean nothing for training, and what they are."""

_LOSS_WORDS = frozenset({"loss", "mask", "masks", "masked", "unmasked", "train", "trained", "trainable", "training"})
_REASONING_WORDS = frozenset({"reasoning", "thinking", "thought", "thoughts", "cot", "rationale", "rationales"})
_CONTEXT = frozenset(
    {
        *("messages", "conversations", "conversation", "dialog", "dialogue", "turns", "chat", "contents"),
        *("history", "system", "system_prompt", "system_message", "prompt", "instruction", "instructions", "query"),
        *("question", "context", "contexts", "input", "inputs", "documents", "document", "passages", "passage"),
        *("tools", "functions", "tool_defs", "tool_definitions", "tool_schemas", "available_tools", "knowledge"),
        *("request", "background", "persona", "few_shot", "examples", "demonstrations", "retrieved", "search_results"),
    }
)
_CONTEXT_WORDS = frozenset({"history", "documents", "tools"})
_SAID = frozenset(
    {
        *("completion", "completions", "response", "responses", "answer", "answers", "output", "outputs", "target"),
        *("correct_answer", "solution", "ground_truth", "reference", "reference_answer"),
    }
)
_JUDGED = frozenset(
    {
        *("label", "labels", "chosen", "accepted", "winner", "preference", "better", "worse", "dispreferred"),
        *("desirable", "is_preferred", "feedback_label", "choices"),
    }
)
_COMPARED = re.compile(
    r"(rejected|chosen|preferred|non_preferred|dispreferred|worse|better|bad|good)(_.*)?|.*_(output|chosen|rejected)"
)
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
"""Texts that hold nothing, or the JSON of nothing."""


def says_nothing(value: object) -> bool:
    """Tell whether a value says nothing: null, an empty text, list or object; lists of such likewise."""
    if isinstance(value, str):
        return value.strip() in _EMPTY
    if isinstance(value, list):
        return all(map(says_nothing, value))
    return value is None or value == {}


def speaks_of(key: str, value: object, *, in_message: bool) -> Speaks | None:
    """Return what an unread key of a row or a message speaks of, None where it is of nothing that matters.

    Names decide; where a name is only like those of its kind (``turn_loss_mask``, ``Complex_CoT``), its value must be
    of the kind as well: yes, no, a number or a list of these for the loss, text for reasoning.
    """
    if says_nothing(value):
        return None
    name = key.strip().lower().replace("-", "_")
    words = {*map(str.lower, _WORD.findall(key)), *name.split("_")}
    is_number = isinstance(value, bool | int | float)
    judges = not in_message and (name in _SAID or name in _JUDGED or bool(_COMPARED.fullmatch(name) and not is_number))
    if judges or (words & _LOSS_WORDS and is_switch(value)):
        return Speaks.LOSS
    if words & _REASONING_WORDS and not is_number:
        return Speaks.REASONING
    about = name in _MESSAGE_CONTEXT if in_message else name in _CONTEXT or bool(words & _CONTEXT_WORDS)
    return Speaks.CONTEXT if about or name in MEDIA else None


_MESSAGE_CONTEXT = frozenset({"tool_calls", "function_call", "tools", "functions", "documents", "context", "content"})


def may_stand_twice(key: str) -> bool:
    """Tell whether a field of a row may repeat what stands in its messages, and then says nothing of its own."""
    name = key.strip().lower().replace("-", "_")
    return name in _CONTEXT or name in _SAID


_SWITCH = re.compile(r"true|false|yes|no|[0-9]+(\.[0-9]*)?", re.IGNORECASE)


def is_switch(value: object) -> bool:
    """Tell whether a value can say how much something counts."""
    if isinstance(value, list):
        return bool(value) and all(map(is_switch, value))
    if isinstance(value, str):
        return _SWITCH.fullmatch(value.strip()) is not None
    return isinstance(value, bool | int | float)


def meaningful(keys: Collection[str], row: Mapping[str, Any]) -> list[str]:
    """Return those of the keys that are not known to mean nothing, and whose values say something."""
    return [key for key in sorted(keys) if key not in MEANINGLESS and not says_nothing(row[key])]
