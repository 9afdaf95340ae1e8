"""Data sets of the library ``datasets``, mapped: rows in, token ids and labels out, with a report.

    Dataset          ─▶ record batches ─▶ the lines that a build reads of them ─▶ Arrow in datasets' cache, or memory
    DatasetDict      ─▶ each split by itself
    IterableDataset  ─▶ the same, when it is iterated

A ``Dataset`` that lies on disk is kept, mapped, in datasets' cache, under a fingerprint of its rows and of all that
decides on what becomes of them: asked for again, it is read from there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa

from maskprep.dataset.schema import OPTIONAL, ShardRow, to_batch, with_optional
from maskprep.dataset.stored import read_stream
from maskprep.errors import RejectedError, UsageError
from maskprep.examples.advice import Adviser
from maskprep.examples.history_cost import SAMPLE_ROWS, check_expansion
from maskprep.examples.tally import Tally
from maskprep.examples.tree_models import can_have_trees
from maskprep.formats import Line
from maskprep.memory.lines import FIRST, NAME, read_alike
from maskprep.memory.masker import RowMasker
from maskprep.memory.parallel import in_workers
from maskprep.sources.table_rows import Wanted, rows_of

_ROWS = 1000  # of a data set that are taken out of it at a time
_TOLD = 100  # rejected rows that a report names one by one
_BESIDE = ("spans", "origin", "logprobs")


@dataclass(frozen=True, slots=True)
class MapOptions:
    """How a data set is mapped; ``api.Masker.map`` describes each."""

    spans: bool = False
    workers: int = 0
    start_method: str | None = None
    cache: bool = True


def map_dataset(masker: RowMasker, dataset: Any, options: MapOptions) -> tuple[Any, dict[str, Any]]:
    """Return a ``datasets.Dataset`` mapped, and the report of it.

    Raises:
        BuildError: each turn in its own context would take too many tokens, and nothing was chosen.
        RejectedError: more than ``max_rejects`` of the rows cannot be used.
    """
    from datasets import config  # noqa: PLC0415 - a second to import

    known = hashlib.sha256(f"{dataset._fingerprint} {masker.fingerprint} {options.spans}".encode()).hexdigest()[:32]  # noqa: SLF001 - it has no public name
    kept = Path(config.HF_DATASETS_CACHE) / "maskprep" / known if options.cache and dataset.cache_files else None
    if kept is not None and (kept / _REPORT).is_file():
        return _opened(kept, known, in_memory=False)
    masker.preparer.begin()
    folder = Path(tempfile.mkdtemp(prefix="maskprep-", dir=_made(kept.parent) if kept else None))
    try:
        report = _write(masker, _lines(masker, dataset), folder, options)
        (folder / _REPORT).write_text(json.dumps(report), encoding="utf-8")
        if kept is None:
            return _opened(folder, known, in_memory=True)
        if not kept.exists():
            folder.rename(kept)
        return _opened(kept, known, in_memory=False)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def map_lines(masker: RowMasker, lines: Iterator[Line], options: MapOptions) -> tuple[Any, dict[str, Any]]:
    """Return lines, wherever they were read, as a ``datasets.Dataset`` in memory, and the report of it.

    Raises:
        BuildError: as ``map_dataset``.
        RejectedError: likewise.
    """
    masker.preparer.begin()
    with tempfile.TemporaryDirectory(prefix="maskprep-") as name:
        folder = Path(name)
        report = _write(masker, lines, folder, options)
        (folder / _REPORT).write_text(json.dumps(report), encoding="utf-8")
        return _opened(folder, uuid.uuid4().hex, in_memory=True)


def map_stream(masker: RowMasker, dataset: Any, options: MapOptions) -> tuple[Any, StreamReport]:
    """Return a ``datasets.IterableDataset`` that maps another one as it is iterated, and a report that grows."""
    from datasets import Features  # noqa: PLC0415 - as above

    schema = _of_stream(to_batch([], trees=masker.makes_trees), spans=options.spans).schema
    first = list(islice(dataset, FIRST))
    names = dict.fromkeys([*(dataset.column_names or ()), *(name for row in first for name in row)])
    function = StreamMap(masker.like(first), options.spans)
    mapped = dataset.map(
        function,
        batched=True,
        batch_size=_ROWS,
        remove_columns=list(names),
        features=Features.from_arrow_schema(schema),
    )
    return mapped, StreamReport(function)


class StreamMap:
    """Maps batches of a stream, one after the other; ``tally`` counts the rows so far, in this process."""

    def __init__(self, masker: RowMasker, spans: bool) -> None:  # noqa: FBT001 - a field
        self.masker, self.spans, self.tally = masker, spans, Tally()

    def __call__(self, columns: Mapping[str, Sequence[Any]]) -> dict[str, list[Any]]:
        """Return the columns of what the rows of a batch become. Raises ``UsageError`` where tokens are weighed."""
        rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
        tally, batch, _ = prepare_batch(self.masker, list(self.masker.lines(rows)))
        self.tally.merge(tally)
        if "loss_weights" in batch.schema.names:
            msg = "a row weighs its tokens, and the columns of a stream must be known before its rows are"
            raise UsageError(msg, "map a Dataset, not a stream, or take the weights out (columns, ignore)")
        made: dict[str, list[Any]] = _of_stream(batch, spans=self.spans).to_pydict()
        return made


class StreamReport(Mapping[str, Any]):
    """The counts of the rows of a stream so far, as JSON types by name."""

    def __init__(self, function: StreamMap) -> None:
        self._function = function

    def __getitem__(self, name: str) -> Any:
        """Return what was counted under a name."""
        return self._function.tally.facts()[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names."""
        return iter(self._function.tally.facts())

    def __len__(self) -> int:
        """Return how many names there are."""
        return len(self._function.tally.facts())


