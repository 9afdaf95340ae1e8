"""Reports and errors as text for people: figures, sources, vocabulary, and the trainer's settings.

Every cell is plain text: markup in data stays data.
"""

from __future__ import annotations

import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Console

from maskprep.build.commit import BuildReport
from maskprep.errors import MaskprepError
from maskprep.recommend.words import HISTORIES
from maskprep.show.recommended import paragraph, show_recommended
from maskprep.show.tables import add_row, count, line, make_table, percent

_LONGEST_MESSAGE = 700


def show_build(console: Console, report: BuildReport) -> None:
    """Print the summary of a build, and what to do next."""
    facts = report.manifest["totals"]
    line(console, "maskprep build: done", "bold green")
    line(console, f"{report.output}: {count(len(report.manifest['shards']), 'shard')}")
    show_sources(console, report.manifest["sources"], report.manifest["left_out"])
    _show_ignored(console, report)
    show_totals(console, facts)
    _show_splits(console, report)
    show_vocabulary(console, report.manifest["vocabulary"])
    backend = report.manifest["tokenizer_backend"]
    line(console, f"tokenizer backend: {backend['name']}{' (' + backend['note'] + ')' if backend['note'] else ''}")
    show_noticed(console, "rejected rows", facts["rejects"])
    if facts["rejects"]:
        line(console, f"all of them, with their reasons: {report.rejects_file}")
    show_noticed(console, "findings in rows that were used", facts["findings"])
    show_notes(console, report.manifest.get("notes", []))
    _show_next(console, report)
    show_trainer(console, report.trainer)


def show_export(console: Console, report: BuildReport, source: str) -> None:
    """Print the summary of an export of the build ``source``, and what to do next."""
    facts = report.manifest["totals"]
    line(console, "maskprep export: done", "bold green")
    line(console, f"{source} to {report.output}: {count(len(report.manifest['shards']), 'shard')}")
    show_counts(console, facts)
    _show_splits(console, report)
    show_vocabulary(console, report.manifest["vocabulary"])
    show_notes(console, report.manifest.get("notes", []))
    _show_next(console, report)
    show_trainer(console, report.trainer)


def _show_ignored(console: Console, report: BuildReport) -> None:
    for note in report.ignored:
        line(console, f"no effect: {note['key']}: {note['why']}", "yellow")


def _show_splits(console: Console, report: BuildReport) -> None:
    for name, split in report.manifest.get("splits", {}).items():
        sequences, tokens = count(split["sequences"], "sequence"), count(split["tokens"], "token")
        line(console, f"{name}: {count(split['rows_used'], 'conversation')}, {sequences}, {tokens}")


def _show_next(console: Console, report: BuildReport) -> None:
    folder = shlex.quote(report.output)
    line(console, "next:", "bold")
    line(console, f"  maskprep inspect {folder}           see the first row, token by token")
    line(console, f"  maskprep inspect {folder} --stats   what the data set is made of")
    line(console, f"  open {report.report_file} in a browser")


def show_error(console: Console, error: MaskprepError) -> None:
    """Print an error's message and its hint, what to do next."""
    line(console, f"maskprep: {error.message}", "bold red")
    facts = getattr(error, "facts", {})
    if "histories" in facts:
        _show_histories(console, facts)
    if facts.get("rejects"):
        show_noticed(console, "rejected rows", facts["rejects"])
        if "rejects_file" in facts:
            line(console, f"all of them, with their reasons: {facts['rejects_file']}")
    if facts.get("recommended"):
        show_recommended(console, facts["recommended"])
    elif error.hint:
        line(console, f"what to do: {error.hint}")


