"""What holds for every conversation, whatever it says."""

from __future__ import annotations

from functools import cache

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from law.comparing import NOW, compare, preparers, reference_of
from law.reference import CLOSE, CLOSE_BLANK, IGNORED, OPEN, OPEN_BLANK
from law.templates import ADDED, LAWS, SPECIAL
from law.tokenizers_here import tokenizer
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import History, Policy

MARKED = {OPEN, CLOSE, OPEN_BLANK, CLOSE_BLANK}
PIECES = (
    *(
        *SPECIAL,
        *ADDED,
        "assistant\n",
        "user",
        "\n",
        "\n\n",
        " ",
        "  ",
        "\t",
        "Oslo",
        "A:",
        "### User:",
        "é",
        "e\u0301",
        "\u0301",
    ),
    *("\U0001f469\u200d\U0001f4bb", "你好", "{", '"', "\\", "}", "0", "12", "<", "|", ">", "thanks", "."),
)
texts = st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | st.text(
    st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="".join(MARKED)), max_size=12
)
ASSISTANTS = st.fixed_dictionaries({"role": st.just("assistant"), "content": texts})
OTHERS = st.fixed_dictionaries({"role": st.sampled_from(["user", "system", "tool"]), "content": texts})
THOUGHTFUL = st.fixed_dictionaries({"role": st.just("assistant"), "content": texts, "reasoning_content": texts})
CALLING = st.builds(
    lambda content, name, arguments: {
        "role": "assistant",
        "content": content,
        "tool_calls": [{"id": "call00001", "type": "function", "function": {"name": name, "arguments": arguments}}],
    },
    texts,
    st.sampled_from(["get_weather", "say"]),
    st.dictionaries(
        st.sampled_from(["city", "days", "<|im_end|>"]), texts | st.integers(-99, 999) | st.none(), max_size=2
    ),
)
ROWS = st.lists(ASSISTANTS | OTHERS | THOUGHTFUL | CALLING, min_size=2, max_size=6).map(
    lambda messages: {"messages": messages}
)
LOOKS_BACK_ONLY = ("chatml", "chatml_calls", "header_goes_on", "plain_markers_eos", "stop_only", "macros", "ascii_json")


@cache
def preparer(name, history="split", kind="byte_level"):
    law = LAWS[name]
    loaded = tokenizer(kind, law.eos, law.stops)
    return Preparer(loaded, now=NOW, policy=Policy(history=History(history)), template=law.text)


def used(row, name, history="split", kind="byte_level"):
    try:
        return preparer(name, history, kind).prepare(DEFAULT.parse(row)).sequences
    except RowError:
        return ()


@given(
    ROWS,
    st.sampled_from(sorted(LAWS)),
    st.sampled_from(["split", "mask", "rendered"]),
    st.sampled_from(["byte_level", "nfc"]),
)
def test_labels_are_the_id_or_ignored_and_spans_tile(row, name, history, kind):
    roles = [message["role"] for message in row["messages"]]
    for one in used(row, name, history, kind):
        ids, labels, spans = one.labelled.input_ids, one.labelled.labels, one.labelled.spans
        assert ids.shape == labels.shape
        assert labels[0] == IGNORED
        assert np.all((labels == ids) | (labels == IGNORED))
        assert [span.start for span in spans] + [len(ids)] == [0] + [span.end for span in spans]
        assert all(span.start < span.end for span in spans)
        for span in spans:
            assert span.trained == bool((labels[span.start : span.end] != IGNORED).all())
            assert span.trained or (labels[span.start : span.end] == IGNORED).all()
            assert span.role == (roles[span.message] if span.message >= 0 else "template")


@given(ROWS, st.sampled_from(sorted(LAWS)), st.sampled_from(["split", "mask", "rendered"]))
def test_only_what_the_assistant_says_is_trained(row, name, history):
    for one in used(row, name, history):
        for span in one.labelled.spans:
            assert span.role == "assistant" or not span.trained


@given(st.data())
def test_the_law_holds_for_any_text(data):
    name = data.draw(
        st.sampled_from(["chatml_calls", "drops_old_thoughts", "other_end_last", "plain_markers_eos", "next_role_ends"])
    )
    row = data.draw(ROWS)
    history = data.draw(st.sampled_from(["split", "mask"]))
    kind = data.draw(st.sampled_from(["byte_level", "nfc", "sentencepiece"]))
    law = LAWS[name]
    loaded = tokenizer(kind, law.eos, law.stops)
    conversation = DEFAULT.parse(row)
    verdict = compare(
        preparers(loaded, law.text)[history], history, conversation, reference_of(loaded, law.text, conversation)
    )
    assert verdict.kind in {"equal", "rejected", "unknown"}, verdict.detail


@given(st.lists(ASSISTANTS | OTHERS, min_size=2, max_size=5), ASSISTANTS | OTHERS, st.sampled_from(LOOKS_BACK_ONLY))
def test_appending_a_message_changes_no_earlier_label(messages, another, name):
    before = used({"messages": messages}, name)
    after = used({"messages": [*messages, another]}, name)
    if not before or not after or any(one.sequence.borders for one in (*before, *after)):
        return
    assert len(before) == len(after) == 1
    short, long = before[0].labelled, after[0].labelled
    # The last token may be longer once there is more text.
    same = len(short.input_ids) - 1
    assert np.array_equal(long.input_ids[:same], short.input_ids[:same])
    assert np.array_equal(long.labels[:same], short.labels[:same])


@given(
    texts, texts, st.sampled_from(["chatml_calls", "system_in_first_user", "plain_markers_eos", "generation_markers"])
)
def test_what_the_others_spell_is_never_trained(asked, told, name):
    row = {
        "messages": [
            {"role": "system", "content": told},
            {"role": "user", "content": asked},
            {"role": "assistant", "content": "Quite so."},
            {"role": "user", "content": told},
            {"role": "assistant", "content": "Indeed."},
        ],
    }
    for one in used(row, name):
        labels = one.labelled.labels.tolist()
        spoken = preparer(name).loaded.tokenizer.decode([label for label in labels if label != IGNORED])
        assert spoken.replace("</s>", "").replace("<|im_end|>", "").replace(" ", "") in {
            "Quiteso.Indeed.",
            "Quiteso.",
            "Indeed.",
        }
