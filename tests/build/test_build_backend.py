"""Which tokenizer backend a build encodes with, and what it does when the fast one turns out to be wrong."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import numpy as np
import pytest
from builds import NOW, chat, tree
from bundled import TOKENIZER
from loaded import Loaded

from maskprep.build.worker import BuildTask, WorkerSetup
from maskprep.config import load
from maskprep.errors import BackendError
from maskprep.examples import backend as encoding
from maskprep.tokenizer import backend
from maskprep.tokenizer.load import load_tokenizer

ROWS = [chat(f"Question number {number}?", f"Answer {number} of many.") for number in range(40)]


class Late(Loaded):
    """fastokens, but wrong from one text on."""

    def __init__(self, tokenizer):
        self._right, self._texts = backend.TransformersBackend(tokenizer), 0

    def encode(self, texts):
        ids = self._right.encode(texts)
        before, self._texts = self._texts, self._texts + len(texts)
        return [one[::-1] if before + number >= Late.good else one for number, one in enumerate(ids)]


@pytest.fixture
def fastokens(monkeypatch):
    """Put another one in its place, that goes wrong behind so many texts."""

    def plant(good):
        monkeypatch.setattr(Late, "good", good, raising=False)
        monkeypatch.setattr(backend, "Fastokens", Late)

    return plant


def run(build, source, *words, output="out"):
    outcome = build(source(*ROWS), "--output", output, "--set", f"now={NOW}", "--history", "split", "--json", *words)
    assert outcome.code == 0, outcome
    return outcome.json


def shards(place, output):
    return {name: digest for name, digest in tree(place / output).items() if name.startswith("data-")}


FAST = ("--set", "tokenizer.backend=fastokens")


def test_a_small_build_uses_transformers_and_says_why(build, source, place):
    named = run(build, source)["tokenizer_backend"]
    assert named == {"name": "transformers", "note": "there is too little text for fastokens to gain time"}
    outcome = build(source(*ROWS), "--output", "other")
    assert "tokenizer backend: transformers (there is too little text" in outcome.stdout.replace("\n", " ")


def test_a_large_one_uses_fastokens_and_writes_the_same(build, source, place, monkeypatch):
    pytest.importorskip("fastokens")
    slow = run(build, source, output="slow")
    monkeypatch.setattr(encoding, "_SMALL", 1)
    fast = run(build, source, output="fast")
    assert fast["tokenizer_backend"] == {"name": "fastokens", "note": ""}
    assert "fastokens" in fast["versions"]
    assert shards(place, "fast") == shards(place, "slow")
    assert fast["fingerprint"] == slow["fingerprint"], "it decides nothing that is written"


@pytest.mark.parametrize(("few", "name"), [(40, "fastokens"), (1000, "transformers")])
def test_few_long_rows_do_not_wait_for_fastokens(few, name, build, source, place, monkeypatch):
    pytest.importorskip("fastokens")
    monkeypatch.setattr(encoding, "_SMALL", (place / source(*ROWS)).stat().st_size * 2 // 3)
    monkeypatch.setattr(encoding, "_FEW", few)
    assert run(build, source)["tokenizer_backend"]["name"] == name


def test_a_source_that_can_be_read_only_once_is_left_to_transformers(build, place):
    rows = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
    outcome = build("-", "--output", "out", "--json", stdin=rows)
    assert outcome.json["tokenizer_backend"]["note"] == "a source can be read only once"


def test_where_it_differs_the_build_is_begun_again(build, source, place, fastokens):
    right = shards(place, "right") if run(build, source, output="right") else {}
    fastokens(good=12)
    report = run(build, source, *FAST)
    assert report["tokenizer_backend"]["name"] == "transformers"
    note = "begun again: fastokens encodes a text otherwise than transformers"
    assert report["tokenizer_backend"]["note"] == note
    assert report["totals"]["rows"] == len(ROWS)
    assert shards(place, "out") == right


def test_one_that_cannot_be_loaded_after_all_is_done_without(build, source, place, monkeypatch):
    class Unfit(Loaded):
        """fastokens, of which it turns out late that it cannot take the tokenizer."""

        loaded = False

        def __init__(self, tokenizer):
            pass

        def wait(self):
            raise BackendError("fastokens cannot take the tokenizer: no")

    right = shards(place, "right") if run(build, source, output="right") else {}
    monkeypatch.setattr(backend, "Fastokens", Unfit)
    report = run(build, source, *FAST)
    note = "begun again: fastokens cannot take the tokenizer: no"
    assert report["tokenizer_backend"] == {"name": "transformers", "note": note}
    assert shards(place, "out") == right


def test_a_difference_that_is_found_at_the_end_of_a_chunk_counts(build, source, place, fastokens, monkeypatch):
    right = shards(place, "right") if run(build, source, output="right") else {}
    fastokens(good=12)
    monkeypatch.setattr(Late, "loaded", False)  # all is put off: there are fewer texts than are compared at first
    report = run(build, source, *FAST)
    assert report["tokenizer_backend"]["note"].startswith("begun again: fastokens encodes")
    assert shards(place, "out") == right


def test_a_worker_process_is_not_ready_before_it_has_loaded_all(place, monkeypatch):
    class Short(Loaded):
        """fastokens, for which there is too little memory: a first row would be taken for the cause."""

        loaded = False

        def __init__(self, tokenizer):
            pass

        def wait(self):
            raise MemoryError

    monkeypatch.setattr(backend, "Fastokens", Short)
    config = load(None, {"sources": ["rows.jsonl"], "tokenizer": str(TOKENIZER), "output": "out"})
    loaded = load_tokenizer(config.tokenizer)
    setup = WorkerSetup(BuildTask(config, None, ("",)), (None, None), datetime.now(UTC), "fastokens", loaded.digest())
    with pytest.raises(MemoryError):
        setup()


def test_fastokens_that_cannot_be_had_is_refused_where_it_was_asked_for(build, source, monkeypatch):
    def none(tokenizer):
        raise ImportError("No module named 'fastokens'")

    monkeypatch.setattr(backend, "Fastokens", none)
    outcome = build(source(*ROWS), "--output", "out", *FAST)
    assert outcome.code == 2
    assert "fastokens cannot be used: No module named" in outcome.stderr.replace("\n", " ")


def test_a_difference_among_rows_that_are_finished_together_is_not_passed_over(build, source, place, monkeypatch):
    class Merging(Loaded):
        """fastokens, but with another id for one letter, of the same bytes."""

        def __init__(self, tokenizer):
            self._right = backend.TransformersBackend(tokenizer)
            self._ids = tokenizer.convert_tokens_to_ids(["a", "n", "an"])

        def encode(self, texts):
            found = []
            for ids in self._right.encode(texts):
                text = ",".join(map(str, ids.tolist()))
                whole = str(self._ids[2])
                apart = f"{self._ids[0]},{self._ids[1]}"
                found.append(np.asarray([int(one) for one in text.replace(f",{whole},", f",{apart},").split(",")]))
            return found

    monkeypatch.setattr(backend, "Fastokens", Merging)
    rows = [chat("Which fruit?", f"Take {number} an banana, an an.") for number in range(20)]
    outcome = build(source(*rows), "--output", "out", "--set", f"now={NOW}", "--history", "rendered", "--json", *FAST)
    assert outcome.code == 0, outcome
    assert outcome.json["tokenizer_backend"]["name"] == "transformers"
