"""A build that fails, is interrupted or killed leaves nothing that ``load_from_disk`` opens, and deletes no more."""

from __future__ import annotations

import signal

import pytest
from builds import chat, jsonl, rejects, tree
from datasets import load_from_disk

GOOD = chat("question", "answer")
MANY = jsonl({}, *[{**GOOD, "note": "x" * 3000}] * 1300)
"""More than a chunk, in more bytes than are read at a time, so that a shard is on disk while more is awaited."""


def opens(folder) -> bool:
    try:
        load_from_disk(str(folder))
    except FileNotFoundError:
        return False
    return True


def test_the_check_itself_can_fail(build, source, place):
    assert build(source(GOOD), "--output", "out").code == 0
    assert opens(place / "out")


def test_too_many_rejects_commit_nothing_and_keep_the_rejects(build, source, place):
    rows = source(*[GOOD] * 8, {}, {"messages": [{"role": "narrator", "content": "x"}]}, {})
    outcome = build(rows, "--output", "out", "--max-rejects", "0.2")
    assert outcome.code == 1
    assert outcome.stdout == ""
    assert not opens(place / "out")
    assert list(tree(place / "out")) == ["maskprep/rejects.jsonl"]
    assert [reject["line"] for reject in rejects(place / "out")] == [9, 10, 11]
    for said in ("3 of 11 rows (27.3%)", "max_rejects 20.0%", "no-messages: 2 rows", "rows.jsonl:9:", "rows.jsonl:10:",
                 "unknown-role: 1 row", "narrator", "out/maskprep/rejects.jsonl", "--max-rejects"):  # fmt: skip
        assert said in outcome.stderr
    facts = build(rows, "--output", "out", "--max-rejects", "0.2", "--json").json
    assert facts["rejects"]["no-messages"]["rows"] == 2
    assert facts["rejects"]["no-messages"]["example"]["line"] == 9
    assert (facts["rows"], facts["rows_used"], facts["rows_rejected"]) == (11, 8, 3)


def test_as_many_rejects_as_allowed_are_no_failure(build, source, place):
    rows = source(*[GOOD] * 3, {})
    assert build(rows, "--output", "out", "--max-rejects", "0.25").code == 0
    assert build(rows, "--output", "two", "--max-rejects", "0.2499").code == 1


def test_by_default_one_in_a_hundred_may_be_rejected(build, source, place):
    assert build(source(*[GOOD] * 99, {}), "--output", "one").code == 0
    assert build(source(*[GOOD] * 98, {}), "--output", "two").code == 1


def test_a_failed_build_can_be_repeated_when_the_rows_are_mended(build, source, place):
    assert build(source({}), "--output", "out").code == 1
    assert build(source(GOOD), "--output", "out").code == 0
    assert opens(place / "out")
    assert rejects(place / "out") == []


@pytest.mark.parametrize("step", ["prove", "finish"])
def test_a_fault_of_maskprep_costs_the_row_that_met_it(build, source, place, monkeypatch, step):
    from maskprep.examples import Preparer

    honest = getattr(Preparer, step)

    def faulty(self, given, *rest):
        conversation = given if step == "prove" else given.conversation
        if "boom" in conversation.messages[0].fields["content"]:
            raise ZeroDivisionError("of the test")
        return honest(self, given, *rest)

    def all_at_once(self, many, history):
        raise ZeroDivisionError("of one of them")

    monkeypatch.setattr(Preparer, step, faulty)
    if step == "finish":
        monkeypatch.setattr(Preparer, "finish_together", all_at_once)
    assert build(source(GOOD, chat("boom", "b"), GOOD), "--output", "out", "--max-rejects", "1").code == 0
    [reject] = rejects(place / "out")
    assert (reject["line"], reject["code"]) == (2, "internal-error")
    assert "ZeroDivisionError: of the test" in reject["message"]
    assert [origin["line"] for origin in load_from_disk(str(place / "out"))["origin"]] == [1, 3]


# An output that is already there


def test_an_existing_data_set_is_refused_and_left_alone(build, source, place):
    rows = source(GOOD)
    assert build(rows, "--output", "out").code == 0
    before = tree(place / "out")
    outcome = build(rows, "--output", "out")
    assert outcome.code == 2
    assert "already holds a data set" in outcome.stderr
    assert "--overwrite" in outcome.stderr
    assert tree(place / "out") == before


