"""The whole way of a chunk: read → parse → prepare → write → publish → receipt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from maskprep.build.ledgers import Ledgers
from maskprep.build.receipt import SURVEY, ChunkReceipt, ledger_name, receipt_name, shard_name
from maskprep.build.row_writer import Choice, RowWriter
from maskprep.build.work_folder import WorkFolder
from maskprep.config import Config
from maskprep.dataset.files import Receipt, ShardWriter
from maskprep.engines import Heartbeat
from maskprep.errors import BuildError, RejectedError, RowError
from maskprep.examples import Preparer
from maskprep.examples.adapt import adapt
from maskprep.examples.guard import guarded
from maskprep.examples.setup import Template, backend_named, policy_of, preparer_of
from maskprep.examples.tally import DUPLICATE
from maskprep.formats import Line, parse
from maskprep.light_imports import spare_collector, spare_pandas
from maskprep.policy import History
from maskprep.sources.chunk import Chunk
from maskprep.sources.duplicates import digest, packed, same
from maskprep.tokenizer.backend import COMPARED
from maskprep.tokenizer.load import load_tokenizer

LOST = "worker-lost"
"""The code of a row that no worker survived: alone, and twice."""
_USELESS = 200  # rows


@dataclass(frozen=True, slots=True)
class Counts:
    """What was done so far of a chunk, or of all: rows, and tokens written."""

    rows: int = 0
    used: int = 0
    rejected: int = 0
    tokens: int = 0

    def __add__(self, other: Counts) -> Counts:
        """Return the counts of both."""
        return Counts(
            self.rows + other.rows,
            self.used + other.used,
            self.rejected + other.rejected,
            self.tokens + other.tokens,
        )


@dataclass(frozen=True, slots=True)
class BuildTask:
    """What all chunks of a build have in common.

    ``splits`` are the names of the parts of the data set. ``survey`` asks only for the digests of the rows that can be
    parsed.
    """

    config: Config
    place: WorkFolder
    splits: tuple[str, ...]
    survey: bool = False


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Makes a worker of a process: loads the tokenizer, compiles the template.

    ``tokenizer`` is the digest of the tokenizer that the driver has: where another is found, nothing is done.
    """

    task: BuildTask
    template: Template
    now: datetime
    backend: str
    tokenizer: str

    def __call__(self) -> Worker:
        """Get ready.

        Raises:
            BuildError: this machine has another tokenizer than the driver.
        """
        config = self.task.config
        if self.task.survey:
            return Worker(self.task, None)
        loaded = load_tokenizer(config.tokenizer, config.stop_tokens)
        if loaded.digest() != self.tokenizer:
            msg = f"the tokenizer {config.tokenizer.name!r} is another one where a worker runs"
            raise BuildError(msg, "give every machine the same files")
        preparer = preparer_of(config, loaded, self.now, self.template, backend_named(self.backend, loaded))
        preparer.backend.load()  # here it is the start that fails for want of memory, there a row
        spare_collector()
        spare_pandas()
        return Worker(self.task, preparer)


