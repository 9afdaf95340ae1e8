"""Markers of a template that a tokenizer spells in pieces: told, with a setting that makes tokens of them."""

from __future__ import annotations

import json
import re

import pytest
from law.comparing import NOW
from law.shapes import assistant, user
from law.templates import ADDED, HEAD, LAWS, SAY, SPECIAL, TAIL, THINK, chatml
from law.tokenizers_here import tokenizer

from maskprep.config import TokenizerChoice
from maskprep.examples import Preparer
from maskprep.examples.markers import markers_told
from maskprep.formats import DEFAULT
from maskprep.labelled import IGNORED
from maskprep.policy import Policy
from maskprep.tokenizer.load import load_tokenizer

ROW = DEFAULT.parse({"messages": [user("Hi"), assistant("Hello.")]})


def told(loaded, template):
    preparer = Preparer(loaded, now=NOW, policy=Policy(), template=template)
    found = [finding.detail for finding in preparer.prepare(ROW).findings if finding.code == "marker-not-token"]
    return found[0] if found else ""


@pytest.fixture
def plain(tmp_path):
    """A tokenizer without the markers of ChatML, in a folder."""
    loaded = tokenizer("byte_level", "</s>", (), ("<s>", "</s>"), ())
    loaded.tokenizer.save_pretrained(tmp_path / "tokenizer")
    return tmp_path / "tokenizer"


def test_markers_in_pieces_are_told_with_the_setting_that_makes_it_right(plain):
    template = LAWS["chatml"].text
    detail = told(load_tokenizer(str(plain)), template)
    key, value = re.search(r"--set '([^=]+)=(\[.*?\])'", detail).groups()
    assert key == "tokenizer.add_special_tokens"
    assert set(json.loads(value)) == {"<|im_start|>", "<|im_end|>"}
    mended = load_tokenizer(TokenizerChoice(name=str(plain), add_special_tokens=json.loads(value)))
    assert told(mended, template) == ""
    preparer = Preparer(mended, now=NOW, policy=Policy(), template=template)
    prepared = preparer.prepare(ROW)
    assert not prepared.findings
    (sequence,) = prepared.sequences
    learnt = sequence.labelled.input_ids[sequence.labelled.labels != IGNORED].tolist()
    assert learnt[-1] == mended.tokenizer.convert_tokens_to_ids("<|im_end|>")


@pytest.mark.parametrize("name", LAWS)
def test_a_tokenizer_that_has_the_markers_raises_no_alarm(name):
    law = LAWS[name]
    loaded = tokenizer("byte_level", law.eos, law.stops)
    markers = {*SPECIAL, *ADDED}
    found = re.findall(r"the template writes (.*), which", _any(loaded, law.text))
    assert not {marker for listed in found for marker in listed.split(", ")} & markers


def _any(loaded, template):
    preparer = Preparer(loaded, now=NOW, policy=Policy(), template=template)
    told = {
        chat.source: markers_told(chat, loaded, preparer.encoder, preparer.stops)
        for chat in preparer.templates.values()
    }
    return "\n".join(finding.detail for found in told.values() for finding in found)


def test_headers_in_pieces_are_no_fault_of_a_template_that_came_with_its_tokenizer():
    template = chatml("<|assistant|>\n" + SAY + "</s>\n", rest="<|user|>\n{{ m.content }}</s>\n", ask="<|assistant|>\n")
    loaded = tokenizer("byte_level", "</s>", (), ("<s>", "</s>"), ())
    assert "<|user|>" in told(loaded, template), "from a file"
    loaded.tokenizer.chat_template = template
    try:
        assert told(loaded, template) == ""
    finally:
        loaded.tokenizer.chat_template = None


def test_an_element_that_a_template_opens_and_closes_is_no_marker():
    loaded = tokenizer("byte_level", "<|im_end|>", (), ("<|im_start|>", "<|im_end|>"), ())
    assert told(loaded, chatml(HEAD + THINK + SAY + TAIL)) == ""
    assert told(loaded, chatml(HEAD + "<think>\n\n</think>\n" + SAY + TAIL)) == ""


def test_words_around_messages_are_no_markers():
    assert (
        told(
            tokenizer("byte_level", "</s>", (), ("</s>",), ()),
            chatml("Bot: " + SAY + "\n", "Bot: ", "You: {{ m.content }}\n"),
        )
        == ""
    )
