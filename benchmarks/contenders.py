"""What is compared by ``preparation.py``: each contender runs in a process of its own.

    python benchmarks/contenders.py CONTENDER ROWS.jsonl TOKENIZER FOLDER

It prints one JSON object: seconds of the clock and of the CPU from the first row to the last one written, tokens,
and the peak of its memory. Loading the tokenizer and compiling the template are not counted for anybody.
"""

# ruff: noqa: PLC0415 - each contender imports what it needs, and that may not be there

from __future__ import annotations

import io
import json
import logging
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_BATCH = 1_000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
_DONE: dict[str, float] = {}


@contextmanager
def measured() -> Iterator[None]:
    """Measure the time of a block."""
    wall, cpu = time.perf_counter(), time.process_time()
    yield
    _DONE.update(seconds=time.perf_counter() - wall, cpu=time.process_time() - cpu)


def maskprep(rows: Path, tokenizer: str, folder: Path, history: str) -> int:
    """Prepare the rows and write the shards, as a worker of a build does."""
    from maskprep.build.ledgers import Ledgers
    from maskprep.build.row_writer import Choice, RowWriter
    from maskprep.conversation import Where
    from maskprep.dataset.files import ShardWriter
    from maskprep.examples import Preparer
    from maskprep.formats import Line
    from maskprep.light_imports import spare_collector, spare_pandas
    from maskprep.policy import BackendChoice, History, Policy
    from maskprep.tokenizer.backend import choose_backend
    from maskprep.tokenizer.load import load_tokenizer

    loaded = load_tokenizer(tokenizer)
    backend = choose_backend(loaded.tokenizer, BackendChoice.AUTO)
    preparer = Preparer(loaded, now=NOW, policy=Policy(history=History(history)), backend=backend)
    backend.load()  # before the clock starts
    shards = ShardWriter(folder, 256_000_000)
    writer = RowWriter(preparer, Choice(), {"": shards}, Ledgers(io.StringIO(), io.StringIO(), io.StringIO()))
    spare_collector()
    spare_pandas()
    with measured(), rows.open("rb") as file:
        lines = (Line(Where(str(rows), number, 0), data.rstrip(b"\n")) for number, data in enumerate(file, 1))
        for made in preparer.prepared(lines):
            writer.write(made)
        shards.close()
    return writer.tallies.whole.tokens


def build(rows: Path, tokenizer: str, folder: Path, workers: str) -> int:
    """Run ``maskprep build``, less the time that it takes for a single row, for which fastokens is not loaded."""
    one = folder / "one.jsonl"
    one.write_bytes(rows.read_bytes().split(b"\n")[0] + b"\n")

    def run(source: Path, output: str, backend: str) -> tuple[float, int]:
        words = ["build", str(source), "--tokenizer", tokenizer, "--output", str(folder / output), "--json"]
        words += ["--history", "rendered", "--set", f"tokenizer.backend={backend}", "--workers", workers]
        began = time.perf_counter()
        done = subprocess.run([sys.executable, "-m", "maskprep", *words], capture_output=True, check=True)  # noqa: S603 - our own
        return time.perf_counter() - began, json.loads(done.stdout)["totals"]["tokens"]

    start_up = run(one, "first", "transformers")[0]
    seconds, tokens = run(rows, "all", "fastokens")
    _DONE.update(seconds=seconds - start_up, cpu=0.0, start_up=start_up)
    return tokens


def floor(rows: Path, tokenizer: str, folder: Path) -> int:
    """Read the JSON, render once, encode once, write two columns: what cannot be left out."""
    import numpy as np
    import pyarrow as pa
    from fastokens import Tokenizer
    from transformers import AutoTokenizer
    from transformers.utils.chat_template_utils import _compile_jinja_template

    loads: Callable[[bytes], Any] = json.loads
    if find_spec("orjson") is not None:
        import orjson

        loads = orjson.loads
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    fast = Tokenizer.from_json_str(loaded.backend_tokenizer.to_str())
    template = _compile_jinja_template(loaded.chat_template)
    special = loaded.special_tokens_map
    schema = pa.schema([(name, pa.list_(pa.int32())) for name in ("input_ids", "labels")])
    tokens = 0
    with measured(), rows.open("rb") as lines, pa.ipc.new_stream(folder / "floor.arrow", schema) as stream:
        while batch := [line for line, _ in zip(lines, range(_BATCH), strict=False)]:
            texts = []
            for line in batch:
                row = loads(line)
                tools = row.get("tools")
                tools = loads(tools) if tools else None
                texts.append(template.render(messages=row["messages"], tools=tools, **special))
            flat, offsets = fast.encode_batch_flat(texts)
            ids = np.frombuffer(flat, np.uint32).view(np.int32)
            column = pa.ListArray.from_arrays(np.frombuffer(offsets, np.uint64).astype(np.int32), pa.array(ids))
            stream.write_batch(pa.record_batch([column, column], schema=schema))
            tokens += len(ids)
    return tokens


