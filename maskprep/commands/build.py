"""``maskprep build``: plan, prepare every row, write the shards, commit."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from maskprep import __version__
from maskprep.commands.expansion import SAMPLE_BYTES, SAMPLE_ROWS, check_expansion
from maskprep.commands.inputs import Inputs, look_at
from maskprep.commands.inspect import Output, View
from maskprep.commands.statistics import statistics
from maskprep.commands.views import Viewer
from maskprep.config import Config
from maskprep.errors import BuildError, UsageError
from maskprep.formats import Line, total_bytes
from maskprep.pipeline import write_rows
from maskprep.shards.files import Receipt, ShardWriter
from maskprep.shards.output import OutputFolder
from maskprep.shards.reader import StoredDataSet
from maskprep.tally import Tally

FORMAT_VERSION = 1
_REPORTED_ROWS = 50  # rows in the build report
_EXAMPLES = 3  # rows in it for each code of a reject or a finding


class Progress(Protocol):
    """Is told how far a build has come."""

    def start(self, total_bytes: int | None) -> None:
        """Begin; ``total_bytes`` is the size of all sources as they lie on disk, None where it is not known."""

    def read(self, count: int) -> None:
        """Note that ``count`` more bytes were read."""

    def rows(self, tally: Tally) -> None:
        """Note the counts so far."""


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build did, in plain facts."""

    output: str
    rejects_file: str
    report_file: str
    manifest: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "output": self.output,
            "rejects_file": self.rejects_file,
            "report_file": self.report_file,
            **self.manifest,
        }


class PageWriter(Protocol):
    """Writes the page that shows rows and figures."""

    def __call__(self, path: Path, title: str, rows: Iterable[View], statistics: Mapping[str, Any] | None) -> object:
        """Write the page to ``path``."""


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
    output = OutputFolder(config.output)
    output.check(overwrite=overwrite)
    inputs = look_at(config)
    sizes = [total_bytes(source) for source in inputs.sources]
    progress.start(None if None in sizes else sum(size or 0 for size in sizes))
    lines = inputs.lines(progress.read)
    if config.history is None:
        sample = list(_first(lines))
        check_expansion(sample, inputs.preparer, config.max_expansion)
        lines = chain(sample, lines)
    output.claim()
    shards = ShardWriter(output.path, config.shard_bytes)
    try:
        return _write(inputs, output, lines, shards, progress, write_page)
    except BaseException as error:
        _abandon(shards, output)
        if isinstance(error, OSError):
            msg = f"the output {str(output.path)!r} cannot be written: {error.strerror or error}"
            raise BuildError(msg, "make room, or give another folder to --output") from error
        raise


def _abandon(shards: ShardWriter, output: OutputFolder) -> None:
    """Take back what was written, as far as that goes: without its state.json it is no data set in any case."""
    with suppress(OSError):
        shards.abandon()
    with suppress(OSError):
        output.abandon()


def _write(  # noqa: PLR0913, PLR0917 - from where, and where to
    inputs: Inputs,
    output: OutputFolder,
    lines: Iterable[Line],
    shards: ShardWriter,
    progress: Progress,
    write_page: PageWriter,
) -> BuildReport:
    with (
        output.rejects.open("w", encoding="utf-8") as rejects,
        output.findings.open("w", encoding="utf-8") as findings,
    ):
        tally = write_rows(lines, inputs.preparer, shards, rejects, findings, progress.rows)
    _refuse_failures(inputs, output, tally)
    receipts = shards.finish()
    tokenizer = inputs.loaded.tokenizer
    if inputs.config.chat_template is not None:
        tokenizer.chat_template = inputs.preparer.templates[False].source
    tokenizer.save_pretrained(output.tokenizer)
    manifest = _manifest(inputs, tally, receipts)
    manifest["tokenizer_files"] = sorted(entry.name for entry in output.tokenizer.iterdir())
    output.describe(manifest)
    data = StoredDataSet(str(output.path), committed=False)
    built = Output(data, Viewer(inputs.loaded, inputs.preparer.encoder))
    rows: Iterator[View] = chain(map(built.view, built.examples(_REPORTED_ROWS, _EXAMPLES)), built.rejects(_EXAMPLES))
    # No word of where it was written: the same build is the same bytes everywhere.
    figures = {name: value for name, value in statistics(data).facts().items() if name != "path"}
    write_page(output.report, "maskprep build", rows, figures)
    output.commit(receipts, manifest["fingerprint"])
    return BuildReport(str(output.path), str(output.rejects), str(output.report), manifest)


def _refuse_failures(inputs: Inputs, output: OutputFolder, tally: Tally) -> None:
    facts = {**tally.facts(), "rejects_file": str(output.rejects)}
    if not tally.rows:
        raise BuildError(f"there is no row in {', '.join(inputs.sources)}", "give files with one JSON object a line")
    limit = inputs.config.max_rejects
    if tally.reject_fraction > limit:
        msg = (
            f"{tally.rejected:,} of {tally.rows:,} rows ({tally.reject_fraction:.1%}) were rejected, more than "
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


def _manifest(inputs: Inputs, tally: Tally, receipts: list[Receipt]) -> dict[str, Any]:
    templates = {inputs.preparer.templates[tools].source for tools in (False, True)}
    template_hash = hashlib.sha256("\0".join(sorted(templates)).encode()).hexdigest()
    tokenizer = inputs.loaded.digest()
    parts = {"config": inputs.config.fingerprint(), "tokenizer": tokenizer, "template": template_hash}
    if any(template.uses_clock for template in inputs.preparer.templates.values()):
        parts["now"] = inputs.now.isoformat()
    packages = ("datasets", "jinja2", "pyarrow", "tokenizers", "transformers")
    return {
        "format_version": FORMAT_VERSION,
        "fingerprint": hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        "fingerprint_of": parts,
        "now": inputs.now.isoformat(),
        "config": inputs.config.model_dump(mode="json"),
        "stop_tokens": list(inputs.loaded.stop_tokens),
        "versions": {
            "maskprep": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
        "totals": tally.facts(),
        "shards": [asdict(receipt) for receipt in receipts],
    }
