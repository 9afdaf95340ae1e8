"""A data set of several splits: a DatasetDict on disk, whole and by its parts."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from datasets import DatasetDict, load_from_disk
from writing import manifest_of, write_shards

from maskprep.conversation import Where
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import Layout, ShardRow
from maskprep.errors import UsageError
from maskprep.labelled import Labelled, Span

SIZES = {"train": [3, 4, 5], "validation": [6]}


def make_row(size):
    ids = np.arange(size, dtype=np.int64)
    span = Span("assistant", "content", 0, 0, size, True)
    return ShardRow(Labelled(ids, ids, (span,)), Where("a.jsonl", size, 0), 0)


def write(folder, sizes=SIZES):
    output = OutputFolder(str(folder), divided=True)
    output.claim()
    receipts = []
    for split in output.splits:
        own = write_shards(output.shards(split), map(make_row, sizes[split]), 1)
        receipts += [replace(receipt, file=f"{split}/{receipt.file}") for receipt in own]
    output.describe(manifest_of(receipts, splits={split: {"name": split} for split in sizes}), Layout())
    output.commit(receipts, "0123456789abcdef0123")
    return output


def test_datasets_opens_all_and_each(tmp_path):
    write(tmp_path / "out")
    data = load_from_disk(str(tmp_path / "out"))
    assert isinstance(data, DatasetDict)
    assert {split: [len(row["labels"]) for row in rows] for split, rows in data.items()} == SIZES
    assert [str(rows.split) for rows in data.values()] == ["train", "validation"]
    prints = [rows._fingerprint for rows in data.values()]
    assert len(set(prints)) == 2  # datasets caches by it
    assert load_from_disk(str(tmp_path / "out" / "validation")).to_list() == data["validation"].to_list()


@pytest.mark.parametrize("sizes", [SIZES, {"train": [], "validation": [3]}, {"train": [3], "validation": []}])
def test_it_is_read_whole_and_by_split(tmp_path, sizes):
    write(tmp_path / "out", sizes)
    whole = StoredDataSet(str(tmp_path / "out"))
    assert whole.lengths()[0].tolist() == sizes["train"] + sizes["validation"]
    for split in sizes:
        part = StoredDataSet(str(tmp_path / "out" / split))
        assert part.lengths()[0].tolist() == sizes[split]
        assert [part.row(number).where.line for number in range(len(part))] == sizes[split]
        assert part.manifest["totals"] == {"name": split}
        assert part.tokenizer == whole.tokenizer
        assert part.whole == whole.manifest


def test_its_commit_is_the_list_of_its_splits(tmp_path):
    output = write(tmp_path / "out")
    (output.path / "dataset_dict.json").unlink()
    with pytest.raises(UsageError, match="no finished build"):
        StoredDataSet(str(output.path))
    with pytest.raises(UsageError, match="no finished build"):
        StoredDataSet(str(output.path / "train"))
    assert len(StoredDataSet(str(output.path), committed=False)) == 4


def test_claiming_it_makes_it_no_data_set_and_takes_it_away(tmp_path):
    write(tmp_path / "out")
    output = OutputFolder(str(tmp_path / "out"))
    with pytest.raises(UsageError, match="already holds a data set"):
        output.check(overwrite=False)
    output.check(overwrite=True)
    output.claim()
    assert [path.name for path in output.path.iterdir()] == ["maskprep"]


def test_foreign_files_in_a_split_are_not_deleted(tmp_path):
    output = write(tmp_path / "out")
    (output.path / "train" / "notes.txt").write_text("precious")
    with pytest.raises(UsageError, match=r"what maskprep did not write: train/notes\.txt"):
        output.check(overwrite=True)


@pytest.mark.parametrize(
    "change",
    [
        {"splits": {"train": {}}},
        {"splits": {}},
        {"shards": [{"rows": 3, "documents": 3, "file": "train/a"}]},
        {"shards": [{"rows": 3, "documents": 3, "file": "a"}, {"rows": 1, "documents": 1, "file": "validation/a"}]},
        {"shards": [{"rows": 3, "documents": 3, "file": "../a"}, {"rows": 1, "documents": 1, "file": "validation/a"}]},
    ],
)
def test_a_manifest_of_other_splits_is_refused(tmp_path, change):
    output = write(tmp_path / "out")
    output.manifest.write_text(json.dumps({**json.loads(output.manifest.read_text()), **change}))
    with pytest.raises(UsageError, match="manifest"):
        StoredDataSet(str(output.path))
