"""Reading: which files, which lines, where each stands, and what happens to those that cannot be read."""

from __future__ import annotations

import gzip
import io
import pickle
import random
import struct
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thorough import examples

from maskprep.conversation import Where
from maskprep.errors import BuildError, UsageError
from maskprep.formats import Line
from maskprep.sources import open_source, total_bytes

MIB = 1 << 20
PACKERS: dict[str, Callable[[bytes], bytes]] = {".jsonl": bytes, ".gz": gzip.compress, ".zst": zstandard.compress}


class Stream(io.RawIOBase):
    """A stream of repeated blocks that are made as they are read; it ends, or fails with ``error``."""

    def __init__(self, parts: list[tuple[bytes, int]], error: OSError | None = None) -> None:
        self._blocks = (block for block, times in parts for _ in range(times))
        self._error = error

    def read(self, size: int = -1) -> bytes:
        block = next(self._blocks, b"")
        if not block and self._error is not None:
            raise self._error
        assert 0 <= len(block) <= size
        return block


def write(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)


def feed_stdin(monkeypatch: pytest.MonkeyPatch, buffer: object) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=buffer))


def codes(lines: list[Line]) -> list[str | None]:
    return [None if line.fault is None else line.fault.code for line in lines]


def read(source: str, max_bytes: int = MIB) -> list[Line]:
    return list(open_source(source, max_bytes).lines)


def data_of(source: str) -> list[bytes]:
    return [line.data for line in read(source)]


def test_total_bytes_counts_the_file_as_it_lies_there(tmp_path: Path) -> None:
    packed = gzip.compress(b"x" * 1000)
    assert total_bytes(write(tmp_path, "a.gz", packed)) == len(packed)
    assert total_bytes("-") is None
    with pytest.raises(UsageError, match="cannot read"):
        total_bytes(str(tmp_path / "missing"))


def test_total_bytes_is_unknown_for_what_is_no_regular_file() -> None:
    assert total_bytes("/dev/null") is None


# Which lines


@pytest.mark.parametrize("suffix", PACKERS)
def test_lines_end_at_newlines_only(tmp_path: Path, suffix: str) -> None:
    rows = ['{"a":"\u2028"}'.encode(), '"\u0085\x0b\x0c\x1c"'.encode(), b'"a\rb"', b"last"]
    source = write(tmp_path, "a" + suffix, PACKERS[suffix](b"\n".join(rows)))
    assert data_of(source) == rows


def test_one_carriage_return_is_dropped_at_the_end_of_a_line(tmp_path: Path) -> None:
    source = write(tmp_path, "a", b"a\r\nb\r\r\n\r\nc\r")
    assert [(line.data, line.where.line, line.where.offset) for line in read(source)] == [
        (b"a", 1, 0),
        (b"b\r", 2, 3),
        (b"c", 4, 9),
    ]


def test_a_byte_order_mark_is_dropped_at_the_start_only_and_counts_as_bytes(tmp_path: Path) -> None:
    bom = b"\xef\xbb\xbf"
    source = write(tmp_path, "a", bom + b"a\n" + bom + b"b")
    assert read(source) == [Line(Where(source, 1, 0), b"a"), Line(Where(source, 2, 5), bom + b"b")]
    assert read(write(tmp_path, "b", bom + b" \n")) == []


def test_an_unterminated_last_line_is_a_line(tmp_path: Path) -> None:
    assert data_of(write(tmp_path, "a", b"a\nb")) == data_of(write(tmp_path, "b", b"a\nb\n")) == [b"a", b"b"]
    assert read(write(tmp_path, "c", b"")) == []


def test_white_space_is_counted_but_not_yielded(tmp_path: Path) -> None:
    source = write(tmp_path, "a", b"\n \t\r\n\x0b\x0c\na\n\n")
    assert [(line.data, str(line.where)) for line in read(source)] == [(b"a", f"{source}:4")]
    assert data_of(write(tmp_path, "b", "\u00a0\n\u2003".encode())) == ["\u00a0".encode(), "\u2003".encode()]


def test_a_hundred_thousand_empty_lines_hold_no_row(tmp_path: Path) -> None:
    source = write(tmp_path, "a", b"\n" * 100_000 + b"{}")
    assert read(source) == [Line(Where(source, 100_001, 100_000), b"{}")]


def test_standard_input_is_read_as_it_is_and_when_compressed(monkeypatch: pytest.MonkeyPatch) -> None:
    for pack in PACKERS.values():
        buffer = io.BytesIO(pack(b"a\nb\n"))
        feed_stdin(monkeypatch, buffer)
        assert read("-") == [Line(Where("-", 1, 0), b"a"), Line(Where("-", 2, 2), b"b")]
        assert not buffer.closed


