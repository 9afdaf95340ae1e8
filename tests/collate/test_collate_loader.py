"""The loader: every document once at any world size, with any workers; the same stream after a restart; no waiting."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from itertools import pairwise

import folders
import numpy as np
import pyarrow as pa
import pytest
import torch
from datasets import load_from_disk
from thorough import some
from torch.utils.data import DataLoader

from maskprep.collate import PackedCollator, PackedLoader
from maskprep.errors import BuildError, UsageError

LENGTH = 40
SIZES = folders.sizes(1500)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return a data set of 1,500 documents, named 1, 2, …, in many shards and batches."""
    path = folders.write(tmp_path_factory.mktemp("data") / "out", SIZES)
    assert len(list(path.glob("*.arrow"))) > 5
    return path


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    return folders.write(tmp_path_factory.mktemp("data") / "second", folders.sizes(90, seed=2), first=5001)


def loader(folder, **changes):
    return PackedLoader(folder, **{"length": LENGTH, "batch_size": 2, "workers": 0, "window": 400, **changes})


def same(batches, others):
    batches, others = list(batches), list(others)
    assert len(batches) == len(others)
    for batch, other in zip(batches, others, strict=True):
        assert batch.keys() == other.keys()
        for name, value in batch.items():
            assert torch.equal(value, other[name]) if isinstance(value, torch.Tensor) else value == other[name]
    return True


def all_names(batches):
    return sorted(found for batch in batches for found in folders.names(batch))


EXPECTED = [(1 + number, size) for number, size in enumerate(SIZES)]


def test_three_ranks_of_two_workers_each_see_every_document_once(folder):
    ranks = [list(loader(folder, rank=rank, world_size=3, workers=2)) for rank in range(3)]
    assert len({len(batches) for batches in ranks}) == 1
    assert len(ranks[0]) == loader(folder, world_size=3).count_batches() > 50
    assert all_names(batch for batches in ranks for batch in batches) == EXPECTED


def test_workers_of_a_data_loader_share_the_batches_in_order(folder):
    for rank in range(3):
        alone = list(loader(folder, rank=rank, world_size=3))
        data = DataLoader(loader(folder, rank=rank, world_size=3), batch_size=None, num_workers=2)
        assert same(data, alone)


@pytest.mark.filterwarnings("ignore:This DataLoader will create:UserWarning")  # on a machine of two cores
@pytest.mark.parametrize("workers", [0, 1, 3])
def test_the_stream_does_not_depend_on_the_workers(folder, workers):
    assert same(loader(folder, workers=workers), loader(folder))


@pytest.mark.long
def test_a_worker_that_is_started_anew_reads_the_same(folder):
    one = loader(folder, workers=1, start_method="spawn", window=10_000)
    assert all_names(one) == EXPECTED


@pytest.mark.parametrize(("workers", "rank"), some([(0, 0), (2, 2), (0, 2), (2, 0)], 4, 1))
@pytest.mark.sweep
def test_a_restart_after_100_batches_goes_on_with_the_101st(folder, workers, rank):
    settings = {"batch_size": 1, "rank": rank, "world_size": 3, "seed": 3, "workers": workers}
    first = loader(folder, **settings)
    first.set_epoch(1)
    stream = iter(first)
    for _ in range(100):
        next(stream)
    state = json.loads(json.dumps(first.state_dict()))
    assert len(json.dumps(state)) < 500
    again = loader(folder, **settings)
    again.load_state_dict(state)
    rest = list(stream)
    assert len(rest) == first.count_batches(1) - 100 > 50
    assert same(again, rest)
    assert (first.epoch, again.epoch) == (2, 2)
    assert same(again, first)  # the epoch after


@pytest.mark.long
def test_a_restart_of_a_data_loader_with_workers(folder):
    whole = list(loader(folder, batch_size=1))
    again = loader(folder, batch_size=1)
    again.load_state_dict(again.state_dict(batches=101))
    assert same(DataLoader(again, batch_size=None, num_workers=2), whole[101:])


def test_iterating_goes_on_where_it_stopped(folder):
    whole, one = list(loader(folder)), loader(folder, workers=1)
    found = []
    for batch in one:
        found.append(batch)
        if len(found) % 50 == 0:
            break
    assert same([*found, *one], whole)
    assert one.epoch == 1