def prepare_batch(masker: RowMasker, lines: Sequence[Line]) -> tuple[Tally, Any, list[dict[str, Any]]]:
    """Return the counts of some rows, what they become as a record batch, and why the others cannot be used."""
    tally, adviser, made, left = Tally(), Adviser(masker.preparer), list[ShardRow](), list[dict[str, Any]]()
    for rows in masker.prepared(lines):
        for row in rows:
            where = row.line.where
            if row.conversation is not None:
                tally.read(row.conversation.account, masker.preparer.mentioned)
            if row.made is not None:
                tally.use(where, row.made)
                made += [ShardRow(each.labelled, where, n) for n, each in enumerate(row.made.sequences)]
            elif row.error is not None:
                error = adviser.advise(row.error, where, row.conversation)
                tally.reject(where, error)
                left.append({"row": where.line - 1, "code": error.code, "message": error.message, "hint": error.hint})
    return tally, to_batch(made, trees=masker.makes_trees), left


def _lines(masker: RowMasker, dataset: Any) -> Iterator[Line]:
    if dataset.format["type"] == "custom":
        msg = "the data set has a transform, which is applied to rows when they are looked at"
        raise UsageError(msg, "apply it first: dataset.map(…), or dataset.with_format(None) to leave it out")
    if set(dataset.format["columns"]) != set(dataset.column_names):
        dataset = dataset.select_columns(dataset.format["columns"])
    tables = dataset.with_format("arrow").iter(batch_size=_ROWS)
    batches = (batch for table in tables for batch in table.to_batches())
    return read_alike(rows_of(NAME, 1, batches, masker.config.max_row_bytes, Wanted(None)), masker.reading)


