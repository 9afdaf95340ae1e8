"""What the user asks for: which value counts, what is refused, and that the refusal says what to do."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from builds import NOW, THINKS, chat, rejects
from bundled import ROOT, TOKENIZER
from datasets import load_from_disk
from transformers import AutoTokenizer

import maskprep

SHORT, LONG = chat("a", "b"), chat("a", "word " * 400)
SPEAKS = """{%- for m in messages %}{{ '<|im_start|>' ~ m.role ~ '\\n' ~ m.content ~ '<|im_end|>\\n' }}{% endfor -%}
{%- if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif -%}"""
DATED = "{{- '<|im_start|>system\\nToday is ' ~ strftime_now('%Y-%m-%d %H:%M') ~ '<|im_end|>\\n' -}}" + SPEAKS


def text_of(folder, row=0) -> str:
    return AutoTokenizer.from_pretrained(TOKENIZER).decode(load_from_disk(str(folder))[row]["input_ids"])


# Which value counts


def test_the_command_line_wins_over_set_over_the_file_over_the_defaults(build, source, place):
    rows = source(SHORT)
    (place / "c.yaml").write_text(f"max_length: 50\nmax_rejects: 0.5\nhistory: mask\nsources: [{rows}]\noutput: out\n")

    def config(*args):
        outcome = build("--config", "c.yaml", "--overwrite", "--json", *args)
        assert outcome.code == 0, outcome
        return outcome.json["config"]

    plain = config()
    assert (plain["max_length"], plain["max_rejects"], plain["history"]) == (50, 0.5, "mask")
    assert plain["prompt_mismatch"] == "reject"
    assert config("--set", "max_length=60")["max_length"] == 60
    assert config("--set", "max_length=60", "--max-length", "70")["max_length"] == 70
    assert config("--max-length", "70", "--set", "max_length=60")["max_length"] == 70
    assert config("--set", "max_length=60", "--set", "max_length=61")["max_length"] == 61
    assert config("--set", "history=null")["history"] is None
    nested = config("--set", "train.turns=last", "--set", "train.parts=[content]")["train"]
    assert (nested["roles"], nested["turns"], nested["parts"]) == (["assistant"], "last", ["content"])
    assert config("--set", "template_kwargs.a.b=1")["template_kwargs"] == {"a": {"b": 1}}


def test_sources_of_the_command_line_take_the_place_of_those_of_the_file(build, source, place):
    source(SHORT, name="one.jsonl")
    (place / "c.yaml").write_text("sources: one.jsonl\noutput: out\n")
    source(SHORT, name="two.jsonl")
    assert build("two.jsonl", "--config", "c.yaml", "--json").json["config"]["sources"][0]["path"] == "two.jsonl"


def test_every_option_reaches_the_configuration(build, source):
    outcome = build(
        source(SHORT), "--output", "out", "--history", "rendered", "--prompt-mismatch", "graft", "--max-length", "77",
        "--max-rejects", "0.25", "--chat-template", TOKENIZER / "chat_template.jinja", "--json",
    )  # fmt: skip
    assert outcome.code == 0, outcome
    config = outcome.json["config"]
    names = ("history", "prompt_mismatch", "max_length", "max_rejects", "chat_template", "output")
    expected = ["rendered", "graft", 77, 0.25, str(TOKENIZER / "chat_template.jinja"), "out"]
    assert [config[name] for name in names] == expected


# What is refused


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("max_lenght: 5", "c.yaml:1: unknown key 'max_lenght': did you mean 'max_length'?"),
        ("output: out\ntokeniser: x", "c.yaml:2: unknown key 'tokeniser': did you mean 'tokenizer'?"),
        ("train:\n  turn: last", "c.yaml:2: unknown key 'train.turn': did you mean 'turns'?"),
        ("zzzzzz: 1", "unknown key 'zzzzzz': known are: "),
        ("history: sometimes", "c.yaml:1: history: "),
        ("train: {turns: 0 last}", "train.turns"),
        ("max_rejects: 2", "c.yaml:1: max_rejects: "),
        ("max_length: 1", "max_length"),
        ("max_length: .nan", "max_length"),
        ("max_expansion: .inf", "max_expansion"),
        ("now: yesterday", "now"),
        ("train: {parts: []}", "train.parts"),
        ("train: {parts: [tools]}", "train.parts"),
        ("train: {roles: [human]}", "train.roles"),
        ("template_kwargs: {messages: []}", "messages: reserved"),
        ("template_kwargs: {add_generation_prompt: true, tools: 1}", "add_generation_prompt, tools: reserved"),
        ("- a\n- b", "c.yaml: must hold `key: value` lines"),
        ("1: 2", "c.yaml: must hold `key: value` lines"),
        ("a: [", "c.yaml:"),
        ("a: b: c", "c.yaml:1: not YAML"),
        ("a: !!python/object/apply:os.system ['true']", "c.yaml:1: not YAML"),
    ],
)
def test_a_wrong_configuration_says_where_and_what(build, source, place, text, said):
    (place / "c.yaml").write_text(text + "\n")
    outcome = build(source(SHORT), "--output", "out", "--config", "c.yaml")
    assert outcome.code == 2
    assert said in outcome.stderr
    assert outcome.stdout == ""
    assert "Traceback" not in outcome.stderr
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("nonsense", "--set nonsense: must be key.path=value"),
        ("=1", "must be key.path=value"),
        ("train..turns=1", "must be key.path=value"),
        ("histroy=mask", "unknown key 'histroy': did you mean 'history'?"),
        ("train.turn=last", "unknown key 'train.turn': did you mean 'turns'?"),
        ("history.x=1", "history"),
        ("max_length=[", "is not YAML"),
        ("template_kwargs.tokenize=false", "tokenize: reserved"),
    ],
)
def test_a_wrong_setting_says_what(build, source, place, setting, said):
    outcome = build(source(SHORT), "--output", "out", "--set", setting)
    assert outcome.code == 2
    assert said in outcome.stderr
    assert not (place / "out").exists()


def test_a_key_inside_a_single_value_is_refused(build, source, place):
    (place / "c.yaml").write_text("train: last\n")
    outcome = build(source(SHORT), "--output", "out", "--config", "c.yaml", "--set", "train.turns=last")
    assert outcome.code == 2
    assert "train holds a single value" in outcome.stderr


def test_what_is_missing_is_named_with_its_option(build, source, place):
    outcome = build(tokenizer=None)
    assert outcome.code == 2
    for name in ("SOURCE", "--tokenizer"):
        assert name in outcome.stderr
    outcome = build(source(SHORT))
    assert outcome.code == 2
    assert "--output" in outcome.stderr
    (place / "c.yaml").write_text("sources: []\noutput: out\n")
    outcome = build("--config", "c.yaml")
    assert outcome.code == 2
    assert "sources" in outcome.stderr


@pytest.mark.parametrize("option", [["--nope"], ["--max-length", "many"], ["--max-rejects", "half"]])
def test_an_unknown_option_is_a_usage_error(build, source, option):
    outcome = build(source(SHORT), "--output", "out", *option)
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert option[0] in outcome.stderr


def test_an_unreadable_configuration_file(build, source, place):
    (place / "latin.yaml").write_bytes(b"output: \xe9\n")
    for name in ("gone.yaml", "latin.yaml", "."):
        outcome = build(source(SHORT), "--config", name)
        assert outcome.code == 2
        assert name in outcome.stderr


# The tokenizer


@pytest.mark.parametrize("name", ["folder/that/is/not", "./gone", "some-org/some-model", "model-without-an-org"])
def test_a_missing_tokenizer_says_what_was_looked_for(build, source, place, name):
    outcome = build(source(SHORT), "--output", "out", tokenizer=name)
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert repr(name) in outcome.stderr
    assert "no such folder" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (place / "out").exists()


def test_offline_it_is_said_that_nothing_is_downloaded(build, source):
    outcome = build(source(SHORT), "--output", "out", tokenizer="some-org/some-model")
    assert "nothing is downloaded" in outcome.stderr


def test_a_folder_without_a_tokenizer_says_what_it_lacks(build, source, place):
    (place / "bare").mkdir()
    outcome = build(source(SHORT), "--output", "out", tokenizer="bare")
    assert outcome.code == 2
    assert "it lacks tokenizer.json and tokenizer_config.json" in outcome.stderr


@pytest.mark.parametrize("damage", [b"{", b"[]", b"\xff", b"{}"])
def test_a_damaged_tokenizer_is_a_usage_error(build, source, place, damage):
    shutil.copytree(TOKENIZER, place / "damaged")
    (place / "damaged" / "tokenizer.json").write_bytes(damage)
    outcome = build(source(SHORT), "--output", "out", tokenizer="damaged")
    assert outcome.code == 2
    assert "'damaged'" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_code_that_comes_with_a_tokenizer_is_not_run(build, source, place):
    shutil.copytree(TOKENIZER, place / "coded")
    config = json.loads((place / "coded" / "tokenizer_config.json").read_text())
    config |= {"tokenizer_class": "Mine", "auto_map": {"AutoTokenizer": ["mine.Mine", None]}}
    (place / "coded" / "tokenizer_config.json").write_text(json.dumps(config))
    (place / "coded" / "mine.py").write_text("open('ran', 'w').close()\nclass Mine: pass\n")
    build(source(SHORT), "--output", "out", tokenizer="coded")
    assert not (place / "ran").exists()


def test_a_stop_token_must_be_one_token(build, source, place):
    outcome = build(source(SHORT), "--output", "out", "--set", "stop_tokens=['<|nothing|>']")
    assert outcome.code == 2
    assert "<|nothing|>" in outcome.stderr


def test_the_stop_tokens_of_a_generation_config_count(build, source, place):
    shutil.copytree(TOKENIZER, place / "more")
    stop = AutoTokenizer.from_pretrained(TOKENIZER).convert_tokens_to_ids("</think>")
    (place / "more" / "generation_config.json").write_text(json.dumps({"eos_token_id": [stop]}))
    outcome = build(source(SHORT), "--output", "out", "--json", tokenizer="more")
    assert outcome.json["stop_tokens"] == ["<|im_end|>", "</think>"]
    for broken in ("{", '{"eos_token_id": "x"}'):
        (place / "more" / "generation_config.json").write_text(broken)
        outcome = build(source(SHORT), "--output", "out2", tokenizer="more")
        assert outcome.code == 2
        assert "generation_config.json" in outcome.stderr


# The template


def test_a_missing_template_file_is_named(build, source, place):
    outcome = build(source(SHORT), "--output", "out", "--chat-template", "gone.jinja")
    assert outcome.code == 2
    assert "'gone.jinja'" in outcome.stderr
    assert not (place / "out").exists()


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("fine\n{% if %}\nfine", 2, "{% if %}"),
        ("{{ messages", 1, "messages"),
        ("a\nb\n{% for m in messages %}", 3, "for"),
        ("{{ x | nosuchfilter }}", 1, "nosuchfilter"),
        ("{% nosuchtag %}", 1, "nosuchtag"),
    ],
)
def test_a_template_that_does_not_compile_shows_line_and_reason(build, source, place, text, line, said):
    (place / "broken.jinja").write_text(text)
    outcome = build(source(SHORT), "--output", "out", "--chat-template", "broken.jinja")
    assert outcome.code == 2
    assert f"line {line}" in outcome.stderr
    assert said in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert not (place / "out").exists()


def test_a_template_that_is_no_text_is_a_usage_error(build, source, place):
    (place / "latin.jinja").write_bytes(b"\xe9")
    outcome = build(source(SHORT), "--output", "out", "--chat-template", "latin.jinja")
    assert outcome.code == 2
    assert "latin.jinja" in outcome.stderr


def test_an_empty_template_file_is_not_taken_for_none(build, source, place):
    """It renders nothing, so nothing can be trained; the tokenizer's own template was not asked for."""
    (place / "empty.jinja").write_text("")
    outcome = build(source(SHORT), "--output", "out", "--chat-template", "empty.jinja")
    assert outcome.code == 1


