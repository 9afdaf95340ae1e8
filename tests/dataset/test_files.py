"""Shards: what is written is what is read, under names that only a finished build has."""

from __future__ import annotations

import hashlib
import json
import random

import numpy as np
import pyarrow as pa
import pytest
from datasets import load_from_disk
from writing import write_shards

from maskprep.conversation import Where
from maskprep.dataset import files
from maskprep.dataset.files import ShardWriter
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.schema import SCHEMA, Layout, ShardRow, to_batch
from maskprep.errors import BuildError, UsageError
from maskprep.labelled import Labelled, Span

MANIFEST = {"config": {}, "any": "facts"}
FINGERPRINT = "0123456789abcdef0123"


def make_row(number: int, size: int = 4) -> ShardRow:
    """Return a row of ``size`` tokens, the last two of them trained."""
    ids = np.arange(number, number + size, dtype=np.int64)
    labels = np.where(np.arange(size) >= size - 2, ids, -100)
    spans = (Span("user", "content", 0, 0, size - 2, False), Span("assistant", "content", 1, size - 2, size, True))
    return ShardRow(Labelled(ids, labels, spans), Where("a.jsonl", number + 1, number * 100), number % 3)


def as_dict(row: ShardRow) -> dict:
    return {
        "input_ids": row.labelled.input_ids.tolist(),
        "labels": row.labelled.labels.tolist(),
        "spans": [span._asdict() for span in row.labelled.spans],
        "origin": {"file": row.where.file, "line": row.where.line, "sequence": row.sequence},
    }


def test_a_batch_holds_its_rows():
    rows = [make_row(number, size) for number, size in enumerate([4, 2, 2000, 3])]
    batch = to_batch(rows)
    assert batch.schema == SCHEMA
    batch.validate(full=True)
    assert batch.to_pylist() == [as_dict(row) for row in rows]


