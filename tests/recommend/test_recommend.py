"""What is recommended for rows: tried on them, combined where one setting is not enough, and faithful."""

from __future__ import annotations

import json
import shlex

import pytest
import yaml
from builds import THINKS, chat, jsonl, run
from bundled import TOKENIZER
from law.comparing import NOW
from law.tokenizers_here import tokenizer
from refusals import REFUSALS, TEMPLATES
from unmarked import ACTS

from maskprep.config import load
from maskprep.conversation import Where
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import Policy
from maskprep.recommend.choose import recommend
from maskprep.recommend.sample import SampleRow
from maskprep.recommend.typed import command_with, nested, yaml_of

MIDDLE, TWO = REFUSALS["one system message"][1], REFUSALS["roles that alternate, two users"][1]
FORGETS_CALLS = (
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
CALL = {"type": "function", "id": "c", "function": {"name": "look", "arguments": "{}"}}
CALLED = {
    "messages": [{"role": "user", "content": "Look."}, {"role": "assistant", "content": "", "tool_calls": [CALL]}]
}


def recommended(template, *rows, **config):
    loaded = tokenizer("byte_level", "<|im_end|>")
    made = load(None, {"sources": "x.jsonl", "tokenizer": "nowhere", **config})
    preparer = Preparer(loaded, now=NOW, policy=Policy(), template=TEMPLATES.get(template, template))
    sample = [SampleRow(Where("x.jsonl", n, 0), DEFAULT.parse(row)) for n, row in enumerate(rows, 1)]
    return recommend(made, preparer, sample)


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_recommended_uses_rows_that_were_refused(name):
    template, data, _ = REFUSALS[name]
    found = recommended(template, data)
    assert (found.used_before, found.used) == (0, 1)
    assert found.good
    assert found.left == ()


def test_settings_for_different_rows_are_combined_and_those_that_nothing_needs_are_not():
    found = recommended("alternate", chat("Hi", "Hello."), MIDDLE, TWO)
    assert found.settings.values == {"adapt.same_role": "join", "adapt.system": "merge"}
    assert (found.used_before, found.used, found.rows) == (1, 3, 3)


def test_rows_that_are_all_used_are_left_as_they_are():
    found = recommended("alternate", chat("Hi", "Hello."))
    assert found.settings.values == {}
    assert found.others == ()


def test_a_tree_is_recommended_where_each_turn_alone_is_dear_and_else_a_split():
    rows = [chat(*["word"] * 16)]
    assert recommended(THINKS, *rows).settings.values == {"history": "tree"}
    assert recommended(THINKS, *rows, profile="trl").settings.values == {"history": "split"}
    chosen = recommended(THINKS, *rows, history="split")
    assert chosen.settings.values == {}
    ways = {other.settings.values["history"]: other for other in chosen.others}
    assert ways.keys() == {"tree", "mask", "rendered"}
    assert ways["rendered"].cost.unfaithful_tokens > 0
    assert ways["tree"].times < chosen.chosen.times


def test_what_a_template_cannot_render_is_said_plainly_and_nothing_unfaithful_is_recommended():
    found = recommended(FORGETS_CALLS, CALLED)
    assert not found.useful
    assert found.settings.values == {}
    assert "writes nothing of tool calls" in found.left[0].why
    some = recommended(FORGETS_CALLS, CALLED, *[chat("Hi", "Hello.")] * 2)
    assert (some.useful, some.good, some.used) == (True, False, 2)
    assert some.settings.values == {"max_rejects": 0.4}


def test_a_graft_is_recommended_only_where_nothing_else_helps():
    opens = LAW_PROMPT
    found = recommended(opens, chat("Hi", "Hello."))
    assert found.settings.values == {"prompt_mismatch": "graft"}
    assert {tuple(other.settings.values.items()) for other in found.others} >= {(("prompt_mismatch", "train"),)}
    mended = recommended(opens.replace("{{ '<think>' }}", "{% if musing is not false %}{{ '<think>' }}{% endif %}"),
                         chat("Hi", "Hello."))  # fmt: skip
    assert mended.settings.values == {"template_kwargs.musing": False}


LAW_PROMPT = (
    "{% for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{{ '<think>' }}{% endif %}"
)


def test_settings_are_typed_so_that_a_shell_and_the_configuration_read_them():
    settings = {"history": "tree", "template_kwargs.thinking": False, "adapt.system": "merge", "max_rejects": 0.1}
    command = command_with(["build", "my rows.jsonl", "--history", "split"], settings)
    assert shlex.split(command)[:5] == ["maskprep", "build", "my rows.jsonl", "--history", "split"]
    assert "--set template_kwargs.thinking=false --set adapt.system=merge --max-rejects 0.1" in command
    assert command_with(["build", "--", "-x"], {"history": "tree"}) == "maskprep build --history tree -- -x"
    assert yaml.safe_load(yaml_of(settings)) == nested(settings)
    assert nested(settings)["template_kwargs"] == {"thinking": False}


def test_the_recommended_command_is_the_users_own_and_does_what_it_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my rows.jsonl").write_bytes(jsonl(chat("Hi", "Hello."), MIDDLE, TWO))
    (tmp_path / "t.jinja").write_text(TEMPLATES["alternate"])
    words = ["build", "my rows.jsonl", "--tokenizer", TOKENIZER, "--output", "out", "--chat-template", "t.jinja"]
    failed = run(*words)
    assert failed.code == 1
    lines = failed.stderr.split("\n")
    command = lines[lines.index("Recommended:") + 1].strip()
    assert command.startswith("maskprep build 'my rows.jsonl' --tokenizer ")
    done = run(*shlex.split(command)[1:], "--json")
    assert done.json["totals"]["rows_used"] == 3
    (tmp_path / "c.yaml").write_text(yaml.safe_dump({"chat_template": "t.jinja", "output": "out2"}))
    again = run("build", "my rows.jsonl", "--tokenizer", TOKENIZER, "--config", "c.yaml")
    lines = again.stderr.split("\n")
    start = lines.index("Recommended, to add to your configuration:") + 1
    assert yaml.safe_load("\n".join(lines[start : start + 3])) == {"adapt": {"same_role": "join", "system": "merge"}}
    assert json.loads(run(*words, "--overwrite", "--json").stdout)["recommended"]["in_file"] is False


def test_piped_rows_are_tried_too_where_their_history_is_dear(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jinja").write_text(THINKS)
    words = ("build", "-", "--tokenizer", TOKENIZER, "--output", "out", "--chat-template", "t.jinja", "--json")
    failed = run(*words, stdin=jsonl(*[chat(*["word"] * 16)] * 3))
    assert failed.json["recommended"]["settings"] == {"history": "tree"}


def test_rows_that_are_rejected_further_behind_are_tried_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jinja").write_text(TEMPLATES["alternate"])
    (tmp_path / "rows.jsonl").write_bytes(jsonl(*[chat("Hi", "Hello.")] * 250, *[MIDDLE] * 50))
    words = ("build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "out", "--chat-template", "t.jinja", "--json")
    found = run(*words).json["recommended"]
    assert found["settings"] == {"adapt.system": "merge"}
    assert (found["rows"], found["rows_used_before"], found["rows_used"]) == (201, 200, 201)


def test_what_a_template_says_cannot_act_on_the_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.jinja").write_text("{{ raise_exception('\\x1b]0;x\\x07[/b]\\u202e no') }}")
    (tmp_path / "rows.jsonl").write_bytes(jsonl(*[chat("Hi", "Hello.")] * 3))
    failed = run("build", "rows.jsonl", "--tokenizer", TOKENIZER, "--output", "out", "--chat-template", "t.jinja")
    assert failed.code == 1
    assert "Recommended: another chat template" in failed.stderr
    assert not ACTS.search(failed.stderr)
