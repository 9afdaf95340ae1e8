"""JSON objects over several lines: each is a row, wherever blocks end; a broken one costs no other."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.errors import RowError
from maskprep.formats import Line
from maskprep.sources import Kind, open_source
from maskprep.sources.json_objects import read_json_objects

MIB = 1 << 20
ROWS = [{"messages": [{"role": "user", "content": f"hi {number}"}], "n": [number]} for number in range(3)]

values = st.recursive(
    st.none() | st.integers() | st.text('ab"\\\\{}[],:\\n é😀', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\\\]', max_size=3), inner, max_size=3),
    max_leaves=8,
)


def pretty(row: object, indent: int = 2) -> bytes:
    return json.dumps(row, indent=indent).encode()


def read(data: bytes, step: int = MIB, max_bytes: int = MIB) -> list[Line]:
    blocks = (data[start : start + step] for start in range(0, len(data), step))
    return list(read_json_objects("a.json", blocks, max_bytes))


def opened(folder: Path, data: bytes, name: str = "a.json", max_bytes: int = MIB) -> list[Line]:
    path = folder / name
    path.write_bytes(data)
    source = open_source(str(path), max_bytes)
    assert source.kind is Kind.OBJECTS
    return list(source.lines)


def fault(line: Line) -> RowError:
    assert line.fault is not None
    return line.fault


@given(
    st.lists(st.dictionaries(st.text("ab{", max_size=2), values, max_size=3), max_size=4),
    st.integers(1, 40),
    st.sampled_from([0, 1, 4, None]),
    st.sampled_from([b"\n", b"", b"\n\n \n", b",\n", b"\r\n"]),
    st.booleans(),
)
def test_every_object_is_a_row_wherever_blocks_end(
    rows: list[object], step: int, indent: int | None, between: bytes, bom: bool
) -> None:
    data = (b"\xef\xbb\xbf" if bom else b"") + between.join(json.dumps(row, indent=indent).encode() for row in rows)
    lines = read(data, step)
    assert [json.loads(line.data) for line in lines] == rows
    assert [line.where.line for line in lines] == [*range(1, len(rows) + 1)]
    for line in lines:
        assert data[line.where.offset :].startswith(line.data)


@pytest.mark.parametrize("indent", [0, 1, 2, 4])
def test_one_object_and_several_are_known_by_their_first_lines(tmp_path: Path, indent: int) -> None:
    assert [json.loads(line.data) for line in opened(tmp_path, pretty(ROWS[0], indent))] == ROWS[:1]
    data = b"\n".join(pretty(row, indent) for row in ROWS)
    assert [json.loads(line.data) for line in opened(tmp_path, data)] == ROWS
    assert [json.loads(line.data) for line in opened(tmp_path, gzip.compress(data), "a.json.gz")] == ROWS


def test_an_object_of_more_than_is_looked_at_is_read(tmp_path: Path) -> None:
    rows = [{"messages": [{"role": "user", "content": "x" * 900} for _ in range(2000)]}, ROWS[0]]
    data = b"\n".join(map(pretty, rows))
    assert [json.loads(line.data) for line in opened(tmp_path, data, max_bytes=8 * MIB)] == rows


@pytest.mark.parametrize(
    "data",
    [
        b'{"a": 1}\n{"b": 2}\n',
        b'{"a": 1}',
        b'{"a": {"b": 2}}\n{\n"c": 3}\n',
        b'{"a": [1, 2\n{"b": 2}\n{"c": 3}\n',  # the first line is broken
        b'{"a": "cut off\n{"b": 2}\n',
        b'{"a": [1,\n',
        b'{"a": [1,',
        b'{"data": [{"role": "user", "content": "x"}]}\n',  # a row that calls its messages so
    ],
)
def test_a_file_of_lines_stays_one_whatever_is_wrong_with_its_first(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.json").write_bytes(data)
    source = open_source(str(tmp_path / "a.json"), MIB)
    assert source.kind is Kind.JSONL
    assert len(list(source.lines)) == len(data.strip().split(b"\n"))


@pytest.mark.parametrize("step", [1, 7, MIB])
def test_a_broken_object_is_told_by_its_line_and_costs_no_other(step: int) -> None:
    data = b"\n".join([pretty(ROWS[0]), pretty(ROWS[1])[:-4], pretty(ROWS[2]), b'{\n "a": tru\n}', pretty(ROWS[0])])
    first, broken, second, bad, third = read(data, step)
    assert [json.loads(line.data) for line in (first, second, third)] == [ROWS[0], ROWS[2], ROWS[0]]
    begun = 1 + pretty(ROWS[0]).count(b"\n") + 1
    assert fault(broken).code == fault(bad).code == "not-json"
    assert f"begins on line {begun} of the file is not closed before line" in fault(broken).message
    assert data[: bad.where.offset].count(b"\n") + 1 == int(fault(bad).message.split("on line ")[1].split()[0])


def test_where_braces_stand_at_the_margin_within_objects_none_is_taken_for_a_new_one() -> None:
    data = b"\n".join(pretty(row, 0) for row in ROWS)
    assert [json.loads(line.data) for line in read(data)] == ROWS


@pytest.mark.parametrize("cut", [1, 20])
def test_a_file_that_ends_within_an_object_says_so_once(tmp_path: Path, cut: int) -> None:
    data = b"\n".join(map(pretty, ROWS))[:-cut]
    *sound, last = opened(tmp_path, data)
    assert [json.loads(line.data) for line in sound] == ROWS[:2]
    assert fault(last).code == "truncated-file"


def test_damaged_compressed_data_is_told_behind_what_was_read(tmp_path: Path) -> None:
    packed = gzip.compress(b"\n".join(pretty({"a": "x" * 99, "n": number}) for number in range(5_000)))
    *sound, last = opened(tmp_path, packed[: len(packed) // 2], "a.json.gz")
    assert sound
    assert not any(line.fault for line in sound)
    assert fault(last).code == "truncated-file"


def test_what_stands_between_objects_is_a_row_of_its_own_unless_it_is_a_comma() -> None:
    lines = read(b'{\n"a": 1}},\n{\n"b": 2} ]\nnonsense\n{"c": 3}\n')
    assert [line.data for line in lines] == [b'{\n"a": 1}', b"},", b'{\n"b": 2}', b"]", b"nonsense", b'{"c": 3}']


@pytest.mark.parametrize("long", [{"a": "x" * 500, "b": [1]}, {"a": ["x" * 90] * 5}])
def test_an_object_that_is_too_large_is_not_held(long: object) -> None:
    before, large, after = read(b"\n".join([pretty(ROWS[0]), pretty(long), pretty(ROWS[1])]), max_bytes=400)
    assert [json.loads(line.data) for line in (before, after)] == ROWS[:2]
    assert fault(large).code == "row-too-large"


@pytest.mark.parametrize("piece", [b'"a": [\n', b'"a": 1,\n', b"[[[[\n", b'"' + b"x" * 60_000 + b"\n"])
@pytest.mark.long
def test_an_object_that_never_ends_takes_no_memory_to_speak_of(piece: bytes) -> None:
    def blocks():
        yield b"{\n"
        for _ in range(MIB // 4 // len(piece)):
            yield piece

    tracemalloc.start()
    lines = list(read_json_objects("a.json", blocks(), 70_000))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(lines) == 1
    assert fault(lines[0]).code in {"truncated-file", "row-too-large"}
    assert peak < MIB


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_the_recipe_of_the_message_writes_one_row_a_line(tmp_path: Path) -> None:
    (told,) = read(b'{\n "a": tru\n}')
    path = tmp_path / "a.json"
    path.write_bytes(b"\n".join(map(pretty, ROWS)))
    recipe = fault(told).hint.split("`")[1].replace("FILE", str(path))
    written = subprocess.run(recipe, shell=True, capture_output=True, check=True).stdout
    assert [json.loads(line) for line in written.splitlines()] == ROWS
