"""The picture of the README: one conversation as TRL prepares it by default, and as maskprep does.

    python benchmarks/wrong_mask.py > docs/pages/wrong-mask.svg

Both are real: the labels are those that ``SFTTrainer``'s own collator makes, and those of a build. Trained text is on a
dark ground.
"""

# ruff: noqa: PLC0415 - what is compared is imported where it is

from __future__ import annotations

import sys
import tempfile
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import maskprep

SAMPLE = Path(__file__).parents[1] / "sample_data" / "tokenizer"
CHAT = [
    {"role": "system", "content": "You are a weather service."},
    {"role": "user", "content": "Is it raining in Oslo?"},
    {"role": "assistant", "content": "Yes, a little. Take a coat."},
]
_WIDE, _HIGH, _SIZE = 34, 22, 8.4  # characters a line, pixels a line, pixels a character


def of_trl(tokenizer: Any) -> tuple[list[int], list[int]]:
    """Return ids and labels of the conversation as ``SFTTrainer`` trains it with its defaults."""
    import torch
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=1, **sizes))
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(output_dir=folder, use_cpu=True, report_to="none")
        data = Dataset.from_list([{"messages": CHAT}])
        trainer = SFTTrainer(model, config, train_dataset=data, processing_class=tokenizer)
        batch = next(iter(trainer.get_train_dataloader()))
    return batch["input_ids"][0].tolist(), batch["labels"][0].tolist()


def lines_of(tokenizer: Any, ids: list[int], labels: list[int]) -> list[list[tuple[str, bool]]]:
    """Return the text in lines, each in pieces that are trained or not."""
    told = [(tokenizer.decode([token]), label != -100) for token, label in zip(ids, labels, strict=True)]  # noqa: PLR2004
    characters = [(character, trained) for text, trained in told for character in text]
    lines: list[list[tuple[str, bool]]] = [[]]
    for character, trained in characters:
        if character == "\n":
            lines[-1].append(("↵", trained))
            lines.append([])
        else:
            if len(lines[-1]) >= _WIDE:
                lines.append([])
            lines[-1].append((character, trained))
    whole = ([("".join(one for one, _ in run), key) for key, run in groupby(line, lambda it: it[1])] for line in lines)
    return [line for line in whole if line]


def drawn(title: str, lines: list[list[tuple[str, bool]]], left: int) -> list[str]:
    """Return the elements of one side of the picture."""
    parts = [f'<text x="{left}" y="24" class="t">{escape(title)}</text>']
    for number, line in enumerate(lines):
        at, top = float(left), 40 + number * _HIGH
        for text, trained in line:
            wide = len(text) * _SIZE
            if trained:
                parts.append(f'<rect x="{at:.1f}" y="{top}" width="{wide:.1f}" height="{_HIGH - 3}" fill="#0b5d1e"/>')
            kind = "y" if trained else "n"
            shown = f'<text x="{at:.1f}" y="{top + 15}" class="{kind}" textLength="{wide:.1f}">{escape(text)}</text>'
            parts.append(shown.replace("<text", '<text xml:space="preserve"'))
            at += wide
    return parts


def main() -> None:
    """Write the picture."""
    masker = maskprep.Masker(str(SAMPLE))
    tokenizer = masker.tokenizer
    ids, labels = of_trl(tokenizer)
    own = masker(CHAT)
    sides = [
        ("TRL, its defaults: trains the user's text, too", lines_of(tokenizer, ids, labels)),
        ("maskprep: trains what the model writes", lines_of(tokenizer, own.input_ids.tolist(), own.labels.tolist())),
    ]
    width, high = int(_WIDE * _SIZE) + 60, 60 + max(len(lines) for _, lines in sides) * _HIGH
    style = ".t{font:bold 15px sans-serif}.y{font:14px monospace;fill:#fff}.n{font:14px monospace;fill:#444}"
    parts = [part for number, (title, lines) in enumerate(sides) for part in drawn(title, lines, 20 + number * width)]
    sys.stdout.write(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * width} {high}" role="img" '
        f'aria-label="One conversation, trained text marked: by TRL with its defaults, and by maskprep">'
        f'<style>{style}</style><rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )


if __name__ == "__main__":
    main()