def test_a_new_epoch_is_another_order_of_the_same(folder):
    one = loader(folder)
    first, second = list(one), list(one)
    assert all_names(first) == all_names(second) == EXPECTED
    assert [folders.names(batch) for batch in first] != [folders.names(batch) for batch in second]
    one.set_epoch(0)
    assert same(one, first)


def test_setting_the_epoch_that_is_under_way_changes_nothing(folder):
    one = loader(folder)
    stream = iter(one)
    next(stream)
    state = one.state_dict()
    one.set_epoch(0)
    assert one.state_dict() == state
    one.set_epoch(5)
    assert (one.state_dict()["epoch"], one.state_dict()["batch"]) == (5, 0)
    assert list(stream) == []  # what was under way is over
    assert one.epoch == 5


def test_labels_are_those_of_the_data(folder):
    stored = {row["input_ids"][0]: row for row in load_from_disk(str(folder))}
    for batch in loader(folder):
        ends = batch["cu_seq_lens_q"].tolist()
        for start, stop in pairwise(ends):
            row = stored[int(batch["input_ids"][0, start])]
            assert batch["labels"][0, start:stop].tolist() == row["labels"]
            assert batch["position_ids"][0, start:stop].tolist() == list(range(len(row["input_ids"])))


def test_several_folders_and_weights(folder, second):
    both = all_names(loader([folder, str(second)]))
    assert both == sorted(EXPECTED + [(5001 + n, size) for n, size in enumerate(folders.sizes(90, seed=2))])
    names = [name for name, _ in all_names(loader([folder, second], weights=[0.1, 2]))]
    assert sum(name < 5000 for name in names) == 150
    assert sorted(name for name in names if name > 5000) == sorted([*range(5001, 5091)] * 2)
    twice = all_names(loader([second, second]))
    assert [name for name, _ in twice] == sorted([*range(5001, 5091)] * 2)


def test_another_collator(folder):
    batch = next(iter(loader(folder, collate=PackedCollator("sdpa", length=LENGTH), batch_size=3)))
    assert batch["input_ids"].shape == (3, LENGTH)
    assert batch["attention_mask"].shape == (3, 1, LENGTH, LENGTH)


def test_more_ranks_than_documents(tmp_path):
    path = folders.write(tmp_path / "few", [3, 4])
    batches = [list(loader(path, rank=rank, world_size=3)) for rank in range(3)]
    assert [len(of_rank) for of_rank in batches] == [1, 1, 1]
    trained = sorted(int((of_rank[0]["labels"] != -100).sum()) for of_rank in batches)
    assert trained == [0, 2, 3]


def test_a_data_set_of_no_rows(tmp_path):
    path = folders.write(tmp_path / "none", [])
    assert list(loader(path)) == []
    assert list(loader(path, workers=1)) == []


def test_loss_weights_are_one_where_a_folder_has_none(folder, tmp_path):
    weighted = tmp_path / "weighted"
    rows = load_from_disk(str(folder)).select(range(5))
    rows.add_column("loss_weights", [[0.5] * len(ids) for ids in rows["input_ids"]]).save_to_disk(str(weighted))
    found = {0.5: 0, 1.0: 0}
    for batch in loader([folder, weighted]):
        values, counts = np.unique(batch["loss_weights"].numpy(), return_counts=True)
        for value, count in zip(values.tolist(), counts.tolist(), strict=True):
            found[value] += count
    assert found == {0.5: sum(SIZES[:5]), 1.0: sum(SIZES)}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"seed": 1}, "seed is 1 and was 0"),
        ({"world_size": 2}, "world_size is 2 and was 1"),
        ({"batch_size": 3}, "batch_size is 3 and was 2"),
        ({"window": 399}, "window is 399 and was 400"),
        ({"weights": [2]}, r"weights is \[2.0\] and was \[1.0\]"),
    ],
)
def test_a_state_of_another_stream_is_refused(folder, change, said):
    with pytest.raises(UsageError, match=f"another stream: {said}"):
        loader(folder, **change).load_state_dict(loader(folder).state_dict())


