"""JSON of which one list is long."""

from __future__ import annotations

import json

import pytest

from maskprep.dataset.sealed import compact, indented

SHARD = {"file": "data-0 \u2028\n", "first": {"line": 1}, "sha256": None}


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"shards": []},
        {"shards": [SHARD]},
        {"z": {"y": [1, {"x": "a\nb\ud800"[:3]}], "b": 2.5}, "shards": [SHARD, {"b": 1, "a": 2}], "a": None},
        {"shards": "damaged", "_data_files": 7},
        {"shards": {"damaged": 1}},
    ],
)
def test_it_says_what_jsons_own_writer_says(value):
    assert "".join(compact(value)) == json.dumps(value, sort_keys=True)
    assert json.loads("".join(indented(value))) == value
    assert list(json.loads("".join(indented(value)))) == list(value)


def test_long_lists_have_a_line_for_each_item():
    text = "".join(indented({"name": ["a", {"b": 1}], "shards": [SHARD] * 3}))
    assert [line[:12] for line in text.split("\n")] == [
        *("{", ' "name": [', '  "a",', "  {", '   "b": 1', "  }", " ],", ' "shards": ['),
        *['  {"file": "'] * 3,
        *(" ]", "}", ""),
    ]


def test_a_long_list_comes_item_by_item():
    assert max(map(len, compact({"shards": [SHARD] * 1000}))) < 200
    assert max(map(len, indented({"shards": [SHARD] * 1000}))) < 200
