"""What trainers' own data preparation makes of conversations, judged: the tables of ``docs/pages/judged.md``.

    python benchmarks/judged.py TOKENIZERS DATA WORK > docs/pages/judged.md

TOKENIZERS is a folder of tokenizers, one folder each, DATA one of ``*.jsonl.gz``. Every tool gets the same messages:
those that maskprep reads of a row, as JSON. A tool that is not installed is left out, and the page says so.
"""

# ruff: noqa: PLC0415 - each contender imports what it needs, and that may not be there

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.metadata import version
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

from maskprep.config import load
from maskprep.errors import MaskprepError, RowError
from maskprep.examples.inputs import look_at
from maskprep.formats import parse
from maskprep.judge.command import judge
from maskprep.judge.faults import MEANINGS, Kind
from maskprep.judge.report import JudgeReport
from maskprep.progress import Progress
from maskprep.sources.feed import Feed

TEMPLATES = ("qwen2_5", "qwen3", "llama3_1", "gemma3", "gptoss")
DATA = ("kdconv_zh", "tau_airline", "reason_tool_use")
ROWS = 10
KINDS = (Kind.CONTEXT, Kind.HEADER, Kind.OTHERS, Kind.STOP, Kind.UNTRAINED, Kind.REASONING, Kind.IDS, Kind.OPENING)
Row = dict[str, Any]


class RefusedError(Exception):
    """A tool that cannot prepare the rows, with what it says."""


def read_messages(path: Path) -> list[Row]:
    """Return the first rows of a file as messages and tools."""
    feed = Feed(load(None, {"tokenizer": "none", "sources": [str(path)]}))
    rows = []
    for line in islice(feed.lines(), ROWS):
        try:
            conversation = parse(line)
        except RowError:
            continue
        row: Row = {"messages": [dict(message.fields) for message in conversation.messages]}
        rows.append({**row, **({"tools": conversation.tools} if conversation.tools else {})})
    return rows


def accepted(tokenizer: Any, rows: list[Row]) -> list[Row]:
    """Return the rows that the template renders: a tool would end with an error at the first of the others."""

    def renders(row: Row) -> bool:
        try:
            tokenizer.apply_chat_template(row["messages"], tools=row.get("tools"), tokenize=False)
        except Exception:  # noqa: BLE001 - a template is a program, and raises what it likes
            return False
        return True

    return [row for row in rows if renders(row)]


def trl_prepared(tokenizer: Any, rows: list[Row], folder: Path, *, masked: bool) -> Any:
    """Return the rows as ``SFTTrainer`` prepares them, nothing trained."""
    import torch
    from datasets import Dataset
    from transformers import LlamaConfig, LlamaForCausalLM
    from trl import SFTConfig, SFTTrainer

    torch.manual_seed(0)
    sizes = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1}
    model = LlamaForCausalLM(LlamaConfig(vocab_size=len(tokenizer), num_key_value_heads=1, **sizes))
    config = SFTConfig(
        output_dir=str(folder / "run"), max_length=None, assistant_only_loss=masked, use_cpu=True, report_to="none"
    )
    data = Dataset.from_list(rows, on_mixed_types="use_json")
    try:
        return SFTTrainer(model, config, train_dataset=data, processing_class=tokenizer).train_dataset
    except Exception as error:  # whatever it raises is what its user sees
        raise RefusedError(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error


def trl_masked(tokenizer: Any, rows: list[Row], folder: Path) -> Any:
    """Return what TRL makes with ``assistant_only_loss=True``."""
    return trl_prepared(tokenizer, rows, folder, masked=True)


def trl_default(tokenizer: Any, rows: list[Row], folder: Path) -> Any:
    """Return what TRL makes by default."""
    return trl_prepared(tokenizer, rows, folder, masked=False)


def trl_completions(tokenizer: Any, rows: list[Row], folder: Path) -> Any:
    """Return what TRL makes of rows that are divided into a prompt and a completion: the last turn."""
    halves = []
    for row in rows:
        messages = row["messages"]
        last = max(place for place, message in enumerate(messages) if message["role"] == "assistant")
        tools = {"tools": row["tools"]} if "tools" in row else {}
        halves.append({"prompt": messages[:last], "completion": [messages[last]], **tools})
    return trl_prepared(tokenizer, halves, folder, masked=False)


def axolotl(tokenizer: Any, rows: list[Row], folder: Path) -> Any:
    """Return what Axolotl's ``type: chat_template`` makes, with the tokenizer's own template and its defaults."""
    del folder
    from axolotl.prompt_strategies.chat_template import load as load_strategy
    from axolotl.utils.dict import DictDefault
    from datasets import Dataset

    logging.disable(logging.WARNING)
    cfg = DictDefault({"train_on_inputs": False, "sequence_len": 10**6, "chat_template": "tokenizer_default"})
    try:
        strategy = load_strategy(tokenizer, cfg, {"type": "chat_template", "chat_template": "tokenizer_default"})
        made = [strategy.tokenize_prompt(row) for row in rows]
    except Exception as error:  # as above
        raise RefusedError(f"{type(error).__name__}: {str(error).strip().splitlines()[0]}") from error
    return Dataset.from_list([{name: row[name] for name in ("input_ids", "attention_mask", "labels")} for row in made])


TOOLS: dict[str, tuple[str, Callable[[Any, list[Row], Path], Any]]] = {
    "TRL, `assistant_only_loss=True`": ("trl", trl_masked),
    "TRL, by default": ("trl", trl_default),
    "TRL, rows of `prompt` and `completion` (the last turn)": ("trl", trl_completions),
    "Axolotl, `type: chat_template`": ("axolotl", axolotl),
}


@dataclass
class Table:
    """The rows of one tool's table, and what is to be said of them."""

    lines: list[str] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)

    def note(self, said: str, where: str) -> None:
        """Say something of one line."""
        self.notes.setdefault(said, []).append(where)


