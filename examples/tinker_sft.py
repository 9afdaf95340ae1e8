"""Train with tinker's cookbook on rows that maskprep makes; without an API key, look at the first datum.

Run: python examples/tinker_sft.py [rows.jsonl] [tokenizer]
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from maskprep.integrations.tinker import MaskedDatasetBuilder

SAMPLE = Path(__file__).parents[1] / "sample_data"


def main() -> None:
    """Build the data set, and train where there is a key."""
    given = [*sys.argv[1:], *([str(SAMPLE / "conversations.jsonl"), str(SAMPLE / "tokenizer")][len(sys.argv) - 1 :])]
    builder = MaskedDatasetBuilder(
        tokenizer=given[1],
        files=[given[0]],
        batch_size=4,
        settings={"history": "split", "max_expansion": 10, "max_rejects": 0.2, "max_length": 1024},
    )
    data, _ = builder()
    datum = data.get_batch(0)[0]
    weights = datum.loss_fn_inputs["weights"].to_numpy()
    print(f"{len(data)} batches; the first datum has {datum.model_input.length} tokens, {int(weights.sum())} trained")
    if "TINKER_API_KEY" in os.environ:
        import asyncio  # noqa: PLC0415 - looking does without

        from tinker_cookbook.supervised import train  # noqa: PLC0415

        config = train.Config(
            log_path="tinker-log", model_name=given[1], dataset_builder=builder, learning_rate=1e-4, num_epochs=1
        )
        asyncio.run(train.main(config))


if __name__ == "__main__":
    main()