def test_a_process_without_standard_input_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with pytest.raises(UsageError, match="standard input"):
        read("-")


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.binary(max_size=40).map(lambda row: row.replace(b"\n", b"")), max_size=30),
    suffix=st.sampled_from(sorted(PACKERS)),
    terminated=st.booleans(),
)
def test_lines_come_back_with_their_numbers_and_offsets(
    tmp_path: Path, rows: list[bytes], suffix: str, terminated: bool
) -> None:
    rows = [b"first", *rows]
    source = write(tmp_path, "a" + suffix, PACKERS[suffix](b"\n".join(rows) + b"\n" * terminated))
    expected, offset = [], 0
    for number, row in enumerate(rows, start=1):
        if row.strip():
            expected.append(Line(Where(source, number, offset), row.removesuffix(b"\r")))
        offset += len(row) + 1
    assert read(source) == expected


@pytest.mark.parametrize("suffix", PACKERS)
def test_lines_that_cross_blocks_come_back_whole(tmp_path: Path, suffix: str) -> None:
    rng = random.Random(0)
    rows = [rng.randbytes(size).replace(b"\n", b"") + b"." for size in (3, 2 * MIB, MIB, MIB - 1, 0, 300_000, MIB + 1)]
    source = write(tmp_path, "a" + suffix, PACKERS[suffix](b"\n".join(rows)))
    assert [line.data for line in read(source, 4 * MIB)] == rows


# Lines that are too long


def test_a_line_of_more_than_max_bytes_is_a_fault_and_reading_goes_on(tmp_path: Path) -> None:
    source = write(tmp_path, "a", b"1234\n12345\n\n1234567890\n1234")
    lines = read(source, 4)
    assert codes(lines) == [None, "row-too-large", "row-too-large", None]
    assert [line.where for line in lines] == [Where(source, *place) for place in ((1, 0), (2, 5), (4, 12), (5, 23))]
    fault = lines[2].fault
    assert fault is not None
    assert fault.message == "the line has 10 bytes; the most that is read is 4"
    assert lines[2].data == b""
    assert pickle.loads(pickle.dumps(lines[2])).where == lines[2].where


def test_the_last_line_may_be_too_long(tmp_path: Path) -> None:
    assert codes(read(write(tmp_path, "a", b"1\n12345"), 4)) == [None, "row-too-large"]


@pytest.fixture
def peak() -> Iterator[Callable[[], int]]:
    """Trace memory; the value gives the peak in bytes since the test began."""
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        yield lambda: tracemalloc.get_traced_memory()[1] - before
    finally:
        tracemalloc.stop()


def test_a_line_of_fifty_megabytes_is_never_held(monkeypatch: pytest.MonkeyPatch, peak: Callable[[], int]) -> None:
    parts = [(b"{}\n", 1), (b"x" * 65536, 800), (b"\n{}\n", 1)]
    feed_stdin(monkeypatch, Stream(parts))
    lines = read("-", 16 * MIB)
    assert codes(lines) == [None, "row-too-large", None]
    assert lines[2].where == Where("-", 3, 3 + 65536 * 800 + 1)
    assert peak() < 24 * MIB


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_a_bomb_is_never_held(tmp_path: Path, suffix: str, peak: Callable[[], int]) -> None:
    source = write(tmp_path, "a" + suffix, PACKERS[suffix](b"x" * 96 * MIB + b"\n{}"))
    assert (tmp_path / f"a{suffix}").stat().st_size < MIB
    tracemalloc.reset_peak()
    assert codes(read(source)) == ["row-too-large", None]
    assert peak() < 40 * MIB


@pytest.mark.long
def test_a_line_that_trickles_in_is_held_once(tmp_path: Path, peak: Callable[[], int]) -> None:
    source = write(tmp_path, "a.zst", zstandard.compress(b"x") * 200_000)
    tracemalloc.reset_peak()
    assert [len(line.data) for line in read(source)] == [200_000]
    assert peak() < 8 * MIB


# Compression