def test_an_empty_batch_has_the_schema():
    assert to_batch([]).schema == SCHEMA
    assert len(to_batch([])) == 0


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 40])
@pytest.mark.parametrize("shard_bytes", [1, 3000, 10**9])
def test_what_is_written_is_read_again(tmp_path, monkeypatch, count, shard_bytes):
    monkeypatch.setattr(files, "ROWS_PER_BATCH", 8)
    sizes = random.Random(0)
    rows = [make_row(number, sizes.randint(2, 30)) for number in range(count)]
    receipts = write_shards(tmp_path, rows, shard_bytes)
    assert len(receipts) >= 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [receipt.file for receipt in receipts]
    position = 0
    for number, receipt in enumerate(receipts):
        assert receipt.file == f"data-{number:05d}-of-{len(receipts):05d}.arrow"
        raw = (tmp_path / receipt.file).read_bytes()
        assert (receipt.sha256, receipt.bytes) == (hashlib.sha256(raw).hexdigest(), len(raw))
        with pa.ipc.open_stream(raw) as stream:
            table = stream.read_all()
        own = rows[position : position + receipt.rows]
        assert table.schema == SCHEMA
        assert table.to_pylist() == [as_dict(row) for row in own]
        assert receipt.tokens == sum(len(row.labelled.input_ids) for row in own)
        assert receipt.trained_tokens == 2 * len(own)
        assert (receipt.first, receipt.last) == ((own[0].where, own[-1].where) if own else (None, None))
        position += receipt.rows
    assert position == count
    if shard_bytes == 1:
        assert len(receipts) == max(1, -(-count // 8))
    elif shard_bytes == 10**9:
        assert len(receipts) == 1


def test_batches_hold_a_thousand_rows(tmp_path):
    [receipt] = write_shards(tmp_path, map(make_row, range(2100)), 10**9)
    with pa.ipc.open_stream((tmp_path / receipt.file).read_bytes()) as stream:
        assert [len(batch) for batch in stream] == [1000, 1000, 100]


def test_very_long_rows_do_not_wait_for_a_thousand(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "TOKENS_PER_BATCH", 100)
    [receipt] = write_shards(tmp_path, [make_row(number, 60) for number in range(4)], 10**9)
    with pa.ipc.open_stream((tmp_path / receipt.file).read_bytes()) as stream:
        assert [len(batch) for batch in stream] == [2, 2]


def test_no_shard_has_its_name_before_all_are_written(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "ROWS_PER_BATCH", 2)
    writer = ShardWriter(tmp_path, 1)
    for number in range(5):
        writer.write(make_row(number))
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"staged-0000{i}.arrow.partial" for i in range(2)]
    writer.abandon()


def test_a_shard_of_another_is_never_overwritten(tmp_path):
    (tmp_path / "staged-00000.arrow.partial").write_bytes(b"of another build")
    with pytest.raises(FileExistsError):
        write_shards(tmp_path, [make_row(0)], 1)
    assert (tmp_path / "staged-00000.arrow.partial").read_bytes() == b"of another build"


# The output folder


def commit(folder):
    output = OutputFolder(str(folder))
    output.claim()
    receipts = write_shards(output.path, [make_row(0), make_row(1)], 10**9)
    output.describe(MANIFEST, Layout())
    output.commit(receipts, FINGERPRINT)
    return output


def test_a_committed_folder_opens(tmp_path):
    output = commit(tmp_path / "new" / "out")
    data = load_from_disk(str(output.path))
    assert data.to_list() == [as_dict(make_row(0)), as_dict(make_row(1))]
    assert json.loads((output.path / "state.json").read_text())["_fingerprint"] == FINGERPRINT[:16]
    assert json.loads(output.manifest.read_text()) == MANIFEST
    assert not list(output.path.glob("*.partial"))


def test_nothing_opens_before_the_last_step(tmp_path, monkeypatch):
    """Every step of a commit fails in turn."""
    from pathlib import Path

    calls = {"write": 0, "rename": 0}
    output = OutputFolder(str(tmp_path / "out"))
    output.claim()
    receipts = write_shards(output.path, [make_row(0)], 10**9)

    def stop(self, target):
        calls["rename"] += 1
        assert (self.name, target.name) == ("state.json.partial", "state.json")
        # All the rest is there and on the disk by then.
        assert (output.path / "dataset_info.json").stat().st_size > 0
        assert json.loads(output.manifest.read_text()) == MANIFEST
        raise OSError(28, "No space left on device")

    output.describe(MANIFEST, Layout())
    monkeypatch.setattr(Path, "replace", stop)
    with pytest.raises(OSError, match="No space"):
        output.commit(receipts, FINGERPRINT)
    assert calls["rename"] == 1
    with pytest.raises(FileNotFoundError):
        load_from_disk(str(output.path))


def test_claiming_makes_an_old_data_set_none_first_of_all(tmp_path, monkeypatch):
    output = commit(tmp_path / "out")

    def stop(*_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(output, "_clear", stop)
    with pytest.raises(UsageError, match="Input/output error"):
        output.claim()
    assert not (output.path / "state.json").exists()


def test_abandoning_keeps_the_rejects_and_nothing_else(tmp_path):
    output = OutputFolder(str(tmp_path / "out"))
    output.claim()
    write_shards(output.path, [make_row(0)], 10**9)
    output.rejects.write_text("a reject\n")
    output.abandon()
    assert [str(path.relative_to(output.path)) for path in output.path.rglob("*") if path.is_file()] == [
        "maskprep/rejects.jsonl"
    ]
    assert output.rejects.read_text() == "a reject\n"


def test_abandoning_without_rejects_leaves_nothing(tmp_path):
    output = OutputFolder(str(tmp_path / "out"))
    output.claim()
    output.abandon()
    assert not output.path.exists()


def test_what_appears_during_the_build_is_not_deleted(tmp_path):
    output = OutputFolder(str(tmp_path / "out"))
    output.claim()
    (output.path / "notes.txt").write_text("precious")
    with pytest.raises(BuildError, match="appeared in the output folder"):
        output.abandon()
    assert (output.path / "notes.txt").read_text() == "precious"


def test_checking_changes_nothing(tmp_path):
    output = OutputFolder(str(tmp_path / "out"))
    output.check(overwrite=False)
    assert not output.path.exists()
    commit(tmp_path / "out")
    with pytest.raises(UsageError, match="already holds a data set"):
        output.check(overwrite=False)
    output.check(overwrite=True)
    assert len(load_from_disk(str(output.path))) == 2
    (output.path / "state.json").unlink()
    with pytest.raises(UsageError, match="an unfinished build"):
        output.check(overwrite=False)
