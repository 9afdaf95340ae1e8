"""From lines to shards: every row is used, dropped, or rejected with a reason; none stops the build, none vanishes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from maskprep.build.ledgers import Ledgers, note, notes
from maskprep.codes import DROPS
from maskprep.conversation import Where
from maskprep.dataset.files import ShardWriter
from maskprep.dataset.schema import ShardRow
from maskprep.errors import RowError
from maskprep.examples import Prepared, Preparer
from maskprep.examples.advice import Adviser
from maskprep.examples.prepared import PreparedRow
from maskprep.examples.preparer import nobody
from maskprep.examples.tally import Tally, Use
from maskprep.formats import Line
from maskprep.sources.chunk import chance


@dataclass(frozen=True, slots=True)
class Choice:
    """Which split a conversation belongs to.

    ``split``: the fraction that goes into the validation set; 0: there is none, and all go into the split called
    ``only``. ``seed`` decides which.
    """

    split: float = 0.0
    seed: int = 0
    only: str = ""

    def side(self, key: bytes) -> str:
        """Return the split that a conversation belongs to, by its digest: its duplicates belong there, too."""
        if not self.split:
            return self.only
        return "validation" if chance(self.seed, "split", key.hex()) < self.split else "train"


@dataclass(slots=True)
class Tallies:
    """The counts of some rows, and of those of each split where there are several."""

    whole: Tally = field(default_factory=Tally)
    splits: dict[str, Tally] = field(default_factory=dict)


class RowWriter:
    """Writes what becomes of each row where it belongs.

    Args:
        preparer: prepared the rows.
        choice: which split a conversation belongs to.
        shards: what takes the rows that can be used, by split.
        ledgers: take the rest.
        begin: is called ahead of each row, as advice on a rejected one may take its time.

    ``used`` holds the digest and the place of every conversation that was used, in order.
    """

    def __init__(
        self,
        preparer: Preparer,
        choice: Choice,
        shards: Mapping[str, ShardWriter],
        ledgers: Ledgers,
        *,
        begin: Callable[[Line], None] = nobody,
    ) -> None:
        self._begin = begin
        self._adviser = Adviser(preparer)
        self._preparer, self._choice, self._shards, self._ledgers = preparer, choice, shards, ledgers
        self.used: list[tuple[bytes, Where]] = []
        self.tallies = Tallies(splits={split: Tally() for split in shards if split})

    def write(self, rows: list[PreparedRow]) -> None:
        """Use some rows, drop them, or reject each with its reason, in their order; the list is empty afterwards."""
        rows.reverse()
        used: list[tuple[str, Use]] = []
        while rows:
            used += self._settle(rows.pop())
        self.tallies.whole.use_all([use for _, use in used])
        for split, tally in self.tallies.splits.items():
            tally.use_all([use for own, use in used if own == split])

    def _settle(self, row: PreparedRow) -> Iterator[tuple[str, Use]]:
        """Write one row, and yield what is to be counted of it, with its split, where it is used."""
        line = row.line
        self._begin(line)  # advice is found by trying, which may take longer than the row did
        if row.conversation is not None:
            self.tallies.whole.read(row.conversation.account, self._preparer.mentioned)
        if row.made is not None:
            row.proved = row.conversation = None
            self.used.append((row.digest, line.where))
            split = self._choice.side(row.digest)
            yield split, self._use(line, row.made, split)
        elif row.error is not None:
            if row.lacked_memory is not None:
                raise row.lacked_memory from None  # it is tried again, in a worker that holds nothing else
            self._reject(line, self._adviser.advise(row.error, line.where, row.conversation))

    def _reject(self, line: Line, error: RowError) -> None:
        """Reject a row with its reason, or drop it where that is one by which nothing is wrong with the row."""
        if error.code in DROPS:
            self._drop(line, error.code, error.message)
            return
        self.tallies.whole.reject(line.where, error)
        self._ledgers.rejects.write(note(line.where, error.code, error.message, error.hint, error.facts))

    def _drop(self, line: Line, code: str, message: str) -> None:
        self.tallies.whole.drop(line.where, code, message)
        self._ledgers.dropped.write(note(line.where, code, message))

    def _use(self, line: Line, prepared: Prepared, split: str) -> Use:
        # A validation set measures: there, no conversation counts twice.
        copies = 1 if split == "validation" else line.copies
        for _ in range(copies):
            for number, sequence in enumerate(prepared.sequences):
                self._shards[split].write(ShardRow(sequence.labelled, line.where, number))
        if prepared.findings:
            self._ledgers.findings.write(notes(line.where, prepared.findings))
        return line.where, prepared, copies