def _write(masker: RowMasker, lines: Iterator[Line], folder: Path, options: MapOptions) -> dict[str, Any]:
    """Write what rows become into a folder, and return the report."""
    config, tally, left = masker.config, Tally(), list[dict[str, Any]]()
    if config.history is None:
        lines = _checked(masker, lines)
    batches = [
        _columns(to_batch([], trees=masker.makes_trees), spans=options.spans)
    ]  # a data set without rows has them
    written: list[Path] = []
    held = set[str]()
    for counts, batch, rejected in in_workers(masker, lines, prepare_batch, options.workers, options.start_method):
        tally.merge(counts)
        left += rejected[: max(0, _TOLD - len(left))]
        batches.append(_columns(batch, spans=options.spans))
        held |= {name for name in OPTIONAL if name in batches[-1].schema.names}
        if sum(each.nbytes for each in batches) >= _BYTES:
            written.append(_stored(folder, len(written), batches))
    if batches:
        written.append(_stored(folder, len(written), batches))
    for number, path in enumerate(written) if held else ():
        again = [with_optional(batch, held) for batch in read_stream(path)]
        _stored(folder, number, again)
    _refuse_unused(masker, tally)
    facts = tally.facts()
    report = {**facts, "rejected_rows": left, "fingerprint": masker.fingerprint}
    if tally.reject_fraction > config.max_rejects:
        msg = f"{tally.rejected:,} of {tally.rows:,} rows were rejected, more than max_rejects {config.max_rejects:.1%}"
        raise RejectedError(msg, tally.way_out("mend the rows, or raise max_rejects"), report)
    return report


def _refuse_unused(masker: RowMasker, tally: Tally) -> None:
    """Raise ``UsageError`` where an entry of ``columns`` or ``roles`` did nothing."""
    config = masker.config
    idle = [f"columns: {{{field}: {name}}}" for field, name in config.columns.items() if not tally.columns_used[field]]
    idle += [f"roles: {{{name}: {role}}}" for name, role in config.roles.items() if not tally.roles_used[name]]
    if idle and tally.rows:
        raise UsageError(
            f"{', '.join(idle)} has no effect: no row has it", "take it out, or write it as the data has it"
        )


def _checked(masker: RowMasker, lines: Iterator[Line]) -> Iterator[Line]:
    """Return the lines again, of which the first were looked at: would each turn in its own context be dear?"""
    first = list(islice(lines, SAMPLE_ROWS))
    check_expansion(first, masker.preparer, masker.config.max_expansion, trees=can_have_trees(masker.config))
    masker.preparer.begin()

    def both() -> Iterator[Line]:
        yield from first
        yield from lines

    return both()


def _stored(folder: Path, number: int, batches: list[Any]) -> Path:
    """Write record batches into a file, each with the ``OPTIONAL`` columns that another has, and let go of them."""
    path = folder / f"data-{number:05d}.arrow"
    held = {name for batch in batches for name in OPTIONAL if name in batch.schema.names}
    batches[:] = [with_optional(batch, held) for batch in batches]
    path.unlink(missing_ok=True)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, batches[0].schema) as out:
        for batch in batches:
            out.write_batch(batch)
    batches.clear()
    return path


def _columns(batch: Any, *, spans: bool) -> Any:
    names = [name for name in batch.schema.names if spans or name not in _BESIDE]
    return batch.select(names)


def _of_stream(batch: Any, *, spans: bool) -> Any:
    """Return the columns of a stream, those that all rows have: where its rows come from, nobody can say."""
    left = {"origin", "logprobs"}
    return batch.select([name for name in _columns(batch, spans=spans).schema.names if name not in left])


def _opened(folder: Path, fingerprint: str, *, in_memory: bool) -> tuple[Any, dict[str, Any]]:
    from datasets import Dataset, concatenate_datasets  # noqa: PLC0415 - as above

    report = json.loads((folder / _REPORT).read_text(encoding="utf-8"))
    parts = [Dataset.from_file(str(path), in_memory=in_memory) for path in sorted(folder.glob("data-*.arrow"))]
    data = concatenate_datasets(parts) if len(parts) > 1 else parts[0]
    data._fingerprint = fingerprint  # noqa: SLF001 - as above
    return data, report


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


_REPORT = "report.json"
_BYTES = 2**28  # of record batches in memory, before they are written
