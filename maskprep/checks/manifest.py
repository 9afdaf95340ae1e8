"""The manifest against itself: its counts add up, and its fingerprint is that of what it records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

_FORMAT_VERSION = 1


def contradictions(manifest: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[str]:
    """Yield what in the manifest contradicts itself, or ``state.json`` beside it.

    A fact that is missing or of another type raises what Python raises then.
    """
    yield from _counts(manifest["totals"], manifest["shards"])
    yield from _fingerprints(manifest, state)
    listed = [entry["filename"] for entry in state["_data_files"]]
    if listed != [shard["file"] for shard in manifest["shards"]]:
        yield "state.json lists other shards than the manifest"


def _counts(totals: Mapping[str, Any], shards: list[Mapping[str, Any]]) -> Iterator[str]:
    by = totals["by_role_and_part"]
    sums = (
        ("rows read", totals["rows"], totals["rows_used"] + totals["rows_rejected"], "rows used and rejected"),
        ("rows rejected", totals["rows_rejected"], _sum(totals["rejects"].values(), "rows"), "rejects by code"),
        ("sequences", totals["sequences"], _sum(shards, "rows"), "its shards' rows"),
        ("tokens", totals["tokens"], _sum(shards, "tokens"), "its shards' tokens"),
        ("trained tokens", totals["trained_tokens"], _sum(shards, "trained_tokens"), "its shards' trained tokens"),
        ("tokens", totals["tokens"], _sum(by, "tokens"), "its tokens by role and part"),
        ("trained tokens", totals["trained_tokens"], _sum(by, "trained_tokens"), "those by role and part"),
    )
    for name, told, counted, of in sums:
        if told != counted:
            yield f"the manifest tells of {told:,} {name}, but {of} add up to {counted:,}"


def _fingerprints(manifest: Mapping[str, Any], state: Mapping[str, Any]) -> Iterator[str]:
    if manifest["format_version"] != _FORMAT_VERSION:
        yield f"the manifest has format {manifest['format_version']}, this maskprep reads {_FORMAT_VERSION}"
    parts = manifest["fingerprint_of"]
    config = {key: value for key, value in manifest["config"].items() if key != "output"}
    if _hash(config) != parts["config"]:
        yield "the configuration in the manifest is not the one that was built with: its hash is another"
    if parts.get("now", manifest["now"]) != manifest["now"]:
        yield "the manifest tells two times of the build"
    if _hash(parts) != manifest["fingerprint"]:
        yield "the fingerprint in the manifest is not that of its parts"
    if state["_fingerprint"] != manifest["fingerprint"][:16]:
        yield "state.json has another fingerprint than the manifest"


def _sum(entries: Any, key: str) -> int:
    return sum(int(entry[key]) for entry in entries)


def _hash(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
