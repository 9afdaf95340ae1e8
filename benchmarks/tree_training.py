"""Training on trees against training on ``split``: trained tokens a second, and the most memory.

    python benchmarks/tree_training.py SPLIT TREE [--device cuda] [--length 16384] [--tokens 2000000]

SPLIT and TREE are builds of the same rows, with ``history: split`` and ``history: tree``, unpacked. Both are packed
while they train, into rows of one length, and a model of random weights takes steps on them: on a GPU one of 0.6
billion weights in bf16, with flash attention (where it is installed, or else sdpa) for SPLIT and flex attention for
TREE; on the CPU a tiny one, with sdpa for both, because flex attention has no gradient there. Each way runs in a
process of its own. The first step, which compiles, is not counted.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from importlib.util import find_spec
from typing import Any

import torch
from transformers import Qwen3Config, Qwen3ForCausalLM

from maskprep.collate import PackedCollator, PackedLoader, TreeCollator
from maskprep.collate.stored import StoredDocuments
from maskprep.labelled import IGNORED

SIZES = {
    "cuda": {"hidden_size": 1024, "intermediate_size": 3072, "num_hidden_layers": 28, "num_attention_heads": 16},
    "cpu": {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4},
}
VOCABULARY = {"cuda": 151_936, "cpu": 1_000}
"""Ids are folded into it: weights are random, and on the CPU most of the time would go into the head otherwise."""


def model_of(device: str, attention: str, length: int) -> Any:
    """Return a model of random weights."""
    size = {**SIZES[device], "vocab_size": VOCABULARY[device], "max_position_embeddings": max(length, 4096)}
    heads = {"num_key_value_heads": size["num_attention_heads"] // 2, "head_dim": 128 if device == "cuda" else 32}
    torch.manual_seed(0)
    model = Qwen3ForCausalLM(Qwen3Config(**size, **heads, attn_implementation=attention))
    return model.to(device, torch.bfloat16 if device == "cuda" else torch.float32).train()


def attention_of(device: str, way: str) -> str:
    """Return the attention that a way of training takes."""
    if device == "cpu":
        return "sdpa"
    if way == "tree":
        return "flex_attention"
    return "flash_attention_2" if find_spec("flash_attn") else "sdpa"


def to_device(value: Any, device: str) -> Any:
    """Return what a batch holds on a device."""
    return value.to(device) if hasattr(value, "to") else value


def measure(folder: str, way: str, device: str, length: int, most: int) -> dict[str, Any]:
    """Return what training on a folder took."""
    attention = attention_of(device, way)
    model = model_of(device, attention, length)
    if way == "tree":
        collate: Any = TreeCollator(model.config, length=length)
    else:
        collate = PackedCollator() if attention == "flash_attention_2" else PackedCollator("sdpa", length=length)
    loader = PackedLoader(folder, length=length, collate=collate, workers=1, look_ahead=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    steps = tokens = trained = 0
    start = time.perf_counter()
    for batch in loader:
        batch["input_ids"] %= VOCABULARY[device]
        batch["labels"][batch["labels"] >= 0] %= VOCABULARY[device]
        count = int((batch["labels"] != IGNORED).sum())
        batch = {name: to_device(value, device) for name, value in batch.items()}  # noqa: PLW2901 - the same, moved
        model(**batch).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if device == "cuda":
            torch.cuda.synchronize()
        if steps == 0:
            start = time.perf_counter()
        else:
            tokens, trained = tokens + length, trained + count
        steps += 1
        if tokens >= most:
            break
    seconds = time.perf_counter() - start
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = {"way": way, "attention": attention, "steps": steps - 1, "seconds": seconds, "tokens a second": tokens}
    found |= {"trained tokens a second": trained, "trained": trained}
    for name in ("tokens a second", "trained tokens a second"):
        found[name] = round(found[name] / seconds) if seconds else None
    return {**found, "seconds": round(seconds, 1), "peak MiB": round(peak / (2**20 if device == "cuda" else 2**10))}


def main() -> None:
    """Measure both ways and print a line of JSON for each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split")
    parser.add_argument("tree")
    parser.add_argument("--device", choices=list(SIZES), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--length", type=int, help="tokens a row; the longest document of both unless given")
    parser.add_argument("--tokens", type=int, default=2_000_000, help="so many at most are trained on, each way")
    parser.add_argument("--way", choices=["split", "tree"], help="measure this one, in this process")
    given = parser.parse_args()
    folders = {"split": given.split, "tree": given.tree}
    if given.way:
        print(json.dumps(measure(folders[given.way], given.way, given.device, given.length, given.tokens)))
        return
    sizes = {way: StoredDocuments([folder]).lengths for way, folder in folders.items()}
    length = given.length or -(-max(int(lengths.max()) for lengths in sizes.values()) // 128) * 128
    print(json.dumps({"length": length, **{f"{way} tokens": int(lengths.sum()) for way, lengths in sizes.items()}}))
    for way in folders:
        more = ["--way", way, "--length", length, "--device", given.device, "--tokens", given.tokens]
        subprocess.run([sys.executable, __file__, given.split, given.tree, *map(str, more)], check=True)  # noqa: S603 - this very program


if __name__ == "__main__":
    main()
