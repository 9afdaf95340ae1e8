"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskprep.storage.atomic import rename, whole_file


def test_a_file_appears_when_it_is_whole(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")
    with whole_file(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_bytes() == b"old"
        assert sorted(entry.name for entry in tmp_path.iterdir()) == ["a", "a.partial"]
    assert path.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [path]


def test_what_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"old")

    def fail():
        with whole_file(path) as file:
            file.write(b"new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_stays_one_and_a_device_too(tmp_path):
    path, link = tmp_path / "a", tmp_path / "link"
    path.write_bytes(b"old")
    link.symlink_to(path)
    with whole_file(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    with whole_file(Path("/dev/null")) as file:
        file.write(b"new")
    assert Path("/dev/null").is_char_device()


def test_names_are_on_the_disk_folder_by_folder(tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        "maskprep.storage.atomic.sync", lambda folder: seen.append((folder.name, len([*folder.iterdir()])))
    )
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    files = {
        tmp_path / str(number): tmp_path / folder / str(number) for number, folder in enumerate(["one", "two", "one"])
    }
    for partial in files:
        partial.touch()
    rename(files)
    assert sorted(seen) == [("one", 2), ("two", 1)]
