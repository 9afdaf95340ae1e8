"""Names: which sources a file name, a glob, a folder or the name of a data set stands for."""

from __future__ import annotations

from pathlib import Path

import pytest
from datasets import Dataset, DatasetDict

from maskprep.errors import UsageError
from maskprep.sources import expand


def write(folder: Path, name: str, data: bytes) -> str:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return str(path)


def save(folder: Path, *splits: str) -> str:
    data = Dataset.from_list([{"prompt": "a", "completion": "b"}])
    (DatasetDict(dict.fromkeys(splits, data)) if splits else data).save_to_disk(str(folder))
    return str(folder)


def test_expand_keeps_the_order_sorts_globs_and_drops_repeats(tmp_path: Path) -> None:
    names = [write(tmp_path, name, b"{}") for name in ("b.jsonl", "a.jsonl", "c.txt")]
    (tmp_path / "d.jsonl").mkdir()
    again = str(tmp_path / "." / "x" / ".." / "a.jsonl")
    (tmp_path / "x").mkdir()
    found = expand([names[2], "-", str(tmp_path / "*.jsonl"), names[0], again, "-"])
    assert found == [names[2], "-", names[1], names[0]]


def test_expand_goes_into_folders_with_two_stars(tmp_path: Path) -> None:
    (tmp_path / "x" / "y").mkdir(parents=True)
    names = [write(tmp_path, "x/y/1.jsonl", b""), write(tmp_path, "0.jsonl", b"")]
    assert expand([str(tmp_path / "**" / "*.jsonl")]) == sorted(names)


def test_expand_takes_a_name_that_looks_like_a_glob_for_the_file_that_it_is(tmp_path: Path) -> None:
    name = write(tmp_path, "rows[1].jsonl", b"")
    write(tmp_path, "rows1.jsonl", b"")
    assert expand([name]) == [name]


@pytest.mark.parametrize(
    ("pattern", "message", "hint"),
    [
        ("missing.jsonl", "no such file: {}", "looked up from"),
        ("*.nothing", "no file matches {}", "looked up from"),
        ("folder*", "no file matches {}", "looked up from"),
        ("folder", "the folder {} holds no file of rows", ".parquet"),
    ],
)
def test_expand_names_what_it_did_not_find(tmp_path: Path, pattern: str, message: str, hint: str) -> None:
    (tmp_path / "folder").mkdir()
    wanted = str(tmp_path / pattern)
    with pytest.raises(UsageError) as caught:
        expand([wanted])
    assert caught.value.message == message.format(wanted)
    assert hint in caught.value.hint


def test_expand_refuses_a_name_that_cannot_be_recorded(tmp_path: Path) -> None:
    try:
        name = write(tmp_path, "\udcff.jsonl", b"")
    except (OSError, UnicodeError):  # pragma: no cover  a file system that refuses it first
        pytest.skip("the file system takes only UTF-8")
    with pytest.raises(UsageError, match="not UTF-8"):
        expand([name])


def test_a_folder_is_all_files_of_rows_in_it(tmp_path: Path) -> None:
    wanted = [write(tmp_path, name, b"x") for name in ("a/2.parquet", "a/deep/1.csv", "b.JSON.GZ", "z.jsonl.zst")]
    for name in ("README.md", "a/.hidden.jsonl", "_temporary/part.jsonl", "notes.txt", "x.gz"):
        write(tmp_path, name, b"x")
    wanted.append(save(tmp_path / "y"))
    assert expand([str(tmp_path)]) == sorted(wanted)


def test_a_glob_takes_a_data_set_for_one_source_and_not_for_its_files(tmp_path: Path) -> None:
    wanted = [save(tmp_path / "x" / "saved"), write(tmp_path, "x/0.jsonl", b""), write(tmp_path, "1.jsonl", b"")]
    assert expand([str(tmp_path / "**")]) == sorted(wanted)
    assert expand([str(tmp_path / "x" / "*")]) == sorted(wanted[:2])


def test_of_several_splits_train_is_read_unless_another_is_named(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", "test", "train")
    assert expand([folder]) == [f"{folder}/train"]
    assert expand([f"{folder}:test"]) == expand([f"{folder}/test"]) == [f"{folder}/test"]
    only = save(tmp_path / "only", "test")
    assert expand([only]) == [f"{only}/test"]


def test_a_split_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    folder = save(tmp_path / "saved", "test", "dev")
    with pytest.raises(UsageError, match=r"no split 'train'; there are: test, dev"):
        expand([f"{folder}:train"])
    with pytest.raises(
        UsageError, match="several splits and none of them is called train; there are: test, dev"
    ) as told:
        expand([folder])
    assert told.value.hint == f"Name one: {folder}:SPLIT"


def test_a_damaged_list_of_splits_is_told(tmp_path: Path) -> None:
    write(tmp_path, "saved/dataset_dict.json", b"[]")
    with pytest.raises(UsageError, match=r"dataset_dict\.json cannot be read"):
        expand([str(tmp_path / "saved")])


def test_a_build_is_no_source(tmp_path: Path) -> None:
    write(tmp_path, "out/maskprep/manifest.json", b"{}")
    with pytest.raises(UsageError, match="is a build of maskprep, not a source"):
        expand([str(tmp_path / "out")])


def test_names_of_the_hub_are_taken_as_they_are() -> None:
    assert expand(["hf:a/b:test", "hf:a/b", "hf:a/b"]) == ["hf:a/b:test", "hf:a/b"]
