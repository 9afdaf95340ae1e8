"""``maskprep inspect --stats``: every figure computed again from the arrays."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from builds import chat
from inspections import columns, facts, make, manifest, sample_build, shown

from maskprep.dataset.statistics import PERCENTILES, Distribution


def recomputed(build):
    """Return the statistics of a build, from its columns and its JSON lines alone."""
    rows = columns(build)
    tokens = [len(row["input_ids"]) for row in rows]
    trained = [sum(label != -100 for label in row["labels"]) for row in rows]
    by = {}
    for row in rows:
        for span in row["spans"]:
            count = by.setdefault((span["role"], span["part"]), [0, 0])
            count[0] += span["end"] - span["start"]
            count[1] += sum(label != -100 for label in row["labels"][span["start"] : span["end"]])
    turns = Counter(len({span["message"] for span in row["spans"] if span["trained"]}) for row in rows)

    def noticed(name):
        lines = [json.loads(line) for line in (build / "maskprep" / name).read_text("ascii").splitlines()]
        return Counter(code for code, _, _ in {(line["code"], line["file"], line["line"]) for line in lines})

    return {
        "sequences": len(rows),
        "rows_used": len({(row["origin"]["file"], row["origin"]["line"]) for row in rows}),
        "rows_rejected": sum(noticed("rejects.jsonl").values()),
        "tokens": sum(tokens),
        "trained_tokens": sum(trained),
        "longest_sequence": max(tokens, default=0),
        "by_role_and_part": [
            {"role": role, "part": part, "tokens": counts[0], "trained_tokens": counts[1]}
            for (role, part), counts in sorted(by.items())
        ],
        "trained_turns": {str(count): number for count, number in sorted(turns.items())},
        "rejects": noticed("rejects.jsonl"),
        "findings": noticed("findings.jsonl"),
        "length": tokens,
        "trained_fraction": [part / max(whole, 1) for part, whole in zip(trained, tokens, strict=True)],
    }


def check(told, expected):
    for name in ("rejects", "findings"):
        assert {code: noticed["rows"] for code, noticed in told[name].items()} == expected.pop(name)
    for name in ("length", "trained_fraction"):
        values, found = expected.pop(name), told[name]
        assert found["mean"] == pytest.approx(np.mean(values) if values else 0)
        percentiles = np.percentile(values, PERCENTILES) if values else [0] * len(PERCENTILES)
        assert list(found["percentiles"]) == list(map(str, PERCENTILES))
        assert list(found["percentiles"].values()) == pytest.approx(list(percentiles))
        edges, counts = found["histogram"]["edges"], found["histogram"]["counts"]
        assert len(edges) == len(counts) + 1
        assert edges == sorted(set(edges))
        last = len(counts) - 1
        for index, count in enumerate(counts):
            low, high = edges[index], edges[index + 1]
            inside = sum(low <= value and (value < high or (index == last and value == high)) for value in values)
            assert count == inside
        assert sum(counts) == len(values)
    for name, value in expected.items():
        assert told[name] == value, name
    assert told["rows"] == told["rows_used"] + told["rows_rejected"]


def test_the_figures_of_the_sample():
    told = facts(sample_build(), "--stats")
    check(told, recomputed(sample_build()))
    assert told["path"] == str(sample_build())
    assert {name: told[name] for name in manifest(sample_build())["totals"]} == manifest(sample_build())["totals"]


def test_the_figures_of_a_build_in_several_shards(place, source):
    rows = [chat("q" * number, "a" * (number * 7 % 50 + 1), "q", "b") for number in range(1, 40)]
    options = ("--set", "train.turns=last")
    built = make(place / "out", source(*rows, {}), *options)
    told = facts(built, "--stats")
    check(told, recomputed(built))
    assert told["trained_turns"] == {"1": 39}


def test_the_figures_of_a_build_of_nothing(place, source):
    built = make(place / "out", source({}, {}))
    check(facts(built, "--stats"), recomputed(built))
    assert "0 sequences" in shown(built, "--stats")


def test_they_are_printed():
    output = shown(sample_build(), "--stats")
    told = recomputed(sample_build())
    assert f"{told['tokens']:,} tokens, {told['trained_tokens']:,} trained" in output
    for title in ("tokens a sequence", "trained fraction of a sequence", "trained turns a sequence"):
        assert title in output
    for code in (*told["rejects"], *told["findings"]):
        assert f"  {code}: " in output
    assert "█" in output
    assert "\x1b" not in output


@pytest.mark.parametrize("values", [[], [3], [3, 3], [0, 10**9], list(range(20)), list(range(21)), [1, 1, 2]])
def test_a_distribution_counts_every_value_once(values):
    found = Distribution.of(np.array(values, np.int64))
    assert sum(found.counts) == len(values)
    assert len(found.counts) <= 21
    fractions = Distribution.of(np.array(values) / max([1, *values]), (0.0, 1.0))
    assert sum(fractions.counts) == len(values)
    if values:
        assert fractions.edges == pytest.approx(tuple(np.linspace(0, 1, 21)))