def test_a_state_of_other_documents_is_refused(folder, second):
    with pytest.raises(UsageError, match="another stream: documents is"):
        loader(second).load_state_dict(loader(folder).state_dict())
    with pytest.raises(UsageError, match="another stream"):
        loader(folder).load_state_dict({})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": [1, 2]}, "one for each of 1 folders"),
        ({"weights": [-1]}, "none below 0"),
        ({"rank": 1}, "rank 1 of world_size 1"),
        ({"batch_size": 0}, "start at 1"),
        ({"seed": -1}, "workers and seed at 0"),
        ({"strategy": "worst"}, "must be best_fit or in_order"),
        ({"length": 29}, "has 30 tokens, more than a pack's 29"),
    ],
)
def test_settings_that_make_no_sense(folder, change, said):
    with pytest.raises(UsageError, match=said):
        loader(folder, **change)


def test_the_row_that_is_too_long_is_named(tmp_path, second):
    path = folders.write(tmp_path / "long", [3] * 20 + [41, 3, 42])
    with pytest.raises(UsageError, match=r"row 22 of '.*long' has 42 tokens, more than a pack's 40; 2 are too long"):
        loader([second, path])


def test_folders_that_cannot_be_used(folder, tmp_path):
    with pytest.raises(UsageError, match="no folder"):
        loader([])
    with pytest.raises(UsageError, match="no finished build"):
        loader(tmp_path)
    (tmp_path / "dataset_dict.json").write_text("{}")
    with pytest.raises(UsageError, match="several splits"):
        loader(tmp_path)
    packed = tmp_path / "packed"
    rows = load_from_disk(str(folder)).select(range(3))
    rows.add_column("seq_lengths", [[len(ids)] for ids in rows["input_ids"]]).save_to_disk(str(packed))
    with pytest.raises(UsageError, match="is packed already"):
        loader(packed)
    rows.remove_columns("labels").save_to_disk(str(tmp_path / "unlabelled"))
    with pytest.raises(UsageError, match="no column labels: it has input_ids"):
        loader(tmp_path / "unlabelled")


@pytest.mark.parametrize("state", ["", "[]", "{}", '{"_data_files": [{"filename": "../data.arrow"}]}', "[" * 100_000])
def test_a_state_file_that_is_none(tmp_path, state):
    (tmp_path / "state.json").write_text(state)
    with pytest.raises(UsageError, match=r"state\.json"):
        loader(tmp_path)


def rewrite(path, keep):
    with pa.OSFile(str(path)) as file:
        stream = pa.ipc.open_stream(file)
        schema, batches = stream.schema, list(stream)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, schema) as stream:
        for batch in keep(batches):
            stream.write_batch(batch)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.unlink(), "cannot be read"),
        (lambda path: path.write_bytes(b""), "cannot be read"),
        (lambda path: path.write_bytes(path.read_bytes()[:1000]), "cannot be read"),
        (lambda path: rewrite(path, lambda batches: batches[:-1]), "rows, and its manifest tells of"),
    ],
)
def test_a_damaged_shard_is_told(tmp_path, damage, said):
    path = folders.write(tmp_path / "out", folders.sizes(200))
    shard = sorted(path.glob("*.arrow"))[1]
    damage(shard)
    with pytest.raises(BuildError, match=f"{shard.name}: .*{said}"):
        loader(path)


@pytest.mark.long
def test_it_needs_torch_and_no_trainer():
    program = "import sys, maskprep.collate; print({'transformers', 'datasets', 'trl'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"


def break_it(rows):
    raise RuntimeError("no batch today")


@pytest.mark.parametrize("workers", [0, 1])
def test_what_goes_wrong_in_the_worker_is_raised_here(folder, workers):
    with pytest.raises(RuntimeError, match="no batch today"):
        next(iter(loader(folder, collate=break_it, workers=workers)))


def test_a_batch_is_there_when_it_is_asked_for(folder):
    """The buffer is full while the step takes its time; 5 ms leave room for a busy machine, the target is 1 ms."""
    waits = []
    for _ in stepping(iter(loader(folder, workers=1, look_ahead=8)), waits, steps=40):
        time.sleep(0.02)
    assert np.median(waits[2:]) < 0.005


def stepping(stream, waits, steps):
    for _ in range(steps):
        start = time.perf_counter()
        batch = next(stream)
        waits.append(time.perf_counter() - start)
        yield batch
