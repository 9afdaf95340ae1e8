"""Rows in another order: the plan is a permutation that the seed decides, the gather follows it, memory is bounded."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from maskprep.conversation import Where
from maskprep.dataset import arrange as module
from maskprep.dataset import files
from maskprep.dataset.arrange import Staged, arrange, shuffled
from maskprep.dataset.files import ShardWriter
from maskprep.dataset.final import FinalWriter
from maskprep.dataset.profiles import PROFILES
from maskprep.dataset.schema import ShardRow
from maskprep.labelled import Labelled, Span


def make_row(number: int) -> ShardRow:
    size = number % 7 + 2
    ids = np.arange(number, number + size, dtype=np.int64)
    labels = np.where(np.arange(size) >= size - 1, ids, -100)
    spans = (Span("user", "content", 0, 0, size - 1, False), Span("assistant", "content", 1, size - 1, size, True))
    return ShardRow(Labelled(ids, labels, spans), Where("a.jsonl", number + 1, 9), 0)


def stage(folder, count, shard_bytes=3000):
    writer = ShardWriter(folder, shard_bytes)
    for number in range(count):
        writer.write(make_row(number))
    return Staged.mapped([folder / receipt.file for receipt in writer.close()])


def lines(folder, receipts):
    tables = [pa.ipc.open_stream((folder / receipt.file).read_bytes()).read_all() for receipt in receipts]
    return [row["origin"]["line"] for table in tables for row in table.to_pylist()], pa.concat_tables(tables)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(files, "ROWS_PER_BATCH", 8)
    monkeypatch.setattr(module, "ROWS_PER_BATCH", 8)


@pytest.mark.parametrize("count", [0, 1, 7, 50, 5000])
def test_a_plan_has_every_row_once_and_another_seed_has_another_order(count):
    order = shuffled(count, 3)
    assert sorted(order.tolist()) == list(range(count))
    assert order.tolist() == shuffled(count, 3).tolist()
    if count > 7:
        assert order.tolist() != shuffled(count, 4).tolist() != list(range(count))


@pytest.mark.parametrize("seed", [0, 7, -1, 2**64 + 5])
def test_a_plan_sorts_by_splitmix64_whatever_the_version_of_numpy(seed):
    def mixed(number):
        value = (0x9E3779B97F4A7C15 * (number + 1) + seed) % 2**64
        value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
        value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) % 2**64
        return value ^ (value >> 31)

    assert shuffled(100, seed).tolist() == sorted(range(100), key=mixed)


def test_rows_that_were_near_are_near_no_more():
    places = np.empty(10_000)
    places[shuffled(10_000, 0)] = np.arange(10_000)
    apart = np.abs(np.diff(places))
    assert 3000 < apart.mean() < 3700  # a third of all, for a random order
    assert abs(np.corrcoef(np.arange(10_000), places)[0, 1]) < 0.05


@pytest.mark.parametrize("count", [0, 1, 9, 100])
@pytest.mark.parametrize("shard_bytes", [1, 10**9])
def test_the_gather_follows_the_plan(tmp_path, count, shard_bytes):
    staged = stage(tmp_path, count)
    assert len(staged) == count
    assert staged.lengths().tolist() == [number % 7 + 2 for number in range(count)]
    order = shuffled(count, 1)
    writer = FinalWriter(tmp_path, tmp_path, PROFILES["hf"], shard_bytes)
    arrange(staged, order, writer)
    receipts = writer.finish()
    found, table = lines(tmp_path, receipts)
    assert found == (order + 1).tolist()
    table.validate(full=True)
    for number, row in zip(order.tolist(), table.to_pylist(), strict=True):
        made = make_row(number).labelled
        assert (row["input_ids"], row["labels"]) == (made.input_ids.tolist(), made.labels.tolist())
        assert [Span(**span) for span in row["spans"]] == list(made.spans)
    assert sum(receipt.rows for receipt in receipts) == count
    assert sum(receipt.tokens for receipt in receipts) == sum(staged.lengths())
    assert sum(receipt.trained_tokens for receipt in receipts) == count
    if count:
        assert receipts[0].first == Where("a.jsonl", found[0], -1)
        assert receipts[-1].last == Where("a.jsonl", found[-1], -1)


def test_rows_may_be_left_out_and_taken_twice(tmp_path):
    writer = FinalWriter(tmp_path, tmp_path, PROFILES["hf"], 10**9)
    arrange(stage(tmp_path, 30), np.array([29, 3, 3, 0]), writer)
    assert lines(tmp_path, writer.finish())[0] == [30, 4, 4, 1]


def test_the_bytes_do_not_depend_on_how_the_rows_were_staged(tmp_path):
    written = []
    for shard_bytes in (1, 2000, 10**9):
        folder = tmp_path / str(shard_bytes)
        folder.mkdir()
        writer = FinalWriter(folder, folder, PROFILES["hf"], 10**9)
        arrange(stage(folder, 100, shard_bytes), shuffled(100, 5), writer)
        written.append([receipt.sha256 for receipt in writer.finish()])
    assert written[0] == written[1] == written[2]


def test_batches_of_very_long_rows_are_small(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "TOKENS_PER_BATCH", 10)
    writer = FinalWriter(tmp_path, tmp_path, PROFILES["hf"], 10**9)
    arrange(stage(tmp_path, 40), shuffled(40, 0), writer)
    (receipt,) = writer.finish()
    batches = list(pa.ipc.open_stream((tmp_path / receipt.file).read_bytes()))
    assert max(len(batch.column("labels").flatten()) for batch in batches) <= 10 + 8
    assert len(batches) > 10
