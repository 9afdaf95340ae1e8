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

from maskprep.dataset.columns import Columns, batches, ends_whole
from maskprep.dataset.containers import beside
from maskprep.dataset.names import MARKS, SPLITS
from maskprep.dataset.profiles import PROFILES, Profile
from maskprep.dataset.sealed import SEAL, seal_of, split_fingerprint
from maskprep.dataset.stored import COMPANIONS, StoredShard
from maskprep.errors import BuildError
from maskprep.labelled import IGNORED
from maskprep.tokenizer.load import LoadedTokenizer
from maskprep.verify.manifest import contradictions
from maskprep.verify.result import Faults, Result

_KINDS = ("*.arrow", "*.parquet", "*.npy", "*.csv.gz")
_ADVICE = "copy the folder again from where it was built, or build it again; do not train on it"


@dataclass(slots=True)
class _ShardCounts:
    """The counts of a shard's rows, tokens and spans, made from the shard itself."""

    documents: int = 0
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
        self.documents += len(columns)
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
    loaded: LoadedTokenizer | None,
    advance: Callable[[int], None] = lambda _: None,
) -> Result:
    """Compare the files of a data set with its manifest.

    Args:
        folder: the data set.
        manifest: what its manifest holds.
        loaded: the tokenizer beside the shards with the manifest's stop tokens, None where it cannot be loaded.
        advance: is called with the number of bytes read since the last call.
    """
    faults, found, size = Faults(), _ShardCounts(), 0
    told = [shard for shard in _at(manifest, "shards") or [] if isinstance(shard, dict)]
    profile = _profile(manifest)
    for text in (
        *_sound(_contradictions(folder, manifest)),
        *_beside(folder, manifest, loaded, {str(name) for shard in told for name in _names(shard, profile)}),
    ):
        faults.add(text)
    whole = True
    for shard in told:
        stored = StoredShard(_place(folder, shard), _companion(folder, shard, profile), profile)
        size += stored.path.stat().st_size if stored.path.is_file() else 0
        for text in _sound(_shard(stored, shard, found, advance)):
            whole = False
            faults.add(f"{stored.path.name}: {text}")
    for text in _sound(_totals(manifest, found)) if whole else ():
        faults.add(text)
    return faults.result(
        "files",
        "every file is as it was written, and holds what the manifest tells",
        "the files are not those that were written, or the manifest was edited",
        _ADVICE,
        figures={"shards": len(told), "bytes": size, "rows": found.documents, "tokens": found.tokens},
    )


def _shard(
    shard: StoredShard, told: Mapping[str, Any], total: _ShardCounts, advance: Callable[[int], None]
) -> Iterator[str]:
    """Yield the faults of one shard, and add its counts to ``total``."""
    if not shard.path.is_file():
        yield "the shard is missing"
        return
    yield from _bytes(shard.path, told)
    advance(shard.path.stat().st_size)
    for path, other in zip(shard.beside, _others(told, len(shard.beside)), strict=True):
        if not path.is_file():
            yield f"{path.name} is missing"
            return
        yield from (f"{path.name}: {text}" for text in _bytes(path, other))
    if shard.companion is not None:
        name = f"{COMPANIONS}/{shard.companion.name}"
        if not shard.companion.is_file():
            yield f"{name} is missing"
            return
        beside = {"bytes": told.get("companion_bytes"), "sha256": told.get("companion_sha256")}
        yield from (f"{name}: {text}" for text in _bytes(shard.companion, beside))
    yield from _held(shard, told, total)


def _names(shard: Mapping[str, Any], profile: Profile) -> list[Path]:
    """Return the names of all files of a shard, as they stand in the data set."""
    first = Path(str(shard.get("file")))
    return [first, *beside(profile.container, first)]


def _others(told: Mapping[str, Any], count: int) -> list[Mapping[str, Any]]:
    """Return what the manifest tells of the other files of a shard, of which there are so many."""
    others = [each for each in told.get("beside") or [] if isinstance(each, dict)]
    lacking: list[Mapping[str, Any]] = [{}] * count
    return [*others, *lacking][:count]


def _held(shard: StoredShard, told: Mapping[str, Any], total: _ShardCounts) -> Iterator[str]:
    """Yield how the counts of a shard differ from those in the manifest, and add them to ``total``."""
    counts = _ShardCounts()
    try:
        rows = sum(batch.num_rows for batch in shard.rows())
        if rows != told.get("rows"):
            yield f"the manifest tells of {told.get('rows')} rows, the shard holds {rows:,}"
        for columns in batches(shard):
            counts.add(columns)
            total.add(columns)
    except BuildError as error:
        yield error.message
    for name in ("documents", "tokens", "trained_tokens"):
        held = getattr(counts, name)
        if held != told.get(name):
            yield f"the manifest tells of {told.get(name)} {name.replace('_', ' ')}, the shard holds {held:,}"
    for name, place in (("first", counts.first), ("last", counts.last)):
        written = told.get(name)
        if place != ((written.get("file"), written.get("line")) if isinstance(written, dict) else None):
            yield f"its {name} row comes from another place than the manifest tells"


