"""``maskprep build``: plan, prepare every row, write the shards, commit."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any, Protocol

from maskprep import __version__
from maskprep.commands.expansion import SAMPLE_BYTES, SAMPLE_ROWS, check_expansion
from maskprep.config import Config
from maskprep.conversation import Part
from maskprep.errors import BuildError, UsageError
from maskprep.formats import Line, expand, read_lines, total_bytes
from maskprep.pipeline import write_rows
from maskprep.prepare import Policy, Preparer
from maskprep.sequences import History
from maskprep.shards.files import Receipt, ShardWriter
from maskprep.shards.output import OutputFolder
from maskprep.tally import Tally
from maskprep.template.turns import Mismatch
from maskprep.tokenizer.load import LoadedTokenizer, load_tokenizer

FORMAT_VERSION = 1


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
    manifest: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {"output": self.output, "rejects_file": self.rejects_file, **self.manifest}


@dataclass(frozen=True, slots=True)
class Plan:
    """All that is needed to begin: everything that can be refused has been looked at."""

    config: Config
    sources: list[str]
    loaded: LoadedTokenizer
    preparer: Preparer
    now: datetime
    output: OutputFolder


def plan(config: Config, *, overwrite: bool) -> Plan:
    """Look at everything that a build needs, and write nothing.

    Raises:
        UsageError: a source, the tokenizer, the template or the output cannot be used.
    """
    output = OutputFolder(config.output)
    output.check(overwrite=overwrite)
    sources = expand(config.sources)
    loaded = load_tokenizer(config.tokenizer, config.stop_tokens)
    now = config.now or datetime.now(UTC).replace(microsecond=0)
    text, named = _template(config)
    policy = Policy(
        history=History(config.history or History.SPLIT),
        mismatch=Mismatch(config.prompt_mismatch),
        turns=config.train.turns,
        parts=frozenset(map(Part, config.train.parts)),
        max_length=config.max_length,
    )
    variables = dict(config.template_kwargs)
    preparer = Preparer(loaded, now=now, policy=policy, template=text, named=named, variables=variables)
    return Plan(config, sources, loaded, preparer, now, output)


def build(config: Config, progress: Progress, *, overwrite: bool = False) -> BuildReport:
    """Build the data set that ``config`` describes.

    Raises:
        UsageError: it cannot be begun; nothing was written.
        BuildError: it was begun and must not be committed; what is left in the output folder is no data set.
    """
    planned = plan(config, overwrite=overwrite)
    sizes = [total_bytes(source) for source in planned.sources]
    progress.start(None if None in sizes else sum(size or 0 for size in sizes))
    lines = chain.from_iterable(
        read_lines(source, config.max_row_bytes, partial(_grown, progress, [0])) for source in planned.sources
    )
    if config.history is None:
        sample = list(_first(lines))
        check_expansion(sample, planned.preparer, config.max_expansion)
        lines = chain(sample, lines)
    planned.output.claim()
    shards = ShardWriter(planned.output.path, config.shard_bytes)
    try:
        return _write(planned, lines, shards, progress)
    except BaseException:
        shards.abandon()
        planned.output.abandon()
        raise


def _write(planned: Plan, lines: Iterable[Line], shards: ShardWriter, progress: Progress) -> BuildReport:
    with planned.output.rejects.open("w", encoding="utf-8") as rejects:
        tally = write_rows(lines, planned.preparer, shards, rejects, progress.rows)
    _refuse_failures(planned, tally)
    receipts = shards.finish()
    tokenizer = planned.loaded.tokenizer
    if planned.config.chat_template is not None:
        tokenizer.chat_template = planned.preparer.templates[False].source
    tokenizer.save_pretrained(planned.output.path / "tokenizer")
    manifest = _manifest(planned, tally, receipts)
    planned.output.commit(receipts, manifest, manifest["fingerprint"])
    return BuildReport(str(planned.output.path), str(planned.output.rejects), manifest)


def _refuse_failures(planned: Plan, tally: Tally) -> None:
    facts = {**tally.facts(), "rejects_file": str(planned.output.rejects)}
    if not tally.rows:
        raise BuildError(f"there is no row in {', '.join(planned.sources)}", "give files with one JSON object a line")
    limit = planned.config.max_rejects
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


def _grown(progress: Progress, before: list[int], consumed: int) -> None:
    """Tell the progress by how much the bytes consumed of one file have grown."""
    progress.read(consumed - before[0])
    before[0] = consumed


def _template(config: Config) -> tuple[str | None, str | None]:
    """Return the text of the template file, or the name of one of the tokenizer's templates."""
    choice = config.chat_template
    if choice is None:
        return None, None
    path = Path(choice)
    if not path.is_file():
        if path.suffix or "/" in choice:
            raise UsageError(f"no chat template file {choice!r}", "give the path of a Jinja file to --chat-template")
        return None, choice
    try:
        return path.read_text(encoding="utf-8"), None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{choice}: cannot be read as text: {error}") from error


def _manifest(planned: Plan, tally: Tally, receipts: list[Receipt]) -> dict[str, Any]:
    templates = {planned.preparer.templates[tools].source for tools in (False, True)}
    template_hash = hashlib.sha256("\0".join(sorted(templates)).encode()).hexdigest()
    tokenizer = planned.loaded.digest()
    parts = {"config": planned.config.fingerprint(), "tokenizer": tokenizer, "template": template_hash}
    if any(template.uses_clock for template in planned.preparer.templates.values()):
        parts["now"] = planned.now.isoformat()
    packages = ("datasets", "jinja2", "pyarrow", "tokenizers", "transformers")
    return {
        "format_version": FORMAT_VERSION,
        "fingerprint": hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest(),
        "fingerprint_of": parts,
        "now": planned.now.isoformat(),
        "config": planned.config.model_dump(mode="json"),
        "stop_tokens": list(planned.loaded.stop_tokens),
        "versions": {
            "maskprep": __version__,
            "python": platform.python_version(),
            **{package: version(package) for package in packages},
        },
        "totals": tally.facts(),
        "shards": [asdict(receipt) for receipt in receipts],
    }