def test_overwrite_replaces_all_of_the_old_data_set(build, source, place, monkeypatch):
    monkeypatch.setattr("maskprep.dataset.files.ROWS_PER_BATCH", 2)
    assert build(source(*[GOOD] * 6), "--output", "out", "--set", "shard_bytes=1").code == 0
    assert len(list((place / "out").glob("data-*"))) == 3
    assert build(source(GOOD), "--output", "out", "--overwrite").code == 0
    assert [path.name for path in (place / "out").glob("data-*")] == ["data-00000-of-00001.arrow"]
    assert len(load_from_disk(str(place / "out"))) == 1


def test_a_failed_overwrite_does_not_leave_the_old_data_set_for_the_new(build, source, place):
    assert build(source(GOOD), "--output", "out").code == 0
    assert build(source({}), "--output", "out", "--overwrite").code == 1
    assert not opens(place / "out")


@pytest.mark.parametrize(
    "args",
    [
        ("gone.jsonl",),
        ("rows.jsonl", "--chat-template", "gone.jinja"),
        ("rows.jsonl", "--set", "histroy=mask"),
        ("rows.jsonl", "--set", "stop_tokens=[nothing]"),
    ],
)
def test_an_overwrite_that_cannot_begin_leaves_the_old_data_set(build, source, place, args):
    assert build(source(GOOD), "--output", "out").code == 0
    before = tree(place / "out")
    assert build(*args, "--output", "out", "--overwrite").code == 2
    assert tree(place / "out") == before


@pytest.mark.parametrize("name", ["notes.txt", "data.arrow", "model.safetensors", "folder/file", "data-1-of-2.arrow"])
def test_foreign_files_are_never_deleted(build, source, place, name):
    assert build(source(GOOD), "--output", "out").code == 0
    (place / "out" / name).parent.mkdir(exist_ok=True)
    (place / "out" / name).write_text("precious")
    for more in ((), ("--overwrite",)):
        outcome = build("rows.jsonl", "--output", "out", *more)
        assert outcome.code == 2
        assert name.split("/")[0] in outcome.stderr
    assert (place / "out" / name).read_text() == "precious"
    assert opens(place / "out")


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("maskprep/cli.py", ()),
        ("maskprep/cli.py", ("--overwrite",)),
        ("tokenizer/notes.txt", ()),
        ("tokenizer/notes.txt", ("--overwrite",)),
        ("tokenizer/checkpoint/weights", ("--overwrite",)),
    ],
)
def test_foreign_files_in_folders_with_names_like_ours_are_never_deleted(build, source, place, name, more):
    """A folder called maskprep may be a checkout of this project, one called tokenizer the user's only copy."""
    (place / "out" / name).parent.mkdir(parents=True)
    (place / "out" / name).write_text("precious")
    build(source(GOOD), "--output", "out", *more)
    assert (place / "out" / name).read_text() == "precious"
    assert not opens(place / "out")


def test_an_output_that_is_a_file_is_refused(build, source, place):
    (place / "out").write_text("precious")
    for more in ((), ("--overwrite",)):
        outcome = build(source(GOOD), "--output", "out", *more)
        assert outcome.code == 2
        assert "is a file" in outcome.stderr
    assert (place / "out").read_text() == "precious"
    assert build("rows.jsonl", "--output", "out/below").code == 2


def test_a_link_that_leads_nowhere_is_refused(build, source, place):
    (place / "out").symlink_to("gone")
    assert build(source(GOOD), "--output", "out").code == 2
    assert (place / "out").is_symlink()


def test_a_link_to_a_folder_is_written_through(build, source, place):
    (place / "disk").mkdir()
    (place / "out").symlink_to("disk")
    assert build(source(GOOD), "--output", "out").code == 0
    assert opens(place / "disk")


def test_an_empty_folder_is_used(build, source, place):
    (place / "out").mkdir()
    assert build(source(GOOD), "--output", "out").code == 0


# Killed and interrupted


