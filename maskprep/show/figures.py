"""The figures of a data set as text: rows, tokens by role and part, rejects and findings by code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from maskprep.show.styles import HEADING, WARNING
from maskprep.show.tables import add_row, count, line, make_table, percent

_LONGEST_MESSAGE = 700


def show_totals(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the counts of a build, and its tokens by role and part."""
    line(console, used(facts))
    show_counts(console, facts)
    show_parts(console, facts)


def used(facts: Mapping[str, Any]) -> str:
    """Return how many rows were read, used, rejected and dropped, as words."""
    rows = count(facts["rows"], "conversation")
    dropped = {code: noticed["rows"] for code, noticed in facts.get("dropped", {}).items()}
    kept = facts["duplicates"] - dropped.get("duplicate", 0)
    more = "".join(f", {rows:,} dropped ({code})" for code, rows in dropped.items())
    more += f", {kept:,} of them duplicates" if kept else ""
    return f"{rows} read, {facts['rows_used']:,} used, {facts['rows_rejected']:,} rejected{more}"


def show_parts(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the tokens of a data set by role and part."""
    table = make_table("role", "part", ">tokens", ">trained", ">of its tokens", ">of all trained")
    for entry in facts["by_role_and_part"]:
        tokens, trained = entry["tokens"], entry["trained_tokens"]
        of_its, of_all = percent(trained, tokens), percent(trained, facts["trained_tokens"])
        cells = (entry["role"], entry["part"], f"{tokens:,}", f"{trained:,}", of_its, of_all)
        add_row(table, cells, HEADING if trained else "")
    console.print(table)


def show_counts(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the counts of sequences and tokens, of those that were too long, and of packed rows."""
    share = percent(facts["trained_tokens"], facts["tokens"])
    line(
        console,
        f"{count(facts['sequences'], 'sequence')}, {facts['tokens']:,} tokens, "
        f"{facts['trained_tokens']:,} trained ({share}), the longest sequence {facts['longest_sequence']:,}",
    )
    if facts["unfaithful_tokens"]:
        line(console, f"{facts['unfaithful_tokens']:,} of them in a context that no server sends", WARNING)
    show_too_long(console, facts["too_long"])
    show_packing(console, facts.get("packing"))


def show_noticed(console: Console, title: str, noticed: Mapping[str, Mapping[str, Any]]) -> None:
    """Print rejects or findings by code, each with an example and a fix."""
    if not noticed:
        return
    line(console, f"{title}:", HEADING)
    for code, facts in sorted(noticed.items(), key=lambda item: -item[1]["rows"]):
        example = facts["example"]
        line(console, f" {count(facts['rows'], 'row')}", WARNING, label=f"  {code}:")
        line(console, f"    for example {example['file']}:{example['line']}: {_short(example['message'])}")
        if facts.get("hint"):
            line(console, f" {facts['hint']}", HEADING, label="    fix:")


def show_packing(console: Console, packing: Mapping[str, Any] | None) -> None:
    """Print how rows were packed, if they were."""
    if text := packed(packing):
        line(console, f"packed into {text}")


def packed(packing: Mapping[str, Any] | None) -> str:
    """Return the number, the length and the fill of packed rows as words; an empty text where there are none."""
    if not packing or not packing["rows"]:
        return ""
    length = packing["slots"] // packing["rows"]
    return f"{count(packing['rows'], 'row')} of {length:,} tokens, {packing['fill']:.3%} filled"


def show_too_long(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the counts of rows that were too long, split, cut or left out, if there were any."""
    if facts["rows"]:
        tokens = f"{facts['tokens_before']:,} tokens became {facts['tokens']:,}"
        trained = f"{facts['trained_tokens_before']:,} trained ones became {facts['trained_tokens']:,}"
        kept = percent(facts["trained_tokens"], facts["trained_tokens_before"])
        label = f"{count(facts['rows'], 'row')} too long:"
        line(console, f" their {tokens}, {trained} ({kept})", WARNING, label=label)


def show_not_read(console: Console, keys: Mapping[str, int] | None, indent: str = "") -> None:
    """Print the keys that nothing read, if there are any, and how many rows have each."""
    if keys:
        told = (f"{path} ({count(rows, 'row')})" for path, rows in keys.items())
        line(console, f" {', '.join(told)}", WARNING, label=f"{indent}not read:")


def show_notes(console: Console, notes: Sequence[Mapping[str, str]]) -> None:
    """Print the notes about the data set as a whole, each with a fix."""
    for note in notes:
        line(console, f" {note['message']}", WARNING, label="note:")
        line(console, f" {note['hint']}", HEADING, label="    fix:")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} …"
