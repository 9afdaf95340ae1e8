"""Where tokens stand: spans in bytes, proved by what the tokens spell, or else by the tokenizer's offsets."""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from maskprep.errors import RowError
from maskprep.tokenizer.encode import Encoded, Encoder

TEXT = ["the cat sat on the mat. the café is naïve, 世界 is wide\n\n", "user\nassistant\n\tthe end \U0001f600\n"] * 8
SPECIAL = ["<s>", "</s>"]
MARK = AddedToken("<mark>", normalized=False, special=False)
WIDE = AddedToken("<wide>", lstrip=True, rstrip=True, normalized=False, special=True)


@cache
def byte_level(normalizer: str = "") -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    if normalizer:
        tokenizer.normalizer = getattr(normalizers, normalizer)()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=320, initial_alphabet=alphabet, special_tokens=SPECIAL, show_progress=False
    )
    tokenizer.train_from_iterator(TEXT, trainer)
    tokenizer.add_tokens([MARK, WIDE])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


@cache
def metaspace(scheme: str) -> PreTrainedTokenizerFast:
    """As SentencePiece's: blanks are a letter, one is put in front, unknown characters fall back to their bytes."""
    trained = Tokenizer(models.BPE())
    blanks = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    trained.pre_tokenizer = blanks
    alphabet = sorted({char for text in TEXT for char in text} - set(" 世界\n") | {"\u2581"})
    trainer = trainers.BpeTrainer(
        vocab_size=120,
        special_tokens=SPECIAL,
        initial_alphabet=alphabet,
        limit_alphabet=len(alphabet),
        show_progress=False,
    )
    trained.train_from_iterator(TEXT, trainer)
    model = json.loads(trained.to_str())["model"]
    vocabulary = model["vocab"] | {f"<0x{byte:02X}>": len(model["vocab"]) + byte for byte in range(256)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [tuple(pair) for pair in model["merges"]], byte_fallback=True))
    tokenizer.pre_tokenizer = blanks
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("\u2581", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(SPECIAL)
    tokenizer.add_tokens([MARK])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="</s>")


def pieces(encoded: Encoded, text: str) -> list[bytes]:
    """Return the bytes of the text that each token covers."""
    raw = text.encode()
    return [raw[start:end] for start, end in zip(encoded.starts.tolist(), encoded.ends.tolist(), strict=True)]


def assert_tiles(encoded: Encoded, text: str) -> None:
    size = len(text.encode())
    assert len(encoded.ids) == len(encoded.starts) == len(encoded.ends)
    assert encoded.starts[0] == 0
    assert encoded.ends[-1] == size
    assert encoded.starts[1:].tolist() == encoded.ends[:-1].tolist()


TEXTS = [
    "the cat",
    " the cat ",
    "\n\nuser\n\tthe",
    "café naïve 世界 \U0001f600\U0001f468\u200d\U0001f469",
    "<s>user\nthe</s><mark>cat<mark></s>",
    "\r\n\x7f\x80\u2028",
    "\u2581the \u2581",
    "Ġthe Ċ",
    "<0x41>",
    "x" * 500,
]


@pytest.mark.parametrize("text", TEXTS)
def test_byte_level_spans_are_exact(text):
    tokenizer = byte_level()
    encoded = Encoder(tokenizer).encode(text)
    assert encoded.ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert_tiles(encoded, text)
    for token, piece in zip(encoded.ids.tolist(), pieces(encoded, text), strict=True):
        spelt = tokenizer.decode([token])
        assert spelt == piece.decode(errors="replace")


@given(st.text(st.sampled_from("the cat\n\té世\U0001f600\u0301<s>/markGĊ"), max_size=40))
def test_byte_level_spans_are_those_of_the_offsets(text):
    tokenizer = byte_level()
    encoded = Encoder(tokenizer).encode(text)
    offsets = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    place = [len(text[:index].encode()) for index in range(len(text) + 1)]
    for start, end, (first, last) in zip(encoded.starts.tolist(), encoded.ends.tolist(), offsets, strict=True):
        # The tokenizer's are in characters: a token inside a character covers the whole of it there.
        assert place[first] <= start < end <= place[last]
    if text:
        assert_tiles(encoded, text)


