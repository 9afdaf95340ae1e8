"""CSV and TSV: records as rows, wherever they begin, and those that cannot be read."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maskprep.errors import UsageError
from maskprep.formats import Line
from maskprep.sources import Kind, open_source
from maskprep.sources.csv_rows import read_csv

MIB = 1 << 20

fields = st.text('ab",;\n\t é😀', max_size=6)


def read(data: bytes, step: int = MIB, max_bytes: int = MIB, delimiter: str = ",") -> list[Line]:
    blocks = (data[start : start + step] for start in range(0, len(data), step))
    return list(read_csv("a.csv", blocks, max_bytes, delimiter))


def rows(lines: list[Line]) -> list[dict[str, str]]:
    assert not any(line.fault for line in lines)
    return [json.loads(line.data) for line in lines]


@given(st.lists(st.tuples(fields, fields), max_size=5), st.integers(1, 30), st.sampled_from([",", "\t"]))
def test_what_the_csv_module_writes_is_read_again(records, step, delimiter):
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("prompt", "completion"), *records])
    lines = read(text.getvalue().encode(), step, delimiter=delimiter)
    assert [(row["prompt"], row["completion"]) for row in rows(lines)] == records


def test_a_row_stands_where_its_record_begins() -> None:
    text = b'\xef\xbb\xbfprompt,completion\r\n"a ""b"",\nc\r\n\r\nd",e\r\n\r\nf,\r\n'
    lines = read(text)
    assert rows(lines) == [{"prompt": 'a "b",\nc\r\n\r\nd', "completion": "e"}, {"prompt": "f", "completion": ""}]
    assert [line.where.line for line in lines] == [2, 7]
    assert [text[line.where.offset :][:2] for line in lines] == [b'"a', b"f,"]


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("a.csv", b"p,c\n1,2\n", Kind.CSV),
        ("a.csv", b"p;c\n1;2\n", Kind.CSV),
        ("a.csv", b"p\tc\n1\t2\n", Kind.CSV),
        ("a.TSV", b"p\tc\n1\t2\n", Kind.TSV),
        ("a.csv.gz", gzip.compress(b"p,c\n1,2\n", mtime=0), Kind.CSV),
    ],
)
def test_it_is_known_by_its_name_and_parted_by_what_its_first_line_has(tmp_path, name, text, kind):
    (tmp_path / name).write_bytes(text)
    source = open_source(str(tmp_path / name), MIB)
    assert source.kind is kind
    assert rows(list(source.lines)) == [{"p": "1", "c": "2"}]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (b"1,2,3", "bad-csv", "the record has 3 fields, the first line names 2 columns"),
        (b"1", "bad-csv", "the record has 1 fields"),
        (b'"1" 2,3', "bad-csv", "not CSV: ',' expected after '\"'"),
        (b"1,\xff\xfe", "invalid-utf8", "the byte 0xff after '' is not UTF-8"),
        (b"1,ab\xe9d", "invalid-utf8", "the byte 0xe9 after 'ab' is not UTF-8"),
        (b'1,"' + b"x" * 200 + b'"', "row-too-large", "the most that is read is 100"),
    ],
)
def test_a_record_that_cannot_be_read_costs_itself_alone(text, code, message):
    lines = read(b"p,c\na,b\n" + text + b"\nc,d\n", max_bytes=100)
    bad = [line for line in lines if line.fault]
    assert json.loads(lines[0].data) == {"p": "a", "c": "b"}
    assert json.loads(lines[-1].data) == {"p": "c", "c": "d"}
    assert bad[0].where.line == 3
    assert (bad[0].fault.code, message in bad[0].fault.message) == (code, True), bad[0].fault


def test_what_is_within_a_quote_that_does_not_end_is_taken_for_no_row():
    *sound, last = read(b'p,c\na,b\n1,"' + b"x,y\n" * 50 + b"c,d\n", max_bytes=100)
    assert rows(sound) == [{"p": "a", "c": "b"}]
    assert (last.where.line, last.fault.code) == (3, "row-too-large")
    assert "a quote in it is not closed within 24 lines" in last.fault.message


def test_a_quote_that_is_never_closed_is_told_where_it_opens() -> None:
    *_, last = read(b'p,c\na,b\nc,"d\ne,f\n')
    assert (last.where.line, last.fault.code) == (3, "bad-csv")
    assert "unexpected end of data" in last.fault.message


def test_compressed_data_that_ends_early_is_told(tmp_path: Path) -> None:
    packed = gzip.compress(b"p,c\n" + b"a,b\n" * 100_000)
    (tmp_path / "a.csv.gz").write_bytes(packed[:-20])
    *sound, last = open_source(str(tmp_path / "a.csv.gz"), MIB).lines
    assert len(sound) > 1000
    assert last.fault.code == "truncated-file"


@pytest.mark.parametrize("text", [b"", b"\n\n", b"p,c\n"])
def test_no_record_is_no_row(text):
    assert read(text) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"p,p\n1,2\n", "names the column 'p' twice"),
        (b"p,\xff\n1,2\n", "names no columns: the byte 0xff"),
        (b'"p,c\n1,2\n', "names no columns: not CSV: unexpected end of data"),
        (b"x" * 200, "names no columns: the record has"),
    ],
)
def test_a_first_line_that_names_no_columns_is_refused(text, message):
    with pytest.raises(UsageError, match=r"a\.csv: its first line") as told:
        read(text, max_bytes=100)
    assert message in told.value.message


def test_a_field_may_be_longer_than_the_csv_module_takes_by_itself() -> None:
    (row,) = rows(read(b"p,c\n" + b"x" * 500_000 + b",y\n"))
    assert len(row["p"]) == 500_000
