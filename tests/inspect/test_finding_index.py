"""Findings looked up by the row that they are about, and not held."""

from __future__ import annotations

import tracemalloc

import pytest

from maskprep.inspect.finding_index import FindingIndex


def entry(code, line, message="seen", file="a"):
    return {"code": code, "file": file, "line": line, "message": message}


def found(*entries, **options):
    return FindingIndex(enumerate(entries), lambda offset: entries[offset], **options)


def test_findings_of_a_row_are_found_in_their_order():
    table = found(entry("x", 2, "one"), entry("y", 1), entry("x", 2, "two"), entry("x", 2, "b", "b"))
    assert table.of(("a", 2)) == [("x", "one"), ("x", "two")]
    assert table.of(("b", 2)) == [("x", "b")]
    assert table.of(("a", 3)) == []
    assert [table.has(("a", 1), code) for code in ("x", "y", "z")] == [False, True, False]


def test_the_first_rows_with_each_code_are_kept():
    table = found(*(entry("x", number // 2) for number in range(40)), entry("y", 7), examples=3)
    assert dict(table.first) == {"x": [("a", 0), ("a", 1), ("a", 2)], "y": [("a", 7)]}


def test_rows_whose_keys_fall_together_are_told_apart(monkeypatch):
    monkeypatch.setattr("maskprep.inspect.finding_index._key", lambda place: 1)
    table = found(entry("x", 1, "one"), entry("y", 2, "two"))
    assert table.of(("a", 2)) == [("y", "two")]
    assert not table.has(("a", 2), "x")


def test_none_are_none():
    assert found().of(("a", 1)) == []
    assert not found().has(("a", 1), "x")


@pytest.mark.parametrize("bad", [{}, entry(3, 1), entry("x", "one"), entry("x", 1, None), [1]])
def test_what_is_no_finding_is_an_error(bad):
    with pytest.raises((KeyError, TypeError, ValueError)):
        found(bad)


def test_memory_is_a_few_bytes_a_finding():
    tracemalloc.start()
    table = FindingIndex(((number, entry("x", number)) for number in range(50_000)), lambda offset: entry("x", offset))
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert table.of(("a", 49_999)) == [("x", "seen")]
    assert held < 50_000 * 40
