"""A tokenizer read from its files says what transformers says of it, or nothing."""

from __future__ import annotations

import copy
import json
import os
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from bundled import TOKENIZER
from hypothesis import given
from hypothesis import strategies as st
from law.tokenizers_built import KINDS, Kind, built
from law.tokenizers_here import tokenizer
from tokenizers import AddedToken

from maskprep.inspect.tokens import LoadedTokens
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.load import load_tokenizer
from maskprep.tokenizer.saved import PLAIN, SavedTokenizer

PIECES = ["hi", "he", "a", ".", "A", " ", "  ", "\n", "\n\n", "é", "世", "e\u0301", "\u0301", "ﬁ", "▁", "<|im_start|>"]
PIECES += ["<|im_end|>", "<think>", "assistant\n", "user"]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join)


@cache
def both(loaded):
    """Return a tokenizer as its files, saved, tell it, and as transformers does that loads these files."""
    with tempfile.TemporaryDirectory() as folder:
        loaded.tokenizer.save_pretrained(folder)
        again = load_tokenizer(folder)
        return SavedTokenizer.read(Path(folder)), LoadedTokens(again, Encoder(again.tokenizer)), again


class Same:
    """A tokenizer by what it is, for the cache."""

    def __init__(self, loaded):
        self.tokenizer = loaded.tokenizer


built_once = cache(lambda kind: Same(built(kind)))
here_once = cache(lambda kind: Same(tokenizer(kind)))


def spells_alike(saved, loaded, again):
    ids = range(max(again.tokenizer.get_vocab().values()) + 3)
    assert saved.spelling.of(np.asarray([*ids])) == loaded.spell(ids)
    assert saved.special == loaded.special


@pytest.mark.parametrize("kind", ["byte_level", "nfc", "sentencepiece"])
def test_all_ids_spell_the_same_and_the_same_are_special(kind):
    spells_alike(*both(here_once(kind)))


def test_so_they_do_in_the_bundled_one():
    spells_alike(*both(Same(load_tokenizer(str(TOKENIZER)))))


@given(KINDS, texts)
def test_no_token_stands_where_one_surely_begins(kind, text):
    saved, loaded, _ = both(built_once(kind))
    if saved is None:
        assert kind.model != "bpe"
        return
    for place in range(len(text.encode()) + 1):
        if saved.surely_begin(text, [place]):
            assert not loaded.within(text, [place])


@given(st.sampled_from(["byte_level", "nfc"]), texts)
def test_nor_does_it_in_trained_ones(kind, text):
    saved, loaded, _ = both(here_once(kind))
    for place in range(len(text.encode()) + 1):
        if saved.surely_begin(text, [place]):
            assert not loaded.within(text, [place])


def test_borders_of_turns_are_mostly_certain():
    saved, _, _ = both(here_once("byte_level"))
    text = "<|im_start|>user\nHello there<|im_end|>\n<|im_start|>assistant\nHello!<|im_end|>\n"
    border, end = text.index("Hello!"), text.rindex("<|im_end|>")
    assert saved.surely_begin(text, [0, border, end, len(text)])
    assert not saved.surely_begin(text, [border + 1]), "within a word"
    assert not saved.surely_begin(text, [end + 1]), "within an added token"


def test_so_they_are_where_no_piece_holds_the_two_characters_around():
    saved, loaded, _ = both(built_once(Kind("bpe", fallback=True, normalizer="marked")))
    text = "<|im_start|>assistant\nhi there"
    border, within = text.index("\nhi") + 1, text.index("i there")
    assert saved.surely_begin(text, [0, border])
    assert not saved.surely_begin(text, [within])
    assert loaded.within(text, [border, within]) == {within}


def test_added_tokens_that_begin_others_are_found_where_the_tokenizer_finds_them(tmp_path):
    made = built_once(Kind("bpe", fallback=True, normalizer="marked")).tokenizer
    made = copy.deepcopy(made)
    made.add_tokens([AddedToken("\n", normalized=False), AddedToken("\n\n", normalized=False)])
    made.save_pretrained(tmp_path)
    saved, loaded = SavedTokenizer.read(tmp_path), LoadedTokens.load(str(tmp_path))
    text = "a\n\nhi\nhi"
    certain = [place for place in range(len(text)) if saved.surely_begin(text, [place])]
    assert certain == [0, 1, 3, 5, 6]
    assert not loaded.within(text, certain)
    assert loaded.within(text, [2]) == {2}


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("tokenizer_config.json", '"TokenizersBackend"', '"RobertaTokenizer"'),
        ("tokenizer.json", '"merges": [', '"merges" : ['),
        ("tokenizer.json", '{\n  "version"', '\n  "version"'),
    ],
)
def test_files_that_are_otherwise_are_left_to_transformers(file, before, after, tmp_path):
    tokenizer("byte_level").tokenizer.save_pretrained(tmp_path)
    assert SavedTokenizer.read(tmp_path) is not None
    whole = (tmp_path / file).read_text(encoding="utf-8")
    assert before in whole
    (tmp_path / file).write_text(whole.replace(before, after), encoding="utf-8")
    assert SavedTokenizer.read(tmp_path) is None


def test_control_tokens_that_are_encoded_as_text_leave_nothing_certain(tmp_path):
    tokenizer("byte_level").tokenizer.save_pretrained(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_bytes()), "split_special_tokens": True}), encoding="utf-8")
    saved = SavedTokenizer.read(tmp_path)
    assert saved is not None
    assert not saved.surely_begin("a<|im_end|>b", [1])


def test_classes_that_are_taken_at_their_files_word_do_nothing_else():
    import transformers

    base = transformers.TokenizersBackend
    for name in PLAIN:
        kind = getattr(transformers, name)
        assert issubclass(kind, base), name
        for method in ("_encode_plus", "__call__", "convert_ids_to_tokens", "convert_tokens_to_ids", "get_vocab"):
            assert getattr(kind, method) is getattr(base, method), (name, method)
        assert kind.added_tokens_decoder is base.added_tokens_decoder, name


@pytest.mark.assets
@pytest.mark.parametrize("name", ["qwen3", "gptoss", "llama3_1", "qwen2_5", "gemma3", "deepseek_v3"])
def test_published_tokenizers_spell_alike(name):
    folder = Path(os.environ["MASKPREP_ASSETS"], "tokenizers", name)
    spells_alike(*both(Same(load_tokenizer(str(folder)))))