def test_what_a_template_raises_is_in_the_reject(build, source, place):
    (place / "raises.jinja").write_text("{{ raise_exception('Only two turns, please') }}")
    outcome = build(source(SHORT), "--output", "out", "--chat-template", "raises.jinja")
    assert outcome.code == 1
    assert "Only two turns, please" in outcome.stderr
    [reject] = rejects(place / "out")
    assert reject["code"] == "template-error"
    assert "Only two turns, please" in reject["message"]


def test_a_tokenizer_without_a_template_needs_one(build, source, place):
    shutil.copytree(TOKENIZER, place / "bare")
    (place / "bare" / "chat_template.jinja").unlink()
    outcome = build(source(SHORT), "--output", "out", tokenizer="bare")
    assert outcome.code == 2
    assert "no chat template" in outcome.stderr
    assert "--chat-template" in outcome.stderr


@pytest.fixture
def named(place):
    """A tokenizer with three named templates, each of which says its name."""
    shutil.copytree(TOKENIZER, place / "named")
    (place / "named" / "chat_template.jinja").unlink()
    config = json.loads((place / "named" / "tokenizer_config.json").read_text())
    names = ("default", "tool_use", "rag")
    config["chat_template"] = [{"name": name, "template": name + " " + SPEAKS} for name in names]
    (place / "named" / "tokenizer_config.json").write_text(json.dumps(config))
    return "named"


