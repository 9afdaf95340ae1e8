"""A build goes to the Hub with a card: nothing that quotes rows goes along unasked, nothing in the card is markup."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import yaml
from builds import chat, run

from maskprep.errors import BuildError, UsageError
from maskprep.push.card import card_of
from maskprep.push.command import PushOptions, push


class Recorder:
    """A hub that notes what it is asked."""

    def __init__(self, error=None, private=True):
        self.calls, self.error, self.private = [], error, private

    def create_repo(self, repo_id, **more):
        self.calls.append(("create", repo_id, more))
        if self.error:
            raise self.error

    def repo_info(self, repo_id, **more):
        return SimpleNamespace(private=self.private)

    def upload_folder(self, **more):
        self.calls.append(("folder", more))

    def upload_file(self, **more):
        self.calls.append(("file", more))


@pytest.fixture
def built(build, source, place):
    rows = source(chat("a", "b"), chat("c", "d"), name="my|`rows`.jsonl")
    assert build(rows, "--output", "out", "--set", "train.turns=last").code == 0
    return place / "out"


def head_of(card):
    _, head, body = card.split("---\n", 2)
    return yaml.safe_load(head), body


def test_a_dry_run_writes_the_card_and_uploads_nothing(built, place):
    (built / ".env").write_text("TOKEN=secret")
    done = run("push", "out", "me/chats", "--dry-run", "--json")
    assert done.code == 0
    card = (place / "out.card.md").read_text()
    assert done.json["card"] == card
    head, body = head_of(card)
    assert head["configs"] == [{"config_name": "default", "data_files": [{"split": "train", "path": "data-*"}]}]
    assert "license" not in head
    assert "| sequences | 2" in body
    assert 'snapshot_download("me/chats", repo_type="dataset")' in body
    assert '"turns": "last"' in body
    assert str(place) not in card
    assert "/sample_data" not in card
    assert "state.json" in done.json["files"]
    assert not [name for name in done.json["files"] if name.startswith("maskprep/") or name == ".env"]
    told = run("push", "out", "me/chats", "--dry-run")
    assert "maskprep push out me/chats" in told.stdout


def test_what_is_uploaded(built):
    hub = Recorder()
    push(PushOptions(str(built), "me/chats"), hub)
    create, folder, card = hub.calls
    assert create == ("create", "me/chats", {"repo_type": "dataset", "private": True, "exist_ok": True})
    assert folder[1]["folder_path"] == str(built)
    assert "state.json" in folder[1]["allow_patterns"]
    assert "data-*" in folder[1]["delete_patterns"]
    assert card[1]["path_in_repo"] == "README.md"
    open_hub = Recorder(private=False)
    report = push(PushOptions(str(built), "me/chats", public=True, rows=True), open_hub)
    assert open_hub.calls[0][2]["private"] is False
    assert "maskprep/rejects.jsonl" in report.files


def test_names_from_elsewhere_are_no_markup(built):
    from maskprep.dataset.reader import StoredDataSet

    manifest = StoredDataSet(str(built)).manifest
    evil = "x`|</td><script>\n# heading\n\x1b[2J"
    told = {**manifest, "config": {**manifest["config"], "tokenizer": {"name": evil}}}
    told["sources"] = [{**manifest["sources"][0], "source": evil.replace("/", "")}]
    card = card_of(told, "me/chats")
    assert "\x1b" not in card
    assert "\n# heading" not in card
    assert "``x`\\|" in card


@pytest.mark.parametrize("repo", ["chats", "me/", "/chats", "me/a b", "a/b/c", "-x/y"])
def test_what_is_no_name_of_a_repository_is_refused(built, repo):
    with pytest.raises(UsageError, match="NAMESPACE/NAME"):
        push(PushOptions(str(built), repo), Recorder())


def test_what_everybody_can_read_already_is_refused(built):
    with pytest.raises(BuildError, match="everybody can read it"):
        push(PushOptions(str(built), "me/chats"), Recorder(private=False))


def test_rows_that_name_a_place_on_this_machine_are_refused(build, source, place):
    source(chat("a", "b"))
    assert build(place / "rows.jsonl", "--output", "out").code == 0
    refused = run("push", "out", "me/chats", "--dry-run")
    assert refused.code == 2
    assert "a place on this machine" in refused.stderr
    assert run("push", "out", "me/chats", "--dry-run", "--rows").code == 0


def test_a_hub_that_refuses_is_told_in_one_line(built):
    with pytest.raises(BuildError, match="does not take me/chats: 401 Unauthorized") as caught:
        push(PushOptions(str(built), "me/chats"), Recorder(RuntimeError("401 Unauthorized\nmore")))
    assert "hf auth login" in caught.value.hint


def test_no_build_no_push(place):
    assert run("push", "nowhere", "me/chats").code == 2


def test_the_splits_of_a_divided_data_set_are_named(build, source, place):
    rows = source(*(chat(f"a{n}", "b") for n in range(20)))
    assert build(rows, "--output", "out", "--set", "split=0.3").code == 0
    assert run("push", "out", "me/chats", "--dry-run").code == 0
    head, _ = head_of((place / "out.card.md").read_text())
    assert [each["path"] for each in head["configs"][0]["data_files"]] == ["train/data-*", "validation/data-*"]
