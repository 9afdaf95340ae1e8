"""What is bundled with the package: where the checkout lies, its tokenizer and its conversations."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[1]
SAMPLE = ROOT / "sample_data"
TOKENIZER = SAMPLE / "tokenizer"
CONVERSATIONS = SAMPLE / "conversations.jsonl"