def test_one_of_several_templates_is_chosen_by_name(build, source, place, named):
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    rows = source(SHORT, {**SHORT, "tools": [tool]})
    assert build(rows, "--output", "own", tokenizer=named).code == 0
    assert [text_of(place / "own", row).split("<")[0] for row in (0, 1)] == ["default", "tool_use"]
    assert build(rows, "--output", "rag", "--chat-template", "rag", tokenizer=named).code == 0
    assert [text_of(place / "rag", row).split("<")[0] for row in (0, 1)] == ["rag", "rag"]
    outcome = build(rows, "--output", "no", "--chat-template", "gag", tokenizer=named)
    assert outcome.code == 2
    assert "default, rag, tool_use" in outcome.stderr


# Template variables


def test_template_kwargs_and_those_of_a_row(build, source, place):
    rows = source(SHORT, {**SHORT, "chat_template_kwargs": {"current_date": "Tuesday"}})
    assert build(rows, "--output", "out", "--set", "template_kwargs.current_date=Monday").code == 0
    assert "Today is Monday." in text_of(place / "out", 0)
    assert "Today is Tuesday." in text_of(place / "out", 1)


@pytest.mark.parametrize(
    "name", ["messages", "tools", "chat_template", "add_generation_prompt", "tokenize", "eos_token"]
)
def test_reserved_template_kwargs_are_refused(build, source, place, name):
    outcome = build(source(SHORT), "--output", "out", "--set", f"template_kwargs.{name}=x")
    assert outcome.code == 2
    assert name in outcome.stderr
    outcome = build(source({**SHORT, "chat_template_kwargs": {name: "x"}}), "--output", "out", "--max-rejects", "1")
    assert outcome.code == 0
    [reject] = rejects(place / "out")
    assert reject["code"] == "reserved-kwarg"
    assert name in reject["message"]


