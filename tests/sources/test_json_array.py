"""A JSON array in one file: its elements, wherever blocks end, and what is wrong with it."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.formats import Line
from maskprep.sources import Kind, open_source
from maskprep.sources.json_array import read_json_array

MIB = 1 << 20

values = st.recursive(
    st.none() | st.integers() | st.text('ab"\\\\{}[],:\\n é😀', max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('a"\\\\]', max_size=3), inner, max_size=3),
    max_leaves=8,
)


def read(data: bytes, step: int = MIB, max_bytes: int = MIB) -> list[Line]:
    blocks = (data[start : start + step] for start in range(0, len(data), step))
    return list(read_json_array("a.json", blocks, max_bytes))


def opened(folder: Path, data: bytes, name: str = "a.json") -> list[Line]:
    path = folder / name
    path.write_bytes(data)
    source = open_source(str(path), MIB)
    assert source.kind is Kind.JSON
    return list(source.lines)


@given(st.lists(values, max_size=5), st.integers(1, 40), st.sampled_from([None, 1]), st.booleans())
def test_every_element_is_a_row_wherever_blocks_end(
    rows: list[object], step: int, indent: int | None, bom: bool
) -> None:
    text = json.dumps(rows, indent=indent, ensure_ascii=bom)
    data = (b"\xef\xbb\xbf" if bom else b"") + b" \n" + text.encode() + b"\n "
    lines = read(data, step)
    assert [json.loads(line.data) for line in lines] == rows
    assert [line.where.line for line in lines] == [*range(1, len(rows) + 1)]
    for line in lines:
        assert data[line.where.offset :].startswith(line.data)


@pytest.mark.parametrize("text", [b"[]", b" [ \n ] \n", b'[{"a": 1}]', b'[\n{"a": 1}\n]\n'])
def test_no_row_and_one_row(tmp_path: Path, text: bytes) -> None:
    assert [line.data for line in opened(tmp_path, text)] == [b'{"a": 1}'] * text.count(b"a")


def test_it_is_known_by_its_first_bytes_and_may_be_compressed(tmp_path: Path) -> None:
    lines = opened(tmp_path, gzip.compress(b'[{"a": 1}, {"b": 2}]'), "rows.jsonl.gz")
    assert [line.where.offset for line in lines] == [1, 11]


def test_lines_of_arrays_are_no_array(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'[1, 2]\n{"a": 1}\n')
    assert open_source(str(path), MIB).kind is Kind.JSONL


@pytest.mark.parametrize(
    ("text", "rows", "code", "message"),
    [
        (b'[{"a": 1}, {"b": ', [b'{"a": 1}'], "truncated-file", "ends within its JSON array"),
        (b'[{"a": 1}, "b', [b'{"a": 1}'], "truncated-file", "ends within its JSON array"),
        (b'[{"a": 1}', [], "truncated-file", "ends within its JSON array"),
        (b'[{"a": 1}] [', [b'{"a": 1}'], "not-json", "something follows the JSON array"),
        (b'[{"a": 1}]\n{"b": 2}', [b'{"a": 1}'], "not-json", "something follows the JSON array"),
    ],
)
@pytest.mark.parametrize("step", [1, 3, MIB])
def test_what_is_wrong_with_the_array_is_told_by_its_last_row(
    text: bytes, rows: list[bytes], code: str, message: str, step: int
) -> None:
    *sound, last = read(text, step)
    assert [line.data for line in sound] == rows
    assert isinstance(last.fault, RowError)
    assert (last.fault.code, last.where.line) == (code, len(rows) + 1)
    assert message in last.fault.message


def test_an_element_that_is_broken_in_the_middle_costs_itself_alone() -> None:
    lines = read(b'[{"a": 1}, {"b": }, , {"c": tru} {}, {"d": 4},]')
    assert [line.data for line in lines] == [b'{"a": 1}', b'{"b": }', b"", b'{"c": tru} {}', b'{"d": 4}', b""]
    assert not any(line.fault for line in lines)  # the bytes are there: whoever parses them says what is wrong


@pytest.mark.parametrize("step", [1, 7, MIB])
def test_an_element_that_is_too_large_is_not_held(step: int) -> None:
    small, large = read(b'[{"a": 1}, {"b": "%s"}, {"c": 3}]' % (b"x" * 50), step, 20), 61 - 2
    assert [line.data for line in small] == [b'{"a": 1}', b"", b'{"c": 3}']
    fault = small[1].fault
    assert fault is not None
    assert (fault.code, fault.message) == (
        "row-too-large",
        f"the row has {large} bytes; the most that is read is 20",
    )
    assert small[1].where == Where("a.json", 2, 11)


def test_memory_is_that_of_a_row_and_not_of_the_file() -> None:
    def blocks():
        yield b"["
        for _ in range(200):
            yield b'{"a": "' + b"x" * (MIB - 20) + b'"},'
        yield b"{}]"

    tracemalloc.start()
    count = sum(1 for _ in read_json_array("a.json", blocks(), 4 * MIB))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 201
    assert peak < 8 * MIB


def test_escapes_at_every_end_of_a_block_take_no_time_to_speak_of() -> None:
    row = b'{"a": "' + b'\\\\\\"' * 300_000 + b'"}'
    for step in (MIB, 65_537):
        assert [line.data for line in read(b"[" + row + b"]", step, 4 * MIB)] == [row]
