"""What the chunks left, put together in their order: counts, ledgers, shards."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from maskprep.build.ledgers import note
from maskprep.build.receipt import DIGESTS, SURVEY, ChunkReceipt, ledger_name, receipt_name
from maskprep.build.row_writer import Choice, Tallies
from maskprep.build.work_folder import WorkFolder
from maskprep.conversation import Where
from maskprep.dataset.files import Receipt
from maskprep.errors import BuildError
from maskprep.examples.tally import DUPLICATE, Tally
from maskprep.sources.duplicates import Repeat, RowRef, find_repeats, same
from maskprep.storage.ahead import several

_LEDGERS = 8  # that are held at a time: each may have some megabytes


@dataclass(slots=True)
class Keys:
    """How many rows had a key that nothing read, and used an entry of ``columns`` or ``roles``."""

    not_read: Counter[str] = field(default_factory=Counter)
    columns: Counter[str] = field(default_factory=Counter)
    roles: Counter[str] = field(default_factory=Counter)

    def add(self, tally: Tally) -> None:
        """Add what a chunk counted."""
        self.not_read.update(tally.not_read)
        self.columns.update(tally.columns_used)
        self.roles.update(tally.roles_used)


@dataclass(slots=True)
class Gathered:
    """What all chunks left.

    ``shards`` by split, ``names`` of the files and ``ledgers`` of each chunk; ``rows`` counts the rows read, ``chosen``
    those that were to be used, by the numbers of source and file; ``keys`` what the rows of a file had that nothing
    read, and which entries of the configuration they used; ``weighted`` tells whether any row has weights, or
    log-probabilities.
    """

    tallies: Tallies
    shards: dict[str, list[Receipt]]
    names: list[str] = field(default_factory=list)
    ledgers: list[frozenset[str]] = field(default_factory=list)
    rows: Counter[tuple[int, int]] = field(default_factory=Counter)
    chosen: Counter[tuple[int, int]] = field(default_factory=Counter)
    keys: defaultdict[tuple[int, int], Keys] = field(default_factory=lambda: defaultdict(Keys))
    weighted: bool = False


def read_receipt(place: WorkFolder, number: int) -> ChunkReceipt | None:
    """Return the receipt of a chunk, None where it has none that can be read."""
    try:
        return ChunkReceipt.loads(place.read(receipt_name(number)))
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def gather(place: WorkFolder, count: int, tallies: Tallies, splits: Sequence[str]) -> Gathered:
    """Add up the receipts of the chunks 0 to ``count``.

    Raises:
        BuildError: one is missing.
    """
    found = Gathered(tallies, {split: [] for split in splits})
    for number, receipt in enumerate(several(lambda number: read_receipt(place, number), range(count))):
        if receipt is None:
            msg = f"the receipt of chunk {number:,} is gone from the output"
            raise BuildError(msg, "the same command makes what is missing")
        tallies.whole.merge(receipt.tallies.whole)
        for split, tally in receipt.tallies.splits.items():
            tallies.splits[split].merge(tally)
        for split, shards in receipt.shards.items():
            found.shards[split] += shards
        # Few different ones for any number of chunks.
        found.names.append(found.names[-1] if found.names and found.names[-1] == receipt.name else receipt.name)
        own = frozenset(receipt.ledgers)
        found.ledgers.append(found.ledgers[-1] if found.ledgers and found.ledgers[-1] == own else own)
        found.rows[receipt.source, receipt.file] += receipt.read
        found.chosen[receipt.source, receipt.file] += receipt.chosen
        found.keys[receipt.source, receipt.file].add(receipt.tallies.whole)
        found.weighted |= receipt.weighted
    return found


def write_ledger(
    place: WorkFolder, found: Gathered, ledger: str, file: BinaryIO, repeats: Sequence[Repeat] = ()
) -> None:
    """Write the lines of all chunks into one file; ``repeats`` are findings that no chunk could know."""
    by_chunk = defaultdict[int, list[Repeat]](list)
    for repeat in repeats:
        by_chunk[repeat.stretch].append(repeat)
    for number, lines in enumerate(_ledgers(place, found, ledger)):
        file.writelines(_merged(lines, by_chunk[number], found.names) if number in by_chunk else [lines])


def note_repeats(place: WorkFolder, found: Gathered, choice: Choice) -> list[Repeat]:
    """Find the rows that were used and had been there before, and count them."""
    repeats = find_repeats(_ledgers(place, found, DIGESTS))
    for repeat in repeats:
        where, message = _told(repeat, found.names)
        found.tallies.whole.repeat(where, message)
        side = choice.side(repeat.digest)
        if side:
            found.tallies.splits[side].repeat(where, message)
    return repeats


def find_drops(place: WorkFolder, names: Sequence[str]) -> Callable[[int], dict[int, RowRef]]:
    """Return what tells of a chunk which of its lines were there before, and where first.

    ``names`` are those of the files of all chunks, in order.
    """
    surveys = (ledger_name(number, SURVEY) for number in range(len(names)))
    repeats = find_repeats(several(place.read, surveys, _LEDGERS))
    drops = defaultdict[int, dict[int, RowRef]](dict)
    for repeat in repeats:
        drops[repeat.stretch][repeat.line] = (names[repeat.first_stretch], repeat.first_line)
    return lambda number: drops.get(number, {})


def _ledgers(place: WorkFolder, found: Gathered, ledger: str) -> Iterator[bytes]:
    """Yield what each chunk has of a ledger."""

    def read(number: int) -> bytes:
        return place.read(ledger_name(number, ledger)) if ledger in found.ledgers[number] else b""

    return several(read, range(len(found.ledgers)), _LEDGERS)


def _told(repeat: Repeat, names: Sequence[str]) -> tuple[Where, str]:
    where = Where(names[repeat.stretch], repeat.line, repeat.offset)
    return where, same((names[repeat.first_stretch], repeat.first_line))


def _merged(lines: bytes, repeats: Sequence[Repeat], names: Sequence[str]) -> Iterator[bytes]:
    """Yield the findings of a chunk, each repeat behind the findings of its row."""
    waiting = list(reversed(repeats))
    for text in lines.splitlines(keepends=True):
        line = json.loads(text)["line"]
        while waiting and waiting[-1].line < line:
            yield _finding(waiting.pop(), names)
        yield text
    while waiting:
        yield _finding(waiting.pop(), names)


def _finding(repeat: Repeat, names: Sequence[str]) -> bytes:
    where, message = _told(repeat, names)
    return note(where, DUPLICATE, message).encode("ascii")
