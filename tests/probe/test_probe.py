# ruff: noqa: E501 - a template is easier to read on fewer lines
"""What is told about a template: each statement on templates that do it and on one that does not, and the command."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from builds import chat, run
from bundled import TOKENIZER
from unmarked import ACTS

from maskprep.examples import Preparer
from maskprep.policy import Policy
from maskprep.probe.command import STATEMENTS, statements
from maskprep.probe.prober import Prober
from maskprep.tokenizer.load import load_tokenizer

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HEAD = "{{ '<|im_start|>' ~ m.role ~ '\\n' }}"
ASK = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
CALLS = "{% for c in m.tool_calls or [] %}<tool_call>{{ c.function.name }} {{ c.function.arguments|tojson }}</tool_call>{% endfor %}"


def loop(body, *, before="", ask=ASK, end="{{ '<|im_end|>\\n' }}"):
    """Return a template that writes each message as a header, ``body`` and ``end``."""
    return f"{before}{{% for m in messages %}}{HEAD}{body}{end}{{% endfor %}}{ask}"


PLAIN = loop("{{ m.content }}")


@pytest.fixture(scope="module")
def told():
    loaded = load_tokenizer(str(TOKENIZER))

    def tell(template, **kwargs):
        preparer = Preparer(loaded, now=NOW, policy=Policy(), template=template, variables=kwargs)
        return {one.name: one for one in statements(Prober(preparer, NOW))}

    return tell


def kinds(statement):
    return {name: found["kind"] for name, found in statement.value.items()}


def test_every_statement_has_a_name_of_its_own(told):
    found = told(PLAIN)
    assert len(found) == len(STATEMENTS)
    assert all(statement.text for statement in found.values())
    json.dumps([statement.facts() for statement in found.values()])


def test_roles_are_rendered_dropped_or_refused_by_what_is_rendered(told):
    refuses = "{% if m.role == 'tool' %}{{ raise_exception('no tools here') }}{% endif %}"
    some = "{% if m.role != 'developer' %}{{ m.content }}{% endif %}"
    found = told(loop(refuses + some))["roles"]
    assert kinds(found) == {
        "system": "rendered",
        "developer": "dropped",
        "user": "rendered",
        "assistant": "rendered",
        "tool": "refused",
    }
    assert "tool (no tools here)" in found.text
    assert set(kinds(told(PLAIN)["roles"]).values()) == {"rendered"}


def test_a_system_message_within_the_turn_of_the_user_is_told(told):
    merged = (
        "{% if messages[0].role == 'system' %}{% set lead = messages[0].content ~ '\\n\\n' %}{% set rest = messages[1:] %}"
        "{% else %}{% set lead = '' %}{% set rest = messages %}{% endif %}{% for m in rest %}"
        + HEAD
        + "{{ (lead if loop.first else '') ~ m.content ~ '<|im_end|>\\n' }}{% endfor %}"
        + ASK
    )
    assert "system (within the user's turn)" in told(merged)["roles"].text
    assert "within" not in told(PLAIN)["roles"].text


def test_fields_are_followed_by_their_origin(told):
    body = "{% if m.thinking %}<think>{{ m.thinking }}</think>{% endif %}{% if m.tool_calls %}" + CALLS
    body += "{% else %}{{ m.content }}{% endif %}"
    tools = "{% if tools %}{{ tools|tojson }}{% endif %}{{ documents or '' }}"
    found = kinds(told(loop(body, before=tools))["fields"])
    assert found["tools"] == found["tool_calls"] == found["reasoning_content"] == found["reasoning"] == "rendered"
    assert found["content beside tool_calls"] == found["name"] == "dropped"
    assert found["documents"] == "rendered"
    assert found["list content"] == "printed"
    assert found["several tool_calls at once"] == "rendered"
    one = (
        "{% if m.tool_calls %}{{ m.tool_calls[0]|tojson }}{% endif %}{% if m.thinking and m.tool_calls and m.content %}"
    )
    limits = kinds(told(loop(one + "{{ raise_exception('too much') }}{% endif %}{{ m.content }}"))["fields"])
    assert limits["several tool_calls at once"] == "partly"
    assert limits["content beside tool_calls"] == "rendered"
    assert limits["content beside reasoning and tool_calls"] == "refused"
    bare = kinds(told(PLAIN)["fields"])
    assert {bare[name] for name in ("tools", "tool_calls", "thinking", "documents")} == {"dropped"}


def test_the_generation_prompt_is_quoted(told):
    assert told(PLAIN)["generation_prompt"].value["user"] == "<|im_start|>assistant\n"
    unasked = "{% if messages[-1].role != 'tool' %}" + ASK + "{% endif %}"
    text = "{{ '' + c.function.arguments }}"  # such a template reads arguments as text
    calls = "{{ m.content }}{% for c in m.tool_calls or [] %}" + text + "{% endfor %}"
    assert told(loop(calls, ask=unasked))["generation_prompt"].value["tool"] == ""
    none = told(loop("{{ m.content }}", ask=""))["generation_prompt"]
    assert none.value["user"] == ""
    assert none.notable


def test_inserted_text_is_quoted(told):
    body = "{% if m.role == 'assistant' %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}{{ m.content }}"
    found = told(loop(body, end="{{ ' <|im_end|>\\n' }}"))["inserted"]
    assert found.value == {"before": "<think>\n\n</think>\n\n", "after": " "}
    assert told(PLAIN)["inserted"].value == {"before": "", "after": ""}


def test_the_stop_token_of_each_kind_of_turn(told):
    two = "{{ '<|im_end|>' if loop.last else '<|endoftext|>' }}"
    found = told(loop("{{ m.content }}", end=two))["stop"]
    assert (found.value["answer"], found.value["earlier_answer"]) == ("<|im_end|>", "<|endoftext|>")
    assert found.value["trained"]
    assert found.value["one_token"]
    assert "<|endoftext|>" in found.text
    missing = told(loop("{{ m.content }}", end="{{ '\\n' }}"))["stop"]
    assert not missing.value["trained"]
    assert missing.notable


def test_a_stop_token_that_is_not_the_tokenizers_is_told(told):
    found = told(loop("{{ m.content }}", end="{{ '<|endoftext|>\\n' }}"))["stop"]
    assert found.value["answer"] == "<|endoftext|>"
    assert '"<|im_end|>": the server must stop at both' in found.text


def test_a_default_system_prompt_is_told_apart_from_an_opening(told):
    given = "{% if messages[0].role != 'system' %}{{ '<|im_start|>system\\nBe kind.<|im_end|>\\n' }}{% endif %}"
    assert told(loop("{{ m.content }}", before=given))["opening"].value["default_system"] == "Be kind."
    always = "{{ '<|im_start|>system\\nToday is a day.<|im_end|>\\n' }}"
    found = told(loop("{{ m.content }}", before=always))["opening"].value
    assert found == {"lead": "<|im_start|>system\nToday is a day.<|im_end|>\n", "default_system": ""}
    assert told(PLAIN)["opening"].value == {"lead": "", "default_system": ""}


def test_trimming_is_told_by_end_and_by_kind(told):
    body = "{% if m.role == 'user' %}{{ m.content|trim }}{% elif m.role == 'assistant' %}{{ m.content.lstrip('\\n') }}"
    found = told(loop(body + "{% else %}{{ m.content }}{% endif %}"))["trims"].value
    assert found["user"] == {"white space": "both ends", "line breaks": "both ends"}
    assert found["assistant"] == {"white space": "", "line breaks": "the start"}
    assert found["system"] == {"white space": "", "line breaks": ""}


def test_orders_of_roles(told):
    strict = (
        "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('take turns') }}"
        "{% endif %}{% endfor %}"
    )
    found = kinds(told(strict + PLAIN)["order"])
    assert found["two users in a row"] == found["assistant first"] == "refused"
    assert found["user at the end"] == "rendered"
    first = "{% if m.role != 'system' or loop.first %}{{ m.content }}{% endif %}"
    found = kinds(told(loop(first))["order"])
    assert found["system in the middle"] == found["two systems at the start"] == "dropped"


@pytest.mark.parametrize(
    ("printed", "reads", "given"),
    [
        ("{{ c.function.arguments|tojson }}", {"object": "read", "text": "encoded twice"}, "an object"),
        ("{{ '' + c.function.arguments }}", {"object": "refused", "text": "read"}, "JSON text"),
        ("{{ c.function.arguments }}", {"object": "printed in Python's notation", "text": "read"}, "JSON text"),
        (
            "{{ c.function.arguments if c.function.arguments is string else c.function.arguments|tojson }}",
            {"object": "read", "text": "read"},
            "an object",
        ),
    ],
)
def test_the_form_of_arguments(printed, reads, given, told):
    body = "{{ m.content }}{% for c in m.tool_calls or [] %}{{ c.function.name }} " + printed + "{% endfor %}"
    found = told(loop(body))
    assert found["arguments"].value == reads
    assert found["arguments"].text.endswith(f"maskprep gives {given}")
    assert kinds(found["fields"])["tool_calls"] == "rendered"


def test_rewritten_history_is_shown(told):
    body = "{% if m.role == 'assistant' and loop.last %}{{ '<think></think>' }}{% endif %}{{ m.content }}"
    found = told(loop(body))
    change = found["history"].value["without reasoning"]
    assert "<think></think>Crow Hill" in change["before"]
    assert "<think>" not in change["after"]
    cost = found["cost"].value
    assert (cost["split"]["sequences"], cost["mask"]["sequences"]) == (6, 1)
    assert cost["rendered"]["unfaithful_tokens"] > 0
    plain = told(PLAIN)
    assert set(plain["history"].value.values()) == {None}
    assert plain["cost"].value["split"] == plain["cost"].value["mask"] == plain["cost"].value["rendered"]


def test_where_reasoning_stays(told):
    body = "{% if m.thinking and loop.last %}<think>{{ m.thinking }}</think>{% endif %}{{ m.content }}"
    found = told(loop(body))["reasoning"].value
    assert (found["the last turn"], found["earlier turns"]) == (True, False)
    assert not found["tool calls until the answer"]
    cut = told(loop("{{ m.content.split('</think>')[-1] }}"))["reasoning"].value
    assert not cut["written in the content, last turn"]
    assert "field for it is not read" in told(PLAIN)["reasoning"].text


def test_a_prompt_that_does_not_fit_and_what_mends_it(told):
    ask = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% if musing is not false %}{{ '<think>\\n' }}{% endif %}{% endif %}"
    body = "{% if m.thinking %}{{ '<think>\\n' ~ m.thinking ~ '</think>' }}{% endif %}{{ m.content }}"
    found = told(loop(body, ask=ask))
    fit = found["fit"].value
    assert fit["code"] == "prompt-mismatch"
    assert fit["mends"] == ["--set template_kwargs.musing=false", "reasoning in the data"]
    assert fit["ways"] == ["--prompt-mismatch graft", "--prompt-mismatch train"]
    assert "musing" in found["variables"].value
    assert found["cost"].text.endswith("(with --prompt-mismatch train)")
    assert told(loop(body, ask=ask), musing=False)["fit"].value == {"fits": True}


def test_the_clock(told):
    found = told("{{ strftime_now('%Y') }}" + PLAIN)["clock"]
    assert found.value["told"]
    assert "2026" in found.text
    assert not told(PLAIN)["clock"].value["told"]
    unused = told("{% if never %}{{ strftime_now('%Y') }}{% endif %}" + PLAIN)["clock"].value
    assert unused == {"told": False, "asked": True}


def test_marks_that_differ_from_the_law_are_named(told):
    body = "{% if m.role == 'assistant' %}{% generation %}{{ m.content }}MARKED{% endgeneration %}{% else %}{{ m.content }}{{ '<|im_end|>' }}{% endif %}"
    right = told(loop(body.replace("MARKED", "{{ '<|im_end|>' }}"), end="{{ '\\n' }}"))["marks"]
    assert right.value == {"marked": True, "marked_not_generated": [], "generated_not_marked": []}
    short = told(loop(body.replace("MARKED", "") + "{{ '<|im_end|>' if m.role == 'assistant' }}", end="{{ '\\n' }}"))
    assert short["marks"].value["generated_not_marked"] == ["<|im_end|>", "<|im_end|>"]
    long = told(loop(body.replace("MARKED", "{{ '<|im_end|>\\n' }}"), end=""))["marks"]
    assert long.value["marked_not_generated"][0] == "\n"
    assert told(PLAIN)["marks"].value == {"marked": False}


def test_a_beginning_that_would_be_written_twice(told, tmp_path):
    from tokenizers import processors
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(TOKENIZER)
    tokenizer.bos_token = "<|im_start|>"
    number = tokenizer.convert_tokens_to_ids("<|im_start|>")
    single = "<|im_start|> $A"
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=single, special_tokens=[("<|im_start|>", number)]
    )
    tokenizer.save_pretrained(tmp_path)
    loaded = load_tokenizer(str(tmp_path))
    preparer = Preparer(loaded, now=NOW, policy=Policy(), template=PLAIN)
    found = {one.name: one for one in statements(Prober(preparer, NOW))}["beginning"]
    assert found.value == {"token": "<|im_start|>", "template_writes": True, "tokenizer_adds": True}
    assert found.notable
    assert not told(PLAIN)["beginning"].value["tokenizer_adds"]


@pytest.mark.parametrize("template", ["", "nothing", "{{ raise_exception('no') }}", "{{ 1 // 0 }}", "{{ messages }}"])
def test_a_template_that_is_none_is_told_without_a_fault(template, told):
    assert told(template)["fit"].value["fits"] is False


# The command


def probe(*words):
    return run("probe", TOKENIZER, *words)


def test_the_screen_and_the_object_say_the_same(place):
    (place / "t.jinja").write_text(PLAIN)
    shown = probe("--chat-template", "t.jinja")
    assert shown.code == 0
    assert 'generation prompt  "<|im_start|>assistant\\n"' in shown.stdout
    assert len(shown.stdout.split("\n")) <= 45
    assert "✓ multi-turn" in shown.stdout
    assert "✗ reasoning" in shown.stdout
    facts = json.loads(probe("--chat-template", "t.jinja", "--json").stdout)
    assert facts["statements"]["generation_prompt"]["value"]["user"] == "<|im_start|>assistant\n"
    assert "rows" not in facts


def test_the_first_rows_of_a_source(source, place):
    (place / "t.jinja").write_text(
        loop("{% if m.role == 'assistant' and loop.last %}{{ '<think></think>' }}{% endif %}{{ m.content }}")
    )
    rows = source(chat("a", "b"), chat("a", "b", "c", "d"), {"messages": 3}, *[chat("x", "y")] * 250)
    facts = json.loads(probe(rows, "--chat-template", "t.jinja", "--json").stdout)["rows"]
    assert (facts["rows"], facts["rows_used"], facts["rows_rejected"]) == (200, 199, 1)
    assert facts["rows_split"] == 1
    assert 0 < facts["trained_tokens"] < facts["tokens"]
    shown = probe(rows, "--chat-template", "t.jinja").stdout
    assert "first 200 rows" in shown
    assert "199 used, 1 rejected, 1 split" in shown
    assert "no-messages" in shown


def test_template_text_cannot_act_on_the_terminal(place):
    evil = "{% for m in messages %}{{ '\\x1b]0;x\\x07[/b]\\u202e' ~ m.role ~ m.content ~ '<|im_end|>' }}{% endfor %}"
    (place / "t.jinja").write_text(evil + "{% if add_generation_prompt %}{{ '\\x1b[2J' }}{% endif %}")
    for more in ((), ("--facts",)):
        shown = probe("--chat-template", "t.jinja", *more)
        assert shown.code == 0
        assert not ACTS.search(shown.stdout)
    assert "[/b]" in shown.stdout


def test_what_cannot_be_probed_is_a_usage_error(place):
    assert probe("--chat-template", "nowhere.jinja").code == 2
    (place / "t.jinja").write_text("{% if %}")
    assert probe("--chat-template", "t.jinja").code == 2
    assert probe("nowhere.jsonl").code == 2


def test_a_build_stops_when_all_of_the_first_rows_are_rejected(build, source, place):
    (place / "t.jinja").write_text("{{ raise_exception('not for chats') }}")
    rows = source(*[chat("a", "b")] * 1000)
    outcome = build(rows, "--output", "out", "--chat-template", "t.jinja", "--json")
    assert outcome.code == 1
    assert outcome.json["rows"] == 200
    assert "every one of the first 200 rows was rejected" in outcome.json["error"]
    assert outcome.json["rejects"]["template-error"]["rows"] == 200
    assert "maskprep probe" in outcome.json["hint"]
    good = source(*[{"messages": 3}] * 199, *[chat("a", "b")] * 300, name="good.jsonl")
    assert build(good, "--output", "out2", "--max-rejects", "0.5").code == 0
    allowed = build(rows, "--output", "out3", "--chat-template", "t.jinja", "--max-rejects", "1", "--json")
    assert allowed.json.get("rows", allowed.json.get("totals", {}).get("rows")) == 1000


def test_a_build_tells_what_was_added_to_the_tokenizer(build, source, place):
    (place / "tokens.txt").write_text("<|sid_1|>\n<|sid_2|>\n")
    rows = source(chat("a", "<|sid_1|> and <|sid_2|>"))
    given = ("--set", "tokenizer.add_tokens_file=tokens.txt", "--set", "tokenizer.vocabulary_multiple=100")
    outcome = build(rows, "--output", "out", *given)
    assert outcome.code == 0
    assert "2 tokens added: the vocabulary grew to 2,502" in outcome.stdout
    assert "model.resize_token_embeddings(2600)" in outcome.stdout
    manifest = json.loads((place / "out" / "maskprep" / "manifest.json").read_text())
    assert (manifest["vocabulary"]["size_before"], manifest["vocabulary"]["rounded_size"]) == (2500, 2600)
    again = load_tokenizer(str(place / "out" / "tokenizer"))
    assert again.digest() == manifest["fingerprint_of"]["tokenizer"]


# The verdict

OPENS = loop("{{ m.content }}", ask="{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n<think>' }}{% endif %}")


def verdict(place, template, *words):
    (place / "t.jinja").write_text(template)
    return json.loads(probe(*words, "--chat-template", "t.jinja", "--json").stdout)


def test_the_verdict_tells_what_a_template_can_train_and_what_it_takes(place):
    marks = {name: each["mark"] for name, each in verdict(place, PLAIN)["capabilities"].items()}
    assert marks == {"plain chat": "✓", "multi-turn": "✓", "tools": "✗", "reasoning": "✗"}
    body = "{% if m.role == 'assistant' and loop.last %}{{ '<think></think>' }}{% endif %}{{ m.content }}"
    found = verdict(place, loop(body))["capabilities"]
    assert found["plain chat"]["mark"] == "✓"
    assert found["multi-turn"]["mark"] == "!"
    assert "times the tokens as history split; as trees" in found["multi-turn"]["text"]
    found = verdict(place, OPENS)["capabilities"]
    assert found["plain chat"]["settings"] == {"prompt_mismatch": "graft"}


def test_the_recommended_configuration_is_written_to_a_new_file_and_builds(source, place):
    (place / "t.jinja").write_text(OPENS)
    rows = source(*[chat("a", "b")] * 3)
    words = (rows, "--chat-template", "t.jinja", "--write", "c.yaml")
    shown = probe(*words)
    assert shown.code == 0
    assert shown.stdout.rstrip().endswith("prompt_mismatch: graft")
    assert run("build", "--config", "c.yaml", "--json").json["totals"]["rows_used"] == 3
    again = probe(*words)
    assert again.code == 2
    assert "is there already" in again.stderr


def test_facts_are_told_in_one_line_each_or_in_full(place):
    (place / "t.jinja").write_text(OPENS)
    short, full = (probe("--chat-template", "t.jinja", *more).stdout for more in ((), ("--facts",)))
    assert "Tried, and fits:" not in short
    assert "Tried, and fits: nothing" in " ".join(full.split())
    assert all(len(line) <= 120 for line in short.split("\n")[:18])
