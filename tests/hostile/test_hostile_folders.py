"""Folders of data sets that a stranger made: what they name and link to outside of themselves is not followed."""

from __future__ import annotations

import json
import os
import shutil

import datasets
import pytest
from bundled import TOKENIZER
from planted import chat
from thorough import some

from maskprep.errors import MaskprepError, UsageError
from maskprep.sources import expand, open_source
from maskprep.sources.sidecars import is_plain

SECRET = "the secret recipe of the mayor"
OUTSIDE = [
    "../secret.arrow",
    "/etc/passwd",
    "../../../../etc/passwd",
    "..",
    "",
    ".",
    "a/b.arrow",
    "a\\b",
    "\0",
    3,
    None,
]


@pytest.fixture
def built(place, maskprep):
    """A build, and beside it a data set whose rows are nobody's business."""
    (place / "rows.jsonl").write_text("".join(json.dumps(chat(f"Ask {n}", f"Answer {n}")) + "\n" for n in range(20)))
    code, _, stderr = maskprep("build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "out")
    assert code == 0, stderr
    (place / "secret.jsonl").write_text(json.dumps(chat(SECRET, SECRET)) + "\n")
    assert maskprep("build", "secret.jsonl", "--tokenizer", TOKENIZER, "--output", "secret")[0] == 0
    shutil.copy(next((place / "secret").glob("*.arrow")), place / "secret.arrow")
    return place / "out"


READERS = [
    ["inspect", "out"],
    ["inspect", "out", "--stats"],
    ["inspect", "out", "--find", "secret"],
    ["inspect", "out", "--finding", "x"],
    ["inspect", "out", "--html", "page.html"],
    ["verify", "out", "--rows", "2"],
    ["export", "out", "--profile", "together", "--output", "other"],
]


def refused(maskprep, *, told):
    """See that no command shows what lies outside; with ``told``, that each says what is wrong."""
    for words in some(READERS, 2):
        if words[0] == "verify":
            pytest.importorskip("torch")
        code, stdout, stderr = maskprep(*words)
        assert "secret" not in (stdout + stderr).replace("no row matches --find secret", "")
        assert "root:" not in stdout + stderr
        if told:
            assert code == (1 if words[0] == "verify" else 2), words


@pytest.mark.parametrize("name", ["../secret.arrow", "/etc/passwd", "..", 3])
@pytest.mark.sweep
def test_names_in_the_manifest_and_in_the_state_lead_nowhere(built, maskprep, name):
    for path, key in ((built / "state.json", "_data_files"), (built / "maskprep" / "manifest.json", "shards")):
        facts = json.loads(path.read_text())
        facts[key][0]["filename" if key == "_data_files" else "file"] = name
        path.write_text(json.dumps(facts))
    refused(maskprep, told=False)
    from maskprep.collate.stored import StoredDocuments

    with pytest.raises(MaskprepError):
        StoredDocuments([built])


LINKED = ["data-00000-of-00001.arrow", "maskprep/rejects.jsonl", "maskprep/findings.jsonl", "tokenizer/tokenizer.json"]


@pytest.mark.parametrize("name", LINKED)
@pytest.mark.parametrize("to", ["secret.arrow", "pipe", "/dev/zero"])
@pytest.mark.sweep
def test_links_out_of_the_folder_are_refused(built, place, maskprep, name, to):
    if to == "pipe":
        os.mkfifo(place / "pipe")
    (built / name).unlink()
    (built / name).symlink_to(place / to)
    for words in some(READERS[:1] + READERS[-1:], 2, len(name)):
        code, _, stderr = maskprep(*words)
        assert code == 2
        assert "leads out of the folder" in stderr
    refused(maskprep, told=True) if (name, to) == (LINKED[0], "secret.arrow") else None


def test_a_pipe_in_the_folder_is_not_waited_for(built, maskprep):
    (built / "maskprep" / "rejects.jsonl").unlink()
    os.mkfifo(built / "maskprep" / "rejects.jsonl")
    code, _, stderr = maskprep("inspect", "out", "--finding", "x")
    assert (code, "is a pipe or a device" in stderr) == (2, True)


def test_links_within_the_folder_are_followed(built, maskprep):
    shard = built / LINKED[0]
    shard.rename(built / "maskprep" / "report.html")
    shard.symlink_to("maskprep/report.html")
    assert maskprep("inspect", "out")[0] == 0


# Sources


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_saved_data_set_names_files_of_its_own_folder_only(tmp_path, name):
    assert not is_plain(name)
    datasets.Dataset.from_list([{"prompt": "a", "completion": "b"}]).save_to_disk(str(tmp_path / "saved"))
    path = tmp_path / "saved" / "state.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "_data_files": [{"filename": name}]}))
    with pytest.raises(UsageError, match="names files outside of it"):
        list(open_source(str(tmp_path / "saved"), 1 << 20).lines)


@pytest.mark.parametrize("name", OUTSIDE)
def test_splits_lie_within_their_folder(tmp_path, name):
    datasets.Dataset.from_list([{"prompt": "a", "completion": "b"}]).save_to_disk(str(tmp_path / "saved"))
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "dataset_dict.json").write_text(json.dumps({"splits": [name, "../saved"]}))
    for source in (str(tmp_path / "all"), f"{tmp_path / 'all'}:../saved"):
        with pytest.raises(UsageError, match="there are: none"):
            expand([source])


def test_sidecars_are_small(tmp_path):
    (tmp_path / "state.json").write_bytes(b'{"_data_files": [' + b" " * (17 << 20) + b"]}")
    with pytest.raises(UsageError, match="more than 16,777,216 bytes"):
        list(open_source(str(tmp_path), 1 << 20).lines)
