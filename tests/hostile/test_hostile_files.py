"""Files that a stranger made, or that change under our hands: each is a reject or an error that says so, in bounds."""

from __future__ import annotations

import gzip
import json
import os
import time
import tracemalloc

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from bundled import TOKENIZER
from planted import chat

from maskprep.config import Config
from maskprep.errors import BuildError, UsageError
from maskprep.sources import expand, open_source
from maskprep.sources.feed import Feed
from maskprep.sources.streams import FREE

MIB = 1 << 20
ROW = json.dumps(chat("Which river is longer?", "The southern one.")).encode() + b"\n"


def codes(source, max_bytes=MIB):
    """Return what became of the rows of a source; fail where that takes much memory of Python's, or long."""
    began = time.monotonic()
    tracemalloc.start()
    try:
        found = [line.fault.code if line.fault else "row" for line in open_source(str(source), max_bytes).lines]
        assert tracemalloc.get_traced_memory()[1] < 150 * MIB
    finally:
        tracemalloc.stop()
    assert time.monotonic() - began < 60
    return found


def nulls(count):
    """Return an array that takes no memory, however long."""
    return pa.Array.from_buffers(pa.null(), count, [None])


def repeated(path, unit, times, first=ROW):
    opener = zstandard.open if path.suffix == ".zst" else gzip.open
    with opener(path, "wb") as file:
        file.write(first)
        for _ in range(times):
            file.write(unit * MIB)
    return path


