"""The files against the manifest: each shard's checksum, counts and schema, and the manifest against itself."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from maskprep.checks.manifest import contradictions
from maskprep.checks.result import Faults, Result
from maskprep.errors import BuildError
from maskprep.labels import IGNORED
from maskprep.shards.columns import Columns, batches, ends_whole

_ADVICE = "copy the folder again from where it was built, or build it again; do not train on it"


@dataclass(slots=True)
class _Counts:
    """What a shard really holds."""

    rows: int = 0
    tokens: int = 0
    trained_tokens: int = 0
    longest: int = 0
    by: Counter[tuple[str, str, bool]] = field(default_factory=Counter)
    first: tuple[str, int] | None = None
    last: tuple[str, int] | None = None

    def add(self, columns: Columns) -> None:
        if not len(columns):
            return
        self.first = self.first or (columns.files[0], int(columns.lines[0]))
        self.last = columns.files[-1], int(columns.lines[-1])
        self.rows += len(columns)
        self.tokens += len(columns.ids)
        self.trained_tokens += int((columns.labels != IGNORED).sum())
        self.longest = max(self.longest, int(np.diff(columns.id_edges).max(initial=0)))
        spans = columns.spans
        kinds = (spans.role * len(spans.parts) + spans.part) * 2 + spans.trained
        sizes = np.bincount(kinds, weights=(spans.end - spans.start).astype(np.float64))
        for kind in np.flatnonzero(sizes).tolist():
            role, part = divmod(kind // 2, len(spans.parts))
            self.by[spans.roles[role], spans.parts[part], bool(kind % 2)] += int(sizes[kind])


def check_files(
    folder: Path,
    manifest: Mapping[str, Any],
    tokenizer_digest: str | None,
    advance: Callable[[int], None] = lambda _: None,
) -> Result:
    """Compare the files of a data set with its manifest.

    Args:
        folder: the data set.
        manifest: what its manifest holds.
        tokenizer_digest: hash of the tokenizer beside the shards, None where it cannot be loaded.
        advance: is told how many more bytes were read.
    """
    faults, found, size = Faults(), _Counts(), 0
    told = [shard for shard in _at(manifest, "shards") or [] if isinstance(shard, dict)]
    for text in (
        *_sound(contradictions(manifest, _json(folder / "state.json"))),
        *_beside(folder, manifest, tokenizer_digest, {str(shard.get("file")) for shard in told}),
    ):
        faults.add(text)
    whole = True
    for shard in told:
        path = folder / Path(str(shard.get("file"))).name
        size += path.stat().st_size if path.is_file() else 0
        for text in _sound(_shard(path, shard, found, advance)):
            whole = False
            faults.add(f"{path.name}: {text}")
    for text in _sound(_totals(manifest, found)) if whole else ():
        faults.add(text)
    return faults.result(
        "files",
        "every file is as it was written, and holds what the manifest tells",
        "the files are not those that were written, or the manifest was edited",
        _ADVICE,
        figures={"shards": len(told), "bytes": size, "rows": found.rows, "tokens": found.tokens},
    )


def _shard(path: Path, told: Mapping[str, Any], total: _Counts, advance: Callable[[int], None]) -> Iterator[str]:
    """Yield what is wrong with one shard, and add what it holds to ``total``."""
    if not path.is_file():
        yield "the shard is missing"
        return
    counts = _Counts()
    yield from _bytes(path, told)
    advance(path.stat().st_size)
    try:
        for columns in batches(path):
            counts.add(columns)
            total.add(columns)
    except BuildError as error:
        yield error.message
    for name in ("rows", "tokens", "trained_tokens"):
        held = getattr(counts, name)
        if held != told.get(name):
            yield f"the manifest tells of {told.get(name)} {name.replace('_', ' ')}, the shard holds {held:,}"
    for name, place in (("first", counts.first), ("last", counts.last)):
        written = told.get(name)
        if place != ((written.get("file"), written.get("line")) if isinstance(written, dict) else None):
            yield f"its {name} row comes from another place than the manifest tells"


def _bytes(path: Path, told: Mapping[str, Any]) -> Iterator[str]:
    """Yield how the bytes of a shard differ from those that were written."""
    size, written = path.stat().st_size, int(told.get("bytes") or 0)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest == told.get("sha256"):
        if size != written:
            yield f"the manifest tells of {written:,} bytes, the shard has {size:,}"
    elif size == written:
        yield "altered: as long as it was written, but with other bytes: at least one was flipped"
    elif size < written and not ends_whole(path):
        yield f"truncated: it ends after {size:,} of {written:,} bytes"
    else:
        yield f"foreign: another file than the one written, {size:,} bytes instead of {written:,}"


def _totals(manifest: Mapping[str, Any], found: _Counts) -> Iterator[str]:
    totals = manifest["totals"]
    if totals.get("longest_sequence") != found.longest:
        yield f"the manifest tells of a longest sequence of {totals.get('longest_sequence')}, it has {found.longest:,}"
    told: Counter[tuple[str, str, bool]] = Counter()
    for entry in totals.get("by_role_and_part", []):
        told[entry["role"], entry["part"], True] += entry["trained_tokens"]
        told[entry["role"], entry["part"], False] += entry["tokens"] - entry["trained_tokens"]
    for kind in sorted(told.keys() | found.by.keys()):
        if told[kind] != found.by[kind]:
            name = f"{'trained' if kind[2] else 'untrained'} tokens of {kind[0]} {kind[1]}"
            yield f"the manifest tells of {told[kind]:,} {name}, the spans hold {found.by[kind]:,}"


def _beside(folder: Path, manifest: Mapping[str, Any], digest: str | None, shards: set[str]) -> Iterator[str]:
    """Yield what is wrong beside the shards that the manifest names: tokenizer, further shards, rejects."""
    if digest is None:
        yield "the tokenizer beside the shards cannot be loaded"
    elif digest != _at(manifest, "fingerprint_of", "tokenizer"):
        yield "the tokenizer beside the shards is not the one that the data set was built with"
    for path in sorted(folder.glob("*.arrow")):
        # What `datasets` and TRL write beside a data set that they have opened is no shard.
        if path.name not in shards and not path.name.startswith(("cache-", "tmp")):
            yield f"{path.name}: an extra shard, of which the manifest knows nothing"
    rejects, lines = folder / "maskprep" / "rejects.jsonl", -1
    if rejects.is_file():
        with rejects.open("rb") as file:
            lines = sum(1 for _ in file)
    told = _at(manifest, "totals", "rows_rejected")
    if lines != told:
        held = "is missing" if lines < 0 else f"has {lines:,} rows"
        yield f"rejects.jsonl {held}, the manifest tells of {told} rejected rows"


def _sound(found: Iterator[str]) -> Iterator[str]:
    """Yield the same; a fact that the manifest lacks, or holds in another form, becomes a fault."""
    try:
        yield from found
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        yield f"the manifest or state.json lacks a fact, or holds it in another form: {type(error).__name__}: {error}"


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _json(path: Path) -> Mapping[str, Any]:
    try:
        value = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
