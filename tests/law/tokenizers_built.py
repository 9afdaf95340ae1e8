"""Small tokenizers put together from every kind of model, pre-tokeniser and normaliser that published ones have."""

from __future__ import annotations

import tempfile
from functools import cache
from typing import NamedTuple

from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from maskprep.tokenizer.load import load_tokenizer

MARKERS = ("<|im_start|>", "<|im_end|>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LETTERS = "abcdefghijklmnopqrstuvwxyz.,:<|>_"
WORDS = ("hi", "user", "assistant", "im_start", "im_end", "he", "llo")
BREAKS = ("\n", "\n\n", "t\n", "\nh", ">\n")


class Kind(NamedTuple):
    """What a tokenizer is put together from; ``breaks``: whether its vocabulary has line breaks."""

    model: str = "unigram"
    fallback: bool = False
    split: str = ""
    normalizer: str = ""
    added: bool = True
    breaks: bool = False


MODELS = ("bpe", "unigram", "wordpiece")
SPLITS = {
    "": lambda: None,
    "byte_level": lambda: pre_tokenizers.ByteLevel(add_prefix_space=False),
    "byte_level_prefix": lambda: pre_tokenizers.ByteLevel(add_prefix_space=True),
    "always": lambda: pre_tokenizers.Metaspace(prepend_scheme="always"),
    "first": lambda: pre_tokenizers.Metaspace(prepend_scheme="first"),
    "never": lambda: pre_tokenizers.Metaspace(prepend_scheme="never"),
    "always_whole": lambda: pre_tokenizers.Metaspace(prepend_scheme="always", split=False),
    "whitespace": pre_tokenizers.Whitespace,
}
NORMALIZERS = {
    "": lambda: None,
    "nfkc": normalizers.NFKC,
    "nfc": normalizers.NFC,
    "prepend": lambda: normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]),
    "marked": lambda: normalizers.Replace(" ", "▁"),
    "lower": normalizers.Lowercase,
    "strip": normalizers.Strip,
    "blanks": lambda: normalizers.Replace("\n", " "),
    "collapse": lambda: normalizers.Sequence(
        [normalizers.NFKC(), normalizers.Replace("\n", " "), normalizers.Replace(Regex(" {2,}"), " ")]
    ),
}

KINDS = st.builds(
    Kind,
    st.sampled_from(MODELS),
    st.booleans(),
    st.sampled_from(sorted(SPLITS)),
    st.sampled_from(sorted(NORMALIZERS)),
    st.booleans(),
    st.booleans(),
)
"""Any kind of tokenizer."""


def _pieces(kind):
    """Return the vocabulary but for single letters, and what pairs of letters join to them, one after the other."""
    blank, line = ("Ġ", "Ċ") if kind.split.startswith("byte_level") else ("▁", "\n")
    words = [*WORDS, *(blank + word for word in WORDS)]
    words += [piece.replace("\n", line) for piece in BREAKS] if kind.breaks else []
    return blank, line, words


def _bpe(kind):
    blank, line, words = _pieces(kind)
    letters = [*LETTERS, blank, *([line] if kind.breaks else [])]
    if kind.split.startswith("byte_level"):
        letters = [*pre_tokenizers.ByteLevel.alphabet()]
    vocabulary = {"<unk>": 0}
    if kind.fallback:
        vocabulary |= {f"<0x{byte:02X}>": 1 + byte for byte in range(256)}
    for letter in sorted(letters):
        vocabulary.setdefault(letter, len(vocabulary))
    merges = []
    for word in words:
        for end in range(2, len(word) + 1):
            if word[:end] not in vocabulary:
                vocabulary[word[:end]] = len(vocabulary)
                merges.append((word[: end - 1], word[end - 1]))
    return models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=kind.fallback)


def _unigram(kind):
    blank, line, words = _pieces(kind)
    letters = [*pre_tokenizers.ByteLevel.alphabet()] if kind.split.startswith("byte_level") else [*LETTERS, blank]
    scores = {"<unk>": 0.0} | ({f"<0x{byte:02X}>": -9.0 for byte in range(256)} if kind.fallback else {})
    scores |= dict.fromkeys([*letters, *([line] if kind.breaks else [])], -5.0) | dict.fromkeys(words, -6.0)
    return models.Unigram([*scores.items()], 0, kind.fallback)


def _wordpiece(kind):
    _, line, words = _pieces(kind)
    pieces = [*LETTERS, *words, *([line] if kind.breaks else [])]
    both = dict.fromkeys(["<unk>", *pieces, *("##" + piece for piece in pieces)])
    return models.WordPiece({piece: index for index, piece in enumerate(both)}, unk_token="<unk>")


def _decoder(kind):
    if kind.split.startswith("byte_level"):
        return decoders.ByteLevel()
    if kind.model == "wordpiece":
        return decoders.WordPiece(cleanup=False)
    return decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )


@cache
def built(kind):
    """Return a tokenizer of a kind, loaded as maskprep loads it."""
    made = Tokenizer({"bpe": _bpe, "unigram": _unigram, "wordpiece": _wordpiece}[kind.model](kind))
    for name, part in (("normalizer", NORMALIZERS[kind.normalizer]()), ("pre_tokenizer", SPLITS[kind.split]())):
        if part is not None:
            setattr(made, name, part)
    made.decoder = _decoder(kind)
    special = MARKERS if kind.added else ("</s>",)
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=special[-1], unk_token="<unk>")
    with tempfile.TemporaryDirectory() as folder:
        fast.save_pretrained(folder)
        return load_tokenizer(folder, ())
