"""The card of a data set on the Hub, made of a build's manifest: what is in it, what it was made by, how to load it.

All text that the build took from elsewhere (names of files, of a tokenizer, settings) is quoted as code, so that none
of it is markup.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

_MANY = (1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000)
_SIZES = ("n<1K", "1K<n<10K", "10K<n<100K", "100K<n<1M", "1M<n<10M", "10M<n<100M", "100M<n<1B", "n>1B")
_MEANING = (
    "Conversations as token ids with proved loss masks: `labels` is the id of each token that the model itself has to "
    "generate, and -100 elsewhere."
)
_SHOWN = 20  # settings and sources


def card_of(manifest: Mapping[str, Any], repo: str) -> str:
    """Return the card of a build as Markdown with a head of YAML; its license is left to whoever publishes it."""
    totals, config = manifest["totals"], manifest["config"]
    splits = sorted({str(shard["file"]).rpartition("/")[0] for shard in manifest["shards"]})
    head = [
        "---",
        "# license: say which, before you make this data set public",
        "task_categories:",
        "- text-generation",
        "tags:",
        "- maskprep",
        "- tokenized",
        "size_categories:",
        f"- {_size(int(totals['sequences']))}",
        "configs:",
        "- config_name: default",
        "  data_files:",
        *(
            line
            for split in splits
            for line in (f"  - split: {split or 'train'}", f"    path: {split + '/' if split else ''}data-*")
        ),
        "---",
    ]
    return "\n".join([*head, "", *_body(manifest, config, totals, repo), ""])


def _body(manifest: Mapping[str, Any], config: Mapping[str, Any], totals: Mapping[str, Any], repo: str) -> list[str]:
    share = totals["trained_tokens"] / totals["tokens"] if totals["tokens"] else 0.0
    return [
        f"# {repo.rpartition('/')[2]}",
        "",
        _MEANING,
        "",
        "| | |",
        "|---|---|",
        f"| rows used | {totals['rows_used']:,} |",
        f"| rows rejected, dropped | {totals['rows_rejected']:,}, {totals['rows_dropped']:,} |",
        f"| sequences | {totals['sequences']:,}, the longest {totals['longest_sequence']:,} tokens |",
        f"| tokens | {totals['tokens']:,} |",
        f"| trained | {totals['trained_tokens']:,} ({share:.1%}) |",
        f"| tokenizer and chat template | {_code(_public(config['tokenizer']['name']))}, as in `tokenizer/` |",
        f"| history | {_code(config['history'] or 'split')} |",
        f"| made for | {_code(config['profile'])} |",
        f"| maskprep | {_code(manifest['versions'].get('maskprep', ''))} |",
        "",
        "## Load it",
        "",
        "```python",
        "from huggingface_hub import snapshot_download",
        "from datasets import load_from_disk",
        "",
        f'data = load_from_disk(snapshot_download({json.dumps(repo)}, repo_type="dataset"))',
        "```",
        "",
        "## By role and part",
        "",
        "| role | part | tokens | trained |",
        "|---|---|---|---|",
        *(
            f"| {_code(each['role'])} | {_code(each['part'])} | {each['tokens']:,} | {each['trained_tokens']:,} |"
            for each in totals["by_role_and_part"]
        ),
        "",
        "## Settings that were chosen",
        "",
        *(_listed(_chosen(config)) or ["none"]),
        "",
        "## Sources",
        "",
        *_listed([each["source"].rpartition("/")[2] for each in manifest["sources"]]),
    ]


def _chosen(config: Mapping[str, Any]) -> list[str]:
    """Return the settings that are not as they are by default; where things lie is nobody's business."""
    from maskprep.config import Config  # noqa: PLC0415 - pydantic takes a while to import

    usual = Config(sources=("x",), tokenizer={"name": "x"}).described()  # type: ignore[arg-type]
    left_out = {"sources", "tokenizer", "output", "chat_template"}
    changed = {key: value for key, value in config.items() if key not in left_out and value != usual.get(key)}
    return [f"{key}: {json.dumps(value)}" for key, value in changed.items()]


def _public(name: str) -> str:
    """Return the name of a tokenizer; of a folder on this machine, its last part alone."""
    return name if name.count("/") == 1 and not name.startswith((".", "/")) else name.rstrip("/").rpartition("/")[2]


def _listed(texts: list[str]) -> list[str]:
    more = [f"- and {len(texts) - _SHOWN:,} more"] if len(texts) > _SHOWN else []
    return [*(f"- {_code(text)}" for text in texts[:_SHOWN]), *more]


def _size(rows: int) -> str:
    return _SIZES[sum(rows >= limit for limit in _MANY)]


def _code(text: Any) -> str:
    """Return text as code in Markdown, on one line: longer fences than it has, and no bar that would end a cell."""
    plain = "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in str(text))
    plain = plain.replace("|", "\\|")
    longest = max((len(run) for run in _runs(plain)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if plain[:1] == "`" or plain[-1:] == "`" else ""
    return f"{fence}{pad}{plain}{pad}{fence}" if plain else "-"


def _runs(text: str) -> list[str]:
    return [run for run in "".join(char if char == "`" else " " for char in text).split() if run]
