"""One JSON object around a list of rows: its elements are read one by one, whatever stands around them."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tracemalloc
from pathlib import Path

import pytest

from maskprep.errors import RowError, UsageError
from maskprep.formats import Line
from maskprep.sources import Kind, open_source
from maskprep.sources.json_head import WRAPPERS
from maskprep.sources.json_wrapped import open_wrapped

MIB = 1 << 20
ROWS = [{"messages": [{"role": "user", "content": f"hi {number}"}]} for number in range(3)]


def opened(folder: Path, data: bytes, name: str = "a.json") -> tuple[str, list[Line]]:
    (folder / name).write_bytes(data)
    source = open_source(str(folder / name), MIB)
    assert source.kind is Kind.WRAPPED
    return source.under, list(source.lines)


def fault(line: Line) -> RowError:
    assert line.fault is not None
    return line.fault


@pytest.mark.parametrize("indent", [None, 0, 2])
@pytest.mark.parametrize("key", sorted(WRAPPERS))
def test_the_list_is_read_under_whatever_usual_name_it_has(tmp_path: Path, key: str, indent: int | None) -> None:
    data = json.dumps({"version": 1, "about": {"by": ["us"]}, key: ROWS, "tags": ["a"]}, indent=indent).encode()
    for packed, name in (
        (data, "a.json"),
        (b"\xef\xbb\xbf \n" + data + b"\n", "b.json"),
        (gzip.compress(data), "c.gz"),
    ):
        under, lines = opened(tmp_path, packed, name)
        assert under == key
        assert [json.loads(line.data) for line in lines] == ROWS
        assert [line.where.line for line in lines] == [1, 2, 3]
    assert all(data[line.where.offset :].startswith(line.data) for line in lines)


@pytest.mark.parametrize(
    "value",
    [
        {"data": [{"role": "user", "content": "x"}]},  # messages under another name
        {"data": ROWS, "instruction": "x", "output": "y"},  # a row that has examples
        {"messages": ROWS},
        {"data": []},
        {"data": ["a", "b"]},
        {"data": {"rows": ROWS}},
    ],
)
def test_an_object_that_may_be_a_row_is_one(tmp_path: Path, value: object) -> None:
    (tmp_path / "a.json").write_text(json.dumps(value))
    source = open_source(str(tmp_path / "a.json"), MIB)
    assert source.kind is Kind.JSONL
    assert [json.loads(line.data) for line in source.lines] == [value]


def test_lines_that_are_each_such_an_object_are_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"data": ROWS}) + "\n" + json.dumps({"data": ROWS}))
    assert open_source(str(tmp_path / "a.json"), MIB).kind is Kind.JSONL


@pytest.mark.skipif(shutil.which("jq") is None, reason="needs jq")
def test_of_several_lists_none_is_chosen_and_the_recipe_writes_one(tmp_path: Path) -> None:
    path = tmp_path / "a b.json"
    path.write_text(json.dumps({"train": ROWS, "test": ROWS[:1]}, indent=1))
    with pytest.raises(UsageError, match="lists of rows under train, test") as told:
        open_source(str(path), MIB)
    recipe = told.value.hint.split("`")[1]
    written = subprocess.run(recipe, shell=True, capture_output=True, check=True).stdout
    assert [json.loads(line) for line in written.splitlines()] == ROWS


@pytest.mark.parametrize(
    ("data", "rows", "code"),
    [
        (b'{"data": [{"a": 1}, {"b": ', 1, "truncated-file"),
        (b'{"data": [{"a": 1}]', 1, "truncated-file"),
        (b'{"data": [\n{"a": 1},\n{"b": 2}\n]', 2, "truncated-file"),
    ],
)
def test_what_is_cut_off_is_told_by_its_last_row(tmp_path: Path, data: bytes, rows: int, code: str) -> None:
    *sound, last = opened(tmp_path, data)[1]
    assert len(sound) == rows
    assert fault(last).code == code


@pytest.mark.parametrize(
    ("tail", "code"),
    [
        (b', "test": [{"a": 1}]}', "more-lists"),
        (b', "instruction": "x"}', "more-lists"),
        (b', "x": "' + b"y" * 2 * MIB + b'"}', "more-lists"),
        (b"]}", "not-json"),
        (b"} {}", "not-json"),
        (b', "data": 1}', "duplicate-key"),
        (b', "licence": "x", "tags": ["a"]}', None),
    ],
)
@pytest.mark.parametrize("step", [1000, MIB])
def test_what_stands_behind_a_long_list_is_looked_at(tail: bytes, code: str | None, step: int) -> None:
    data = b'{"data": [' + b'{"a": "%s"},' % (b"x" * 900) * 2000 + b'{"b": 2}]' + tail
    stream = iter([data[start : start + step] for start in range(0, len(data), step)])
    under, lines = open_wrapped("a.json", stream, MIB)
    found = list(lines)
    assert under == "data"
    assert len([line for line in found if not line.fault]) == 2001
    assert [fault(line).code for line in found[2001:]] == ([code] if code else [])


def test_memory_is_that_of_a_row_and_not_of_the_file() -> None:
    def blocks():
        yield b'{"data": ['
        for _ in range(30):
            yield b'{"a": "' + b"x" * (MIB - 20) + b'"},'
        yield b"{}]}"

    tracemalloc.start()
    count = sum(1 for _ in open_wrapped("a.json", blocks(), 4 * MIB)[1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 31
    assert peak < 8 * MIB
