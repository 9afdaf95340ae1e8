"""Folders that are clones of data sets of the Hub: which split is read, what is no row, what is told of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskprep.errors import UsageError
from maskprep.sources import find
from maskprep.sources.hub_layout import choose

CARD = """---
license: mit
configs:
- config_name: default
  data_files:
  - split: train
    path: rows/a-*
  - split: test
    path: [rows/b-*, rows/c.jsonl]
---
# A data set
"""
TWO = """---
configs:
- config_name: main
  data_files: [{split: train, path: main/tr*}, {split: test, path: main/te*}]
- config_name: other%s
  data_files: other/*.jsonl
---
"""


def chosen(names: list[str], wanted: str | None = None, card: str = "", root: str = "") -> tuple[list[str], dict]:
    found = choose("F", names, {root} if root else set(), {root: card} if card else {}, wanted)
    return list(found.names), {each.name: each.reason for each in found.left_out}


def clone(folder: Path, *names: str, card: str = "") -> str:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"{}\n")
    if card:
        (folder / "README.md").write_text(card)
    return str(folder)


def told(folder: str) -> tuple[list[str], dict[str, str]]:
    found = find(folder)
    names = [str(Path(name).relative_to(folder.partition(":")[0])) for name in found.names]
    return names, {each.name: each.reason for each in found.left_out}


def test_of_a_clone_train_is_read_and_what_is_left_out_is_told(tmp_path: Path) -> None:
    folder = clone(tmp_path, "data/test.jsonl", "data/train.jsonl", "dataset_infos.json", card="# card")
    left_out = {"data/test.jsonl": "split test", "dataset_infos.json": "metadata"}
    assert told(folder) == (["data/train.jsonl"], left_out)
    assert find(folder).splits == ("train",)
    assert told(f"{folder}:test")[0] == ["data/test.jsonl"]
    assert told(f"{folder}:test")[1]["data/train.jsonl"] == "split train"


@pytest.mark.parametrize(
    ("train", "test", "split"),
    [
        ("train.jsonl", "test.jsonl", "test"),
        ("data/train-00000-of-00002.parquet", "data/test-00000-of-00001.parquet", "test"),
        ("data/train-00000-of-00001-0123abcd.parquet", "data/validation-00000-of-00001.parquet", "validation"),
        ("train/0.jsonl", "eval/0.jsonl", "test"),
        ("training/en/0.jsonl", "dev/en/0.jsonl", "validation"),
        ("my_train_file.json", "my.valid.json", "validation"),
        ("chats-train2.csv", "chats-val2.csv", "validation"),
        ("Train.JSONL", "VALIDATION.jsonl", "validation"),
        ("en/train/x.jsonl", "en/test/x.jsonl", "test"),
        ("train/test_cases.jsonl", "test/train_cases.jsonl", "test"),
        ("latest.jsonl", "evaluation.jsonl", "test"),
        ("contest/attrained.jsonl", "testing.jsonl", "test"),
    ],
)
def test_splits_are_told_by_words_in_names_as_the_Hub_does(train: str, test: str, split: str) -> None:
    assert chosen([test, train]) == ([train], {test: f"split {split}"})
    assert chosen([test, train], split) == ([test], {train: "split train"})


@pytest.mark.parametrize("name", ["val", "valid", "dev", "validation"])
def test_a_split_may_be_asked_for_by_any_of_its_names(name: str) -> None:
    assert chosen(["train.jsonl", "dev.jsonl"], name)[0] == ["dev.jsonl"]


def test_a_folder_that_knows_no_splits_is_read_whole() -> None:
    names = ["a.jsonl", "b/c.parquet", "d/latest.csv"]
    assert chosen(names) == (names, {})


def test_a_file_without_a_word_is_read_with_train_or_instead_of_it() -> None:
    assert chosen(["more.jsonl", "train.jsonl", "test.jsonl"])[0] == ["more.jsonl", "train.jsonl"]
    assert chosen(["more.jsonl", "test.jsonl"]) == (["more.jsonl"], {"test.jsonl": "split test"})


def test_where_there_is_one_split_it_is_read_and_named() -> None:
    found = choose("F", ["test-1.jsonl", "test-2.jsonl"], set(), {})
    assert (found.names, found.left_out, found.splits) == (("test-1.jsonl", "test-2.jsonl"), (), ("test",))


def test_of_several_splits_without_train_none_is_chosen() -> None:
    names = [f"data/{split}-00000-of-00001.parquet" for split in ("train_sft", "test_sft")]
    with pytest.raises(UsageError, match="several splits and none of them is called train; there are: test_sft, tr"):
        chosen(names)
    assert chosen(names, "train_sft") == (names[:1], {names[1]: "split test_sft"})
    with pytest.raises(UsageError, match="no split 'train'; there are"):
        chosen(names, "train")
    with pytest.raises(UsageError, match="no split 'test'; there are: train"):
        chosen(["a.jsonl"], "test")


def test_beside_numbered_shards_nothing_else_is_of_a_split() -> None:
    names = ["data/train-00000-of-00001.parquet", "raw/everything.jsonl"]
    assert chosen(names) == (names[:1], {names[1]: "no split"})


def test_the_files_of_the_card_go_before_the_words_in_names(tmp_path: Path) -> None:
    folder = clone(tmp_path, "rows/a-test.jsonl", "rows/b-train.jsonl", "rows/c.jsonl", "x.jsonl", card=CARD)
    names, left_out = told(folder)
    assert names == ["rows/a-test.jsonl"]
    assert left_out["rows/b-train.jsonl"] == left_out["rows/c.jsonl"] == "split test"
    assert left_out["x.jsonl"] == "not among the files of default in README.md"
    assert told(f"{folder}:test")[0] == ["rows/b-train.jsonl", "rows/c.jsonl"]


def test_of_several_configurations_the_default_is_read_and_else_none() -> None:
    names = ["main/test.jsonl", "main/train.jsonl", "other/1.jsonl"]
    assert chosen(names, card=TWO % "\n  default: true")[0] == ["other/1.jsonl"]
    with pytest.raises(UsageError, match="several configurations and none is the default: main, other") as caught:
        chosen(names, card=TWO % "")
    assert "F/main/tr*" in caught.value.hint


@pytest.mark.parametrize(
    "card",
    [
        "# no front",
        "---\nconfigs: [1, {}, null]\n---\n",
        "---\nconfigs: {a: b}\n---\n",
        "---\nconfigs:\n- data_files: ../../etc/*\n---\n",
        "---\nconfigs:\n- data_files: hf://x/y\n---\n",
        "---\nconfigs:\n- data_files: [3, [4], {split: train}]\n---\n",
        "---\nconfigs:\n- data_files: {train: {a: b}}\n---\n",
        "---\nconfigs:\n- data_files: nothing/*\n---\n",
        "---\n" + "[" * 100_000 + "\n---\n",
        "---\na: &a [x]\nb: &b [*a, *a]\n: {]\n---\n",
        "---\nconfigs: 2026-99-99\n---\n",
        "---\nno end",
    ],
)
def test_a_card_that_cannot_be_followed_leaves_the_names_to_decide(card: str) -> None:
    assert chosen(["test.jsonl", "train.jsonl"], card=card) == (["train.jsonl"], {"test.jsonl": "split test"})


def test_every_clone_in_a_folder_is_one_of_its_own(tmp_path: Path) -> None:
    clone(tmp_path / "a", "rows/a-1.jsonl", "rows/b-1.jsonl", card=CARD)
    clone(tmp_path / "b", "train.jsonl", "test.jsonl", "dataset_infos.json")
    clone(tmp_path, "own.jsonl")
    names, left_out = told(str(tmp_path))
    assert names == ["a/rows/a-1.jsonl", "b/train.jsonl", "own.jsonl"]
    assert left_out == {
        "a/rows/b-1.jsonl": "split test",
        "b/test.jsonl": "split test",
        "b/dataset_infos.json": "metadata",
    }


def test_a_file_or_a_glob_that_is_named_is_read_as_it_is_named(tmp_path: Path) -> None:
    folder = clone(tmp_path, "data/test.jsonl", "data/train.jsonl", "dataset_infos.json")
    assert find(f"{folder}/data/*").names == (f"{folder}/data/test.jsonl", f"{folder}/data/train.jsonl")
    assert find(f"{folder}/data/test.jsonl").names == (f"{folder}/data/test.jsonl",)


def test_a_folder_of_metadata_alone_holds_no_rows(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no file of rows"):
        find(clone(tmp_path, "dataset_infos.json", "package.json"))
