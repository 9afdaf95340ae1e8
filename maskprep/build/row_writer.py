"""From lines to shards: every row is used, dropped, or rejected with a reason; none stops the build, none vanishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from maskprep.build.ledgers import Ledgers, note
from maskprep.codes import DROPS
from maskprep.conversation import Where
from maskprep.dataset.files import ShardWriter
from maskprep.dataset.schema import ShardRow
from maskprep.errors import RowError
from maskprep.examples import Prepared, Preparer
from maskprep.examples.advice import Adviser
from maskprep.examples.prepared import PreparedRow
from maskprep.examples.preparer import nobody
from maskprep.examples.tally import Tally
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


NO_FATES: Mapping[int, RowError] = MappingProxyType({})


class RowWriter:
    """Writes what becomes of each row where it belongs.

    Args:
        preparer: makes sequences of a conversation.
        choice: which split a conversation belongs to.
        shards: what takes the rows that can be used, by split.
        ledgers: take the rest.
        begin: is called ahead of each row that is prepared, as that may take its time.

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

    def write(self, lines: Sequence[Line], fates: Mapping[int, RowError] = NO_FATES) -> None:
        """Use the rows of some lines, or reject each with its reason, in their order.

        Args:
            lines: the lines.
            fates: why some of them are not to be prepared at all, by the number of the line.
        """
        rows = self._preparer.prepare_rows([line for line in lines if line.where.line not in fates], self._begin)
        rows.reverse()
        for line in lines:
            if line.where.line in fates:
                self._reject(line, fates[line.where.line])
            else:
                self._settle(rows.pop())  # what a long row takes is given back before the next one is written

    def _settle(self, row: PreparedRow) -> None:
        line = row.line
        if row.conversation is not None:
            self.tallies.whole.read(row.conversation.account, self._preparer.mentioned)
        if row.made is not None:
            row.proved = None
            self.used.append((row.digest, line.where))
            self._use(line, row.made, self._choice.side(row.digest))
        elif row.error is not None:
            if isinstance(row.error.__cause__, MemoryError | SystemError):
                # The row is tried again, in a worker that holds nothing else. (Where memory is refused for a frame of
                # its own, Python 3.11 raises a SystemError.)
                raise row.error.__cause__ from None
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

    def _use(self, line: Line, prepared: Prepared, split: str) -> None:
        # A validation set measures: there, no conversation counts twice.
        copies = 1 if split == "validation" else line.copies
        for _ in range(copies):
            for number, sequence in enumerate(prepared.sequences):
                self._shards[split].write(ShardRow(sequence.labelled, line.where, number))
        notes = (note(line.where, finding.code, finding.detail) for finding in prepared.findings)
        self._ledgers.findings.writelines(notes)
        self.tallies.whole.use(line.where, prepared, copies)
        if split:
            self.tallies.splits[split].use(line.where, prepared, copies)
