"""Texts divided at isolated tokens: the parts, encoded alone, give the ids of the whole, for all tokenizers."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law.tokenizers_here import trained
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from maskprep.tokenizer.backend import TransformersBackend
from maskprep.tokenizer.encode import Encoder
from maskprep.tokenizer.known_ids import KnownIds
from maskprep.tokenizer.split_points import SplitPoints

PLAIN = {"normalized": False, "special": False}
SPECIAL = {"normalized": False, "special": True}
TOKENS = {
    "chat": [AddedToken(text, **SPECIAL) for text in ("<s>", "<|user|>", "<|end|>")],
    "longer": [AddedToken(text, **PLAIN) for text in ("<a", "<ab", "#")],
    "overlapping": [AddedToken(text, **PLAIN) for text in ("<a", "<ab", "b<", "<|end|>", "end|", "ab")],
    "greedy": [
        AddedToken("<l>", lstrip=True, **SPECIAL),
        AddedToken("<r>", rstrip=True, **SPECIAL),
        AddedToken("<|end|>", **SPECIAL),
        AddedToken("#", **PLAIN),
    ],
    "normalized": [
        AddedToken("<n>", normalized=True, special=False),
        AddedToken("<|end|>", **SPECIAL),
        AddedToken("#", normalized=True, special=True),
    ],
    "words": [AddedToken("<w>", single_word=True, **PLAIN), AddedToken("<|end|>", **SPECIAL)],
}
NORMALIZERS = {
    "": None,
    "nfkc": normalizers.NFKC(),
    "lower": normalizers.Sequence([normalizers.Lowercase(), normalizers.Strip()]),
    "prepend": normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
}
SPLITS = {
    "": None,
    "first": pre_tokenizers.Metaspace(prepend_scheme="first", split=False),
    "always": pre_tokenizers.Metaspace(prepend_scheme="always", split=True),
    "prefix": pre_tokenizers.ByteLevel(add_prefix_space=True),
}
KINDS = [
    *((kind, "", "", tokens) for kind in ("byte_level", "nfc", "sentencepiece") for tokens in TOKENS),
    *(("byte_level", "nfkc", "", tokens) for tokens in TOKENS),
    *(("byte_level", "lower", "prefix", tokens) for tokens in TOKENS),
    *(("sentencepiece", "prepend", "", tokens) for tokens in TOKENS),
    *(("metaspace", "", split, tokens) for split in ("first", "always") for tokens in TOKENS),
]


@cache
def tokenizer(kind, normalizer, split, tokens):
    made = Tokenizer.from_str(trained("sentencepiece" if kind == "metaspace" else kind))
    if kind == "metaspace":
        made.normalizer = normalizers.Sequence([])
    if normalizer:
        made.normalizer = NORMALIZERS[normalizer]
    if split:
        made.pre_tokenizer = SPLITS[split]
    for token in TOKENS[tokens]:
        (made.add_special_tokens if token.special else made.add_tokens)([token])
    return PreTrainedTokenizerFast(tokenizer_object=made)


WORDS = [*(token.content for tokens in TOKENS.values() for token in tokens), "<", "|>", "<|", "＜n＞", "＃", "a", "b"]
texts = st.lists(
    st.one_of(
        st.sampled_from(
            [*WORDS, *WORDS, " ", "  ", "\n", "\n\n", "the", " cat", "é", "e\u0301", "世界", "\u2581", "A"]
        ),
        st.text(st.sampled_from("<|>abend# \n"), max_size=6),
    ),
    max_size=14,
).map("".join)


def whole(made, text):
    return made(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: "-".join(filter(None, kind)))
@given(text=texts, data=st.data())
def test_segments_and_contexts_have_the_ids_of_the_whole(kind, text, data):
    made = tokenizer(*kind)
    parts = SplitPoints.of(made).divide(text)
    assert "".join(parts) == text
    assert [token for part in parts for token in whole(made, part)] == whole(made, text)

    starts = data.draw(st.lists(st.integers(0, len(text)), max_size=5))
    encoder = Encoder(made)
    ids = encoder.ids(text)
    assert ids.tolist() == whole(made, text)
    for start, context in encoder.contexts(text, starts).items():
        right = whole(made, text[:start])
        assert [*ids[: context.shared], *context.rest] == right
        assert context.begins(ids) == (ids[: len(right)].tolist() == right)
        # A text that goes on otherwise behind the context begins alike.
        other = encoder.ids(text[:start] + data.draw(texts))
        assert context.begins(other) == (other[: len(right)].tolist() == right)


def isolated(made, text="<s><|user|><|end|><a<ab b<<l><r>#<n><w>"):
    return {text[start:end] for start, end in SplitPoints.of(made).bounds(text)}


def test_which_tokens_are_solid():
    assert isolated(tokenizer("byte_level", "", "", "chat")) == {"<s>", "<|user|>", "<|end|>"}
    assert isolated(tokenizer("byte_level", "", "", "longer")) == {"<ab", "#"}
    assert isolated(tokenizer("byte_level", "", "", "greedy")) == {"<|end|>", "#"}
    assert isolated(tokenizer("byte_level", "", "", "normalized")) == {"<|end|>"}
    assert isolated(tokenizer("byte_level", "", "", "overlapping")) == set(), "`b<` may reach into each of them"
    assert isolated(tokenizer("byte_level", "", "", "words")) == set(), "a single word looks at its neighbours"
    made = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(trained("nfc")), split_special_tokens=True)
    made.add_special_tokens({"additional_special_tokens": ["<|end|>"]})
    assert isolated(made) == set(), "it finds no special token"


def test_a_prompt_is_encoded_from_its_last_solid_token_on():
    made = tokenizer("byte_level", "", "", "chat")
    asked = []

    class Spy:
        name, note = "spy", ""

        def encode(self, texts):
            asked.extend(texts)
            return [np.asarray(whole(made, text), np.int64) for text in texts]

    encoder = Encoder(made, Spy())
    text = "<s>" + "<|user|>the cat\n<|end|>" * 50
    starts = [index for index in range(len(text)) if text.startswith("the cat", index)]
    contexts = encoder.contexts(text, starts)
    assert asked == [text, "<|user|>"]
    assert [len(contexts[start]) for start in starts] == [len(whole(made, text[:start])) for start in starts]


def test_what_repeats_is_encoded_once_by_a_slow_backend():
    made = tokenizer("byte_level", "", "", "chat")
    backend, asked = TransformersBackend(made), []
    encoder, encode = Encoder(made, backend), backend._encode
    backend._known = KnownIds(lambda texts: asked.extend(texts) or encode(texts))
    prompt = "<|user|>the cat sat on the mat<|end|>"
    for answer in ("yes", "no", "yes"):
        assert encoder.ids(prompt + answer).tolist() == whole(made, prompt + answer)
    assert asked == ["<|user|>the cat sat on the mat", "<|end|>yes", "<|end|>no"]


def test_a_token_that_a_normaliser_spells_leads_to_whole_prompts():
    made = tokenizer("byte_level", "nfkc", "", "chat")
    text = "<s>1@2＠3"
    at = AddedToken("@", normalized=False)
    with_at = PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(made.backend_tokenizer.to_str()))
    with_at.add_tokens([at])
    segments, ids = SplitPoints.of(with_at), np.asarray(whole(with_at, text), np.int64)
    bounds = segments.bounds(text)
    assert [text[start:end] for start, end in bounds] == ["<s>", "@"]
    assert segments.positions(text, bounds, ids) is None, "one id is of the token, the other of what became its letter"
    context = Encoder(with_at).contexts(text, [7])[7]
    assert (context.shared, context.rest.tolist()) == (0, whole(with_at, text[:7]))


def test_ids_that_no_vocabulary_has_spell_nothing_and_take_no_memory():
    made = tokenizer("byte_level", "", "", "chat")
    end = made.convert_tokens_to_ids("<|end|>")
    assert Encoder(made).spell([end, 2**31 - 1, -1, 2**60, end]) == [b"<|end|>", b"", b"", b"", b"<|end|>"]