class Worker:
    """Does chunks, one after the other; what it makes of one does not depend on the others."""

    def __init__(self, task: BuildTask, preparer: Preparer | None) -> None:
        """Prepare rows with ``preparer``; a survey needs none."""
        self._task, self._preparer = task, preparer

    def __call__(self, chunk: Chunk, heartbeat: Heartbeat) -> Counts:
        """Do a chunk, and return what was done.

        Args:
            chunk: its results are dropped where it is one that is only tried.
            heartbeat: called with the line that is begun, and the counts of what was done before.

        Raises:
            BuildError: the disk is full, or the output or the source is gone; or a fast tokenizer differs.
        """
        task = self._task
        try:
            with task.place.scratch() as folder:
                if task.survey:
                    return self._survey(chunk, folder, heartbeat)
                return self._build(chunk, folder, heartbeat)
        except OSError as error:
            raise unwritable(str(error.filename or "the output"), error) from error

    def _build(self, chunk: Chunk, folder: Path, heartbeat: Heartbeat) -> Counts:
        task, preparer = self._task, self._preparer
        assert preparer is not None
        preparer.begin(COMPARED if chunk.number == 0 else 0)
        read = chosen = 0
        with ExitStack() as files:
            trees = task.config.history == History.TREE
            shards = {
                split: ShardWriter(_below(folder, split), task.config.shard_bytes, trees=trees) for split in task.splits
            }
            for shard in shards.values():
                files.callback(shard.abandon)
            ledgers = Ledgers(*(files.enter_context((folder / name).open("w", encoding="ascii")) for name in _LEDGERS))
            choice = Choice(task.config.split, task.config.seed, task.splits[0])

            def begin(line: Line) -> None:
                heartbeat((line.where.line, Counts(read, whole.used, whole.rejected, whole.tokens)))

            def lines() -> Iterator[Line]:
                nonlocal read, chosen
                for line in chunk.read(task.config.max_row_bytes):
                    if line.copies:
                        chosen += 1
                        yield line  # whoever prepares it says so when it begins
                    else:
                        begin(line)
                    read += 1

            writer = RowWriter(preparer, choice, shards, ledgers, begin=begin)
            whole = writer.tallies.whole
            for rows in preparer.prepared(lines(), _fates(chunk), begin):
                writer.write(rows)
                self._refuse_useless(chunk, writer, ledgers)
            preparer.backend.flush_checks()
            written = {split: shard.close() for split, shard in shards.items()}
        (folder / "digests").write_bytes(packed(writer.used))
        if chunk.only is None:
            own = {name: folder / name for name in (*_LEDGERS, "digests") if (folder / name).stat().st_size}
            named = self._publish(chunk, folder, written, own)
            receipt = ChunkReceipt(
                chunk.number,
                chunk.file.source,
                chunk.file.number,
                chunk.name,
                read,
                chosen,
                any(shard.weighted for shard in shards.values()),
                chunk.checksum(),
                named,
                {name: ledger_name(chunk.number, name) for name in own},
                writer.tallies,
            )
            task.place.write(receipt_name(chunk.number), receipt.dumps())
        return Counts(read, whole.used, whole.rejected, whole.tokens)

    def _refuse_useless(self, chunk: Chunk, writer: RowWriter, ledgers: Ledgers) -> None:
        """Stop as soon as it is plain that the rows, or the template, are not what they were taken for."""
        tally = writer.tallies.whole
        limit = self._task.config.max_rejects
        if chunk.number or chunk.only or tally.used or tally.rejected < _USELESS or limit >= 1:
            return
        ledgers.rejects.flush()
        rejects = ledger_name(chunk.number, "rejects")
        self._task.place.write(rejects, Path(ledgers.rejects.name).read_bytes())
        msg = f"every one of the first {tally.rejected:,} rows was rejected: no other was read"
        hint = tally.way_out("see `maskprep probe` for what the template does; or mend the rows or the configuration")
        raise RejectedError(msg, hint, tally.facts())

    def _publish(
        self, chunk: Chunk, folder: Path, written: Mapping[str, list[Receipt]], ledgers: Mapping[str, Path]
    ) -> dict[str, tuple[Receipt, ...]]:
        files = {ledger_name(chunk.number, name): path for name, path in ledgers.items()}
        named: dict[str, tuple[Receipt, ...]] = {}
        for split, shards in written.items():
            kept = [shard for shard in shards if shard.rows]
            names = [shard_name(split, chunk.number, piece) for piece in range(len(kept))]
            named[split] = tuple(replace(shard, file=name) for shard, name in zip(kept, names, strict=True))
            files |= {name: folder / split / shard.file for shard, name in zip(kept, names, strict=True)}
        self._task.place.publish(files)
        return named

    def _survey(self, chunk: Chunk, folder: Path, heartbeat: Heartbeat) -> Counts:
        """Leave the digests of all rows that can be parsed and are wanted."""
        found = []
        count = 0
        policy = policy_of(self._task.config)
        for line in chunk.read(self._task.config.max_row_bytes):
            heartbeat((line.where.line, Counts(count)))
            count += 1
            if line.copies and line.where.line not in chunk.skipped:
                with suppress(RowError), guarded():  # what fails is rejected when it is prepared
                    found.append((digest(adapt(parse(line), policy)), line.where))
        if chunk.only is None:
            (folder / "survey").write_bytes(packed(found))
            self._task.place.publish({ledger_name(chunk.number, SURVEY): folder / "survey"})
        return Counts(count)


def unwritable(what: str, error: OSError) -> BuildError:
    """Return the error of an output that cannot be written; what is there already is kept."""
    reason = error.strerror or str(error)
    msg = f"the output cannot be written: {reason} ({what})"
    return BuildError(msg, "make room, or mend what is wrong; the same command goes on where this build ended")


def _fates(chunk: Chunk) -> dict[int, RowError]:
    """Return why some lines of a chunk are not prepared, by number: repeats, and rows that no worker survived."""
    repeats = {number: RowError(DUPLICATE, same(first)) for number, first in chunk.drops.items()}
    return {**repeats, **dict.fromkeys(chunk.skipped, _LOST_ROW)}


_LOST_ROW = RowError(
    LOST,
    "the worker that prepared this row was killed, ran out of memory or hung, each time that it was tried",
    "drop or shorten the row; or give workers more memory (worker_memory) or time (worker_seconds)",
)


def _below(folder: Path, split: str) -> Path:
    (folder / split).mkdir(exist_ok=True)
    return folder / split


_LEDGERS = ("rejects", "findings", "dropped")
