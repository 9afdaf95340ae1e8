"""The manifest against itself: its counts add up, and its fingerprint is that of the facts that it records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from maskprep.config import Config
from maskprep.dataset.reader import FORMAT_VERSION

_FATES = ("rows_used", "rows_rejected", "rows_dropped")


def contradictions(manifest: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[str]:
    """Yield the contradictions within the manifest, and between it and ``state.json``.

    A fact that is missing or of another type raises ``KeyError``, ``TypeError`` or whatever Python raises for it.
    """
    yield from _counts(manifest["totals"], manifest["shards"])
    yield from _splits(manifest)
    yield from _packing(manifest)
    yield from _fingerprints(manifest, state)
    datetime.fromisoformat(manifest["now"])
    if not set(manifest["config"]["stop_tokens"]) <= set(manifest["stop_tokens"]):
        yield "the manifest lacks stop tokens that its configuration names"
    listed = [entry["filename"] for entry in state["_data_files"]]
    if listed != [shard["file"] for shard in manifest["shards"]]:
        yield "state.json lists other shards than the manifest"


def _counts(totals: Mapping[str, Any], shards: list[Mapping[str, Any]]) -> Iterator[str]:
    by = totals["by_role_and_part"]
    sums = (
        ("rows read", totals["rows"], _sum([totals], *_FATES), "rows used, rejected and dropped"),
        ("rows rejected", totals["rows_rejected"], _sum(totals["rejects"].values(), "rows"), "rejects by code"),
        ("sequences", totals["sequences"], _sum(shards, "documents"), "its shards' documents"),
        ("tokens", totals["tokens"], _sum(shards, "tokens"), "its shards' tokens"),
        ("trained tokens", totals["trained_tokens"], _sum(shards, "trained_tokens"), "its shards' trained tokens"),
        ("tokens", totals["tokens"], _sum(by, "tokens"), "its tokens by role and part"),
        ("trained tokens", totals["trained_tokens"], _sum(by, "trained_tokens"), "those by role and part"),
    )
    for name, told, counted, of in sums:
        if told != counted:
            yield f"the manifest tells of {told:,} {name}, but {of} add up to {counted:,}"


def _splits(manifest: Mapping[str, Any]) -> Iterator[str]:
    splits = manifest.get("splits", {})
    for name in ("rows_used", "sequences", "tokens", "trained_tokens") if splits else ():
        told, counted = manifest["totals"][name], _sum(splits.values(), name)
        if told != counted:
            yield f"the manifest tells of {told:,} {name.replace('_', ' ')}, but its splits add up to {counted:,}"


def _packing(manifest: Mapping[str, Any]) -> Iterator[str]:
    packing, splits = manifest["config"]["packing"], manifest.get("splits", {})
    for split, totals in (("", manifest["totals"]), *splits.items()):
        own = [shard for shard in manifest["shards"] if not split or shard["file"].startswith(f"{split}/")]
        told = totals.get("packing")
        if packing is None or told is None:
            if packing is not told:
                yield "the manifest tells of packed rows in one place, and of none in another"
            continue
        rows = _sum(own, "rows")
        slots = rows * packing["length"]
        if told != {"rows": rows, "slots": slots, "fill": _sum(own, "tokens") / slots if slots else 1.0}:
            yield f"the manifest tells of packing {told}, but its shards have {rows:,} rows of {packing['length']:,}"


def _fingerprints(manifest: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[str]:
    if manifest["format_version"] != FORMAT_VERSION:
        yield f"the manifest has format {manifest['format_version']}, this maskprep reads {FORMAT_VERSION}"
    parts = manifest["fingerprint_of"]
    if Config.model_validate(manifest["config"]).fingerprint() != parts["config"]:
        yield "the configuration in the manifest is not the one that was built with: its hash is another"
    if parts.get("now", manifest["now"]) != manifest["now"]:
        yield "the manifest tells two times of the build"
    if _hash(parts) != manifest["fingerprint"]:
        yield "the fingerprint in the manifest is not that of its parts"
    if state["_fingerprint"] != manifest["fingerprint"][:16]:
        yield "state.json has another fingerprint than the manifest"


def _sum(entries: Any, *keys: str) -> int:
    return sum(int(entry[key]) for entry in entries for key in keys)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
