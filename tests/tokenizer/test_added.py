"""Tokens that the configuration adds: what is refused, what the vocabulary becomes, and that it is the same on disk."""

from __future__ import annotations

import json
import shutil

import pytest
from bundled import TOKENIZER

from maskprep.config import TokenizerChoice
from maskprep.errors import UsageError
from maskprep.tokenizer.load import load_tokenizer

SAMPLE = str(TOKENIZER)
TEXT = "Buy<|sid_7|>and zq你, then <|sid_12|><|stop_here|>."


def load(**choice):
    return load_tokenizer(TokenizerChoice(name=SAMPLE, **choice))


@pytest.fixture(scope="module")
def plain():
    return load_tokenizer(SAMPLE)


def ids(loaded, text):
    return loaded.tokenizer(text, add_special_tokens=False)["input_ids"]


def test_added_tokens_are_one_id_each_and_come_back_as_text(plain):
    grown = load(add_tokens=["<|sid_7|>", "<|sid_12|>", "zq你"], add_special_tokens=["<|stop_here|>"])
    size = plain.vocabulary.size
    named = [grown.tokenizer.convert_ids_to_tokens(i) for i in ids(grown, TEXT) if i >= size]
    assert named == ["<|sid_7|>", "zq你", "<|sid_12|>", "<|stop_here|>"]
    assert grown.tokenizer.decode(ids(grown, TEXT)) == TEXT
    assert grown.tokenizer.decode(ids(grown, TEXT), skip_special_tokens=True) == TEXT.replace("<|stop_here|>", "")
    assert set(grown.added_tokens) - set(plain.added_tokens) == {"<|sid_7|>", "<|sid_12|>", "zq你", "<|stop_here|>"}
    assert set(grown.special_tokens) - set(plain.special_tokens) == {"<|stop_here|>"}
    assert ids(grown, "quite ordinary text") == ids(plain, "quite ordinary text")


def test_the_vocabulary_tells_its_sizes(plain):
    grown = load(add_tokens=["<|a1|>", "<|a2|>"], add_special_tokens=["<|s|>"], vocabulary_multiple=128).vocabulary
    assert (grown.size_before, grown.size) == (plain.vocabulary.size, plain.vocabulary.size + 3)
    assert grown.rounded_size % 128 == 0
    assert 0 <= grown.rounded_size - grown.size < 128
    assert (grown.added, grown.added_special) == (2, 1)
    assert load(vocabulary_multiple=1).vocabulary.rounded_size == plain.vocabulary.size


@pytest.mark.parametrize("pad", [None, "<|new_pad|>", "<|sid_7|>", "<|im_end|>"])
def test_what_is_saved_is_what_was_used(pad, tmp_path):
    grown = load(add_tokens=["<|sid_7|>", "zq你"], add_special_tokens=["<|stop_here|>"], pad_token=pad)
    grown.tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(str(tmp_path))
    assert again.digest() == grown.digest()
    assert again.variables == grown.variables
    assert ids(again, TEXT) == ids(grown, TEXT)
    assert again.vocabulary.size == grown.vocabulary.size
    assert set(again.special_tokens) == set(grown.special_tokens)


def test_a_list_that_was_added_before_changes_nothing(tmp_path):
    grown = load(add_tokens=["<|sid_7|>"], add_special_tokens=["<|stop_here|>"])
    grown.tokenizer.save_pretrained(tmp_path)
    choice = TokenizerChoice(name=str(tmp_path), add_tokens=["<|sid_7|>"], add_special_tokens=["<|stop_here|>"])
    again = load_tokenizer(choice)
    assert again.digest() == grown.digest()
    assert (again.vocabulary.added, again.vocabulary.already_there) == (0, 2)


def test_a_file_of_tokens_is_read_line_by_line(tmp_path):
    file = tmp_path / "tokens.txt"
    file.write_bytes("\ufeff<|x\u20281|>\r\n<|y|>\n<|x\u20281|>\n\n".encode())
    grown = load(add_tokens_file=str(file), add_tokens=["<|z|>"])
    assert (grown.vocabulary.added, grown.vocabulary.repeated) == (3, 1)
    assert {"<|x\u20281|>", "<|y|>", "<|z|>"} <= set(grown.added_tokens)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (b"<|a|>\n\n<|b|>\n", ":2: an empty token"),
        (b"<|a|>\n \t\n", ":2: an empty token, or one of white space"),
        (b"<|a|>\n<|b|> \n", ":2: the token '<|b|> ' begins or ends with white space"),
        (b"<|a|>\nx\n", ":2: 'x' stands in the plain vocabulary"),
        (b"<|im_end|>\n", ":1: '<|im_end|>' is there already, as a special token"),
        (b"<|a\0|>\n", ":1: the token"),
        (b"\xff\n", "cannot be read as text in UTF-8"),
    ],
)
def test_a_token_that_cannot_be_added_is_named_with_its_line(lines, told, tmp_path):
    file = tmp_path / "tokens.txt"
    file.write_bytes(lines)
    with pytest.raises(UsageError) as caught:
        load(add_tokens_file=str(file))
    assert told in caught.value.message
    assert str(file) in caught.value.message


