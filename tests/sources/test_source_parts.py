"""Parts: together they are the source, line by line, and each reads its own bytes only."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import random
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from thorough import examples, some

from maskprep.errors import BuildError
from maskprep.sources import Kind, jsonl_parts, open_source, parts, total_bytes
from maskprep.sources.part import SourcePart
from maskprep.sources.parts import divide, read_part

MIB = 1 << 20
BOM = "\ufeff".encode()
TEXT = st.lists(st.sampled_from([b"{}", b"\n", b"\n\n\n", b"\r\n", b" ", BOM, b'{"a": 1}', b"x" * 9, b"\xff"]))


def facts(lines):
    """Return all that is known of lines, in a form that compares."""
    return [(line.where, line.data, line.fault and (line.fault.code, line.fault.args)) for line in lines]


def check(name, target, max_bytes=MIB):
    """Compare a source with its parts, and return these."""
    found = divide(str(name), target)
    assert found is not None
    whole = facts(open_source(str(name), max_bytes).lines)
    assert facts(line for part in found for line in read_part(part, max_bytes)) == whole
    assert sum(part.size for part in found) == total_bytes(str(name))
    assert pickle.loads(pickle.dumps(found)) == found
    return found


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("parts")


# JSONL


@given(pieces=TEXT, target=st.integers(1, 40), max_bytes=st.integers(1, 20))
@example(pieces=[b"{}\n", b"x" * 9, b"\n"], target=1, max_bytes=20)
@example(pieces=[b"\n\n\n"], target=2, max_bytes=20)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(400))
def test_the_parts_of_lines_are_the_lines(place, pieces, target, max_bytes):
    path = place / "a.jsonl"
    path.write_bytes(b"{}" + b"".join(pieces))
    found = check(path, target, max_bytes)
    assert [part.start for part in found] == [0, *(part.end for part in found[:-1])]
    starts = {0, *(at + 1 for at, byte in enumerate(path.read_bytes()) if byte == ord("\n"))}
    assert all(starts & set(range(part.start, part.end)) for part in found), "a line begins in every part"


@given(pieces=st.lists(st.sampled_from([b"\n", b"x" * 7, b"\r\n" * 5])), target=st.integers(1, 30), seed=st.integers(0))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_blocks_may_end_anywhere(place, monkeypatch, pieces, target, seed):
    path = place / "b.jsonl"
    path.write_bytes(b"{}" + b"".join(pieces))
    sizes = random.Random(seed)
    with monkeypatch.context() as patched:
        for name in ("BLOCK", "_COUNTED", "_TAIL"):
            patched.setattr(jsonl_parts, name, sizes.randint(1, 12))
        check(path, target)


@pytest.mark.parametrize("data", [b"", b"\n", b"{}", BOM, BOM + b"\n{}", b"{}\n", b"\n" * 100 + b"{}"])
@pytest.mark.parametrize("target", [1, 2, 7, 1000])
def test_small_files(tmp_path, data, target):
    (tmp_path / "a.jsonl").write_bytes(data)
    check(tmp_path / "a.jsonl", target)


def test_a_line_much_longer_than_a_part_takes_its_neighbours_in(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n" + b"x" * 5000 + b"\n{}\n")
    found = check(path, 100)
    assert [(part.start, part.end, part.first) for part in found] == [(0, 5000, 1), (5000, 5007, 3)]


def test_numbers_and_places_after_runs_of_empty_lines(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n" * (3 * MIB) + b"{}\n")
    found = check(path, MIB)
    assert [part.first for part in found] == [1, MIB + 1, 2 * MIB + 1, 3 * MIB + 1]


class Counting(io.FileIO):
    """A file that notes how many bytes are read."""

    read_so_far = 0

    def read(self, size=-1):
        data = super().read(size)
        Counting.read_so_far += len(data)
        return data


def test_a_part_in_the_middle_of_a_large_file_reads_about_its_own_bytes(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    line = json.dumps({"text": "x" * 990}).encode() + b"\n"
    path.write_bytes(line * 40_000)
    found = divide(str(path), 4 * MIB)
    monkeypatch.setattr(parts, "open_file", Counting)
    middle = found[len(found) // 2]
    assert len(list(read_part(middle, MIB))) == pytest.approx(4 * MIB / len(line), abs=2)
    assert Counting.read_so_far < middle.size + 2 * MIB


# Tables

ROWS = pa.table({"prompt": [f"ask {number}" for number in range(300)], "n": range(300)})


def parquet(path, table):
    pq.write_table(table, path, row_group_size=30)


def arrow_stream(path, table):
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=30)


def arrow_file(path, table):
    with pa.ipc.new_file(str(path), table.schema) as writer:
        writer.write_table(table, max_chunksize=30)


def saved(path, table):
    datasets.Dataset(table).save_to_disk(str(path), num_shards=3 if len(table) else None)


WRITERS = [parquet, arrow_stream, arrow_file, saved]


@pytest.mark.parametrize("target", [1, 700, 1500, MIB])
@pytest.mark.parametrize("write", WRITERS)
def test_the_parts_of_a_table_are_its_rows(tmp_path, write, target):
    write(tmp_path / "a", ROWS)
    found = check(tmp_path / "a", target)
    assert [part.start for part in found] == [0, *(part.end for part in found[:-1])]
    assert [part.first for part in found] == [part.start + 1 for part in found]
    if target == 1:
        assert len(found) == (3 if write is saved else 10)
    if target == MIB:
        assert len(found) == (3 if write is saved else 1)


@pytest.mark.parametrize("write", WRITERS)
def test_a_table_of_no_rows_has_a_size(tmp_path, write):
    write(tmp_path / "a", ROWS.slice(0, 0))
    assert [part.end for part in check(tmp_path / "a", 1)] == ([] if write is saved else [0])


@pytest.mark.parametrize("write", [parquet, arrow_stream, arrow_file])
def test_texts_of_few_values_and_compressed_batches(tmp_path, write):
    few = pa.array([f"{number % 3}" for number in range(300)]).dictionary_encode()
    write(tmp_path / "a", ROWS.append_column("few", few))
    whole = check(tmp_path / "a", 1)
    assert len(whole) == (1 if write is arrow_stream else 10), "batches of a stream share the dictionaries before them"
    with pa.OSFile(str(tmp_path / "b"), "w") as file:
        options = pa.ipc.IpcWriteOptions(compression="zstd")
        with pa.ipc.new_stream(file, ROWS.schema, options=options) as writer:
            writer.write_table(ROWS, max_chunksize=30)
    assert len(check(tmp_path / "b", 1)) == 10


def test_a_data_set_with_a_column_of_json(tmp_path):
    rows = [{"messages": [{"role": "user", "arguments": {"a": number}}], "n": number} for number in range(50)]
    features = datasets.Features({"messages": datasets.List(datasets.Json()), "n": datasets.Value("int64")})
    data = datasets.Dataset.from_list(rows, features=features)
    data.save_to_disk(str(tmp_path / "a"), num_shards=3)
    check(tmp_path / "a", 1)


def test_numbers_of_another_byte_order(tmp_path):
    """pyarrow writes none: two bytes of the schema are changed until it says that it read some."""
    numbers = np.arange(90, dtype="<i2")
    arrow_stream(tmp_path / "a", pa.table({"n": numbers}))
    data = (tmp_path / "a").read_bytes()
    changed = (data[:at] + bytes([to]) + data[at + 1 :] for at in range(8, 100) for to in range(60))
    (tmp_path / "b").write_bytes(next(each for each in changed if values(each) == numbers.byteswap().tolist()))
    assert len(check(tmp_path / "b", 1)) == 1


def values(data):
    try:
        with pa.ipc.open_stream(data) as reader:
            return reader.read_all().column(0).to_pylist()
    except (pa.ArrowException, OSError):
        return None


def test_only_the_row_groups_of_a_part_are_read(tmp_path, row_groups):
    parquet(tmp_path / "a", ROWS)
    found = divide(str(tmp_path / "a"), 1)
    assert [line.where.line for line in read_part(found[4], MIB)] == list(range(121, 151))
    assert row_groups == [4]


def test_damage_that_only_reading_meets_costs_the_same_rows(tmp_path):
    path = tmp_path / "a"
    pq.write_table(ROWS, path, row_group_size=100, compression="zstd")
    start = pq.ParquetFile(path).metadata.row_group(1).column(0).dictionary_page_offset
    whole = bytearray(path.read_bytes())
    whole[start : start + 40] = bytes(40)
    path.write_bytes(whole)
    assert len(check(path, 1)) == 3


@pytest.mark.parametrize("write", [parquet, arrow_stream, arrow_file])
@pytest.mark.sweep
def test_a_damaged_byte_is_told_as_the_whole_source_tells_it_or_not_divided(tmp_path, write):
    write(tmp_path / "a", pa.table({"prompt": ["a", "b"] * 50, "n": [None, 7] * 50}))
    data = (tmp_path / "a").read_bytes()
    path, undivided = tmp_path / "b", 0
    for place in some(range(0, len(data), 7), 5):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
        if divide(str(path), 1) is None:
            undivided += 1
        else:
            check(path, 1)
    assert undivided


# What is read from its start only


def test_what_cannot_be_divided(tmp_path):
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b"{}\n" * 9))
    (tmp_path / "b.gz").write_bytes(b"{}\n")  # whoever opens it says what is wrong
    (tmp_path / "a.csv").write_bytes(b"prompt,completion\na,b\n")
    (tmp_path / "a.json").write_bytes(b"[{},\n{}]")
    (tmp_path / "a.parquet").write_bytes(b"PAR1....PAR1")
    (tmp_path / "utf16.jsonl").write_bytes("{}\n".encode("utf-16"))
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path in (*tmp_path.iterdir(), tmp_path / "missing"):
        assert divide(str(path), 1) is None, path
    assert divide("-", 1) is None
    assert divide("hf:a/b", 1) is None


@pytest.mark.long
def test_a_bomb_is_left_to_whoever_reads_the_whole(tmp_path):
    pq.write_table(pa.table({"text": ["x" * 200 * MIB]}), tmp_path / "a", compression="zstd", use_dictionary=False)
    arrow_stream(tmp_path / "b", pa.table({"n": pa.nulls(0)}))
    nulls = pa.table({"n": pa.Array.from_buffers(pa.null(), 2**31 - 1, [None])})
    with pa.ipc.new_stream(str(tmp_path / "b"), nulls.schema) as writer:
        writer.write_table(nulls)
    for name in ("a", "b"):
        assert divide(str(tmp_path / name), 1) is None


# What changes


@pytest.mark.parametrize("write", [lambda path, table: path.write_bytes(b"{}\n" * 300), *WRITERS])
def test_a_file_that_has_changed_since_is_an_error(tmp_path, write):
    path = tmp_path / "a"
    write(path, ROWS)
    (*_, part) = divide(str(path), 100)
    assert isinstance(part, SourcePart)
    file = Path(part.file)
    kept = file.read_bytes()
    file.write_bytes(kept + b"\n")
    with pytest.raises(BuildError, match="the file was changed"):
        list(read_part(part, MIB))
    file.unlink()
    with pytest.raises(BuildError, match="the file was changed"):
        list(read_part(part, MIB))


def test_a_file_that_changes_while_it_is_divided_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"{}\n" * 300)

    def cut(*_):
        os.truncate(path, 30)
        return [(0, 1)]

    monkeypatch.setattr(jsonl_parts, "edges", cut)
    with pytest.raises(BuildError, match="the file was changed"):
        divide(str(path), 100)


def test_kinds_are_those_of_the_source(tmp_path):
    saved(tmp_path / "a", ROWS)
    assert {part.kind for part in divide(str(tmp_path / "a"), 1)} == {Kind.FOLDER}
