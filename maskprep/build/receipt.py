"""What a finished chunk holds: written after everything that it tells of, so that it can be believed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from maskprep.build.row_writer import Tallies
from maskprep.build.work_folder import WORK
from maskprep.conversation import Where
from maskprep.dataset.files import Receipt
from maskprep.examples.tally import Tally

SURVEY = "survey"
"""The name of the digests of all rows of a chunk that can be parsed."""

DIGESTS = "digests"
"""The name of the digests of the rows of a chunk that were used."""


@dataclass(frozen=True, slots=True)
class ChunkReceipt:
    """What a chunk holds.

    ``source`` and ``file`` number its file, ``name`` is what the rows are said to come from. ``read`` of its rows were
    read, ``chosen`` are used once or more if they can be; ``weighted`` tells whether tokens have weights, or
    log-probabilities. ``checksum`` is that of the chunk's rows where the driver read them. ``shards`` and ``ledgers``
    have the names under which they lie in the output; shards are parted by split.
    """

    number: int
    source: int
    file: int
    name: str
    read: int
    chosen: int
    weighted: bool
    checksum: str
    shards: Mapping[str, tuple[Receipt, ...]]
    ledgers: Mapping[str, str]
    tallies: Tallies

    def dumps(self) -> bytes:
        """Return the receipt as JSON."""
        facts = {name: getattr(self, name) for name in self.__slots__}
        facts["shards"] = {split: [asdict(shard) for shard in own] for split, own in self.shards.items()}
        splits = {split: tally.stored() for split, tally in self.tallies.splits.items()}
        facts["tallies"] = [self.tallies.whole.stored(), splits]
        return json.dumps(facts).encode()

    @classmethod
    def loads(cls, data: bytes) -> ChunkReceipt:
        """Return what ``dumps`` wrote."""
        facts = json.loads(data)
        whole, splits = facts["tallies"]
        restored = {split: Tally.restored(stored) for split, stored in splits.items()}
        shards = {split: tuple(map(_shard, own)) for split, own in facts["shards"].items()}
        return cls(**{**facts, "shards": shards, "tallies": Tallies(Tally.restored(whole), restored)})


def _shard(facts: dict[str, Any]) -> Receipt:
    places = {name: facts[name] and Where(**facts[name]) for name in ("first", "last")}
    return Receipt(**{**facts, **places, "beside": ()})  # what waits to be arranged is one file


def receipt_name(number: int) -> str:
    """Name the receipt of chunk ``number``."""
    return f"{WORK}/chunk-{number:07d}.json"


def shard_name(split: str, number: int, piece: int) -> str:
    """Name a shard of chunk ``number``, the one with the number ``piece`` in its split."""
    return f"{WORK}/chunk-{number:07d}-{split or 'all'}-{piece:05d}.arrow"


def ledger_name(number: int, ledger: str) -> str:
    """Name a ledger of chunk ``number``."""
    return f"{WORK}/chunk-{number:07d}-{ledger}"