@pytest.mark.parametrize(
    ("name", "unit", "expected"),
    [
        ("a.jsonl.gz", b"x", ["row", "compression-bomb"]),
        ("a.jsonl.zst", b"x", ["row", "compression-bomb"]),
        ("a.jsonl.zst", b"\n", ["row", "compression-bomb"]),
        ("a.csv.zst", b"x", ["compression-bomb"]),
    ],
)
@pytest.mark.long
def test_a_bomb_ends_the_file_soon(tmp_path, name, unit, expected):
    first = b"prompt,completion\n" if ".csv" in name else ROW
    path = repeated(tmp_path / name, unit, 4 * FREE // MIB, first)
    assert path.stat().st_size < MIB
    assert codes(path) == expected


def test_a_bomb_within_an_array(tmp_path):
    path = repeated(tmp_path / "a.json.zst", b"x", 4 * FREE // MIB, b'[1,"')
    assert codes(path) == ["row", "compression-bomb"]


@pytest.mark.long
def test_what_people_compress_is_no_bomb(tmp_path):
    assert codes(repeated(tmp_path / "a.jsonl.gz", b"\n", FREE // MIB - 1)) == ["row"]


def test_ten_million_empty_lines_are_counted(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n" * 5_000_000 + b"\r\n" * 10 + b"\n" * 5_000_000 + ROW)
    (line,) = open_source(str(path), MIB).lines
    assert (line.where.line, line.where.offset) == (10_000_011, 10_000_020)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        (b"[" * 200_000, "too-deep"),
        (b'{"a":' * 5_000 + b"1" + b"}" * 5_000, "too-deep"),
        (b'{"a": 1, "a": 2}', "duplicate-key"),
        (b'{"a": NaN}', "nan"),
        (b'{"a": 1e999}', "nan"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "integer-too-long"),
        (b'{"a": "\\ud800"}', "lone-surrogate"),
        (b'{"a": "\\u0000"}', "nul-character"),
        (b'{"a": "\xed\xa0\x80"}', "invalid-utf8"),
        (b'{"a": "\xff"}', "invalid-utf8"),
        (b"\0\0\0\0", "not-json"),
        (b'{"a": 1}{"b": 2}', "not-json"),
    ],
)
def test_a_row_that_json_or_a_tokenizer_would_trip_over_costs_itself_alone(tmp_path, maskprep, row, code):
    (tmp_path / "a.jsonl").write_bytes(b"\xef\xbb\xbf" + ROW.strip() + b"\r\n" + row + b"\n" + ROW)
    words = ("build", "a.jsonl", "--tokenizer", TOKENIZER, "--output", "out", "--max-rejects", "0.5", "--json")
    exit_code, stdout, stderr = maskprep(*words)
    assert exit_code == 0, (stdout, stderr)
    totals = json.loads(stdout)["totals"]
    assert (totals["rows"], totals["rows_used"], list(totals["rejects"])) == (3, 2, [code])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize(("name", "text"), [("a.jsonl", ROW.decode()), ("a.csv", "prompt,completion\na,b\n")])
def test_utf_16_is_one_error(tmp_path, maskprep, encoding, name, text):
    (tmp_path / name).write_bytes((text * 300).encode(encoding))
    code, _, stderr = maskprep("build", name, "--tokenizer", TOKENIZER, "--output", "out")
    assert code == 2
    assert "UTF-16" in stderr
    assert "iconv" in stderr


# What is no file


def test_pipes_and_devices_are_not_waited_for(tmp_path, maskprep):
    os.mkfifo(tmp_path / "pipe.jsonl")
    (tmp_path / "linked.jsonl").symlink_to("/dev/zero")
    for name in ("pipe.jsonl", "linked.jsonl", "/dev/zero", "/dev/null"):
        code, _, stderr = maskprep("build", name, "--tokenizer", TOKENIZER, "--output", "out")
        assert code == 2
        assert "cannot read" in stderr


def test_links_that_lead_in_circles(tmp_path, maskprep):
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    code, _, stderr = maskprep("build", "loop.jsonl", "--tokenizer", TOKENIZER, "--output", "out")
    assert (code, "no such file" in stderr) == (2, True)
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    (folder / "inner" / "a.jsonl").write_bytes(ROW)
    for name in ("up", "again"):
        (folder / "inner" / name).symlink_to("..")
    assert expand([str(folder)]) == [str(folder / "inner" / "a.jsonl")]


def test_folders_that_links_multiply(tmp_path):
    for depth in range(30):
        (tmp_path / f"d{depth}").mkdir()
        for name in ("a", "b"):
            (tmp_path / f"d{depth}" / name).symlink_to(f"../d{depth + 1}")
    (tmp_path / "d30").mkdir()
    (tmp_path / "d30" / "a.jsonl").write_bytes(ROW)
    assert len(expand([str(tmp_path / "d0")])) == 1


def test_a_folder_a_thousand_deep(tmp_path):
    folders = [tmp_path / "top"]
    while len(folders) < 1200:
        folders.append(folders[-1] / "a")
    for folder in folders:
        folder.mkdir()
    (folders[-1] / "a.jsonl").write_bytes(ROW)
    try:
        assert len(expand([str(tmp_path)])) == 1
    finally:  # what tidies up afterwards would go as deep
        (folders[-1] / "a.jsonl").unlink()
        for folder in reversed(folders):
            folder.rmdir()


# What changes while it is read


@pytest.mark.parametrize("change", ["shrink", "grow", "rewrite"])
@pytest.mark.parametrize("kind", ["jsonl", "gz", "arrow", "parquet"])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, change, kind):
    path = tmp_path / f"a.{kind}"
    table = pa.table({"prompt": [f"{number} " + os.urandom(400).hex() for number in range(9000)]})
    if kind == "arrow":
        with pa.ipc.new_stream(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=100)
    elif kind == "parquet":
        pq.write_table(table, path, row_group_size=100)
    else:
        text = b"".join(json.dumps(row).encode() + b"\n" for row in table.to_pylist())
        path.write_bytes(gzip.compress(text, 1) if kind == "gz" else text)
    lines = open_source(str(path), MIB).lines
    next(lines)
    size = path.stat().st_size
    if change == "shrink":
        os.truncate(path, size // 2)
    elif change == "grow":
        with path.open("ab") as file:
            file.write(b"{}\n" * 100)
    else:
        with path.open("r+b") as file:
            file.write(b"ab")
        os.utime(path, ns=(1, 1))
    with pytest.raises(BuildError, match="changed while it was read"):
        assert all(line.fault is None or line.fault.code == "truncated-file" for line in lines)


def test_a_file_that_is_replaced_after_it_was_looked_at_is_an_error(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(ROW)
    feed = Feed(Config.model_validate({"sources": [str(path)], "tokenizer": str(TOKENIZER)}))
    assert len(list(feed.lines())) == 1
    (tmp_path / "other").write_bytes(ROW)
    (tmp_path / "other").replace(path)
    with pytest.raises(BuildError, match="changed since its first rows were looked at"):
        list(feed.lines())


# Tables


def arrow_stream(path, table):
    with pa.ipc.new_stream(str(path), table.schema) as writer:
        writer.write_table(table)


def test_one_text_of_a_dictionary_as_every_row(tmp_path):
    long = pa.array(["x" * 12 * MIB])
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 100_000, pa.int32()), long)
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    assert (tmp_path / "a.parquet").stat().st_size < 2 * MIB
    found = codes(tmp_path / "a.parquet", 16 * MIB)
    assert found[-1] == "compression-bomb"
    assert len(found) < 40


def test_one_text_of_a_dictionary_a_million_times_in_one_row(tmp_path):
    column = pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int32()), pa.array(["x" * MIB]))
    lists = pa.ListArray.from_arrays(pa.array([0, 1_000_000], pa.int32()), column)
    pq.write_table(pa.table({"messages": lists}), tmp_path / "a.parquet")
    assert codes(tmp_path / "a.parquet") == ["row-too-large"]


