"""Tokenizers trained in the test process, on text of our own."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from law.templates import ADDED, SPECIAL
from maskprep.tokenizer.load import load_tokenizer

TEXT = [
    "Question number one: how do cats and lions differ? In answer one: cats are small, lions are not.\n\n",
    "What is the capital of Norway? Oslo, of course. And of Sweden? Stockholm.\nassistant\nuser\nsystem\ntool\n",
    'Weather in Oslo? {"name": "get_weather", "arguments": {"city": "Oslo", "days": 3}}\n{"temperature": 7}\n\n\n',
    "### User:\nHello\n\n### Assistant:\nHello\n\nQ:A:\nA:B\nA: you are welcome; thanks a lot, any time.\n",
    "Café naïve cafe\u0301 \u0301 你好，世界 東京 \U0001f469\u200d\U0001f4bb  two  blanks   three\t\ttabs \n \n",
]


def _byte_level(normalizer=None, *, trim):
    tokenizer = Tokenizer(models.BPE())
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    # Line breaks may join what stands before them, so that tokens cross the borders of headers.
    split = pre_tokenizers.Split(Regex(r" ?\p{L}+| ?\p{N}{1,3}| ?[^\s\p{L}\p{N}]+\n*|\s+(?!\S)|\s+"), "isolated")
    byte_level = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=trim)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([split, byte_level])
    tokenizer.decoder = decoders.ByteLevel()
    if trim:
        from tokenizers import processors

        tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.train_from_iterator(
        TEXT,
        trainers.BpeTrainer(
            vocab_size=700, min_frequency=1, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        ),
    )
    return tokenizer


def _sentencepiece_like():
    """As Llama 2's: blanks become a letter, one is put in front, and unknown characters fall back to bytes."""
    trained = Tokenizer(models.BPE())
    trained.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    trained.train_from_iterator(
        [line for text in TEXT for line in text.replace("東京", "").replace("\t", "").split("\n")],
        trainers.BpeTrainer(vocab_size=600, min_frequency=1, max_token_length=12, show_progress=False),
    )
    import json

    state = json.loads(trained.to_str())
    vocabulary = {"<unk>": 0, **{f"<0x{byte:02X}>": 1 + byte for byte in range(256)}}
    for piece in state["model"]["vocab"]:
        vocabulary.setdefault(piece, len(vocabulary))
    merges = [tuple(pair) for pair in state["model"]["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.normalizer = trained.normalizer
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    return tokenizer


_KINDS = {
    "byte_level": lambda: _byte_level(trim=True),
    "nfc": lambda: _byte_level(normalizers.NFC(), trim=False),
    "sentencepiece": _sentencepiece_like,
}


@cache
def trained(kind):
    return _KINDS[kind]().to_str()


@cache
def tokenizer(kind="byte_level", eos="<|im_end|>", stops=(), special=SPECIAL, added=ADDED):
    """Return a tokenizer, loaded as maskprep loads it, that ends turns with ``eos`` or any of ``stops``."""
    made = Tokenizer.from_str(trained(kind))
    made.add_special_tokens([AddedToken(token, special=True, normalized=False) for token in special])
    made.add_tokens([AddedToken(token, special=False, normalized=False) for token in added])
    bos = next((token for token in ("<s>", "<bos>") if token in special), None)
    fast = PreTrainedTokenizerFast(tokenizer_object=made, eos_token=eos, bos_token=bos)
    with tempfile.TemporaryDirectory() as folder:
        fast.save_pretrained(Path(folder) / "tokenizer")
        return load_tokenizer(str(Path(folder) / "tokenizer"), stops)
