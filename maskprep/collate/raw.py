"""Batches from raw rows: masks are made in worker processes while the model trains.

rows ─▶ windows of some hundred ─▶ worker process: mask, pack, collate ─▶ look-ahead buffer ─▶ for batch in loader
        0 │ 1 │ 2 │ 3 …            0, 2 … by one, 1, 3 … by another                             state_dict()

What becomes of a window depends on its rows alone, so that the stream is the same with any number of workers, and goes
on where it stopped: at a batch of a window.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import islice
from typing import Any, Protocol

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from maskprep.arrays import Ints
from maskprep.collate.ahead import ahead
from maskprep.collate.loader import Batch, as_it_is, own
from maskprep.collate.packed import PackedCollator
from maskprep.collate.raw_rows import document_of, joined
from maskprep.dataset.packing import pack
from maskprep.errors import BuildError, RowError, UsageError
from maskprep.policy import Strategy

Rows = Sequence[Mapping[str, Any]] | Iterable[Mapping[str, Any]]
_Window = tuple[int, int, list[Batch], list[tuple[str, str]]]  # epoch, number, batches, what was rejected


class MasksRows(Protocol):
    """Makes examples of rows: a ``maskprep.Masker``."""

    @property
    def fingerprint(self) -> str:
        """A hash of all that decides on what becomes of a row."""

    def like(self, rows: Iterable[Mapping[str, Any]]) -> MasksRows:
        """Return a masker that reads all rows in the format that the first of these have."""

    def many(self, rows: Iterable[Mapping[str, Any]]) -> Sequence[Any]:
        """Return what rows become, each in its place."""


@dataclass(frozen=True, slots=True)
class RawOrder:
    """The settings that decide on the order of raw rows and packs; ``RawLoader`` describes each."""

    length: int | None
    batch_size: int
    world_size: int
    shuffle: bool
    seed: int
    strategy: Strategy
    window: int


class RawLoader(IterableDataset[Batch]):
    """Iterates over batches of raw rows, masked on the fly, of one rank for one epoch.

    Args:
        masker: a ``maskprep.Masker``.
        rows: a sequence of rows, such as a ``datasets.Dataset`` or a list; or anything that can be iterated again and
            again, whose rows then come in its own order.
        length: tokens that a pack may have; None: one document a row.
        batch_size: packs, or rows, a batch; the last batch of a window may have fewer.
        collate: makes a batch of a list of rows; ``PackedCollator()`` unless given. For trees give ``TreeCollator``.
        rank: which of ``world_size`` processes this one is, from 0: it takes every so many-th window.
        world_size: how many processes train together.
        shuffle: whether rows come in a random order, another one each epoch.
        seed: decides it.
        strategy: how documents are packed within a window: ``best_fit`` or ``in_order``.
        window: rows that are masked and packed together.
        endless: begin the next epoch at the end of one. How many batches an epoch has, nobody knows before its rows are
            masked, and ranks may differ: where several train together, make it endless and count steps.
        rejects: what becomes of rows that cannot be used: ``warn`` tells each reason once, ``raise`` ends the stream.
        look_ahead: windows that wait for training at most, beside two a worker.
        workers: processes that mask and pack; 0 does it here, when a batch is asked for.
        start_method: how they are started: ``fork``, ``spawn`` or ``forkserver``; Python's default unless given.

    ``rejected`` counts the rows that could not be used so far, by code. ``len()`` is not known.

    Raises:
        UsageError: a setting makes no sense; from iterating: a document is longer than ``length``, or trees would go
            to a collator that has no mask for them.
        BuildError: from iterating, with ``rejects="raise"``: a row cannot be used.
    """

    def __init__(  # noqa: PLR0913 - settings, each by name
        self,
        masker: MasksRows,
        rows: Rows,
        *,
        length: int | None = None,
        batch_size: int = 1,
        collate: Callable[[Sequence[Mapping[str, Any]]], Batch] | None = None,
        rank: int = 0,
        world_size: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        strategy: str = Strategy.BEST_FIT,
        window: int = 256,
        endless: bool = False,
        rejects: str = "warn",
        look_ahead: int = 2,
        workers: int = 1,
        start_method: str | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= rank < world_size:
            raise UsageError(f"rank {rank} of world_size {world_size}: must be from 0 to {world_size - 1}")
        if min(1 if length is None else length, batch_size, window, look_ahead) < 1 or min(workers, seed) < 0:
            raise UsageError("length, batch_size, window and look_ahead start at 1, workers and seed at 0")
        if strategy not in set(Strategy) or rejects not in {"warn", "raise"}:
            raise UsageError(f"strategy must be {' or '.join(Strategy)}, and rejects warn or raise")
        self._sized = hasattr(rows, "__len__") and hasattr(rows, "__getitem__")
        if shuffle and not self._sized:
            raise UsageError("rows that can only be iterated cannot be shuffled", "give shuffle=False, or a sequence")
        # All rows are read as the first of them are, whichever come first.
        first = (rows[number] for number in range(len(rows))) if self._sized else iter(rows)  # type: ignore[index,arg-type]
        self._masker, self._rows, self._collate = masker.like(first), rows, collate or PackedCollator()
        self._order = RawOrder(length, batch_size, world_size, shuffle, seed, Strategy(strategy), window)
        self._rank, self._endless, self._raises = rank, endless, rejects == "raise"
        self._look_ahead, self._workers, self._start_method = look_ahead, workers, start_method
        self._epoch = self._window = self._batch = 0
        self.rejected: Counter[str] = Counter()

    @property
    def epoch(self) -> int:
        """The epoch that the next batch belongs to, from 0."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Begin another epoch; the one that is under way already goes on."""
        if epoch != self._epoch:
            self._epoch, self._window, self._batch = epoch, 0, 0

    def state_dict(self) -> dict[str, Any]:
        """Return where the stream stands, in JSON types: a loader so loaded goes on with the next batch."""
        return {"epoch": self._epoch, "place": [self._window, self._batch], **self._settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was called, in this process or another.

        Raises:
            UsageError: the masker, the number of rows, or a setting that decides on their order is another one.
        """
        settings = self._settings()
        other = [name for name, value in settings.items() if state.get(name) != value]
        if other or not {"epoch", "place"} <= state.keys():
            told = ", ".join(f"{name} is {settings[name]!r} and was {state.get(name)!r}" for name in other)
            msg = f"the saved state is of another stream: {told or 'it has no place in it'}"
            raise UsageError(msg, "resume with the rows and settings that the state was saved with")
        self._epoch, self._window, self._batch = map(int, (state["epoch"], *state["place"]))

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches that are left of the epoch, or without end."""
        if get_worker_info() is not None:
            raise UsageError("a RawLoader has workers of its own", "iterate it as it is, or give DataLoader no workers")
        while True:
            restarted = False
            for batch in self._of_windows():
                place = self._epoch, self._window, self._batch
                yield batch
                restarted = place != (self._epoch, self._window, self._batch)
                if restarted:
                    break  # set_epoch or load_state_dict was called
            if not (restarted and self._endless):
                return

    def _of_windows(self) -> Iterator[Batch]:
        """Yield the batches that are left, and note with each where the stream stands."""
        used, made, whole = self._batch, 0, (self._window, self._batch) == (0, 0)
        for epoch, number, batches, rejected in self._ahead():
            if epoch != self._epoch:
                self._refuse_nothing(made, whole=whole)
                self._epoch, made, whole = epoch, 0, True
            self._tell(rejected)
            for batch in batches[used:]:
                used, made = used + 1, made + 1
                self._window, self._batch = number, used
                yield batch
            used = 0
        if self._endless:
            self._refuse_nothing(made, whole=whole)
        self._epoch, self._window, self._batch = self._epoch + 1, 0, 0

    def _refuse_nothing(self, made: int, *, whole: bool) -> None:
        """Raise ``UsageError`` where an endless stream would go on for ever without a batch."""
        if whole and not made:
            msg = f"rank {self._rank} of {self._order.world_size} has no batch in an epoch"
            raise UsageError(msg, "give more rows, a smaller window, or rows that can be used")

    def _ahead(self) -> Iterator[_Window]:
        """Yield the windows that are left: of the epoch, or of this one and all that follow."""
        windows = _Windows(self)
        if not self._workers:
            return iter(windows)
        loader: DataLoader[_Window] = DataLoader(
            windows,
            batch_size=None,
            num_workers=self._workers,
            multiprocessing_context=self._start_method,
            collate_fn=as_it_is,
        )
        return ahead(((*place, list(map(own, batches)), told) for *place, batches, told in loader), self._look_ahead)

    def made(self, epoch: int, number: int, rows: Sequence[Mapping[str, Any]]) -> _Window:
        """Return window ``number`` of this rank in an epoch: its batches, and why rows of it cannot be used."""
        rejected, documents = list[tuple[str, str]](), list[dict[str, Any]]()
        for each in self._masker.many(rows):
            if isinstance(each, RowError):
                rejected.append((each.code, str(each)))
            else:
                documents += [document_of(sequence) for sequence in each.sequences]
        length, size = self._order.length, self._order.batch_size
        packed = documents if length is None else self._packed(documents, length, (epoch, number))
        return epoch, number, [self._collate(packed[at : at + size]) for at in range(0, len(packed), size)], rejected

    def _packed(self, documents: Sequence[dict[str, Any]], length: int, place: tuple[int, int]) -> list[dict[str, Any]]:
        sizes = [len(document["input_ids"]) for document in documents]
        if max(sizes, default=0) > length:
            msg = f"a document has {max(sizes):,} tokens, more than a pack's {length:,}"
            raise UsageError(msg, f"give the Masker max_length={length}, and overflow to say what becomes of such rows")
        seed = (self._order.seed, *place) if self._order.shuffle else None
        packs = pack(sizes, length, self._order.strategy, seed=seed)
        return [joined([documents[index] for index in members.tolist()]) for members in packs]

    def windows(self) -> Iterator[tuple[int, int, Callable[[], list[Mapping[str, Any]]]]]:
        """Yield the epoch and the number of each window of this rank that is left, and what reads its rows."""
        epoch, first = self._epoch, self._window
        while True:
            number = -1
            for number, read in self._of_epoch(epoch):
                if number >= first:
                    yield epoch, number, read
            if not self._endless or number < 0:
                return
            epoch, first = epoch + 1, 0

    def _of_epoch(self, epoch: int) -> Iterator[tuple[int, Callable[[], list[Mapping[str, Any]]]]]:
        size, ranks = self._order.window, self._order.world_size
        if self._sized:
            order = self._shuffled(epoch)
            for number, at in enumerate(range(self._rank, -(-len(order) // size), ranks)):
                yield number, partial(self._taken, order[at * size : (at + 1) * size])
            return
        rest = iter(self._rows)
        at = 0
        while rows := list(islice(rest, size)):
            number, rank = divmod(at, ranks)
            if rank == self._rank:
                yield number, partial(list, rows)
            at += 1

    def _taken(self, numbers: Ints) -> list[Mapping[str, Any]]:
        return [self._rows[index] for index in numbers.tolist()]  # type: ignore[index]

    def _shuffled(self, epoch: int) -> Ints:
        count = len(self._rows)  # type: ignore[arg-type]
        if not self._order.shuffle:
            return np.arange(count)
        return np.random.default_rng((self._order.seed, epoch)).permutation(count)

    def _settings(self) -> dict[str, Any]:
        rows = len(self._rows) if self._sized else None  # type: ignore[arg-type]
        return {"version": 1, "masker": self._masker.fingerprint, "rows": rows, **asdict(self._order)}

    def _tell(self, rejected: Sequence[tuple[str, str]]) -> None:
        for code, reason in rejected:
            if self._raises:
                raise BuildError(f"a row cannot be used: {reason}", "mend it, or give rejects='warn'")
            if not self.rejected[code]:
                warnings.warn(f"rows are left out: {reason}; `rejected` counts them", stacklevel=3)
            self.rejected[code] += 1


class _Windows(IterableDataset[_Window]):
    """The windows that are left, made here or in the workers of a ``DataLoader``, in turn.

    Workers go on with the next epoch: they have loaded a tokenizer and learnt a template.
    """

    def __init__(self, loader: RawLoader) -> None:
        super().__init__()
        self._loader = loader

    def __iter__(self) -> Iterator[_Window]:
        worker = get_worker_info()
        number, count = (0, 1) if worker is None else (worker.id, worker.num_workers)
        for epoch, window, read in islice(self._loader.windows(), number, None, count):
            yield self._loader.made(epoch, window, read())
