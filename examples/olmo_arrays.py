"""Write rows as arrays for OLMo-core, and let its packed data set read them.

Run: python examples/olmo_arrays.py OUT [rows.jsonl] [tokenizer]
"""

from __future__ import annotations

import sys
from pathlib import Path

from datasets import Dataset
from olmo_core.data import NumpyPackedFSLDatasetConfig, TokenizerConfig

import maskprep
from maskprep.integrations.olmo import write

SAMPLE = Path(__file__).parents[1] / "sample_data"
CHAT = [
    {"role": "user", "content": "I only have dried porcini. Is that enough?"},
    {"role": "assistant", "content": "More than enough: 20 g of dried porcini flavour a risotto for two."},
]


def packed(data: Dataset, tokenizer: object, folder: str, length: int = 1024) -> NumpyPackedFSLDatasetConfig:
    """Write mapped rows into a folder, and return what makes the data set of them."""
    words = len(tokenizer)
    arrays = write(data, folder, words)
    return NumpyPackedFSLDatasetConfig(
        paths=list(arrays.paths),
        label_mask_paths=list(arrays.label_mask_paths),
        dtype=arrays.dtype,
        tokenizer=TokenizerConfig(
            vocab_size=words, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id
        ),
        sequence_length=length,
        generate_doc_lengths=True,  # keeps rows apart
        use_array_if_local=False,  # the bounds of rows are beside them; eos ends turns, not rows
        work_dir=f"{folder}-work",
    )


def main() -> None:
    """Write the rows, and tell of the first packed one."""
    rows = Dataset.from_json(sys.argv[2]) if len(sys.argv) > 2 else Dataset.from_list([{"messages": CHAT}] * 6)  # noqa: PLR2004
    masker = maskprep.Masker(sys.argv[3] if len(sys.argv) > 3 else str(SAMPLE / "tokenizer"), history="mask")  # noqa: PLR2004
    data = packed(masker.map(rows), masker.tokenizer, sys.argv[1]).build()
    data.prepare()
    first = data[0]
    print(f"{len(data)} packed rows; the first has {int(first['label_mask'].sum())} trained tokens")


if __name__ == "__main__":
    main()