def shard_begun(folder):
    return lambda: any(path.stat().st_size > 1000 for path in folder.glob("maskprep/work/chunk-*.arrow"))


def test_a_killed_build_leaves_no_data_set_and_the_next_says_so(start, build, source, place):
    process = start("-", "--output", "out", "--history", "split")
    process.feed(MANY)
    process.wait_for(shard_begun(place / "out"))
    process.send(signal.SIGKILL)
    assert process.finish().code == -signal.SIGKILL
    assert not opens(place / "out")

    outcome = build(source(GOOD), "--output", "out")
    assert outcome.code == 2
    assert "unfinished build that was begun otherwise" in outcome.stderr
    assert "- is missing" in outcome.stderr
    assert "rows.jsonl is new" in outcome.stderr
    assert "--overwrite" in outcome.stderr
    assert not opens(place / "out")

    assert build("rows.jsonl", "--output", "out", "--overwrite").code == 0
    assert len(load_from_disk(str(place / "out"))) == 1
    assert not list((place / "out").rglob("*.partial"))


@pytest.mark.long
def test_an_overwrite_that_is_killed_leaves_neither_data_set(start, build, source, place):
    assert build(source(GOOD), "--output", "out").code == 0
    process = start("-", "--output", "out", "--history", "split", "--overwrite")
    process.feed(MANY)
    process.wait_for(shard_begun(place / "out"))
    process.send(signal.SIGKILL)
    process.finish()
    assert not opens(place / "out")


@pytest.mark.parametrize("more", [(), ("--json",)])
@pytest.mark.long
def test_an_interrupted_build_exits_130_and_leaves_no_data_set(start, place, more):
    process = start("-", "--output", "out", "--history", "split", *more)
    process.feed(MANY)
    process.wait_for(shard_begun(place / "out"))
    process.send(signal.SIGINT)
    outcome = process.finish()
    assert outcome.code == 130
    assert "interrupted" in outcome.stderr
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    assert "the same command goes on" in outcome.stderr
    assert not opens(place / "out")
    assert (place / "out" / "maskprep" / "work" / "plan.json").is_file()


@pytest.mark.long
def test_exit_codes_of_a_process(start, source, place):
    source(GOOD), source({}, name="bad.jsonl")
    codes = {
        name: start(*args).finish().code
        for name, args in {
            "done": ("rows.jsonl", "--output", "one"),
            "data": ("bad.jsonl", "--output", "two"),
            "usage": ("gone.jsonl", "--output", "three"),
        }.items()
    }
    assert codes == {"done": 0, "data": 1, "usage": 2}


@pytest.mark.parametrize("step", ["ShardWriter.write", "ShardWriter.close"])
def test_a_full_disk_leaves_no_data_set_and_is_told(build, source, place, monkeypatch, step):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"maskprep.dataset.files.{step}", full)
    try:
        outcome = build(source(GOOD, {}), "--output", "out", "--max-rejects", "1")
    finally:
        assert not opens(place / "out")
        assert not list((place / "out").glob("data-*"))
    assert outcome.code == 1
    assert "No space left on device" in outcome.stderr


def test_a_commit_that_fails_before_its_last_step_is_none(build, source, place, monkeypatch):
    """Whatever is written before ``state.json`` makes no data set."""
    seen = []

    def stop(folder):
        if folder.name == "out":
            seen.append(sorted(entry.name for entry in folder.iterdir()))
            raise KeyboardInterrupt

    monkeypatch.setattr("maskprep.dataset.sealed.sync", stop)
    outcome = build(source(GOOD), "--output", "out")
    assert outcome.code == 130
    assert seen == [["data-00000-of-00001.arrow", "dataset_info.json", "maskprep", "state.json.partial", "tokenizer"]]
    assert not opens(place / "out")


def test_a_folder_of_work_that_is_not_ours_is_not_cleared_away(build, source, place):
    assert build(source(GOOD), "--output", "out").code == 0
    precious = place / "out" / "maskprep" / "work" / "notes.txt"
    precious.parent.mkdir()
    precious.write_text("precious")
    for more in ((), ("--overwrite",)):
        assert build("rows.jsonl", "--output", "out", *more).code == 2
        assert precious.read_text() == "precious"
