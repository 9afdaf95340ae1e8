"""A finished data set read back: what was written, or a clear error."""

from __future__ import annotations

import json
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from datasets import load_from_disk
from writing import manifest_of, write_shards

from maskprep.conversation import Where
from maskprep.dataset.output import OutputFolder
from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.schema import SCHEMA, Layout, ShardRow
from maskprep.errors import BuildError, UsageError
from maskprep.labelled import IGNORED, Labelled, Span

SIZES = (5, 1, 0, 300, 2, 7, 0)


def make_row(number, size):
    """Return a row of ``size`` tokens; each third of them is of a message of its own, the last third is trained."""
    rng = np.random.default_rng(number)
    ids = rng.integers(0, 2**31 - 1, size)
    edges = sorted({0, size // 3, 2 * size // 3, size})
    spans = tuple(
        Span("user" if message % 2 else "assistant", "content", message, start, end, end == size and number % 4 != 3)
        for message, (start, end) in enumerate(pairwise(edges))
    )
    labels = np.full(size, IGNORED)
    for span in spans:
        if span.trained:
            labels[span.start : span.end] = ids[span.start : span.end]
    return ShardRow(Labelled(ids, labels, spans), Where(f"f{number % 2}.jsonl", number + 1, 0), number % 3)


ROWS = [make_row(number, size) for number, size in enumerate(SIZES * 3)]


@pytest.fixture(params=[1, 10**9], ids=["a shard a batch", "one shard"])
def folder(request, tmp_path, monkeypatch):
    """Return a finished data set of ``ROWS``."""
    monkeypatch.setattr("maskprep.dataset.files.ROWS_PER_BATCH", 4)
    output = OutputFolder(str(tmp_path / "out"))
    output.claim()
    receipts = write_shards(output.path, ROWS, request.param)
    output.describe(manifest_of(receipts), Layout())
    output.rejects.write_text('{"code": "a"}\n{"code": "b"}\n')
    output.findings.write_text('{"code": "c"}\n')
    output.commit(receipts, "0123456789abcdef0123")
    return output.path


def change(folder, **values):
    path = folder / "maskprep" / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **values}))


def test_rows_are_read_as_they_were_written(folder):
    data = StoredDataSet(str(folder))
    assert len(data) == len(ROWS)
    for number in [*range(len(ROWS)), 0, len(ROWS) - 1]:
        row, written = data.row(number), ROWS[number]
        assert row.labelled.input_ids.tolist() == written.labelled.input_ids.tolist()
        assert row.labelled.labels.tolist() == written.labelled.labels.tolist()
        assert row.labelled.spans == written.labelled.spans
        assert (row.where.file, row.where.line, row.where.offset) == (written.where.file, written.where.line, -1)
        assert row.sequence == written.sequence


def test_it_agrees_with_datasets(folder):
    data, theirs = StoredDataSet(str(folder)), load_from_disk(str(folder))
    assert len(data) == len(theirs)
    for number, row in enumerate(theirs):
        assert data.row(number).labelled.labels.tolist() == row["labels"]


def test_figures_of_all_rows(folder):
    data = StoredDataSet(str(folder))
    assert list(data.origins()) == [(row.where.file, row.where.line, row.sequence) for row in ROWS]
    lengths, trained = data.lengths()
    assert lengths.dtype == trained.dtype == np.int64 or lengths.dtype == np.int32
    assert lengths.tolist() == [len(row.labelled.labels) for row in ROWS]
    assert trained.tolist() == [row.labelled.trained_tokens for row in ROWS]
    assert list(data.trained_turns()) == [
        len({span.message for span in row.labelled.spans if span.trained}) for row in ROWS
    ]


def test_rejects_and_findings(folder):
    data = StoredDataSet(str(folder))
    assert [reject["code"] for reject in data.rejects()] == ["a", "b"]
    assert [finding["code"] for finding in data.findings()] == ["c"]
    assert data.tokenizer == str(folder / "tokenizer")


def test_a_data_set_of_no_rows(tmp_path):
    output = OutputFolder(str(tmp_path / "out"))
    output.claim()
    receipts = write_shards(output.path, [])
    output.describe(manifest_of(receipts), Layout())
    output.commit(receipts, "0123456789abcdef0123")
    data = StoredDataSet(str(output.path))
    assert len(data) == 0
    assert list(data.origins()) == list(data.trained_turns()) == []
    assert [part.tolist() for part in data.lengths()] == [[], []]


