"""A build that was killed goes on with the same command, and ends with the same bytes as one that was not."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from builds import NOW, chat, jsonl, rejects, tree
from bundled import ROOT, TOKENIZER
from datasets import load_from_disk

# Small chunks, so that little data makes many of them: workers are told of chunks, they do not cut any.
MAIN = "import maskprep.build.plan as plan; plan._LEAST = 20_000; from maskprep.cli import main; main()"


def piped():
    """Rows that come in several blocks, of which a pipe holds no more than a part."""
    return jsonl(*[chat(f"a {n}", f"re: {n}", note="x" * 3000) for n in range(900)]).decode()


def rows(count=700):
    texts = [f"{'word ' * (number % 40)}{number % 600}" for number in range(count)]
    return jsonl(*[chat(text, f"re: {text}", "and?", text) if number % 97 else {} for number, text in enumerate(texts)])


@pytest.fixture
def source(place):
    (place / "rows.jsonl").write_bytes(rows())
    return place / "rows.jsonl"


class Build:
    def __init__(self, place, *args, source="rows.jsonl", before=""):
        words = ["build", source, "--tokenizer", str(TOKENIZER), "--history", "rendered", "--set", f"now={NOW}"]
        words += ["--max-rejects", "0.5", "--output", "out", *args]
        env = {**os.environ, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1"}
        self.out = place / "out"
        self.popen = subprocess.Popen(
            [sys.executable, "-c", before + MAIN, *words],
            cwd=place,
            env=env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def end(self, code=0, given=None):
        _, stderr = self.popen.communicate(given, timeout=120)
        assert self.popen.returncode == code, stderr
        assert "Traceback" not in stderr
        return stderr

    def when(self, chunks):
        """Wait until that many chunks are done."""
        deadline = time.monotonic() + 100
        while len(receipts(self.out)) < chunks:
            assert self.popen.poll() is None, self.popen.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return self

    def kill(self):
        os.killpg(self.popen.pid, signal.SIGKILL)
        self.popen.communicate()


def receipts(out):
    return {path.name: path.stat().st_mtime_ns for path in (out / "maskprep" / "work").glob("chunk-*.json")}


def whole(place, *args):
    Build(place, *args).end()
    found = tree(place / "out")
    shutil.rmtree(place / "out")
    return found


KNOWN = {}


@pytest.fixture
def expected(place, source):
    """What a build without any disturbance writes: always the same."""
    if not KNOWN:
        KNOWN.update(whole(place, "--workers", "0"))
    return KNOWN


@pytest.mark.parametrize(
    "settings", [(), ("--set", "shuffle=true", "--set", "split=0.2"), ("--set", "duplicates=drop")]
)
@pytest.mark.long
def test_the_bytes_do_not_depend_on_who_works(place, source, settings):
    expected = whole(place, "--workers", "0", *settings)
    assert len(expected) > 5
    for workers in ("2",) if settings else ("1", "7"):
        found = whole(place, "--workers", workers, *settings)
        assert {name for name in expected | found if expected.get(name) != found.get(name)} == set()


@pytest.mark.long
def test_killed_again_and_again_a_build_ends_with_the_same_bytes(place, source, expected):
    done = 0
    for chunks in (1, 3):
        Build(place, "--workers", "2").when(chunks).kill()
        assert len(receipts(place / "out")) >= max(done, chunks)
        done = len(receipts(place / "out"))
    before = receipts(place / "out")
    # What is done is not done again.
    Build(place, "--workers", "2").when(done + 1).kill()
    after = receipts(place / "out")
    assert {name: after[name] for name in before} == before
    Build(place, "--workers", "1").end()
    assert tree(place / "out") == expected


@pytest.mark.long
@pytest.mark.parametrize("moment", [1, 2], ids=["ahead of the manifest", "behind it"])
def test_killed_while_it_commits_a_build_ends_with_the_same_bytes(place, source, expected, moment):
    stop = (
        "import itertools, maskprep.dataset.sealed as o, os; times = itertools.count(1); "
        f"o.sync = lambda _: os.kill(os.getpid(), 9) if next(times) == {moment} else None; "
    )
    Build(place, before=stop).end(-signal.SIGKILL)
    assert (place / "out" / "maskprep" / "manifest.json").exists() == (moment == 2)
    assert not (place / "out" / "state.json").exists()
    Build(place).end()
    assert tree(place / "out") == expected


@pytest.mark.long
def test_a_full_disk_is_told_of_and_the_same_command_goes_on(place, source, expected):
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (50_000, r.RLIM_INFINITY)); "
    said = Build(place, "--workers", "2", before=limit).end(1)
    assert "the output cannot be written: File too large" in said
    assert "the same command goes on" in said
    assert not (place / "out" / "state.json").exists()
    Build(place, "--workers", "2").end()
    assert tree(place / "out") == expected


@pytest.mark.long
def test_an_output_that_is_deleted_meanwhile_is_told_of(place, source):
    build = Build(place, "--workers", "1").when(1)
    (place / "out").rename(place / "gone")
    assert "the output cannot be written" in build.end(1)


@pytest.mark.long
def test_ctrl_c_twice_ends_at_once(place, source):
    source.write_bytes(rows(3_000) * 60)  # a second or more for each chunk
    build = Build(place, "--workers", "1").when(1)
    time.sleep(0.3)  # so that the next chunk is begun
    build.popen.send_signal(signal.SIGINT)
    begun = time.monotonic()
    assert "stopping: " in build.popen.stderr.readline()
    build.popen.send_signal(signal.SIGINT)
    assert "the same command goes on" in build.end(130)
    assert time.monotonic() - begun < 5


@pytest.mark.long
def test_work_that_was_left_beside_a_finished_data_set_is_cleared_away(place, source, expected):
    keep = "import maskprep.build.work_folder as p, os; p.LocalWorkFolder.clear = lambda _: os.kill(os.getpid(), 9); "
    Build(place, before=keep).end(-signal.SIGKILL)
    assert load_from_disk(str(place / "out"))
    assert "already holds a data set" in Build(place).end(2)
    assert tree(place / "out") == expected


@pytest.mark.long
def test_ctrl_c_once_ends_cleanly_and_the_same_command_goes_on(place, source, expected):
    build = Build(place, "--workers", "2").when(1)
    build.popen.send_signal(signal.SIGINT)
    said = build.end(130)
    assert "the same command goes on" in said
    assert not list((place / "out" / "maskprep" / "work").glob("tmp-*"))
    Build(place, "--workers", "2").end()
    assert tree(place / "out") == expected


@pytest.mark.long
def test_who_would_go_on_otherwise_is_refused_and_told_why(place, source, expected, build):
    Build(place, "--workers", "1").when(2).kill()
    there = receipts(place / "out")
    same = ("rows.jsonl", "--history", "rendered", "--set", f"now={NOW}", "--max-rejects", "0.5", "--output", "out")
    (place / "own.jinja").write_text((TOKENIZER / "chat_template.jinja").read_text() + "\n")
    for args, said in (
        (("--max-length", "4000"), "max_length: null → 4000"),
        (("--set", "train.turns=last"), 'train.turns: "all" → "last"'),
        (("--prompt-mismatch", "train"), 'prompt_mismatch: "reject" → "train"'),
        (("--chat-template", "own.jinja"), "the template is another"),
    ):
        outcome = build(*same, *args)
        assert outcome.code == 2
        assert "begun otherwise" in outcome.stderr
        assert said in outcome.stderr
        assert "--overwrite" in outcome.stderr
        assert receipts(place / "out") == there
    plan = place / "out" / "maskprep" / "work" / "plan.json"
    told = plan.read_bytes()
    plan.write_text(json.dumps({"facts": 1}))
    assert "plan.json is damaged" in build(*same).stderr
    plan.write_bytes(told)
    Build(place).end()
    assert tree(place / "out") == expected


def test_a_file_that_was_changed_is_named(place, source, build):
    Build(place, "--workers", "1").when(1).kill()
    source.write_bytes(rows() + rows(3))
    same = ("rows.jsonl", "--history", "rendered", "--set", f"now={NOW}", "--max-rejects", "0.5", "--output", "out")
    assert "rows.jsonl was changed" in build(*same).stderr
    assert build(*same, "--overwrite").code == 0
    assert len(load_from_disk(str(place / "out"))) == 694


@pytest.mark.long
def test_two_builds_at_once_are_one_too_many(place, source):
    first = Build(place, source="-")
    first.popen.stdin.write(piped())
    first.popen.stdin.flush()
    first.when(1)
    assert "another build is writing" in Build(place, source="-").end(2, given="")
    first.end()
    assert load_from_disk(str(place / "out"))


@pytest.mark.long
def test_what_is_piped_in_is_compared_with_what_was(place, source):
    data = piped()
    Build(place, source="-").end(given=data)
    expected = tree(place / "out")
    shutil.rmtree(place / "out")

    first = Build(place, source="-")
    first.popen.stdin.write(data)
    first.popen.stdin.flush()
    first.when(2).kill()
    Build(place, source="-").end(given=data)
    assert tree(place / "out") == expected

    shutil.rmtree(place / "out")
    first = Build(place, source="-")
    first.popen.stdin.write(data.replace("re: ", "RE: "))
    first.popen.stdin.flush()
    first.when(2).kill()
    Build(place, source="-").end(given=data)
    assert tree(place / "out") == expected


@pytest.mark.long
def test_a_receipt_that_is_damaged_or_lacks_its_shard_is_not_believed(place, source, expected):
    Build(place, "--workers", "1").when(3).kill()
    work = place / "out" / "maskprep" / "work"
    (work / "chunk-0000000.json").write_bytes(b"{")
    next(work.glob("chunk-0000001-*.arrow")).unlink()
    next(work.glob("chunk-0000002-*.arrow")).write_bytes(b"")
    Build(place, "--workers", "1").end()
    assert tree(place / "out") == expected


@pytest.mark.long
def test_a_row_that_no_worker_survives_is_rejected_and_costs_no_other(place):
    heavy = chat("hold", "x y " * 6_000_000)
    (place / "rows.jsonl").write_bytes(jsonl(*[chat("a", f"b {n}") for n in range(300)], heavy, chat("c", "d")))
    settings = (
        "--set",
        "max_row_bytes=50000000",
        "--set",
        "worker_memory=700000000",
        "--set",
        "template_bytes=300000000",
    )
    Build(place, "--workers", "1", *settings).end()
    [reject] = rejects(place / "out")
    assert (reject["line"], reject["code"]) == (301, "worker-lost")
    assert len(load_from_disk(str(place / "out"))) == 301