def show_totals(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the counts of a build, and its tokens by role and part."""
    rows = count(facts["rows"], "conversation")
    dropped = {code: noticed["rows"] for code, noticed in facts.get("dropped", {}).items()}
    kept = facts["duplicates"] - dropped.get("duplicate", 0)
    more = "".join(f", {rows:,} dropped ({code})" for code, rows in dropped.items())
    more += f", {kept:,} of them duplicates" if kept else ""
    line(console, f"{rows} read, {facts['rows_used']:,} used, {facts['rows_rejected']:,} rejected{more}")
    show_counts(console, facts)
    table = make_table("role", "part", ">tokens", ">trained", ">of its tokens", ">of all trained")
    for entry in facts["by_role_and_part"]:
        tokens, trained = entry["tokens"], entry["trained_tokens"]
        of_its, of_all = percent(trained, tokens), percent(trained, facts["trained_tokens"])
        cells = (entry["role"], entry["part"], f"{tokens:,}", f"{trained:,}", of_its, of_all)
        add_row(table, cells, "green" if trained else "dim")
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
        line(console, f"{facts['unfaithful_tokens']:,} of them in a context that no server sends", "yellow")
    show_too_long(console, facts["too_long"])
    show_packing(console, facts.get("packing"))


def show_noticed(console: Console, title: str, noticed: Mapping[str, Mapping[str, Any]]) -> None:
    """Print rejects or findings by code, each with an example and a fix."""
    if not noticed:
        return
    line(console, f"{title}:", "bold")
    for code, facts in sorted(noticed.items(), key=lambda item: -item[1]["rows"]):
        example = facts["example"]
        line(console, f"  {code}: {count(facts['rows'], 'row')}", "yellow")
        line(console, f"    for example {example['file']}:{example['line']}: {_short(example['message'])}")
        if facts.get("hint"):
            line(console, f"    fix: {facts['hint']}")


def _show_histories(console: Console, facts: Mapping[str, Any]) -> None:
    """Print what each way of treating history costs and trains, and what it means for the model."""
    table = make_table("--history", ">rows", ">sequences", ">tokens", ">times", ">trained", ">in no server's context")
    for name, cost in facts["histories"].items():
        counts = [f"{cost[key]:,}" for key in ("rows", "sequences", "tokens", "trained_tokens", "unfaithful_tokens")]
        counts.insert(3, f"{cost['tokens'] / max(facts['whole_tokens'], 1):.2f}")
        add_row(table, (name, *counts))
    console.print(table)
    for history, meaning in HISTORIES.items():
        paragraph(console, f"{history}: {meaning}", "  ")


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[:_LONGEST_MESSAGE]} …"


_LANGUAGES = {"python": "Python", "yaml": "YAML", "bash": "shell"}


def show_trainer(console: Console, trainer: Mapping[str, Any]) -> None:
    """Print settings to paste, as they are, and those that would change the loss without an error."""
    line(console, f"settings for {trainer['name']}, to paste ({_LANGUAGES[trainer['language']]}):", "bold")
    line(console, "")
    for text in trainer["settings"].splitlines():
        line(console, text)
    line(console, "")
    line(console, "what would change the loss, without an error:", "bold")
    for pitfall in trainer["pitfalls"]:
        line(console, f"  - {pitfall}")


def show_packing(console: Console, packing: Mapping[str, Any] | None) -> None:
    """Print how rows were packed, if they were."""
    if packing and packing["rows"]:
        length = packing["slots"] // packing["rows"]
        line(console, f"packed into {count(packing['rows'], 'row')} of {length:,} tokens, {packing['fill']:.3%} filled")


def show_too_long(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the counts of rows that were too long, split, cut or left out, if there were any."""
    if facts["rows"]:
        tokens = f"{facts['tokens_before']:,} tokens became {facts['tokens']:,}"
        trained = f"{facts['trained_tokens_before']:,} trained ones became {facts['trained_tokens']:,}"
        kept = percent(facts["trained_tokens"], facts["trained_tokens_before"])
        line(console, f"{count(facts['rows'], 'row')} too long: their {tokens}, {trained} ({kept})", "yellow")


_MOST = 6  # files of a source that are named one by one


def show_sources(
    console: Console, sources: Iterable[Mapping[str, Any]], left_out: Iterable[Mapping[str, str]] = ()
) -> None:
    """Print the kind, the format and the rows of each source, then the files of its folder that are not read."""
    for source in sources:
        line(console, f"{source['source']}: {', '.join(_said(source))}")
        show_not_read(console, source.get("not_read"), "  ")
    by_source = defaultdict[str, list[Mapping[str, str]]](list)
    for each in left_out:
        by_source[each["source"]].append(each)
    for name, files in by_source.items():
        line(console, f"{name}: left out: {_listed(files)}")


def _listed(files: Sequence[Mapping[str, str]]) -> str:
    """Return some files with the reason of each, or how many there are for each reason."""
    if len(files) <= _MOST:
        return ", ".join(f"{each['file']} ({each['reason']})" for each in files)
    return ", ".join(
        f"{count(number, 'file')} ({reason})" for reason, number in Counter(each["reason"] for each in files).items()
    )


def show_not_read(console: Console, keys: Mapping[str, int] | None, indent: str = "") -> None:
    """Print the keys that nothing read, if there are any, and how many rows have each."""
    if keys:
        told = (f"{path} ({count(rows, 'row')})" for path, rows in keys.items())
        line(console, f"{indent}not read: {', '.join(told)}", "yellow")


def _said(source: Mapping[str, Any]) -> Iterable[str]:
    if len(source["files"]) > 1:
        yield count(len(source["files"]), "file")
    yield source["kind"] + (f", under {source['under']}" if source.get("under") else "")
    if source.get("splits"):
        yield f"split {', '.join(source['splits'])}"
    yield "each row tells its format" if source["format"] == "auto" else f"format {source['format']}"
    for name in ("columns", "roles"):
        if source[name]:
            yield f"{name} {', '.join(f'{ours}={theirs}' for ours, theirs in source[name].items())}"
    yield count(source["rows"], "row") + (" (the first)" if source["rows"] == source["max_rows"] else "")
    if source["weight"] != 1:
        yield f"weight {source['weight']:g}: {source['rows_chosen']:,} of them used"


def show_vocabulary(console: Console, facts: Mapping[str, Any]) -> None:
    """Print the tokens added to the tokenizer, if any, and the pad token, if the tokenizer had none."""
    new = facts["added"] + facts["added_special"]
    if new:
        special = f", {facts['added_special']:,} of them special" if facts["added_special"] else ""
        line(console, f"{count(new, 'token')} added{special}: the vocabulary grew to {facts['size']:,}")
    if facts["already_there"] or facts["repeated"]:
        known, again = facts["already_there"], facts["repeated"]
        line(console, f"tokens that were there already: {known:,}; named more than once: {again:,}")
    if new or facts["rounded_size"] != facts["size"]:
        size = facts["rounded_size"]
        line(console, "  before training, where the model's embedding has fewer rows:")
        line(console, f"  model.resize_token_embeddings({size})", "yellow")
    if facts.get("eos_from") == "configuration":
        line(console, f"the tokenizer's eos_token is {facts['eos_token']}, as configured")
    if facts["pad_from"] == "eos_token":
        token = facts["pad_token"]
        line(console, f"the tokenizer has no pad token: {token} pads, with labels of -100 by position")
    if facts["pad_from"] == "nowhere":
        line(console, "the tokenizer has no pad token: set tokenizer.pad_token before batches are padded", "yellow")


def show_notes(console: Console, notes: Sequence[Mapping[str, str]]) -> None:
    """Print the notes about the data set as a whole, each with a fix."""
    for note in notes:
        line(console, f"note: {note['message']}", "yellow")
        line(console, f"    fix: {note['hint']}")
