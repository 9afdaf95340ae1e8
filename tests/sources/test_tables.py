"""Parquet, Arrow and saved data sets: rows by number, values that JSON has no place for, damage."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path

import datasets
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from maskprep.conversation import Where
from maskprep.errors import UsageError
from maskprep.formats import Line
from maskprep.sources import Kind, expand, open_source, pick_rows, total_bytes

MIB = 1 << 20
ROWS = [{"prompt": f"ask {number}", "completion": f"say {number}"} for number in range(300)]


def arrow_file(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=90)


def arrow_stream(path: Path, table: pa.Table) -> None:
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=90)


def parquet(path: Path, table: pa.Table) -> None:
    pq.write_table(table, path, row_group_size=90)


def saved(path: Path, table: pa.Table) -> None:
    datasets.Dataset(table).save_to_disk(str(path), num_shards=4 if len(table) > 4 else None)


WRITERS = {
    Kind.PARQUET: parquet,
    Kind.ARROW_FILE: arrow_file,
    Kind.ARROW_STREAM: arrow_stream,
    Kind.FOLDER: saved,
}


def read(path: Path) -> list[Line]:
    return list(open_source(str(path), MIB).lines)


def values(path: Path) -> list[object]:
    lines = read(path)
    assert not any(line.fault for line in lines), lines
    return [json.loads(line.data) for line in lines]


def of(path: Path, array: pa.Array | list[object], kind: pa.DataType | None = None) -> list[Line]:
    """Return the rows of a table of one column, ``a``."""
    arrow_stream(path, pa.table({"a": pa.array(array, kind)}))
    return read(path)


@pytest.mark.parametrize("kind", WRITERS)
def test_every_row_is_read_with_its_number(tmp_path, kind):
    path = tmp_path / "rows.data"  # by content, not by name
    WRITERS[kind](path, pa.Table.from_pylist(ROWS))
    source = open_source(str(path), MIB)
    lines = list(source.lines)
    assert source.kind is kind
    assert [json.loads(line.data) for line in lines] == ROWS
    assert [line.where for line in lines] == [Where(str(path), number, -1) for number in range(1, 301)]


@pytest.mark.parametrize("kind", WRITERS)
def test_no_rows_are_no_rows(tmp_path, kind):
    path = tmp_path / "rows"
    WRITERS[kind](path, pa.Table.from_pylist(ROWS).slice(0, 0))
    assert read(path) == []


@pytest.mark.parametrize("kind", WRITERS)
def test_rows_are_picked_by_number(tmp_path, kind):
    path = tmp_path / "rows"
    WRITERS[kind](path, pa.Table.from_pylist(ROWS))
    picked = list(pick_rows(str(path), [299, 1, 90, 91], MIB))
    assert [line.where.line for line in picked] == [1, 90, 91, 299]
    assert [json.loads(line.data)["prompt"] for line in picked] == ["ask 0", "ask 89", "ask 90", "ask 298"]
    assert list(pick_rows(str(path), [301], MIB)) == []


def test_of_a_parquet_file_only_the_wanted_row_groups_are_read(tmp_path, row_groups):
    path = tmp_path / "rows"
    parquet(path, pa.Table.from_pylist(ROWS))
    assert len(list(pick_rows(str(path), [95, 180], MIB))) == 2
    assert row_groups == [1]


@pytest.mark.parametrize("kind", WRITERS)
def test_progress_ends_with_the_size_of_all_files(tmp_path, kind):
    path = tmp_path / "rows"
    WRITERS[kind](path, pa.Table.from_pylist(ROWS))
    seen: list[int] = []
    assert len(list(open_source(str(path), MIB, seen.append).lines)) == 300
    assert seen == sorted(seen)
    total = total_bytes(str(path))
    assert total is not None
    # An Arrow stream ends with a mark that is not read as a batch.
    assert total - 64 <= seen[-1] <= total


def test_structs_keep_the_nulls_that_the_table_has(tmp_path: Path) -> None:
    calls = [[{"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": {"b": "x"}}]]
    (line,) = of(tmp_path / "a", calls)
    filled = [{"name": "f", "arguments": {"a": 1, "b": None}}, {"name": "g", "arguments": {"a": None, "b": "x"}}]
    assert json.loads(line.data) == {"a": filled}


def test_json_text_stays_text_and_columns_of_the_json_type_become_what_they_spell(tmp_path: Path) -> None:
    (line,) = of(tmp_path / "a", ['{"b": 1}'])
    assert json.loads(line.data) == {"a": '{"b": 1}'}
    rows = [{"messages": [{"role": "user", "arguments": {"a": 1}}, {"role": "tool", "arguments": "x"}], "n": 1}]
    features = datasets.Features({"messages": datasets.List(datasets.Json()), "n": datasets.Value("int64")})
    data = datasets.Dataset.from_list(rows, features=features)
    data.save_to_disk(str(tmp_path / "saved"))
    data.to_parquet(str(tmp_path / "b"))
    assert values(tmp_path / "saved") == values(tmp_path / "b") == rows


def test_maps_are_objects_even_where_they_are_empty(tmp_path: Path) -> None:
    kind = pa.map_(pa.string(), pa.int64())
    lines = of(tmp_path / "a", [[("b", 1), ("c", None)], [], None, [("b", 1), ("b", 2)]], kind)
    assert [json.loads(line.data) for line in lines[:3]] == [{"a": {"b": 1, "c": None}}, {"a": {}}, {"a": None}]
    assert lines[3].fault is not None
    assert lines[3].fault.code == "bad-value"


@pytest.mark.parametrize(
    ("array", "kind", "value"),
    [
        ([dt.datetime.fromisoformat("2026-01-02T03:04:05.000600")], pa.timestamp("us"), "2026-01-02T03:04:05.000600"),
        ([dt.date(2026, 1, 2)], pa.date32(), "2026-01-02"),
        ([dt.time(3, 4)], pa.time64("us"), "03:04:00"),
        ([dt.timedelta(seconds=90)], pa.duration("s"), "0:01:30"),
        ([Decimal("1.50")], pa.decimal128(5, 2), "1.50"),
        (["über".encode()], pa.binary(), "über"),
        ([b"\xff\xd8"], pa.binary(), None),
        ([float("nan")], pa.float64(), None),
        ([1.5], pa.float16(), 1.5),
        ([2**63 + 1], pa.uint64(), 2**63 + 1),
        ([True], pa.bool_(), True),
        ([None], pa.null(), None),
        (["x"], pa.large_string(), "x"),
    ],
)
def test_values_that_json_has_no_type_for_become_text_or_null(tmp_path, array, kind, value):
    (line,) = of(tmp_path / "a", array, kind)
    assert line.fault is None
    assert json.loads(line.data) == {"a": value}


def test_texts_of_few_values_are_texts(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": pa.array(["x", "y", "x"]).dictionary_encode()}), tmp_path / "a")
    assert values(tmp_path / "a") == [{"a": "x"}, {"a": "y"}, {"a": "x"}]


@pytest.mark.parametrize(
    ("array", "kind", "code", "message"),
    [
        ([[float("nan")]], pa.list_(pa.float64()), "nan", "a[0] is nan"),
        ([{"b": b"\xff"}], pa.struct([("b", pa.binary())]), "bad-value", "a.b is binary data"),
        ([[(1, "x")]], pa.map_(pa.int64(), pa.string()), "bad-value", "a has the key '1', which is not text"),
        ([2**62], pa.timestamp("s"), "bad-value", "cannot be read"),
        (["x" * MIB], pa.string(), "row-too-large", "the most that is read is 1,048,576"),
    ],
)
def test_a_value_that_has_no_place_in_json_costs_its_row_alone(tmp_path, array, kind, code, message):
    if pa.types.is_timestamp(kind):
        array = pa.array(array, pa.int64()).cast(kind)
    sound = pa.array([None], kind)
    lines = of(tmp_path / "a", pa.concat_arrays([sound, pa.array(array, kind), sound]))
    assert [line.fault and line.fault.code for line in lines] == [None, code, None]
    assert message in lines[1].fault.message


def test_text_that_is_not_utf8_costs_its_row_alone(tmp_path: Path) -> None:
    array = pa.array([b"x", b"\xff\xfe", b"y"], pa.binary()).view(pa.string())
    arrow_stream(tmp_path / "a", pa.table({"a": array}))
    assert [line.fault and line.fault.code for line in read(tmp_path / "a")] == [None, "invalid-utf8", None]


def test_an_arrow_stream_that_ends_early_gives_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "a"
    arrow_stream(path, pa.Table.from_pylist(ROWS))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    *sound, last = read(path)
    assert len(sound) == 180
    assert (last.fault.code, last.where.line) == ("truncated-file", len(sound) + 1)


def test_a_row_group_that_is_damaged_costs_its_own_rows(tmp_path: Path) -> None:
    path = tmp_path / "a"
    pq.write_table(pa.Table.from_pylist(ROWS), path, row_group_size=100, compression="zstd")
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    whole = bytearray(path.read_bytes())
    whole[start : start + 200] = bytes(200)
    path.write_bytes(whole)
    lines = read(path)
    assert [line.where.line for line in lines] == [*range(1, 102), *range(201, 301)]
    assert [line.where.line for line in lines if line.fault] == [101]
    assert lines[100].fault.code == "truncated-file"
    assert "rows 101 to 200 cannot be read" in lines[100].fault.message


@pytest.mark.parametrize("kind", [Kind.PARQUET, Kind.ARROW_FILE])
def test_a_file_that_lacks_its_end_is_refused(tmp_path, kind):
    path = tmp_path / "a"
    WRITERS[kind](path, pa.Table.from_pylist(ROWS))
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(UsageError, match=f"it cannot be read as {kind}"):
        read(path)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.parquet", b"", "it is called Parquet, but is none"),
        ("a.arrow", b"not", "it is called Arrow, but is none"),
        ("a.zip", b"PK\x03\x04...", "is a zip archive"),
        ("a.jsonl.xz", b"\xfd7zXZ\x00", "is compressed with xz"),
    ],
)
def test_what_is_no_such_file_is_refused(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UsageError, match=message):
        read(tmp_path / name)


def test_a_compressed_parquet_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    import gzip

    parquet(tmp_path / "a", pa.Table.from_pylist(ROWS))
    (tmp_path / "a.parquet.gz").write_bytes(gzip.compress((tmp_path / "a").read_bytes()))
    with pytest.raises(UsageError, match="holds Parquet data, which is read from an uncompressed file only"):
        read(tmp_path / "a.parquet.gz")


def test_a_name_that_says_parquet_is_outdone_by_rows_of_json(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b'{"a": 1}\n')
    assert values(tmp_path / "a.parquet") == [{"a": 1}]


@pytest.mark.parametrize("names", [["a", "a"], ["input_ids", "labels"]])
def test_a_table_that_cannot_hold_conversations_is_refused(tmp_path, names):
    arrow_stream(tmp_path / "a", pa.table([pa.array([1]), pa.array([2])], names=names))
    with pytest.raises(UsageError, match=r"two columns are called 'a'|holds token ids, not conversations"):
        read(tmp_path / "a")


def test_a_saved_data_set_that_lacks_a_file_is_told(tmp_path: Path) -> None:
    saved(tmp_path / "a", pa.Table.from_pylist(ROWS))
    (tmp_path / "a" / "data-00001-of-00004.arrow").unlink()
    with pytest.raises(UsageError, match=r"it lacks data-00001-of-00004\.arrow"):
        total_bytes(str(tmp_path / "a"))
    (tmp_path / "a" / "state.json").write_text("[]")
    with pytest.raises(UsageError, match="it cannot be read as a data set of save_to_disk"):
        read(tmp_path / "a")


def test_a_saved_data_set_of_an_old_version_with_chosen_rows_is_refused(tmp_path: Path) -> None:
    saved(tmp_path / "a", pa.Table.from_pylist(ROWS))
    state = json.loads((tmp_path / "a" / "state.json").read_text())
    (tmp_path / "a" / "state.json").write_text(json.dumps({**state, "_indices_data_files": [{"filename": "i.arrow"}]}))
    with pytest.raises(UsageError, match="its rows are chosen by an index"):
        read(tmp_path / "a")


def test_rows_of_a_split_are_those_that_datasets_has(tmp_path: Path) -> None:
    data = datasets.Dataset.from_list(ROWS).shuffle(seed=1).select(range(20))
    datasets.DatasetDict({"train": data, "test": data.select([3])}).save_to_disk(str(tmp_path / "a"))
    (train,) = expand([str(tmp_path / "a")])
    assert values(Path(train)) == data.to_list()
    assert values(tmp_path / "a" / "test") == [data[3]]
