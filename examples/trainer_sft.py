"""Train with transformers' Trainer on a build: some steps on the CPU, with a tiny model of random weights.

Run: maskprep build --config quickstart && python examples/trainer_sft.py out/quickstart
"""

from __future__ import annotations

import sys

from datasets import load_from_disk
from transformers import (
    AutoTokenizer,
    DataCollatorForSeq2Seq,
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
    TrainingArguments,
)


def trainer_of(folder: str, output: str = "checkpoints", **arguments: object) -> Trainer:
    """Return a trainer of a new tiny model on the build in a folder; put your own model in its place."""
    tokenizer = AutoTokenizer.from_pretrained(f"{folder}/tokenizer")
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), bos_token_id=None, eos_token_id=None, **small))
    return Trainer(
        model=model,
        args=TrainingArguments(output_dir=output, report_to="none", **arguments),
        train_dataset=load_from_disk(folder),  # input_ids and labels; the Trainer leaves the other columns out
        data_collator=DataCollatorForSeq2Seq(tokenizer),  # pads labels with -100, by position
    )


def main() -> None:
    """Train for some steps, print the losses, and keep the model."""
    folder = sys.argv[1] if len(sys.argv) > 1 else "out/quickstart"
    steps = {"max_steps": 20, "per_device_train_batch_size": 4, "learning_rate": 1e-2, "logging_steps": 5}
    trainer = trainer_of(folder, use_cpu=True, save_strategy="no", disable_tqdm=True, **steps)
    trainer.train()
    print("losses", [round(entry["loss"], 3) for entry in trainer.state.log_history if "loss" in entry])
    trainer.save_model("tiny-model")
    print("saved: tiny-model")


if __name__ == "__main__":
    main()
