"""Train the tokenizer of the bundled sample, on the text of the sample itself.

Run it from anywhere: ``python sample_data/train_tokenizer.py``. The same conversations give the same bytes.
The chat template in ``sample_data/tokenizer/`` is written by hand and is left as it is.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
VOCABULARY = 2_500
PAD, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
MARKERS = ["<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
"""Tokens of their own that stay when special tokens are skipped in decoding."""

WORDS = r" ?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+|\s*[\r\n]+|\s+(?!\S)|\s+"
"""Words with the space before them, single digits, punctuation, line ends, other white space."""

CONFIG = {
    "additional_special_tokens": [START],
    "clean_up_tokenization_spaces": False,
    "eos_token": STOP,
    "model_max_length": 8192,
    "pad_token": PAD,
    "tokenizer_class": "PreTrainedTokenizerFast",
}


def strings(value: Any) -> Iterator[str]:
    """Yield every string inside a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from strings(list(value.values()))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def texts(conversations: Path) -> Iterator[str]:
    """Yield what a chat template would write of each row; rows that are broken on purpose are passed over."""
    with conversations.open(encoding="utf-8", newline="\n") as lines:
        for line in lines:
            try:
                row = json.loads(line)
            except json.JSONDecodeError:
                continue
            if not isinstance(row, dict):
                continue
            yield from strings(row["messages"])
            yield from (json.dumps(tool, ensure_ascii=False) for tool in row.get("tools", []))


def train(conversations: Path) -> Tokenizer:
    """Train a byte-level BPE tokenizer."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ],
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - len(MARKERS),
        special_tokens=[PAD, START, STOP],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts(conversations), trainer)
    tokenizer.add_tokens([AddedToken(marker, normalized=False) for marker in MARKERS])
    return tokenizer


def main() -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json``."""
    parser = argparse.ArgumentParser(description="Train the tokenizer of the bundled sample.")
    parser.add_argument("--conversations", type=Path, default=HERE / "conversations.jsonl")
    parser.add_argument("--output", type=Path, default=HERE / "tokenizer")
    options = parser.parse_args()

    options.output.mkdir(parents=True, exist_ok=True)
    config = json.dumps(CONFIG, indent=2) + "\n"
    (options.output / "tokenizer.json").write_text(train(options.conversations).to_str() + "\n", "utf-8", newline="\n")
    (options.output / "tokenizer_config.json").write_text(config, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
