"""``--config quickstart``: the bundled configuration, wherever the command runs."""

from __future__ import annotations

import builds
import pytest
from bundled import CONVERSATIONS, TOKENIZER

from maskprep.config import load
from maskprep.errors import UsageError


def test_a_bundled_configuration_finds_the_sample_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load("quickstart", {})
    assert [source.path for source in config.sources] == [str(CONVERSATIONS)]
    assert config.tokenizer.name == str(TOKENIZER)
    assert builds.run("build", "--config", "quickstart").code == 0
    assert (tmp_path / "out" / "quickstart" / "state.json").is_file()


def test_a_file_of_that_name_is_the_users(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quickstart").write_text("sources: [mine.jsonl]\ntokenizer: t\n")
    assert [source.path for source in load("quickstart", {}).sources] == ["mine.jsonl"]
    with pytest.raises(UsageError, match="no configuration file") as caught:
        load("fastart", {})
    assert "quickstart" in caught.value.hint
