"""Data sets of the Hub: what they are called, what is read of them, and what is said where that cannot be."""

from __future__ import annotations

import json
from collections.abc import Iterator

import datasets
import pytest

from maskprep.errors import BuildError, UsageError
from maskprep.sources import Kind, hub, open_source, pick_rows, total_bytes

MIB = 1 << 20
ROWS = [{"prompt": f"ask {number}", "completion": "say"} for number in range(5)]


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    """Let no data set that one test opened be there for the next."""
    hub._load.cache_clear()
    yield
    hub._load.cache_clear()


@pytest.fixture
def asked(monkeypatch):
    """Put data sets of our own where the Hub would be, and note what is asked of it."""
    calls = []

    def load_dataset(*names, **more):
        calls.append((names, more))
        data = datasets.Dataset.from_list(ROWS).to_iterable_dataset()
        return datasets.IterableDatasetDict({"train": data, "test": data.skip(3)})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    return calls


@pytest.mark.parametrize(
    ("name", "full", "names", "rows"),
    [
        ("hf:a/b", "hf:a/b:train", ("a/b", None), ROWS),
        ("hf:a/b:test", "hf:a/b:test", ("a/b", None), ROWS[3:]),
        ("hf:a/b/c:train", "hf:a/b/c:train", ("a/b", "c"), ROWS),
    ],
)
def test_rows_are_streamed_and_numbered(asked, name, full, names, rows):
    source = open_source(name, MIB)
    lines = list(source.lines)
    assert (source.name, source.kind) == (full, Kind.HUB)
    assert [json.loads(line.data) for line in lines] == rows
    assert [(line.where.file, line.where.line) for line in lines] == [(full, n + 1) for n in range(len(rows))]
    assert asked == [(names, {"streaming": True})]  # and no word of trusting anybody's code
    assert total_bytes(name) is None


def test_it_is_opened_once_and_read_as_far_as_needed(asked):
    assert [line.where.line for line in pick_rows("hf:a/b:train", [2], MIB)] == [2]
    assert [line.where.line for line in pick_rows("hf:a/b:train", [1, 4], MIB)] == [1, 4]
    assert len(asked) == 1


def test_a_split_that_is_not_there_is_told(asked):
    with pytest.raises(UsageError, match="hf:a/b has no split 'dev'; there are: train, test"):
        open_source("hf:a/b:dev", MIB)


@pytest.mark.parametrize("name", ["hf:", "hf:json", "hf:a/b/c/d", "hf:a//b", "hf:/a", "hf::train"])
def test_a_name_that_is_none_is_refused_and_nothing_is_asked(asked, name):
    with pytest.raises(UsageError, match="a data set of the Hub is named hf:OWNER/NAME"):
        open_source(name, MIB)
    assert not asked


def test_a_folder_of_that_name_is_not_taken_for_it(asked, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a" / "b").mkdir(parents=True)
    with pytest.raises(UsageError, match="a folder here is called so, too"):
        open_source("hf:a/b", MIB)
    assert not asked


def test_offline_it_is_told_what_to_do() -> None:
    with pytest.raises(UsageError, match="hf:nobody/nothing: the data set cannot be opened") as told:
        open_source("hf:nobody/nothing", MIB)
    assert "HF_HUB_OFFLINE must not be set" in told.value.hint


def test_a_network_that_fails_in_the_middle_stops_the_build(monkeypatch):
    def rows():
        yield ROWS[0]
        message = "the connection was reset"
        raise ConnectionError(message)

    data = datasets.IterableDataset.from_generator(rows)
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.IterableDatasetDict({"train": data}))
    lines = open_source("hf:a/b", MIB).lines
    assert json.loads(next(lines).data) == ROWS[0]
    with pytest.raises(BuildError, match="hf:a/b:train: reading failed after row 1: ConnectionError"):
        next(lines)


def test_a_picture_costs_its_row(monkeypatch):
    data = datasets.Dataset.from_list([{"image": {"bytes": b"\xff\xd8", "path": None}}, {"image": None}])
    data = data.cast_column("image", datasets.Image()).to_iterable_dataset()
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: datasets.IterableDatasetDict({"train": data}))
    lines = list(open_source("hf:a/b", MIB).lines)
    assert [line.fault and line.fault.code for line in lines] == ["bad-value", None]
