"""Train on trees in a loop of one's own: every turn in its true context, one row a conversation.

Run: python examples/trees_loop.py [rows.jsonl] [tokenizer]
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM

import maskprep
from maskprep.collate import RawLoader, TreeCollator

SAMPLE = Path(__file__).parents[1] / "sample_data"
CHAT = [
    {"role": "user", "content": "I only have dried porcini. Is that enough?"},
    {"role": "assistant", "content": "More than enough."},
    {"role": "user", "content": "How much for two?"},
    {"role": "assistant", "content": "20 g of them flavour a risotto for two."},
]


def losses(rows: Dataset, tokenizer: str, steps: int) -> list[float]:
    """Return the loss of each step of a new tiny model on trees that are made while it trains."""
    torch.manual_seed(0)
    masker = maskprep.Masker(tokenizer, history="tree", max_length=1024, overflow="drop_turns")
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(masker.tokenizer), **small))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    loader = RawLoader(masker, rows, batch_size=2, collate=TreeCollator(model.config), workers=0, endless=True)
    found = []
    for _, batch in zip(range(steps), loader, strict=False):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        found.append(loss.item())
    return found


def main() -> None:
    """Train for some steps, and print the losses."""
    rows = Dataset.from_json(sys.argv[1]) if len(sys.argv) > 1 else Dataset.from_list([{"messages": CHAT}] * 6)
    tokenizer = sys.argv[2] if len(sys.argv) > 2 else str(SAMPLE / "tokenizer")  # noqa: PLR2004 - two arguments
    print("losses", [round(loss, 3) for loss in losses(rows, tokenizer, 10)])


if __name__ == "__main__":
    main()