def test_an_unfinished_one_is_opened_only_on_demand(folder):
    (folder / "state.json").unlink()
    with pytest.raises(UsageError, match=r"no finished build of maskprep: it lacks state\.json"):
        StoredDataSet(str(folder))
    assert len(StoredDataSet(str(folder), committed=False)) == len(ROWS)


@pytest.mark.parametrize("missing", ["state.json", "maskprep/manifest.json"])
def test_what_is_no_build_is_told(folder, missing):
    (folder / missing).unlink()
    with pytest.raises(UsageError, match=missing):
        StoredDataSet(str(folder))
    with pytest.raises(UsageError, match="no finished build"):
        StoredDataSet(str(folder / "nowhere"))


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "null", '"shards"', "{}", '{"shards": 3}', '{"shards": []}', '{"shards": {}}'),
        *('{"shards": {"rows": 1}}', '{"shards": [1]}', '{"shards": [{}]}', '{"shards": [{"rows": "1"}]}'),
        *('{"shards": [{"rows": 1.0}]}', '{"shards": [{"rows": true}]}', '{"shards": [{"rows": -1}]}'),
    ],
)
def test_a_manifest_that_is_none(folder, text):
    (folder / "maskprep" / "manifest.json").write_text(text)
    with pytest.raises(UsageError, match="manifest"):
        StoredDataSet(str(folder))


def test_a_manifest_of_another_version_is_refused_and_says_so(folder):
    change(folder, format_version=2)
    with pytest.raises(UsageError, match="the manifest has format 2, this maskprep reads 1") as told:
        StoredDataSet(str(folder))
    assert "the version of maskprep that built it" in told.value.hint


def test_a_manifest_that_is_nested_too_deep_is_no_traceback(folder):
    (folder / "maskprep" / "manifest.json").write_text('{"shards": ' + "[" * 100_000)
    with pytest.raises(UsageError, match="the manifest cannot be read"):
        StoredDataSet(str(folder))


def shards(folder):
    return sorted(folder.glob("*.arrow"))


def read_all(folder):
    data = StoredDataSet(str(folder))
    for number in range(len(data)):
        data.row(number)


def damage_missing(path):
    path.unlink()


def damage_empty(path):
    path.write_bytes(b"")


def damage_truncated(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_text(path):
    path.write_text("no Arrow")


def damage_folder(path):
    path.unlink()
    path.mkdir()


def damage_dangling(path):
    path.unlink()
    path.symlink_to("nowhere")


def damage_schema(path):
    schema = pa.schema([("input_ids", pa.list_(pa.int64()))])
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema):
        pass


def damage_rows(path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, SCHEMA):
        pass


def damage_file_format(path):
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, SCHEMA):
        pass


DAMAGES = {name.removeprefix("damage_"): value for name, value in globals().items() if name.startswith("damage_")}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_shard_is_told(folder, damage):
    path = shards(folder)[0]
    damage(path)
    for read in (read_all, lambda folder: StoredDataSet(str(folder)).lengths()):
        with pytest.raises(BuildError, match=path.name):
            read(folder)


def test_shards_that_were_cut_at_a_batch_border_are_told(folder):
    """``datasets`` accepts these without a word."""
    path = shards(folder)[0]
    with pa.OSFile(str(path)) as file:
        batches = list(pa.ipc.open_stream(file))
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, SCHEMA) as stream:
        for batch in batches[:-1]:
            stream.write_batch(batch)
    with pytest.raises(BuildError, match="is not the shard that the manifest tells of"):
        read_all(folder)


def test_a_manifest_of_another_count_of_shards(folder):
    change(folder, shards=[{"file": "data", "rows": 1, "documents": 1}] * 9)
    with pytest.raises(BuildError, match="data-00000-of-00009"):
        read_all(folder)


def test_a_link_to_a_build_is_a_build(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder, target_is_directory=True)
    assert len(StoredDataSet(str(tmp_path / "link"))) == len(ROWS)
    read_all(tmp_path / "link")


def test_a_link_out_of_a_build_is_not_followed(folder, tmp_path):
    moved = tmp_path / "elsewhere.arrow"
    shards(folder)[0].rename(moved)
    (folder / f"data-00000-of-{len(shards(folder)) + 1:05d}.arrow").symlink_to(moved)
    with pytest.raises(UsageError, match="leads out of the folder"):
        StoredDataSet(str(folder))
