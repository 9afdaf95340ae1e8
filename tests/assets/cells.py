"""One published template by conversations of every shape: is the text transformers', and is the verdict the law's?"""

from __future__ import annotations

import multiprocessing
import os
import re
from collections import Counter
from pathlib import Path

import transformers.utils.chat_template_utils
from law.comparing import NOW, FrozenClock, compare, preparers, reference_of
from law.shapes import SHAPES
from law.tokenizers_here import tokenizer

from maskprep.errors import RowError, UsageError
from maskprep.formats import DEFAULT
from maskprep.template.chat_template import ChatTemplate

MARKERS = re.compile(
    r"<\|[^|<>\s{}'\"]{1,40}\|>|<｜[^｜\s{}'\"]{1,40}｜>|<\|[a-z_]+>|<[a-z_]+\|>|\[/?[A-Za-z_]*[A-Z]{2,}[A-Za-z_]*\]"
    r"|</?[a-z][a-z_0-9]*>"
)
CONTROL = frozenset(
    [
        "<s>",
        "</s>",
        "<bos>",
        "<eos>",
        "<pad>",
        "<unk>",
        "<sep>",
        "<sop>",
        "<eop>",
        "<start_of_turn>",
        "<end_of_turn>",
        "<end_of_utterance>",
        "<eot>",
        "<eom>",
    ]
)
ENDS = (
    *("<|im_end|>", "<|eot_id|>", "<end_of_turn>", "<turn|>", "<|return|>", "<|end_of_text|>", "<|END_OF_TURN_TOKEN|>"),
    *("<｜end▁of▁sentence｜>", "<|eot|>", "<|end|>", "<|endoftext|>", "<|end_of_turn|>", "<|eom|>", "[EOS]", "<eos>"),
)
SHAPE_NAMES = (
    *(
        "plain",
        "two_turns",
        "system_first",
        "parallel_calls",
        "call_with_content",
        "reasoning_twice",
        "reasoning_and_calls",
    ),
    *("white_space_around", "forged_by_user", "ends_with_user", "consecutive_assistants"),
)


def tokenizer_for(template):
    """Return a small tokenizer that has the control tokens which the template spells."""
    found = list(dict.fromkeys(MARKERS.findall(template)))
    special = [token for token in found if token in CONTROL or not re.fullmatch(r"</?[a-z][a-z_0-9]*>", token)]
    eos = next((token for token in ENDS if token in special), "</s>")
    stops = tuple(token for token in ("<|user|>", "<|observation|>") if token in special and "[gMASK]" in special)
    special = tuple(dict.fromkeys([*special, eos, "<s>"]))
    return tokenizer("byte_level", eos, stops, special, tuple(token for token in found if token not in special))


def check(path):
    """Return counts and differences for one template."""
    transformers.utils.chat_template_utils.datetime = FrozenClock
    text = Path(path).read_text(encoding="utf-8")
    loaded = tokenizer_for(text)
    counts, differences = Counter(), []
    try:
        by_history = preparers(loaded, text)
    except UsageError:
        return Counter({"templates that do not compile": 1}), []
    chat = ChatTemplate(text, loaded.variables, NOW)
    for name in SHAPE_NAMES:
        conversation = DEFAULT.parse(SHAPES[name])
        counts.update(_texts(loaded, chat, conversation, f"{Path(path).name} {name}", differences))
        reference = reference_of(loaded, text, conversation)
        for history, preparer in by_history.items():
            verdict = compare(preparer, history, conversation, reference)
            counts[f"{history}: {verdict.kind} {verdict.code}".strip()] += 1
            if verdict.kind in {"differs", "unknown"}:
                differences.append((verdict.kind, f"{Path(path).name} {name} {history}", verdict.detail))
    return counts, differences


def _texts(loaded, chat, conversation, name, differences):
    """Compare the tracked text with transformers', with and without the generation prompt."""
    for asked in (False, True):
        yield "cells"
        try:
            theirs = loaded.tokenizer.apply_chat_template(
                [dict(message.fields) for message in conversation.messages],
                tools=conversation.tools,
                chat_template=chat.source,
                add_generation_prompt=asked,
                tokenize=False,
            )
        except Exception:  # noqa: BLE001 - a template may raise anything
            theirs = None
        try:
            ours = chat.tracked(conversation, len(conversation.messages), generation_prompt=asked).text
        except RowError as error:
            ours = None if error.code == "template-error" else error
        if theirs is None:
            yield "refused by transformers"
            if ours is not None:
                differences.append(("text", name, "transformers raises, maskprep does not"))
            continue
        yield "rendered by transformers"
        if isinstance(ours, RowError):
            yield f"rendered, origins lost: {ours.code}"
        elif ours == theirs:
            yield "text identical"
        else:
            differences.append(("text", name, f"maskprep: {ours!r}; transformers: {theirs!r}"))


def template_paths(assets):
    """Return the published templates; one in ``MASKPREP_EVERY`` of them, where there is no time for all."""
    return sorted(map(str, (assets / "templates").glob("*.jinja")))[:: int(os.environ.get("MASKPREP_EVERY", "1"))]


def sweep(check, assets, **counted):
    """Run ``check`` on the published templates, print what it counts, and return that and what it found wrong."""
    counts, wrong = Counter(counted), []
    # Fresh processes: a forked one would inherit the threads of a tokenizer.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for more, different in pool.imap(check, template_paths(assets), chunksize=4):
            counts.update(more)
            wrong += different
    print()
    for name, count in sorted(counts.items()):
        print(f"{count:8,}  {name}")
    return counts, wrong