def test_now_freezes_the_clock_of_the_template(build, source, place):
    (place / "dated.jinja").write_text(DATED)
    given = (source(SHORT), "--chat-template", "dated.jinja")
    outcome = build(*given, "--set", "now=2031-12-24T18:30:00+00:00", "--output", "out", "--json")
    assert outcome.code == 0, outcome
    assert "Today is 2031-12-24 18:30" in text_of(place / "out")
    assert outcome.json["now"] == outcome.json["fingerprint_of"]["now"] == "2031-12-24T18:30:00+00:00"


def test_without_now_the_time_of_the_build_is_recorded(build, source, place):
    (place / "dated.jinja").write_text(DATED)
    before = datetime.now(UTC).replace(microsecond=0)
    outcome = build(source(SHORT), "--chat-template", "dated.jinja", "--output", "out", "--json")
    recorded = datetime.fromisoformat(outcome.json["now"])
    assert before <= recorded <= datetime.now(UTC)
    assert f"Today is {recorded:%Y-%m-%d %H:%M}" in text_of(place / "out")


# Length


def test_rows_that_are_too_long_are_rejected_with_their_length(build, source, place):
    outcome = build(source(SHORT, LONG), "--max-length", "100", "--max-rejects", "0.5", "--output", "out", "--json")
    assert outcome.code == 0
    assert outcome.json["totals"]["longest_sequence"] <= 100
    [reject] = rejects(place / "out")
    assert (reject["line"], reject["code"]) == (2, "too-long")
    assert "more than max_length 100" in reject["message"]
    assert any(
        word.replace(",", "").isdigit() and int(word.replace(",", "")) > 400 for word in reject["message"].split()
    )


def test_a_row_of_just_the_length_is_used(build, source, place):
    longest = build(source(SHORT), "--output", "one", "--json").json["totals"]["longest_sequence"]
    assert build("rows.jsonl", "--max-length", longest, "--output", "two").code == 0
    assert build("rows.jsonl", "--max-length", longest - 1, "--output", "three").code == 1


# A template that rewrites history


@pytest.fixture
def thinks(place, source):
    """Arguments for rows of which a split makes far more tokens."""
    (place / "thinks.jinja").write_text(THINKS)
    return source(*[chat(*["word"] * 16)] * 3), "--chat-template", "thinks.jinja", "--output", "out"


