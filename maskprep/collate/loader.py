"""Batches for training, packed while the model trains.

folders ─▶ plan (numbers) ─▶ worker process: read, pack, collate ─▶ look-ahead buffer ─▶ for batch in loader
                                                                                          state_dict()

The work is done in another *process*: a thread would hold the interpreter that the training step needs, for as long as
a window takes to pack or a page takes to come from a disk or a network. What does run here is a thread that takes
finished batches out of the pipe, so that the next one is there when it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from maskprep.collate.ahead import ahead
from maskprep.collate.packed import PackedCollator
from maskprep.collate.plan import BatchPlan, OrderSettings
from maskprep.collate.stored import StoredDocuments
from maskprep.errors import UsageError
from maskprep.policy import Strategy

Batch = dict[str, Any]


class PackedLoader(IterableDataset[Batch]):
    """Iterates over the batches of one rank for one epoch.

    Args:
        folders: one output folder of a build, or several.
        length: tokens a pack may have; the longest document must fit.
        batch_size: packs a batch; the last one or two of an epoch may have fewer.
        collate: makes a batch of a list of packed rows; ``PackedCollator()`` unless given: ``(1, tokens)``. Where a
            folder holds trees it must be given, as ``TreeCollator(model.config)``: the mask depends on the model.
        weights: how often the documents of each folder come in an epoch: 1 unless given, 2 is twice, 0.25 is a quarter
            of them, another one each epoch.
        rank: which of ``world_size`` processes this one is, from 0.
        world_size: how many processes train together.
        shuffle: whether documents and packs come in a random order, another one each epoch.
        seed: decides it.
        strategy: ``best_fit`` or ``in_order``, see ``maskprep.dataset.packing.pack``.
        window: so many documents are packed at a time.
        look_ahead: batches that wait for training at most, beside two a worker.
        workers: processes that read and pack; 0 does it here, when a batch is asked for.
        start_method: how they are started: ``fork``, ``spawn`` or ``forkserver``; Python's default unless given.

    In an epoch every document comes exactly once (or as often as ``weights`` says), at any world size, and all ranks
    have the same number of batches, or else training would hang. What is left over at the end is dealt out evenly, and
    a pack is taken apart before a rank goes without. Only where fewer documents are left than there are ranks does one
    get a row that trains nothing, whose mean loss is NaN: divide the summed loss by the trained tokens of *all* ranks,
    as ``transformers.Trainer`` does, and it weighs nothing. A row without tokens comes in no batch.

    Iterating goes on where it stopped. When an epoch is at its end the next one is set. The stream is the same with any
    number of workers. A ``torch.utils.data.DataLoader`` (``batch_size=None``) takes it as its data set, too: its
    workers share the batches, in order. Call ``set_epoch`` and ``state_dict(batches=…)`` then: this process sees none.

    Raises:
        UsageError: a folder cannot be used, a document is longer than ``length``, or a setting makes no sense.
        BuildError: a shard cannot be read.
    """

    def __init__(  # noqa: PLR0913 - settings, each by name
        self,
        folders: str | Path | Sequence[str | Path],
        *,
        length: int,
        batch_size: int = 1,
        collate: Callable[[Sequence[Mapping[str, Any]]], Batch] | None = None,
        weights: Sequence[float] | None = None,
        rank: int = 0,
        world_size: int = 1,
        shuffle: bool = True,
        seed: int = 0,
        strategy: str = Strategy.BEST_FIT,
        window: int = 100_000,
        look_ahead: int = 16,
        workers: int = 1,
        start_method: str | None = None,
    ) -> None:
        super().__init__()
        folders = [folders] if isinstance(folders, str | Path) else list(folders)
        shares = tuple(map(float, weights)) if weights is not None else (1.0,) * len(folders)
        if len(shares) != len(folders) or not all(0 <= share < np.inf for share in shares):
            raise UsageError(f"weights {weights}: need one for each of {len(folders)} folders, none below 0")
        if not 0 <= rank < world_size:
            raise UsageError(f"rank {rank} of world_size {world_size}: must be from 0 to {world_size - 1}")
        if min(length, batch_size, window, look_ahead) < 1 or min(workers, seed) < 0:
            raise UsageError("length, batch_size, window and look_ahead start at 1, workers and seed at 0")
        if strategy not in set(Strategy):
            raise UsageError(f"strategy {strategy!r}: must be {' or '.join(Strategy)}")
        self._documents = StoredDocuments(folders)
        self._plan = BatchPlan(
            self._documents.lengths,
            self._documents.edges,
            OrderSettings(shares, length, batch_size, world_size, seed, shuffle, Strategy(strategy), window),
        )
        self._check_lengths(length)
        self._rank, self._workers, self._look_ahead, self._start_method = rank, workers, look_ahead, start_method
        if collate is None and self._documents.trees:
            raise UsageError(
                "a folder holds trees, whose mask depends on the layers of the model: no collate fits all",
                "give collate=TreeCollator(model.config, pad_token_id=...)",
            )
        self._collate = collate or PackedCollator()
        self._epoch = self._batch = 0

    @property
    def epoch(self) -> int:
        """The epoch that the next batch belongs to, from 0."""
        return self._epoch

    def set_epoch(self, epoch: int) -> None:
        """Begin another epoch; the one that is under way already goes on."""
        if epoch != self._epoch:
            self._epoch, self._batch = epoch, 0

    def count_batches(self, epoch: int | None = None) -> int:
        """Return the number of batches of an epoch, of the present one unless given, for which all of it is planned."""
        return sum(1 for _ in self._plan.batches(self._epoch if epoch is None else epoch, self._rank))

    def __len__(self) -> int:
        """Return the number of batches of the present epoch, all of which is planned for it."""
        return self.count_batches()

    def state_dict(self, batches: int | None = None) -> dict[str, Any]:
        """Return where the stream stands, in JSON types: the next batch is the one that a loader so loaded begins with.

        Args:
            batches: how many batches of the epoch were used, where a ``DataLoader``'s workers made them.
        """
        return {"epoch": self._epoch, "batch": self._batch if batches is None else batches, **self._settings()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where ``state_dict`` was called, in this process or another.

        Raises:
            UsageError: the documents or a setting that decides on their order are others.
        """
        settings = self._settings()
        other = [name for name, value in settings.items() if state.get(name) != value]
        if other or not {"epoch", "batch"} <= state.keys():
            told = ", ".join(f"{name} is {settings[name]!r} and was {state.get(name)!r}" for name in other)
            msg = f"the saved state is of another stream: {told or 'it has no epoch or no batch'}"
            raise UsageError(msg, "resume with the folders and settings that the state was saved with")
        self._epoch, self._batch = int(state["epoch"]), int(state["batch"])

    def __iter__(self) -> Iterator[Batch]:
        """Yield the batches that are left of the epoch; in a worker of a ``DataLoader``, those that fall to it."""
        worker = get_worker_info()
        return self._all() if worker is None else self._some(worker.id, worker.num_workers)

    def _all(self) -> Iterator[Batch]:
        epoch, used = self._epoch, self._batch
        for batch in self._ahead() if self._workers else self._some(0, 1):
            used += 1
            self._batch = used
            yield batch
            if (self._epoch, self._batch) != (epoch, used):
                return  # set_epoch or load_state_dict was called
        self._epoch, self._batch = epoch + 1, 0

    def _ahead(self) -> Iterator[Batch]:
        loader: DataLoader[Batch] = DataLoader(
            self,
            batch_size=None,
            num_workers=self._workers,
            multiprocessing_context=self._start_method,
            collate_fn=as_it_is,
        )
        return ahead(map(own, loader), self._look_ahead)

    def _some(self, worker: int, workers: int) -> Iterator[Batch]:
        """Yield every so many of the batches that are left: workers are asked in turn, beginning with the first."""
        for packs in islice(self._plan.batches(self._epoch, self._rank), self._batch + worker, None, workers):
            yield self._collate([self._documents.row(pack.tolist()) for pack in packs])

    def _settings(self) -> dict[str, Any]:
        return {
            "version": 1,
            "documents": self._documents.fingerprint,
            **asdict(self._plan.order),
            "weights": list(self._plan.order.weights),
        }

    def _check_lengths(self, length: int) -> None:
        longest = int(self._documents.lengths.max(initial=0))
        if longest > length:
            number = int(self._documents.lengths.argmax())
            count = int((self._documents.lengths > length).sum())
            msg = f"{self._documents.place(number)} has {longest:,} tokens, more than a pack's {length:,}"
            raise UsageError(
                f"{msg}; {count:,} are too long", f"build with max_length {length}, or give a length of {longest}"
            )


def as_it_is(batch: Any) -> Any:
    """Return what a worker made: torch would make tensors of its arrays, and lists of its tuples."""
    return batch


def own(batch: Batch) -> Batch:
    """Return the batch in this process's own memory: it lies in memory that is shared, and slow to give back."""
    return {name: _copied(value) for name, value in batch.items()}


def _copied(value: Any) -> Any:
    """Return a copy of a tensor or of a ``BlockMask`` of trees, or of a mapping of such; all else as it is."""
    if isinstance(value, dict):
        return own(value)
    return value.clone() if hasattr(value, "clone") else value
