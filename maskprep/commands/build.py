"""``maskprep build``: plan, prepare every row, write the shards, commit."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from importlib.metadata import version
from io import StringIO
from itertools import chain
from typing import Any, Protocol

import numpy as np

from maskprep import __version__
from maskprep.commands.arranging import arrange_all, in_split, layout_of, refuse_layout
from maskprep.commands.committing import BuildReport, PageWriter, all_or_nothing, commit, fingerprint
from maskprep.commands.encoding import backend_for
from maskprep.commands.expansion import SAMPLE_BYTES, SAMPLE_ROWS, check_expansion
from maskprep.commands.feed import FileRows, understood
from maskprep.commands.inputs import Inputs, look_at
from maskprep.commands.views import Viewer
from maskprep.config import Config
from maskprep.errors import BackendDiffersError, BuildError, UsageError
from maskprep.formats import Line
from maskprep.pipeline import Choice, Ledgers, RowWriter, Tallies
from maskprep.profiles import PROFILES
from maskprep.shards.arrange import Staged
from maskprep.shards.files import Receipt, ShardWriter, finish
from maskprep.shards.output import OutputFolder
from maskprep.shards.reader import FORMAT_VERSION
from maskprep.shards.schema import Layout
from maskprep.sources import total_bytes
from maskprep.tally import Tally
from maskprep.tokenizer.backend import TransformersBackend


class Progress(Protocol):
    """Is told how far a build has come."""

    def start(self, total_bytes: int | None) -> None:
        """Begin; ``total_bytes`` is the size of all sources as they lie on disk, None where it is not known."""

    def read(self, count: int) -> None:
        """Note that ``count`` more bytes were read."""

    def rows(self, tally: Tally) -> None:
        """Note the counts so far."""


def build(config: Config, progress: Progress, write_page: PageWriter, *, overwrite: bool = False) -> BuildReport:
    """Build the data set that ``config`` describes.

    Args:
        config: what to build.
        progress: is told how far it has come.
        write_page: writes the build report.
        overwrite: whether to replace a former build.

    Raises:
        UsageError: it cannot be begun; nothing was written.
        BuildError: it was begun and must not be committed; what is left in the output folder is no data set.
    """
    if config.output is None:
        raise UsageError("output is missing: give --output, or set it in the configuration")
    refuse_layout(config, Layout(packed=config.packing is not None))
    output = OutputFolder(config.output, divided=config.split > 0, profile=PROFILES[config.profile])
    output.check(overwrite=overwrite)
    inputs = look_at(config)
    inputs.preparer.encoder.backend = backend_for(config, inputs.loaded, inputs.sources)
    try:
        return _build(inputs, output, progress, write_page)
    except BackendDiffersError as error:
        # What it encoded is gone. Nobody knows how much of that was wrong: all of it is done again.
        inputs = look_at(config)
        inputs.preparer.encoder.backend = TransformersBackend(inputs.loaded.tokenizer, f"begun again: {error}")
        return _build(inputs, output, progress, write_page)


def _build(inputs: Inputs, output: OutputFolder, progress: Progress, write_page: PageWriter) -> BuildReport:
    config = inputs.config
    sizes = [total_bytes(source) for source in inputs.sources]
    progress.start(None if None in sizes else sum(size or 0 for size in sizes))
    log: list[FileRows] = []
    lines = inputs.lines(progress.read, log)
    if config.history is None:
        sample = list(_first(lines))
        check_expansion(sample, inputs.preparer, config.max_expansion)
        lines = chain(sample, lines)
    output.claim()
    shards = {split: ShardWriter(output.shards(split), config.shard_bytes) for split in output.splits}
    with all_or_nothing(output, shards.values()):
        return _write(inputs, output, lines, log, shards, progress, write_page)


def _write(  # noqa: PLR0913, PLR0917 - from where, and where to
    inputs: Inputs,
    output: OutputFolder,
    lines: Iterable[Line],
    log: list[FileRows],
    shards: Mapping[str, ShardWriter],
    progress: Progress,
    write_page: PageWriter,
) -> BuildReport:
    config = inputs.config
    drop = config.duplicates == "drop"
    choice = Choice(drop, config.split, config.seed, output.splits[0])
    with (
        output.rejects.open("w", encoding="utf-8") as rejects,
        output.findings.open("w", encoding="utf-8") as findings,
        output.dropped.open("w", encoding="utf-8") if drop else nullcontext(StringIO()) as dropped,
    ):
        writer = RowWriter(inputs.preparer, choice, shards, Ledgers(rejects, findings, dropped))
        for line in lines:
            writer.write(line)
            progress.rows(writer.tallies.whole)
            _refuse_useless(inputs, output, writer.tallies.whole)
    tallies = writer.tallies
    _refuse_failures(inputs, output, tallies.whole)
    staged = {split: writer.close() for split, writer in shards.items()}
    receipts, layout = _finish(staged, output, config)
    tokenizer = inputs.loaded.tokenizer
    if config.chat_template is not None:
        tokenizer.chat_template = inputs.preparer.templates[False].source
    tokenizer.save_pretrained(output.tokenizer)
    described, viewer = _manifest(inputs, tallies, log), Viewer(inputs.loaded, inputs.preparer.encoder)
    return commit(output, config, described, receipts, layout, viewer, write_page)


def _finish(
    staged: Mapping[str, Sequence[Receipt]], output: OutputFolder, config: Config
) -> tuple[list[Receipt], Layout]:
    """Give the rows of all splits the order, the packs and the form that were asked for."""
    paths = {split: [output.shards(split) / receipt.file for receipt in own] for split, own in staged.items()}
    waiting = {split: Staged.mapped(own) for split, own in paths.items()}
    layout = layout_of(waiting.values(), config)
    if not config.shuffle and layout == Layout() and output.profile.name == "hf":
        named = {split: finish(output.shards(split), own) for split, own in staged.items()}
        return [receipt for split, own in named.items() for receipt in in_split(own, split)], layout
    orders = {split: np.arange(len(rows)) for split, rows in waiting.items()}
    receipts = arrange_all(waiting, layout, output, config, orders)
    for path in chain.from_iterable(paths.values()):
        path.unlink()
    return receipts, layout


def _refuse_useless(inputs: Inputs, output: OutputFolder, tally: Tally) -> None:
    """Stop as soon as it is plain that the rows, or the template, are not what they were taken for."""
    if tally.used or tally.rejected < SAMPLE_ROWS or inputs.config.max_rejects >= 1:
        return
    msg = f"every one of the first {tally.rejected:,} rows was rejected: no other was read"
    hint = "see `maskprep probe` for what the template does; or mend the rows or the configuration"
    raise BuildError(msg, hint, {**tally.facts(), "rejects_file": str(output.rejects)})


def _refuse_failures(inputs: Inputs, output: OutputFolder, tally: Tally) -> None:
    facts = {**tally.facts(), "rejects_file": str(output.rejects)}
    if not tally.rows:
        raise BuildError(f"there is no row in {', '.join(inputs.sources)}", "give files with one JSON object a line")
    limit = inputs.config.max_rejects
    if tally.reject_fraction > limit:
        tried = tally.used + tally.rejected
        msg = (
            f"{tally.rejected:,} of {tried:,} rows ({tally.reject_fraction:.1%}) were rejected, more than "
            f"max_rejects {limit:.1%}: nothing was committed"
        )
        raise BuildError(msg, "mend the rows or the configuration, or raise --max-rejects", facts)


def _first(lines: Iterator[Line]) -> Iterator[Line]:
    """Take the rows that the costs are measured on."""
    size = 0
    for count, line in enumerate(lines, 1):
        yield line
        size += len(line.data)
        if count >= SAMPLE_ROWS or size >= SAMPLE_BYTES:
            return


def _manifest(inputs: Inputs, tallies: Tallies, log: Sequence[FileRows]) -> dict[str, Any]:
    """Return the manifest, but for what only the shards tell."""
    templates = {inputs.preparer.templates[tools].source for tools in (False, True)}
    template_hash = hashlib.sha256("\0".join(sorted(templates)).encode()).hexdigest()
    tokenizer = inputs.loaded.digest()
    parts = {"config": inputs.config.fingerprint(), "tokenizer": tokenizer, "template": template_hash}
    if any(template.uses_clock for template in inputs.preparer.templates.values()):
        parts["now"] = inputs.now.isoformat()
    backend = inputs.preparer.encoder.backend
    packages = dict.fromkeys(("datasets", "jinja2", "pyarrow", "tokenizers", "transformers", backend.name))
    return {
        "format_version": FORMAT_VERSION,
        "fingerprint": fingerprint(parts),
        "fingerprint_of": parts,
        "now": inputs.now.isoformat(),
        "config": inputs.config.model_dump(mode="json"),
        "stop_tokens": list(inputs.loaded.stop_tokens),
        "vocabulary": inputs.loaded.vocabulary.facts(),
        "tokenizer_backend": {"name": backend.name, "note": backend.note},
        "versions": {
            "maskprep": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
        "sources": understood(inputs.config, log),
        "totals": tallies.whole.facts(),
        **({"splits": {split: tally.facts() for split, tally in tallies.splits.items()}} if tallies.splits else {}),
    }
