"""The examples at the end of every ``--help``, and the screen of ``maskprep`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

EXAMPLES: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "build": (
            ("maskprep build rows.jsonl --tokenizer Qwen/Qwen3-8B -o out", "one file, every turn"),
            ("maskprep build rows.jsonl --tokenizer DIR -o out --dry-run", "what it would do; nothing is written"),
            ("maskprep build data/ --tokenizer DIR -o out --limit 100", "the first 100 rows of each source"),
            ("maskprep build 'data/*.jsonl.gz' --config my.yaml --profile trl -o out", "settings from a file, for TRL"),
            ("maskprep build hf:OWNER/NAME --tokenizer DIR -o out --set train.turns=last", "a data set of the Hub"),
            ("zcat rows.gz | maskprep build - --tokenizer DIR -o out", "standard input"),
        ),
        "config": (
            ("maskprep config", "every key, a line each"),
            ("maskprep config history", "one key: what it means, its choices, an example"),
        ),
        "export": (
            ("maskprep export out --profile axolotl -o out-axolotl", "the same rows for another trainer"),
            ("maskprep export out -o packed --set packing=4096", "the same rows, packed"),
        ),
        "init": (
            ("maskprep init rows.jsonl --tokenizer Qwen/Qwen3-8B -o my.yaml", "tried on these rows"),
            ("maskprep init", "every key, explained"),
        ),
        "inspect": (
            ("maskprep inspect out", "the first row, every token in the colours of the mask"),
            ("maskprep inspect out --row -1 --tokens", "the last row, one line a token"),
            ("maskprep inspect out --stats", "what the data set is made of"),
            ("maskprep inspect out --origin rows.jsonl:12", "what became of line 12"),
            ("maskprep inspect out --html page.html", "a page to share"),
            ("maskprep inspect rows.jsonl --tokenizer DIR --row 7", "before building"),
        ),
        "judge": (
            ("maskprep judge DATA --tokenizer DIR --source rows.jsonl", "another tool's rows, against their source"),
            ("maskprep judge DATA --tokenizer DIR", "what ids and labels alone tell"),
        ),
        "probe": (
            ("maskprep probe Qwen/Qwen3-8B", "what its chat template does"),
            ("maskprep probe DIR rows.jsonl", "and what would become of the first rows"),
            ("maskprep probe DIR --chat-template my.jinja", "another template"),
        ),
        "push": (
            ("maskprep push out me/chats --dry-run", "write the card, upload nothing"),
            ("maskprep push out me/chats", "upload it as a private data set"),
        ),
        "settings": (
            ("maskprep settings out", "look at them"),
            ("maskprep settings out > train.py", "take them from there"),
        ),
        "verify": (
            ("maskprep verify out", "with a small random model"),
            ("maskprep verify out --model DIR --html v.html", "with the model that you will train"),
            ("maskprep verify out --rows all --learn 50", "every row, and 50 training steps"),
            ("maskprep verify out --server http://localhost:8000", "does the server feed what was trained?"),
        ),
    }
)
"""Command lines of each command, and what each is for."""

_FIRST = (
    ("maskprep probe Qwen/Qwen3-8B rows.jsonl", "can its template train my rows?"),
    ("maskprep build rows.jsonl --tokenizer Qwen/Qwen3-8B -o out", "build the data set"),
    ("maskprep inspect out", "see what is trained, token by token"),
    ("maskprep verify out", "prove that the loss is what you mean"),
    ("maskprep settings out", "what your trainer must be told"),
)

_BESIDE = 40  # columns for a command that its purpose can stand beside, on a screen of 80


def epilog(command: str) -> str:
    """Return the examples of a command as the end of its help."""
    return "\b\nExamples:\n" + "\n".join(_lines(EXAMPLES[command]))


def first_screen(version: str) -> str:
    """Return what ``maskprep`` alone says: what it is, and the first commands to type."""
    return "\n".join(
        [
            f"maskprep {version}: conversations in, token ids and proved loss masks out.",
            "",
            "Start here, with your own rows and tokenizer:",
            *_lines(_FIRST),
            "",
            "All commands: maskprep --help      One command: maskprep build --help",
            "Tab completes words after: maskprep --install-completion",
        ]
    )


def _lines(examples: tuple[tuple[str, str], ...]) -> list[str]:
    return [
        f"  {words:<{_BESIDE}}  {why}" if len(words) <= _BESIDE else f"  {words}\n{'':<{_BESIDE + 4}}{why}"
        for words, why in examples
    ]
