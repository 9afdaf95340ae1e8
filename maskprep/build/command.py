"""``maskprep build``: plan, have the chunks done, put together what they left, commit.

    sources ─▶ chunks ─▶ engine ─▶ receipts ─▶ gather ─▶ arrange ─▶ commit
               plan.json  workers   in work/    counts    shards     state.json

Until the commit everything lies in the output's own folder of unfinished work: the same command goes on after a crash.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING

from maskprep.build.destination import Destination, destination
from maskprep.build.ignored import idle_settings, made_in
from maskprep.build.plan import PLAN, chunk_bytes, planned, refuse_another, stored_plan
from maskprep.build.receipt import ledger_name
from maskprep.build.recommending import recommending
from maskprep.build.resume import Listing, Replay, unsurveyed
from maskprep.build.run_chunks import engine_of, run
from maskprep.build.worker import BuildTask, Counts, Worker, WorkerSetup, unwritable
from maskprep.config import Config
from maskprep.dataset.arrange import layout_before, refuse_layout
from maskprep.engines import LocalEngine
from maskprep.engines.job import Engine, Setup
from maskprep.errors import BackendError, BuildInterrupt, RejectedError, UsageError
from maskprep.examples.backend import backend_for
from maskprep.examples.history_cost import SAMPLE_BYTES, SAMPLE_ROWS, check_expansion
from maskprep.examples.inputs import Inputs, look_at
from maskprep.examples.setup import backend_named
from maskprep.examples.tree_models import can_have_trees, refuse_model
from maskprep.formats import Line
from maskprep.light_imports import spare_pandas
from maskprep.plural import count
from maskprep.policy import Duplicates
from maskprep.progress import Progress
from maskprep.sources.chunk import Chunk
from maskprep.sources.feed import HELD, Feed
from maskprep.sources.streams import STDIN
from maskprep.tokenizer.backend import TransformersBackend

if TYPE_CHECKING:
    from maskprep.build.commit import BuildReport, PageWriter


def build(config: Config, progress: Progress, write_page: PageWriter, *, overwrite: bool = False) -> BuildReport:
    """Build the data set that ``config`` describes, or go on with a build of it that was not finished.

    Args:
        config: what to build.
        progress: shows how far the build has come.
        write_page: writes the build report.
        overwrite: whether to replace a former build, finished or not.

    Raises:
        UsageError: it cannot be begun; nothing was written.
        RejectedError: the rows are not fit for a data set; only the rejects are left in the output folder.
        BuildError: it cannot be ended now; what was done is kept.
        BuildInterrupt: the user ended it; what was done is kept.
    """
    if config.output is None:
        raise UsageError("output is missing: give --output, or set it in the configuration")
    refuse_layout(config, layout_before(config))
    refuse_model(config)
    spare_pandas()
    began = time.monotonic()
    with destination(config) as goal:
        report = _build(config, goal, progress, write_page, overwrite=overwrite)
    return replace(report, seconds=time.monotonic() - began)


def _build(
    config: Config, goal: Destination, progress: Progress, write_page: PageWriter, *, overwrite: bool
) -> BuildReport:
    begun = stored_plan(goal.place) if goal.check(overwrite=overwrite) else None
    feed = Feed(config)
    total = feed.total()
    engine, window = engine_of(config, total)
    if isinstance(engine, LocalEngine):
        engine.warm()
    inputs = look_at(config, feed, begun.now if begun else None)
    if begun is None:
        inputs = inputs.encoding_with(backend_for(config, inputs.loaded, inputs.sources))
    else:
        inputs = inputs.encoding_with(backend_named(begun.backend, inputs.loaded, begun.note))
        refuse_another(begun, planned(inputs), goal.name)
    running = _Running(inputs, goal, engine, window, chunk_bytes(total), progress)
    progress.start("", total)
    try:
        with recommending(inputs, running.held, progress):
            report = running.build(write_page, resume=begun is not None)
    except BackendError as error:
        if STDIN in inputs.sources:
            raise  # it cannot be read again
        # What it encoded, if anything, must not be kept, and nobody knows how much of it is wrong: all is done again.
        inputs = inputs.encoding_with(TransformersBackend(inputs.loaded.tokenizer, f"begun again: {error.message}"))
        progress.start("", total)
        with recommending(inputs, (), progress):
            report = replace(running, inputs=inputs).build(write_page, resume=False)
    workers = engine.workers if isinstance(engine, LocalEngine) else None
    return replace(report, idle=idle_settings(config, made_in(config), workers))


@dataclass(frozen=True, slots=True)
class _Running:
    """A build that is being done.

    ``target`` is how many bytes of the sources go into a chunk. ``held`` are the first rows of what can be read once.
    """

    inputs: Inputs
    goal: Destination
    engine: Engine
    window: int
    target: int
    progress: Progress
    held: list[Line] = field(default_factory=list)

    def build(self, write_page: PageWriter, *, resume: bool) -> BuildReport:
        """Do it; with ``resume`` only what is missing."""
        chunks = self.inputs.feed.chunks(self.target)
        if self.inputs.config.history is None and not resume:
            chunks = self._sampled(chunks)
        with self.goal.held():
            self.goal.claim(resume=resume)
            with self._kept():
                self.goal.place.write(PLAN, planned(self.inputs).dumps())
                listing = Listing(self.goal.place, self.progress)
                self._work(chunks, listing)
                from maskprep.build.finish import close  # noqa: PLC0415 - no row waits for what the end needs

                report = close(self.inputs, self.goal, listing, self.target, write_page)
                self.goal.deliver()
                return report

    def _sampled(self, chunks: Iterator[Chunk]) -> Iterator[Chunk]:
        """Measure the costs on the first rows, and return all chunks."""
        self.inputs.preparer.backend.begin()  # the sample is more than can be compared
        seen: list[Chunk] = []

        def first() -> Iterator[Line]:
            size = count = 0
            for chunk in chunks:
                seen.append(chunk)
                for line in chunk.read(self.inputs.config.max_row_bytes):
                    if line.copies:
                        if STDIN in self.inputs.sources and size < HELD:
                            self.held.append(line)
                        yield line
                        size, count = size + len(line.data), count + 1
                        if count >= SAMPLE_ROWS or size >= SAMPLE_BYTES:
                            return

        config = self.inputs.config
        check_expansion(first(), self.inputs.preparer, config.max_expansion, trees=can_have_trees(config))
        return chain(seen, chunks)

    def _work(self, chunks: Iterator[Chunk], listing: Listing) -> None:
        """Have every chunk done that was not."""
        config = self.inputs.config
        task = BuildTask(config, self.goal.place, self.goal.output.splits)
        if config.duplicates == Duplicates.DROP:
            with Replay(chunks, lambda: self.inputs.feed.chunks(self.target), STDIN in self.inputs.sources) as replay:
                names: list[str] = []
                self._run(replace(task, survey=True), unsurveyed(replay.first(), self.goal.place, names), Progress())
                from maskprep.build.gather import find_drops  # noqa: PLC0415 - as close()

                drops = find_drops(self.goal.place, names)
                dropping = (replace(chunk, drops=drops(chunk.number)) for chunk in replay.second())
                self._run(task, listing.waiting(dropping), self.progress)
        else:
            self._run(task, listing.waiting(chunks), self.progress)

    def _run(self, task: BuildTask, chunks: Iterator[Chunk], progress: Progress) -> None:
        setup: Setup[Chunk, Counts]
        if isinstance(self.engine, LocalEngine) and self.engine.workers == 0:
            worker = Worker(task, self.inputs.preparer)
            setup = lambda: worker  # noqa: E731 - one that is there already
        else:
            inputs = self.inputs
            backend = inputs.preparer.backend.name
            setup = WorkerSetup(task, inputs.template, inputs.now, backend, inputs.loaded.digest())
        run(self.engine, setup, chunks, self.window, progress)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Keep what was done when the block fails, unless the rows are at fault: then only the rejects."""
        try:
            yield
        except (RejectedError, BackendError, UsageError):
            with suppress(OSError):
                self._keep_rejects()
                self.goal.abandon()
            raise
        except OSError as error:
            raise unwritable(str(error.filename or self.goal.output.path), error) from error
        except KeyboardInterrupt:
            done = sum(name.endswith(".json") and name != PLAN for name in self.goal.place.names())
            raise BuildInterrupt(
                f"interrupted; nothing was committed: {count(done, 'chunk')} done, and the same command goes on"
            ) from None

    def _keep_rejects(self) -> None:
        """Leave the rejects of the first chunk, if there are none of the whole."""
        if not self.goal.output.rejects.exists():
            self.goal.output.rejects.write_bytes(self.goal.place.read(ledger_name(0, "rejects")))