@pytest.mark.parametrize(("suffix", "name"), [(".gz", "a.jsonl"), (".zst", "a"), (".gz", "a.zst"), (".zst", "a.gz")])
def test_compression_is_known_by_the_data(tmp_path: Path, suffix: str, name: str) -> None:
    assert data_of(write(tmp_path, name, PACKERS[suffix](b"a\nb"))) == [b"a", b"b"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_members_and_frames_follow_each_other(tmp_path: Path, suffix: str) -> None:
    pack = PACKERS[suffix]
    assert data_of(write(tmp_path, "a" + suffix, pack(b"a\nb") + pack(b"") + pack(b"c\n") + pack(b"d"))) == [
        b"a",
        b"bc",
        b"d",
    ]


def test_skippable_zstd_frames_are_skipped(tmp_path: Path) -> None:
    skipped = struct.pack("<II", 0x184D2A50, 4) + b"a\nb\n"
    packed = zstandard.compress(b"a\n")
    assert data_of(write(tmp_path, "a", skipped + packed + skipped + packed + skipped)) == [b"a", b"a"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("share", [0.0, 0.0005, 0.2, 0.5, 0.9, 0.999])
def test_truncated_data_gives_the_lines_before_and_one_fault(tmp_path: Path, suffix: str, share: float) -> None:
    rng = random.Random(1)
    rows = [b"%d " % index + rng.randbytes(200).hex().encode() for index in range(2000)]
    text = b"\n".join(rows)
    packed = PACKERS[suffix](text)
    source = write(tmp_path, "a" + suffix, packed[: int(len(packed) * share)])
    *whole, last = read(source)
    assert [line.data for line in whole] == rows[: len(whole)]
    assert last.fault is not None
    assert last.fault.code == "truncated-file"
    assert source in last.fault.message
    assert last.fault.hint
    assert last.where == Where(source, len(whole) + 1, sum(len(row) + 1 for row in rows[: len(whole)]))
    assert len(whole) > 2000 * (share - 0.2)


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_every_cut_is_noticed(tmp_path: Path, suffix: str) -> None:
    packed = PACKERS[suffix](b"a\nb\nc\n")
    for end in range(len(packed)):
        lines = read(write(tmp_path, "a" + suffix, packed[:end]))
        assert codes(lines)[-1:] == ["truncated-file"], end
        assert [line.data for line in lines[:-1]] == [b"a", b"b", b"c"][: len(lines) - 1]
        second = read(write(tmp_path, "a" + suffix, packed + packed[:end]))
        assert codes(second)[-1:] == (["truncated-file"] if end else [None]), end


def test_a_gzip_file_that_lacks_only_its_checksum_gives_all_its_lines(tmp_path: Path) -> None:
    lines = read(write(tmp_path, "a.gz", gzip.compress(b"a\nb\nc\n")[:-8]))
    assert [line.data for line in lines] == [b"a", b"b", b"c", b""]
    assert codes(lines) == [None, None, None, "truncated-file"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
def test_flipped_bits_and_trailing_rubbish_are_a_fault(tmp_path: Path, suffix: str) -> None:
    compressor = zstandard.ZstdCompressor(write_checksum=True).compress if suffix == ".zst" else gzip.compress
    packed = compressor(b"".join(b"%d\n" % index for index in range(50_000)))
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 0x10
    assert codes(read(write(tmp_path, "a" + suffix, bytes(flipped))))[-1] == "truncated-file"
    lines = read(write(tmp_path, "b" + suffix, packed + b"rubbish"))
    assert len(lines) == 50_001
    assert codes(lines)[-2:] == [None, "truncated-file"]


@pytest.mark.parametrize("suffix", [".gz", ".zst"])
@pytest.mark.parametrize("data", [b'{"a": 1}\n', b"[1]", b"prompt,completion\n1,2\n"])
def test_plain_text_that_is_named_like_compressed_data_is_told(tmp_path: Path, suffix: str, data: bytes) -> None:
    with pytest.raises(UsageError, match="data, but it is plain text") as caught:
        read(write(tmp_path, "c" + suffix, data))
    assert caught.value.hint.startswith(f"rename it without {suffix}")


# Files that cannot be read


def test_a_source_that_cannot_be_opened_is_a_usage_error(tmp_path: Path) -> None:
    for source in (str(tmp_path / "missing"), str(tmp_path)):
        with pytest.raises(UsageError, match=r"cannot (be )?read"):
            read(source)


def test_a_disk_that_fails_in_mid_read_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    feed_stdin(monkeypatch, Stream([(b"a\n", 1), (b"b" * 65536, 40)], error=OSError(5, "Input/output error")))
    lines = open_source("-", MIB).lines
    assert next(lines).data == b"a"
    with pytest.raises(BuildError, match=r"-: reading failed after 2,621,442 bytes: Input/output error"):
        list(lines)


# Progress


@pytest.mark.parametrize("suffix", PACKERS)
def test_progress_counts_the_bytes_of_the_file_as_it_lies_there(tmp_path: Path, suffix: str) -> None:
    rng = random.Random(2)
    source = write(tmp_path, "a" + suffix, PACKERS[suffix](rng.randbytes(3 * MIB)))
    seen: list[int] = []
    for _ in open_source(source, MIB, seen.append).lines:
        pass
    assert seen == sorted(set(seen))
    assert len(seen) >= 3
    assert seen[-1] == total_bytes(source)


def test_a_reader_that_stops_early_closes_the_file(tmp_path: Path) -> None:
    lines = open_source(write(tmp_path, "a", b"a\nb\n"), MIB).lines
    assert next(lines).data == b"a"
    del lines  # an open file would give a ResourceWarning, which fails the test