def test_a_character_split_over_tokens():
    text = "a\U0001f608b"
    encoded = Encoder(byte_level()).encode(text)
    assert len(encoded.ids) > 3
    assert b"".join(pieces(encoded, text)) == text.encode()
    inner = [piece for piece in pieces(encoded, text) if piece not in {b"a", b"b"}]
    assert len(inner) > 1
    assert all(0 < len(piece) < 4 for piece in inner)


def test_no_text_is_no_token():
    for tokenizer in (byte_level(), metaspace("always"), byte_level("NFC")):
        encoded = Encoder(tokenizer).encode("")
        assert [len(encoded.ids), len(encoded.starts), len(encoded.ends)] == [0, 0, 0]


def test_special_tokens_are_not_added():
    """The chat template writes those that belong: a tokenizer that adds its own would write them twice."""
    backend = Tokenizer.from_str(byte_level().backend_tokenizer.to_str())
    start = backend.token_to_id("<s>")
    backend.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", start)])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=backend)
    assert tokenizer("the")["input_ids"][0] == start
    encoder = Encoder(tokenizer)
    assert start not in encoder.ids("the").tolist()
    assert encoder.ids("<s>the").tolist() == [start, *encoder.ids("the").tolist()]
    assert_tiles(encoder.encode("<s>the"), "<s>the")


@pytest.mark.parametrize("scheme", ["always", "first", "never"])
@pytest.mark.parametrize("text", [text for text in TEXTS if "\u2581" not in text])
def test_a_blank_put_in_front_belongs_to_no_byte_of_the_text(scheme, text):
    tokenizer = metaspace(scheme)
    encoded = Encoder(tokenizer).encode(text)
    assert encoded.ids.tolist() == tokenizer(text, add_special_tokens=False)["input_ids"]
    assert encoded.ends[-1] == len(text.encode())
    assert (np.diff(encoded.ends) >= 0).all()
    assert (encoded.starts <= encoded.ends).all()
    assert (encoded.starts[1:] <= encoded.ends[:-1]).all()  # no gap
    if (
        scheme == "always" and "</s>" in text
    ):  # a blank behind each special token, which shares the first letter's place
        return
    assert b"".join(pieces(encoded, text)) == text.encode()


def test_the_first_word_begins_at_the_first_byte_though_its_token_has_a_blank():
    tokenizer = metaspace("first")
    encoded = Encoder(tokenizer).encode("the cat")
    assert tokenizer.convert_ids_to_tokens(encoded.ids[0].item()).startswith("\u2581")
    assert encoded.starts[0] == 0
    first = tokenizer.convert_ids_to_tokens(encoded.ids[0].item())
    assert pieces(encoded, "the cat")[0].decode() == first[1:].replace("\u2581", " ")


@pytest.mark.parametrize("scheme", ["always", "first"])
def test_the_rest_of_a_text_gets_no_blank_in_front(scheme):
    tokenizer = metaspace(scheme)
    encoder = Encoder(tokenizer)
    assert tokenizer.convert_ids_to_tokens(encoder.ids("the").tolist())[0].startswith("\u2581")
    rest = encoder.encode_rest("the cat")
    assert not tokenizer.convert_ids_to_tokens(rest.ids.tolist())[0].startswith("\u2581")
    assert_tiles(rest, "the cat")
    assert b"".join(pieces(rest, "the cat")) == b"the cat"
    blank = encoder.encode_rest(" the")
    assert tokenizer.convert_ids_to_tokens(blank.ids.tolist())[0].startswith("\u2581")
    assert b"".join(pieces(blank, " the")) == b" the"


@pytest.mark.parametrize("make", [byte_level, lambda: metaspace("first"), lambda: byte_level("NFC")])
@pytest.mark.parametrize("rest", ["the cat", "\nthe", " é", "<mark>the", "世\n"])
def test_two_pieces_are_one_text(make, rest):
    encoder = Encoder(make())
    before = "user\nthe "
    both = encoder.encode(before).then(encoder.encode_rest(rest), len(before.encode()))
    assert both.ids[: len(encoder.ids(before))].tolist() == encoder.ids(before).tolist()
    assert b"".join(pieces(both, before + rest)) == (before + rest).encode()
    assert_tiles(both, before + rest)