def template(rows: Path, tokenizer: str, _folder: Path) -> int:
    """Call ``apply_chat_template`` for each row: no mask, nothing written."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    tokens = 0
    with measured(), rows.open("rb") as lines:
        for line in lines:
            row = json.loads(line)
            tools = json.loads(row["tools"]) if row.get("tools") else None
            ids = loaded.apply_chat_template(row["messages"], tools=tools, tokenize=True, return_dict=False)
            tokens += len(ids)
    return tokens


def trl(rows: Path, tokenizer: str, folder: Path) -> int:
    """Run what SFTTrainer does to a data set with ``assistant_only_loss``, without cutting anything off."""
    from types import SimpleNamespace

    from datasets import Dataset
    from transformers import AutoTokenizer
    from trl import SFTConfig, SFTTrainer
    from trl.chat_template_utils import get_training_chat_template

    loaded = AutoTokenizer.from_pretrained(tokenizer)
    given = Dataset.from_json(str(rows), cache_dir=str(folder))
    config = SFTConfig(str(folder), assistant_only_loss=True, max_length=None, use_cpu=True, report_to=[], bf16=False)
    trainer = SimpleNamespace(
        _tokenizer=loaded, chat_template=get_training_chat_template(loaded), completion_only_loss=False
    )
    with measured():
        made = SFTTrainer._prepare_dataset(trainer, given, loaded, config, False, None, "train")  # noqa: FBT003, SLF001
    return sum(map(len, made["input_ids"]))


def axolotl(rows: Path, tokenizer: str, folder: Path) -> int:
    """Run Axolotl's strategy ``chat_template`` over a data set, as it does before packing."""
    from axolotl.datasets import TokenizedPromptDataset
    from axolotl.prompt_strategies.chat_template import load
    from axolotl.utils.dict import DictDefault
    from datasets import Dataset
    from transformers import AutoTokenizer

    logging.disable(logging.WARNING)
    loaded = AutoTokenizer.from_pretrained(tokenizer)
    given = Dataset.from_json(str(rows), cache_dir=str(folder))
    chosen = {"chat_template": "tokenizer_default", "roles_to_train": ["assistant"], "train_on_eos": "turn"}
    strategy = load(loaded, DictDefault({**chosen, "sequence_len": 1_000_000, "train_on_inputs": False}), chosen)
    with measured():
        made = TokenizedPromptDataset(strategy, given)  # in this process
    return sum(map(len, made["input_ids"]))


CONTENDERS: dict[str, tuple[str, Callable[..., int], tuple[str, ...], str]] = {
    "maskprep": ("maskprep, rendered", maskprep, ("rendered",), ""),
    "maskprep-mask": ("maskprep, mask", maskprep, ("mask",), ""),
    "maskprep-split": ("maskprep, split", maskprep, ("split",), ""),
    "build-1": ("maskprep build --workers 1", build, ("1",), ""),
    "build-2": ("maskprep build --workers 2", build, ("2",), ""),
    "floor": ("floor", floor, (), "fastokens"),
    "template": ("apply_chat_template, no mask", template, (), ""),
    "trl": ("TRL, assistant_only_loss", trl, (), "trl"),
    "axolotl": ("Axolotl, chat_template", axolotl, (), "axolotl"),
}
"""By name: a title, what to run, what it is given beside the rows, and the package that it needs."""


def main() -> None:
    """Run one contender."""
    name, rows, tokenizer, folder = sys.argv[1:]
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _, run, given, _ = CONTENDERS[name]
    out, sys.stdout = sys.stdout, sys.stderr
    tokens = run(Path(rows), tokenizer, Path(folder), *given)
    who = resource.RUSAGE_CHILDREN if run is build else resource.RUSAGE_SELF
    peak = resource.getrusage(who).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
    print(json.dumps({**_DONE, "tokens": tokens, "peak_mb": peak}), file=out)


if __name__ == "__main__":
    main()
