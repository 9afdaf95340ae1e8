"""What each key of the configuration means, in a sentence, and an example of a value: the one place that tells it.

`maskprep config`, the comments that `maskprep init` writes and the schema for editors are made of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

Meaning = tuple[str, Any]
"""What a key means, in a sentence, and an example of a value, as JSON types."""

MEANINGS: Mapping[str, Meaning] = MappingProxyType(
    {
        "sources": (
            (
                "files, globs, folders, hf:OWNER/NAME or - for standard input; or mappings of `path` and what "
                "holds for it alone"
            ),
            ["data/chats.jsonl", {"path": "math.parquet", "weight": 2}],
        ),
        "tokenizer": (
            (
                "the tokenizer of the model that will be trained: a folder, an id of the Hub or a GGUF file; "
                "or a mapping of its keys"
            ),
            "Qwen/Qwen3-8B",
        ),
        "output": (
            "folder to write the data set to, or s3://…, gs://…; refused where it holds one, unless --overwrite",
            "out/train",
        ),
        "format": ("format of the rows; auto tells it from the first rows of each file", "sharegpt"),
        "columns": ("what the data calls a field", {"messages": "dialog", "content": "text"}),
        "roles": ("what a role name of the data means", {"bot": "assistant"}),
        "ignore": (
            "keys of rows and messages that are left out before anything is read",
            ["label", "messages[].score"],
        ),
        "preference": (
            "what becomes of rows that compare answers or judge one: chosen trains the good answer",
            "chosen",
        ),
        "tool_tags": (
            "whether tools, calls and results that stand as tags in the text are read as such, or kept as text",
            "keep",
        ),
        "mixed_formats": ("whether one file may hold rows of several formats", True),
        "drop_nulls": ("take null values out of tool arguments and schemas", True),
        "duplicates": ("drop leaves out conversations that were there before; they are counted in any case", "drop"),
        "shuffle": ("write the sequences in a random order, all sources mixed", True),
        "seed": ("decides every random choice: the same seed gives the same bytes", 7),
        "split": ("the fraction of conversations that go into a validation set", 0.01),
        "chat_template": (
            "a Jinja file, or the name of one of the tokenizer's templates; none: the tokenizer's own",
            "template.jinja",
        ),
        "template_kwargs": ("variables for the chat template; give your server the same", {"enable_thinking": False}),
        "now": ("the time that a template is told, if it asks; none: the time of the build", "2026-01-01"),
        "stop_tokens": ("tokens that end a turn, beside eos_token and those of generation_config.json", ["<|end|>"]),
        "history": (
            (
                "what is done where the template changes earlier turns once later ones follow: split and tree "
                "train every turn behind what the model sees in use, mask only those that stay as they were, "
                "rendered all as they stand; none: split, unless that is dear"
            ),
            "tree",
        ),
        "max_expansion": (
            (
                "where no history is chosen: the build stops when split takes more than so many times the "
                "tokens of one rendering"
            ),
            3.0,
        ),
        "prompt_mismatch": (
            (
                "what is done with a turn that the generation prompt does not fit: reject the row, graft its "
                "text behind the server's prompt, or train it as it is rendered"
            ),
            "graft",
        ),
        "adapt": ("what is changed about conversations so that the template takes them", {"system": "merge"}),
        "control_tokens": (
            (
                "what becomes of text that spells a control token: reject the row, escape it as plain text, "
                "or keep it as the token"
            ),
            "escape",
        ),
        "train": ("which tokens are trained", {"turns": "last"}),
        "max_length": ("longest sequence, in tokens; none: as long as it comes", 8192),
        "overflow": (
            (
                "what becomes of a row with a longer sequence: reject it, drop its oldest turns, truncate its "
                "end, or split it into windows"
            ),
            "drop_turns",
        ),
        "packing": ("several documents a row, whole ones: a mapping of its keys; none: one a row", {"length": 8192}),
        "profile": ("the trainer that will read the data set: it decides on columns, types and container", "trl"),
        "max_rejects": (
            "the build fails, and writes nothing, when more than this fraction of the rows are rejected",
            0.05,
        ),
        "audit": (
            (
                "how many rows are made again in the slow way and compared: the first of each kind, a sample "
                "as well, or all"
            ),
            "all",
        ),
        "template_seconds": ("CPU seconds that one rendering of the template may take", 10.0),
        "template_bytes": ("bytes of memory that one rendering may write, about", 268435456),
        "max_row_bytes": ("longest row of input, in bytes", 67108864),
        "shard_bytes": ("size of a shard of the output, in bytes, about", 1000000000),
        "workers": ("processes that work; 0: none but the command itself; none: by the size of the input", 4),
        "engine": ("where the workers are: on this machine, or on a Ray cluster", "ray"),
        "ray_address": ("of the Ray cluster; none: one of this machine's own", "auto"),
        "worker_memory": ("bytes that a worker may take: a row that needs more is rejected", 4000000000),
        "worker_seconds": ("seconds that a worker may be silent: a row that takes longer is rejected", 600.0),
        "sources.path": ("the file, glob, folder or data set", "data/*.jsonl"),
        "sources.format": ("the same as `format`, for this source alone", "openai"),
        "sources.columns": ("the same as `columns`, for this source alone", {"prompt": "question"}),
        "sources.roles": ("the same as `roles`, for this source alone", {"bot": "assistant"}),
        "sources.ignore": ("the same as `ignore`, for this source alone", ["label"]),
        "sources.weight": (
            "how often each row is used: 2.5 twice, and half of them once more; 0.1 a tenth of them",
            2.5,
        ),
        "sources.max_rows": ("use only so many rows, the first ones; none: all", 5000),
        "tokenizer.name": ("a folder, an id of the Hub or a GGUF file", "Qwen/Qwen3-8B"),
        "tokenizer.backend": (
            "what encodes; auto takes fastokens where it gains time and gives the same ids",
            "transformers",
        ),
        "tokenizer.add_tokens": ("tokens to add; those that were added before are left as they are", ["<|sid_1|>"]),
        "tokenizer.add_tokens_file": ("a file of tokens to add, one a line, UTF-8", "tokens.txt"),
        "tokenizer.add_special_tokens": (
            "special tokens to add: text that is decoded for people leaves them out",
            ["<|turn|>"],
        ),
        "tokenizer.eos_token": ("the eos token, where servers stop; none: the tokenizer's", "<|im_end|>"),
        "tokenizer.pad_token": ("the pad token, added where it is new; none: the tokenizer's", "<|pad|>"),
        "tokenizer.vocabulary_multiple": ("what the new size of the vocabulary is rounded up to a multiple of", 64),
        "adapt.system": (
            (
                "system messages behind the beginning: merge into the first one, user: in front of the next "
                "user's text; user_all: the one at the beginning, too"
            ),
            "merge",
        ),
        "adapt.same_role": ("join neighbours of one role by a blank line", "join"),
        "adapt.tool_call_ids": (
            "short: ids of tool calls become nine letters and digits, and are made where there are none",
            "short",
        ),
        "adapt.tool_results": ("user: results of tools become user messages", "user"),
        "adapt.arguments": (
            "give tool arguments always as an object, or always as JSON text; keep: as the template reads them",
            "object",
        ),
        "adapt.first_assistant": ("drop what an assistant says before anybody asks", "drop"),
        "packing.length": ("tokens that a packed row may have", 8192),
        "packing.strategy": ("best_fit fills rows best, in_order keeps the order of the documents", "in_order"),
        "packing.window": ("so many documents are packed together at a time; none: all", 100000),
        "train.roles": ("whose messages are trained", ["assistant"]),
        "train.turns": (
            (
                "all, last, first, the last few ('3 last'), or since_last_user: all behind the last user "
                "message, as for agents"
            ),
            "3 last",
        ),
        "train.parts": ("which parts of a turn are trained", ["content", "stop"]),
        "train.empty_reasoning": ("mask leaves out an empty thought that the template inserts", "mask"),
        "train.tool_call_ids": ("mask leaves out the ids of tool calls", "mask"),
    }
)
"""The meanings by key; those of a section's keys have its name and a dot in front."""
