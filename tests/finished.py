"""Shards as a finished build names them."""

from __future__ import annotations

from dataclasses import replace


def finish(folder, receipts):
    """Give shards that wait in ``folder`` their final names, and return what they hold under these."""
    named = [replace(each, file=f"data-{n:05d}-of-{len(receipts):05d}.arrow") for n, each in enumerate(receipts)]
    for receipt, final in zip(receipts, named, strict=True):
        (folder / receipt.file).rename(folder / final.file)
    return named
