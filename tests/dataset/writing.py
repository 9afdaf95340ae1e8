"""Shards and manifests that the tests of this folder write."""

from __future__ import annotations

from finished import finish

from maskprep.dataset.files import ShardWriter


def write_shards(folder, rows, shard_bytes=10**9):
    """Write rows into ``folder`` and return what the shards hold, by their names in a data set."""
    writer = ShardWriter(folder, shard_bytes)
    for row in rows:
        writer.write(row)
    return finish(folder, writer.close())


def manifest_of(receipts, **more):
    """Return the least that a manifest must tell."""
    shards = [{"file": each.file, "rows": each.rows, "documents": each.documents} for each in receipts]
    return {"format_version": 1, "config": {"profile": "hf"}, "shards": shards, **more}