def _bytes(path: Path, told: Mapping[str, Any]) -> Iterator[str]:
    """Yield how size and checksum of a shard's file differ from those in the manifest."""
    size, written = path.stat().st_size, int(told.get("bytes") or 0)
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest == told.get("sha256"):
        if size != written:
            yield f"the manifest tells of {written:,} bytes, the shard has {size:,}"
    elif size == written:
        yield "altered: as long as it was written, but with other bytes: at least one was flipped"
    elif size < written and (path.suffix != ".arrow" or not ends_whole(path)):
        yield f"truncated: it ends after {size:,} of {written:,} bytes"
    else:
        yield f"foreign: another file than the one written, {size:,} bytes instead of {written:,}"


def _totals(manifest: Mapping[str, Any], found: _ShardCounts) -> Iterator[str]:
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


def _beside(
    folder: Path, manifest: Mapping[str, Any], loaded: LoadedTokenizer | None, shards: set[str]
) -> Iterator[str]:
    """Yield the faults beside the shards that the manifest names: tokenizer, further shards, rejects, findings."""
    if loaded is None:
        yield "the tokenizer beside the shards cannot be loaded"
    elif loaded.digest() != _at(manifest, "fingerprint_of", "tokenizer"):
        yield "the tokenizer beside the shards is not the one that the data set was built with"
    elif list(loaded.stop_tokens) != _at(manifest, "stop_tokens"):
        yield "the manifest tells of other stop tokens than the tokenizer beside the shards"
    for path in sorted(path for split in ("", *SPLITS) for kind in _KINDS for path in (folder / split).glob(kind)):
        # What `datasets` and TRL write beside a data set that they have opened is no shard.
        if str(path.relative_to(folder)) not in shards and not path.name.startswith(("cache-", "tmp")):
            yield f"{path.name}: an extra shard, of which the manifest knows nothing"
    dropped = ("dropped",) if _at(manifest, "totals", "dropped") else ()
    for name in ("rejects", "findings", *dropped):
        path = folder / "maskprep" / f"{name}.jsonl"
        told = _at(manifest, "totals", name)
        if not path.is_file():
            yield f"{path.name} is missing"
        elif not isinstance(told, dict) or _rows_by_code(path) != {code: _at(told, code, "rows") for code in told}:
            yield f"{path.name} holds other rows than the {name} of which the manifest tells"


def _contradictions(folder: Path, manifest: Mapping[str, Any]) -> Iterator[str]:
    state = _state(folder, manifest)
    if state.get(SEAL) != seal_of(manifest):
        yield "manifest.json is not the one that was written: it was edited, or is another build's"
    yield from contradictions(manifest, state)


def _place(folder: Path, shard: Mapping[str, Any]) -> Path:
    """Return the path of a shard, in no other folder than the data set's: the names in a manifest may be anything."""
    split, _, name = str(shard.get("file")).rpartition("/")
    return folder / (split if split in SPLITS else "") / Path(name).name


def _profile(manifest: Mapping[str, Any]) -> Profile:
    """Return the profile that the manifest names, that of ``hf`` where it names none: that fault is found elsewhere."""
    return PROFILES.get(str(_at(manifest, "config", "profile")), PROFILES["hf"])


def _companion(folder: Path, shard: Mapping[str, Any], profile: Profile) -> Path | None:
    if not profile.companion:
        return None
    split = str(shard.get("file")).rpartition("/")[0]
    return folder / COMPANIONS / (split if split in SPLITS else "") / Path(str(shard.get("companion"))).name


def _state(folder: Path, manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return ``state.json``, or those of several splits as one, with the fingerprint that theirs are made from."""
    mark = next((name for name in MARKS if (folder / name).is_file()), "state.json")
    if mark != "dataset_dict.json":
        return _json(folder / mark)
    states = {split: _json(folder / split / "state.json") for split in SPLITS if (folder / split).is_dir()}
    fingerprint = str(manifest["fingerprint"])
    known = all(state["_fingerprint"] == split_fingerprint(fingerprint, split) for split, state in states.items())
    names = [f"{split}/{entry['filename']}" for split, state in states.items() for entry in state["_data_files"]]
    return {
        "_data_files": [{"filename": name} for name in names],
        "_fingerprint": fingerprint[:16] if known else "another",
        SEAL: states[SPLITS[0]].get(SEAL) if len({str(state.get(SEAL)) for state in states.values()}) == 1 else None,
    }


def _rows_by_code(path: Path) -> dict[str, int]:
    """Return the number of rows of each code; the lines of one row follow each other. A broken line counts alone."""
    rows: Counter[str] = Counter()
    last: dict[str, tuple[Any, Any]] = {}
    with path.open("rb") as file:
        for line in file:
            entry = _parsed(line)
            code, place = str(entry.get("code")), (entry.get("file"), entry.get("line"))
            rows[code] += last.get(code) != place
            last[code] = place
    return dict(rows)


def _sound(found: Iterator[str]) -> Iterator[str]:
    """Yield the faults of ``found``; a fact that the manifest lacks, or holds in another form, becomes a fault too."""
    try:
        yield from found
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        yield f"the manifest or state.json lacks a fact, or holds it in another form: {type(error).__name__}: {error}"


def _at(value: Any, *keys: str) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _json(path: Path) -> Mapping[str, Any]:
    try:
        return _parsed(path.read_bytes())
    except OSError:
        return {}


def _parsed(text: bytes) -> Mapping[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