def main(tokenizers: Path, data: Path, work: Path) -> Iterator[str]:
    """Yield the lines of the page."""
    there = {title: tool for title, tool in TOOLS.items() if find_spec(tool[0])}
    tables = {title: Table() for title in there}
    for template in TEMPLATES:
        prepare_all(tokenizers / template, data, work, tables)
    yield from HEAD
    for title, (package, _) in TOOLS.items():
        yield ""
        if title not in there:
            yield from (f"## {title}", "", f"Left out: {package} is not installed where this page was made.")
            continue
        yield from (f"## {title} ({package} {version(package)})", "")
        yield f"| template | data | rows | trained | wrong | {' | '.join(KINDS)} |"
        yield f"|---|---|{'--:|' * (3 + len(KINDS))}"
        yield from tables[title].lines
        yield ""
        yield from (f"- {', '.join(where)}: {note}" for note, where in tables[title].notes.items())


HEAD = [
    "# What other tools make of conversations",
    "",
    f"Made by `benchmarks/judged.py`: up to {ROWS} rows of each data set, as `maskprep judge` reports them.",
    "Figures behind `wrong` are tokens per 1,000 trained ones:",
    "",
    "| column | what is wrong | what is counted |",
    "|---|---|---|",
    *(f"| {kind} | {MEANINGS[kind].title} | {MEANINGS[kind].counted} |" for kind in KINDS),
    "",
    "`rows` are those that the template renders and the tool was given; `wrong` are documents with any fault.",
    "With `assistant_only_loss`, TRL renders with a template of its own where the tokenizer's lacks",
    "`{% generation %}` and it knows one for it, and refuses the others. `header` counts the line break behind the",
    "stop token, too, which no model writes.",
]


def prepare_all(folder: Path, data: Path, work: Path, tables: dict[str, Table]) -> None:
    """Let each tool prepare all data with one template, and judge what it makes."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    for name in DATA:
        rows = accepted(tokenizer, read_messages(data / f"{name}.jsonl.gz"))
        where, place = f"{folder.name} × {name}", work / f"{folder.name}-{name}"
        place.mkdir(parents=True, exist_ok=True)
        source = place / "rows.jsonl"
        source.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
        inputs = look_at(load(None, {"tokenizer": str(folder), "sources": [str(source)]})) if rows else None
        for title, table in tables.items():
            print(title, where, file=sys.stderr, flush=True)
            cells = f"| {folder.name} | {name} | {len(rows)} |"
            try:
                report = judged(inputs, tokenizer, rows, place, TOOLS[title][1])
            except (RefusedError, MaskprepError) as error:
                table.note(str(error), where)
                table.lines.append(f"{cells} refused | |{' |' * len(KINDS)}")
                continue
            table.lines.append(f"{cells} {figures(report)}")
            for kind, found in report.faults.items():
                if kind not in KINDS:
                    table.note(f"{MEANINGS[kind].title}: {found.tokens:,} tokens", where)
            for why, count in report.why_alone.items():
                table.note(f"judged by ids and mask alone, as {why}", f"{where} ({count})")


def judged(inputs: Any, tokenizer: Any, rows: list[Row], place: Path, prepare: Callable[..., Any]) -> JudgeReport:
    """Return the report of what a tool made of some rows."""
    if not rows:
        raise RefusedError("the template renders none of the rows")
    prepared = str(place / prepare.__name__)
    prepare(tokenizer, rows, place).save_to_disk(prepared)
    return judge(prepared, inputs, Progress(), source=True, rows=None, examples=0)


def figures(report: JudgeReport) -> str:
    """Return the figures of a report as cells."""
    rates = (report.per_thousand(kind) for kind in KINDS)
    shown = " | ".join(f"{rate:,.1f}" if rate else "" for rate in rates)
    return f"{report.trained:,} | {report.faulty} of {report.documents} | {shown} |"


if __name__ == "__main__":
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    for said in main(*map(Path, sys.argv[1:4])):
        print(said, flush=True)
