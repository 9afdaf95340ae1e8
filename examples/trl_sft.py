"""Train with TRL on rows that maskprep makes: a few steps on the CPU, with a tiny model of random weights.

Run: python examples/trl_sft.py [rows.jsonl] [tokenizer]
"""

from __future__ import annotations

import sys
from pathlib import Path

from datasets import Dataset
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM
from trl import SFTConfig, SFTTrainer

import maskprep

SAMPLE = Path(__file__).parents[1] / "sample_data"
CHAT = [
    {"role": "user", "content": "I only have dried porcini. Is that enough?"},
    {"role": "assistant", "content": "More than enough: 20 g of dried porcini flavour a risotto for two."},
]


def trainer_of(data: Dataset, tokenizer_name: str, **arguments: object) -> SFTTrainer:
    """Return a trainer on mapped rows: what matters are the three arguments that leave them be."""
    tokenizer = AutoTokenizer.from_pretrained(tokenizer_name)
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), bos_token_id=None, eos_token_id=None, **small))
    ready = {
        "max_length": None,  # rows are as long as they may be
        "packing": False,
        "dataset_kwargs": {"skip_prepare_dataset": True},  # they are ready
    }
    return SFTTrainer(
        model=model,
        args=SFTConfig(output_dir="checkpoints", report_to="none", **{**ready, **arguments}),
        train_dataset=data,
        processing_class=tokenizer,
    )


def main() -> None:
    """Train for three steps, and print the losses."""
    rows = Dataset.from_json(sys.argv[1]) if len(sys.argv) > 1 else Dataset.from_list([{"messages": CHAT}] * 6)
    tokenizer = sys.argv[2] if len(sys.argv) > 2 else str(SAMPLE / "tokenizer")  # noqa: PLR2004 - two arguments
    small = {"max_steps": 3, "per_device_train_batch_size": 2, "logging_steps": 1, "use_cpu": True, "bf16": False}
    data = maskprep.Masker(tokenizer, history="mask", max_length=1024).map(rows)
    trainer = trainer_of(data, tokenizer, save_strategy="no", disable_tqdm=True, **small)
    trainer.train()
    print("rows", trainer.train_dataset.data_report["rows"])
    print("losses", [round(entry["loss"], 4) for entry in trainer.state.log_history if "loss" in entry])


if __name__ == "__main__":
    main()