@pytest.mark.long
def test_a_page_that_expands_to_a_hundred_times_what_may_be(tmp_path):
    table = pa.table({"text": pa.array(["x" * 200 * MIB])})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd", use_dictionary=False)
    assert codes(tmp_path / "a.parquet") == ["compression-bomb"]


def test_rows_that_take_no_bytes(tmp_path):
    arrow_stream(tmp_path / "a.arrow", pa.table({"prompt": nulls(2**31 - 1)}))
    assert codes(tmp_path / "a.arrow") == ["compression-bomb"]


def test_nulls_that_take_no_bytes_within_a_row(tmp_path):
    lists = pa.LargeListArray.from_arrays(pa.array([0, 2**31 - 1], pa.int64()), nulls(2**31 - 1))
    arrow_stream(tmp_path / "a.arrow", pa.table({"prompt": lists}))
    assert codes(tmp_path / "a.arrow") == ["row-too-large"]


@pytest.mark.parametrize("offsets", [[0, 5, 2**31 - 2], [0, -5, 6], [5, 1, 6], [2**30, 2**30 + 5, 2**30 + 9]])
def test_offsets_that_lead_out_of_their_buffer(tmp_path, offsets):
    sound = pa.StringArray.from_buffers(
        2, pa.py_buffer(bytes((0, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0))), pa.py_buffer(b"abcdef")
    )
    arrow_stream(tmp_path / "a.arrow", pa.table({"prompt": sound}))
    data = (tmp_path / "a.arrow").read_bytes()
    good, bad = (
        bytes((0, 0, 0, 0, 3, 0, 0, 0, 6, 0, 0, 0)),
        b"".join(at.to_bytes(4, "little", signed=True) for at in offsets),
    )
    assert data.count(good) == 1
    (tmp_path / "a.arrow").write_bytes(data.replace(good, bad))
    assert codes(tmp_path / "a.arrow") == ["truncated-file"]


def test_columns_of_wrong_types(tmp_path, maskprep):
    table = {"messages": pa.array([1, 2]), "tools": pa.array([b"\xff", None]), "system": pa.array([True, False])}
    pq.write_table(pa.table(table), tmp_path / "a.parquet")
    code, stdout, _ = maskprep("build", "a.parquet", "--tokenizer", TOKENIZER, "--output", "out", "--json")
    assert code == 1
    assert list(json.loads(stdout)["rejects"]) == ["no-messages"]


@pytest.mark.long
def test_damaged_tables_are_errors_or_faults(tmp_path):
    table = pa.table({"prompt": ["a", "b"] * 50, "messages": [[{"role": "user", "content": "x"}]] * 100})
    pq.write_table(table, tmp_path / "a.parquet")
    arrow_stream(tmp_path / "a.arrow", table)
    for name in ("a.parquet", "a.arrow"):
        data = (tmp_path / name).read_bytes()
        for place in range(0, len(data), 13):
            (tmp_path / name).write_bytes(data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :])
            try:
                found = codes(tmp_path / name)
            except UsageError:
                continue
            assert len(found) <= 101


# Many columns


@pytest.mark.long
def test_a_million_columns(tmp_path):
    (tmp_path / "a.csv").write_bytes(b",".join(b"c%d" % index for index in range(500_000)) + b"\n1,2\n")
    assert codes(tmp_path / "a.csv", 16 * MIB) == ["bad-csv"]
    (tmp_path / "b.csv").write_bytes(b"," * 500_000 + b"\n1,2\n")
    with pytest.raises(UsageError, match="twice"):
        codes(tmp_path / "b.csv", 16 * MIB)


@pytest.mark.long
def test_a_quote_that_is_never_closed(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'prompt,completion\na,b\nc,"' + b"d,e\n" * 4 * MIB)
    assert codes(tmp_path / "a.csv") == ["row", "row-too-large"]