def test_a_dear_split_that_nobody_chose_stops_and_shows_what_each_choice_costs(build, thinks, place):
    outcome = build(*thinks, "--json")
    assert outcome.code == 1
    facts = outcome.json
    assert facts["expansion"] > 2
    assert facts["sampled_rows"] == 3
    assert list(facts["histories"]) == ["split", "tree", "mask", "rendered"]
    split, tree, mask, rendered = facts["histories"].values()
    assert [cost["rows"] for cost in facts["histories"].values()] == [3, 3, 3, 3]
    assert [cost["sequences"] for cost in facts["histories"].values()] == [24, 3, 3, 3]
    assert tree["trained_tokens"] == split["trained_tokens"]
    assert rendered["tokens"] < tree["tokens"] < split["tokens"]
    assert facts["recommended"]["settings"] == {"history": "tree"}
    assert mask["trained_tokens"] < rendered["trained_tokens"] < split["trained_tokens"] < split["tokens"]
    assert rendered["tokens"] == mask["tokens"] == facts["whole_tokens"]
    assert split["unfaithful_tokens"] == mask["unfaithful_tokens"] == 0 < rendered["unfaithful_tokens"]
    assert not (place / "out").exists()

    spoken = build(*thinks)
    assert spoken.code == 1
    assert spoken.stdout == ""
    for name, cost in facts["histories"].items():
        [line] = [line for line in spoken.stderr.split("\n") if line.startswith(f"{name} ")]
        assert all(f"{cost[key]:,}" in line.split() for key in ("sequences", "tokens", "trained_tokens"))
    assert spoken.stderr.count("Recommended:") == 1
    assert facts["recommended"]["command"].replace(" --json", "") in spoken.stderr
    assert not (place / "out").exists()


def test_trees_are_recommended_only_to_who_can_train_them(build, thinks):
    facts = build(*thinks, "--set", "profile=trl", "--json").json
    assert facts["recommended"]["settings"] == {"history": "split"}
    assert facts["hint"].startswith("recommended: --set history=split; tried on 3 of these rows: 3 used")
    assert facts["histories"]["tree"]["sequences"] == 3


@pytest.mark.parametrize("history", ["split", "tree", "mask", "rendered"])
def test_what_was_foretold_is_what_the_choice_costs(build, thinks, place, history):
    foretold = build(*thinks, "--json").json["histories"][history]
    totals = build(*thinks, "--history", history, "--json").json["totals"]
    assert {key: totals[key] for key in foretold if key != "rows"} == {k: v for k, v in foretold.items() if k != "rows"}
    assert totals["findings"]["history-rewritten"]["rows"] == 3


def test_a_higher_max_expansion_lets_the_split_pass(build, thinks, place):
    assert build(*thinks, "--set", "max_expansion=100").code == 0
    assert len(load_from_disk(str(place / "out"))) == 24


def test_a_template_that_rewrites_nothing_makes_the_same_of_every_history(build, source, place):
    rows = source(chat("a", "b", "c", "d"), SHORT)
    kept = []
    for history in ("split", "mask", "rendered"):
        assert build(rows, "--output", history, "--history", history).code == 0
        kept.append(load_from_disk(str(place / history)).to_list())
    assert kept[0] == kept[1] == kept[2]


# One JSON object, and nothing else


def test_json_is_one_object_when_the_build_succeeds(build, source):
    outcome = build(source(SHORT, {}), "--max-rejects", "1", "--output", "out", "--json")
    assert outcome.code == 0
    assert outcome.stderr == ""
    report = outcome.json
    assert report["output"] == "out"
    assert report["rejects_file"] == "out/maskprep/rejects.jsonl"
    assert report["totals"]["rejects"]["no-messages"]["example"]["line"] == 2


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (("gone.jsonl", "--output", "out"), 2),
        (("--output", "out"), 2),
        (("bad.jsonl", "--output", "out"), 1),
        (("bad.jsonl", "--output", "out", "--set", "nonsense"), 2),
        (("bad.jsonl", "--output", "bad.jsonl"), 2),
    ],
)
def test_json_is_one_object_when_it_fails(build, source, args, code):
    source({}, name="bad.jsonl")
    outcome = build(*args, "--json")
    assert outcome.code == code
    assert outcome.stderr == ""
    assert len(outcome.json["error"]) > 10
    assert "hint" in outcome.json


@pytest.mark.long
def test_json_is_clean_in_a_process_of_its_own(start, place):
    outcome = start(
        ROOT / "sample_data" / "conversations.jsonl", "--output", "out", "--max-rejects", "1", "--json"
    ).finish()
    assert outcome.code == 0
    assert outcome.json["totals"]["rows"] == 61
    assert outcome.stderr == ""


# The command itself


def test_the_version_and_the_help_need_no_heavy_package(place):
    for words, said in (
        (["--version"], f"maskprep {maskprep.__version__}\n"),
        (["build", "--help"], "--prompt-mismatch"),
    ):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "maskprep", *words], capture_output=True, check=True, cwd=ROOT
        )
        assert said in done.stdout.decode()
        for package in (b"| transformers", b"| datasets", b"| pyarrow", b"| torch"):
            assert package not in done.stderr


def test_NOW_is_a_time_with_its_zone():
    assert datetime.fromisoformat(NOW).tzinfo is not None
