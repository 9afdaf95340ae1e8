"""From lines to shards: every row is used, dropped, or rejected with a reason; none stops the build, none vanishes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from maskprep.build.ledgers import Ledgers, note
from maskprep.codes import DROPS
from maskprep.conversation import Where
from maskprep.dataset.files import ShardWriter
from maskprep.dataset.schema import ShardRow
from maskprep.errors import MaskprepError, RowError
from maskprep.examples import Prepared, Preparer, Proved
from maskprep.examples.advice import Adviser
from maskprep.examples.guard import guarded
from maskprep.examples.tally import DUPLICATE, Tally
from maskprep.formats import Line, parse
from maskprep.sources.chunk import chance
from maskprep.sources.duplicates import Place, digest, same


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
    """Prepares rows, finishes some of them together, and writes each where it belongs.

    Args:
        preparer: makes sequences of a conversation.
        choice: which split a conversation belongs to.
        shards: what takes the rows that can be used, by split.
        ledgers: take the rest.
        drops: the lines that are dropped, and where each stood first.
        begin: is told of each row that is finished by itself, as that may take its time.

    ``used`` holds the digest and the place of every conversation that was used, in order.
    """

    def __init__(  # noqa: PLR0913 - what takes rows
        self,
        preparer: Preparer,
        choice: Choice,
        shards: Mapping[str, ShardWriter],
        ledgers: Ledgers,
        drops: Mapping[int, Place],
        *,
        begin: Callable[[Line], None] = lambda line: None,  # noqa: ARG005
    ) -> None:
        """Begin with no rows; see the class."""
        self._begin = begin
        self._adviser = Adviser(preparer)
        self._preparer, self._choice, self._shards, self._ledgers = preparer, choice, shards, ledgers
        self._drops = drops
        self._waiting: list[tuple[Line, Proved]] = []
        self._size = 0
        self.used: list[tuple[bytes, Where]] = []
        self.tallies = Tallies(splits={split: Tally() for split in shards if split})

    def write(self, line: Line) -> None:
        """Use a row, drop it, or reject it with its reason, once some more rows are there, or ``flush`` is called."""
        if line.where.line in self._drops:
            self.flush()
            self._drop(line, DUPLICATE, same(self._drops[line.where.line]))
            return
        try:
            with guarded():
                conversation = parse(line, line.reading)
                self.tallies.whole.read(conversation.account, self._preparer.mentioned)
                proved = self._preparer.prove(conversation)
        except RowError as error:
            self.flush()
            self._fail(line, error)
            return
        self._waiting.append((line, proved))
        self._size += len(proved.whole)
        if len(self._waiting) >= _TOGETHER or self._size >= _CHARACTERS:
            self.flush()

    def flush(self) -> None:
        """Use, or reject, all rows that wait to be finished together."""
        waiting, self._waiting, self._size = self._waiting, [], 0
        made = self._finish_all([proved for _, proved in waiting])
        while waiting:
            (line, proved), prepared = waiting.pop(0), made.pop(0)
            try:
                with guarded():
                    if prepared is None:
                        self._begin(line)
                        prepared = self._preparer.finish(proved, self._preparer.policy.history)
                    else:
                        self._preparer.check(proved, prepared)
                    key = digest(proved.conversation)
            except RowError as error:
                self._fail(line, error)
                continue
            del proved  # a long row takes no more than it must while it is written
            self.used.append((key, line.where))
            self._use(line, prepared, self._choice.side(key))

    def _finish_all(self, many: Sequence[Proved]) -> list[Prepared | None]:
        if len(many) <= 1:
            return [None] * len(many)
        try:
            return self._preparer.finish_all(many)
        except MaskprepError:
            raise  # of no row: a fast tokenizer differs
        except Exception:  # noqa: BLE001 - one of them is at fault: it meets that again when it is alone
            return [None] * len(many)

    def _fail(self, line: Line, error: RowError) -> None:
        if isinstance(error.__cause__, MemoryError | SystemError):
            # The row is tried again, in a worker that holds nothing else. (Where memory is refused for a frame of
            # its own, Python 3.11 raises a SystemError.)
            raise error.__cause__ from None
        self.reject(line, self._adviser.advise(error, line.where, partial(parse, line, line.reading)))

    def reject(self, line: Line, error: RowError) -> None:
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


_TOGETHER = 64  # rows
_CHARACTERS = 262_144  # of their texts: more than that is long enough to be worth a call of its own