def joins_line_breaks() -> PreTrainedTokenizerFast:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    trained.train_from_iterator(["the\n\n\u2581cat"] * 9, trainers.BpeTrainer(vocab_size=40, show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=trained)


def test_where_line_breaks_join_another_lead_keeps_the_blank_away():
    encoder = Encoder(joins_line_breaks())
    assert len(encoder.ids("\n\n")) < len(encoder.ids("\n")) + 1
    rest = encoder.encode_rest("\nthe")
    assert_tiles(rest, "\nthe")
    assert b"".join(encoder.spell(rest.ids.tolist())) == b"\nthe"


def test_a_rest_that_cannot_be_had_without_the_blank_is_refused():
    """A blank is put in front of every character: there is no text behind which none is."""
    made = joins_line_breaks().backend_tokenizer
    every = pre_tokenizers.Split(Regex("."), "isolated")
    made.pre_tokenizer = pre_tokenizers.Sequence([every, pre_tokenizers.Metaspace(prepend_scheme="always")])
    encoder = Encoder(PreTrainedTokenizerFast(tokenizer_object=made))
    with pytest.raises(RowError) as caught:
        encoder.encode_rest("the")
    assert caught.value.code == "no-alignment"
    assert caught.value.hint


def test_text_that_a_normaliser_changes_is_placed_by_offsets():
    tokenizer = byte_level("NFC")
    text = "cafe\u0301 the cafe\u0301"
    encoded = Encoder(tokenizer).encode(text)
    assert encoded.ids.tolist() == tokenizer("café the café", add_special_tokens=False)["input_ids"]
    assert encoded.starts[0] == 0
    assert (np.diff(encoded.ends) >= 0).all()
    assert (encoded.starts[1:] <= encoded.ends[:-1]).all()  # no gap
    # Whatever holds a part of the é covers at least the letter that it is made from.
    letters = [text.encode().index(b"e\xcc"), text.encode().rindex(b"e\xcc")]
    accented = [i for i, piece in enumerate(Encoder(tokenizer).spell(encoded.ids.tolist())) if max(piece) > 127]
    assert len(accented) >= 2
    for index in accented:
        assert any(encoded.starts[index] <= letter < encoded.ends[index] for letter in letters)


def test_text_that_the_normaliser_leaves_alone_is_placed_by_spelling():
    text = "café 世界 \U0001f600"
    normal, plain = Encoder(byte_level("NFC")).encode(text), Encoder(byte_level()).encode(text)
    assert [normal.ids.tolist(), normal.starts.tolist(), normal.ends.tolist()] == [
        plain.ids.tolist(),
        plain.starts.tolist(),
        plain.ends.tolist(),
    ]


def test_lower_case_letters_are_placed_by_offsets():
    text = "The CAT İs"
    encoded = Encoder(byte_level("Lowercase")).encode(text)
    assert encoded.starts[0] == 0
    assert encoded.ends[-1] == len(text.encode())
    assert b"".join(pieces(encoded, "The CAT ")[:1])[:1] == b"T"


def test_an_added_token_that_swallows_blanks_covers_only_itself():
    tokenizer = byte_level()
    text = "the  <wide>\n cat"
    encoded = Encoder(tokenizer).encode(text)
    index = encoded.ids.tolist().index(tokenizer.convert_tokens_to_ids("<wide>"))
    assert pieces(encoded, text)[index] == b"<wide>"


def test_a_tokenizer_that_changes_text_and_has_no_offsets_is_refused():
    def encode(text, **_):
        return {"input_ids": [0] * len(text.split())}

    class Slow(SimpleNamespace):
        __call__ = staticmethod(encode)

    slow = Slow(is_fast=False, added_tokens_decoder={}, convert_ids_to_tokens=lambda _: "word")
    encoder = Encoder(slow)
    assert encoder.encode("word").ends.tolist() == [4]
    with pytest.raises(RowError) as caught:
        encoder.encode("another")
    assert caught.value.code == "no-alignment"


def test_asking_twice_gives_the_same():
    encoder = Encoder(byte_level())
    one = encoder.encode("the cat")
    assert encoder.encode("the cat").ids.tolist() == one.ids.tolist()
    assert encoder.ids("the cat").tolist() == one.ids.tolist()