def test_other_refusals():
    with pytest.raises(UsageError, match="no file of tokens"):
        load(add_tokens_file="nowhere.txt")
    with pytest.raises(UsageError, match=r"named twice, as special in .*special_tokens\[0\] and .*add_tokens\[1\]"):
        load(add_tokens=["<|b|>", "<|a|>"], add_special_tokens=["<|a|>"])
    with pytest.raises(UsageError, match=r"add_special_tokens\[0\]: '<think>' is there already, as an added token"):
        load(add_special_tokens=["<think>"])
    with pytest.raises(UsageError, match=r"add_tokens\[0\]: the token 'zqü' would be decoded as"):
        load(add_tokens=["zqü"])
    with pytest.raises(UsageError, match=r"add_tokens\[0\]: 'ü' stands in the plain vocabulary"):
        load(add_tokens=["ü"])
    with pytest.raises(UsageError, match="pad_token: 'x' stands in the plain vocabulary"):
        load(pad_token="x")


def test_a_stop_token_may_be_a_new_one():
    choice = TokenizerChoice(name=SAMPLE, add_special_tokens=["<|stop_here|>"])
    assert "<|stop_here|>" in load_tokenizer(choice, ["<|stop_here|>"]).stop_tokens


@pytest.mark.parametrize(
    ("wanted", "origin", "grows"), [(None, "tokenizer", 0), ("<|im_end|>", "configuration", 0), ("<|p|>", "added", 1)]
)
def test_where_the_pad_token_is_from(wanted, origin, grows, plain):
    grown = load(pad_token=wanted)
    assert grown.vocabulary.pad_from == origin
    assert grown.tokenizer.pad_token == (wanted or plain.tokenizer.pad_token)
    assert grown.vocabulary.size == plain.vocabulary.size + grows


def test_a_tokenizer_without_a_pad_token_gets_its_eos_token(tmp_path, plain):
    tokenizer = load_tokenizer(SAMPLE).tokenizer
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path / "bare")
    bare = str(tmp_path / "bare")
    assert load_tokenizer(bare).tokenizer.pad_token is None  # one that is named alone is left as it is
    grown = load_tokenizer(TokenizerChoice(name=bare))
    assert (grown.tokenizer.pad_token, grown.vocabulary.pad_from) == (plain.tokenizer.eos_token, "eos_token")
    tokenizer.eos_token = None
    tokenizer.save_pretrained(bare)
    grown = load_tokenizer(TokenizerChoice(name=bare))
    assert (grown.tokenizer.pad_token, grown.vocabulary.pad_from) == (None, "nowhere")


@pytest.mark.parametrize("eos", ["<|endoftext|>", "<think>", "<|new|>"])
def test_the_eos_token_that_is_chosen_is_saved_and_comes_back(eos, tmp_path, plain):
    assert plain.vocabulary.eos_from == "tokenizer"
    chosen = load(eos_token=eos, add_special_tokens=["<|new|>"])
    assert (chosen.tokenizer.eos_token, chosen.vocabulary.eos_token) == (eos, eos)
    assert chosen.vocabulary.eos_from == "configuration"
    assert chosen.variables["eos_token"] == eos
    assert chosen.stop_tokens == (eos,), "the old one is not where turns end"
    assert chosen.digest() != load(add_special_tokens=["<|new|>"]).digest()
    chosen.tokenizer.save_pretrained(tmp_path)
    again = load_tokenizer(str(tmp_path))
    assert again.tokenizer.eos_token == eos
    assert again.digest() == chosen.digest()
    assert ids(again, f"a {eos} b") == ids(chosen, f"a {eos} b")
    assert set(again.special_tokens) == set(chosen.special_tokens)


def test_an_eos_token_keeps_what_its_file_says_of_it(tmp_path):
    folder = shutil.copytree(SAMPLE, tmp_path / "greedy")
    stored = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    (token,) = [each for each in stored["added_tokens"] if each["content"] == "<|endoftext|>"]
    token["rstrip"] = True
    (folder / "tokenizer.json").write_text(json.dumps(stored), "utf-8")
    plain = load_tokenizer(str(folder))
    chosen = load_tokenizer(TokenizerChoice(name=str(folder), eos_token="<|endoftext|>"))
    text = "a<|endoftext|>  b"
    assert ids(chosen, text) == ids(plain, text) != ids(load_tokenizer(SAMPLE), text)


@pytest.mark.parametrize(
    ("eos", "told", "way"),
    [
        ("<|imend|>", "'<|imend|>' is no token of this tokenizer", "did you mean '<|im_end|>'"),
        ("zzzzzzzz", "'zzzzzzzz' is no token of this tokenizer", "add_special_tokens"),
        ("x", "'x' stands in the plain vocabulary", "ends turns"),
        ("<|im_end|> ", "begins or ends with white space", ""),
    ],
)
def test_an_eos_token_that_cannot_be_one_is_refused_with_a_way_out(eos, told, way):
    with pytest.raises(UsageError) as caught:
        load(eos_token=eos)
    assert "tokenizer.eos_token" in caught.value.message
    assert told in caught.value.message
    assert way in (caught.value.hint or "")


def test_a_tokenizer_without_a_pad_token_pads_with_the_eos_token_that_was_chosen(tmp_path):
    tokenizer = load_tokenizer(SAMPLE).tokenizer
    tokenizer.pad_token = None
    tokenizer.save_pretrained(tmp_path / "bare")
    grown = load_tokenizer(TokenizerChoice(name=str(tmp_path / "bare"), eos_token="<|endoftext|>"))
    assert (grown.tokenizer.pad_token, grown.vocabulary.pad_from) == ("<|endoftext|>", "eos_token")
