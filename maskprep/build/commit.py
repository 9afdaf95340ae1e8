"""The end of every command that writes a data set: manifest, page, commit; or nothing at all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from maskprep.config import Config
from maskprep.dataset.arrange import packing_facts
from maskprep.dataset.files import Receipt
from maskprep.dataset.handover import hand_over, settings_text
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import Layout
from maskprep.dataset.statistics import statistics
from maskprep.errors import BuildError
from maskprep.inspect.command import Output, View
from maskprep.inspect.run_facts import run_facts
from maskprep.inspect.views import Viewer

_READ_AGAIN = 5 * 10**9  # tokens: to read more of them for the report would take many minutes


@dataclass(frozen=True, slots=True)
class BuildReport:
    """What a build or an export did, in plain facts.

    ``trainer`` is what the trainer must be told, as in ``settings_file``; ``idle`` are settings of who does the work
    that nobody heeded. ``seconds`` is how long it took, 0 where that was not measured.
    """

    output: str
    rejects_file: str
    report_file: str
    manifest: Mapping[str, Any]
    trainer: Mapping[str, Any]
    settings_file: str
    idle: Sequence[Mapping[str, str]] = ()
    seconds: float = 0.0

    @property
    def ignored(self) -> list[Mapping[str, str]]:
        """The settings without effect, each with the reason; builds of former versions do not tell them."""
        return [*self.manifest.get("ignored_settings", ()), *self.idle]

    def facts(self) -> dict[str, Any]:
        """Return the report as JSON types."""
        return {
            "output": self.output,
            "rejects_file": self.rejects_file,
            "report_file": self.report_file,
            "settings_file": self.settings_file,
            **self.manifest,
            "ignored_settings": self.ignored,
            "trainer": {**self.trainer},
            "seconds": round(self.seconds, 3),
        }


class PageWriter(Protocol):
    """Writes the page that shows rows and figures."""

    def __call__(
        self,
        path: Path,
        title: str,
        rows: Iterable[View],
        statistics: Mapping[str, Any] | None,
        run: Mapping[str, Any] | None,
    ) -> object:
        """Write the page to ``path``; ``run`` is what it tells of the build."""


@contextmanager
def all_or_nothing(output: OutputFolder) -> Iterator[None]:
    """Take back what was written if the block fails, as far as that goes: it is no data set in any case.

    Raises:
        BuildError: for an ``OSError`` of the block.
    """
    try:
        yield
    except BaseException as error:
        with suppress(OSError):
            output.abandon()
        if isinstance(error, OSError):
            msg = f"the output {str(output.path)!r} cannot be written: {error.strerror or error}"
            raise BuildError(msg, "make room, or give another folder to --output") from error
        raise


def commit(  # noqa: PLR0913, PLR0917 - all that is known when the shards are there
    output: OutputFolder,
    config: Config,
    described: Mapping[str, Any],
    receipts: Sequence[Receipt],
    layout: Layout,
    viewer: Viewer,
    write_page: PageWriter,
    name: str | None = None,
) -> BuildReport:
    """Make a data set of a folder in which the shards, the tokenizer and the ledgers lie.

    Args:
        output: the folder.
        config: what it was written by.
        described: its manifest, but for what only the shards tell.
        receipts: the shards.
        layout: which columns they have.
        viewer: shows rows.
        write_page: writes the report. Shards that stay in an object store, or are many, are not read for it.
        name: what the data set is called where it goes, if that is not the folder.
    """
    manifest = {**described, "shards": [_facts(receipt) for receipt in receipts]}
    manifest["totals"] = {**described["totals"], **packing_facts(receipts, config)}
    if "splits" in described:
        manifest["splits"] = {
            split: {**facts, **packing_facts((each for each in receipts if each.file.startswith(f"{split}/")), config)}
            for split, facts in described["splits"].items()
        }
    manifest["tokenizer_files"] = sorted(entry.name for entry in output.tokenizer.iterdir())
    output.describe(manifest, layout)
    rows: Iterator[View] = iter(())
    figures = None
    few = sum(receipt.tokens for receipt in receipts) <= _READ_AGAIN
    if few and all((output.path / receipt.file).is_file() for receipt in receipts):
        data = StoredDataSet(str(output.path), committed=False)
        rows = Output(data, viewer).page_rows()
        # No word of where it was written: the same build is the same bytes everywhere.
        figures = {name: value for name, value in statistics(data).facts().items() if name != "path"}
    run = run_facts(manifest)
    write_page(output.report, f"{', '.join(run['sources'])} · maskprep build", rows, figures, run)
    place = str(output.path) if name is None else name
    trainer = hand_over(place, manifest, layout)
    settings = output.settings(trainer["language"])
    settings.write_text(settings_text(trainer), encoding="utf-8")
    output.commit(receipts, manifest["fingerprint"])
    notes = f"{place}/maskprep"
    return BuildReport(
        place, f"{notes}/rejects.jsonl", f"{notes}/report.html", manifest, trainer, f"{notes}/{settings.name}"
    )


def _facts(receipt: Receipt) -> dict[str, Any]:
    """Return what the manifest tells of a shard: of files beside it only where there are any."""
    facts = asdict(receipt)
    beside = facts.pop("beside")
    return {**facts, "beside": beside} if beside else facts
