"""``verify --server``: what a server feeds its model before trained turns, with planted faults for each protocol."""

from __future__ import annotations

import json
import shutil

import builds
import pytest
from builds import jsonl
from bundled import TOKENIZER
from serving import PROTOCOLS, Server, running
from thorough import some
from transformers import AutoTokenizer

from maskprep.dataset.reader import StoredDataSet
from maskprep.errors import UsageError
from maskprep.examples.setup import limits_of
from maskprep.tokenizer.load import load_tokenizer
from maskprep.verify.command import config_of, rebuild_of
from maskprep.verify.served.check import check_server
from maskprep.verify.served.host import KEY, Host

TEMPLATE = """{{- bos_token -}}
{%- if tools %}{{ '<|im_start|>system\n' ~ (tools | tojson) ~ '<|im_end|>\n' }}{% endif -%}
{%- for m in messages -%}
{{- '<|im_start|>' ~ m.role ~ '\n' -}}
{%- if m.reasoning_content %}{{ '<think>' ~ m.reasoning_content ~ '</think>' }}{% endif -%}
{%- if m.content is string %}{{ m.content }}{% else %}{% for p in m.content or [] %}{{ '[' ~ p.text ~ ']' }}{% endfor %}
{%- endif -%}
{%- for c in m.tool_calls or [] %}{{ '<tool_call>' ~ c.function.name ~ (c.function.arguments | tojson) }}{% endfor -%}
{{- '<|im_end|>\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
{{- '<|im_start|>assistant\n' -}}{%- if polite %}{{ 'Please: ' }}{% endif -%}
{%- endif -%}
"""


def tool(name):
    return {"type": "function", "function": {"name": name, "description": "Looks.", "parameters": {"type": "object"}}}


def call(**arguments):
    return {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "look", "arguments": arguments}}]}


def said(role, content, **more):
    return {"role": role, "content": content, **more}


ROWS = (
    {"messages": [said("user", " Hi there "), said("assistant", "Hello.")]},
    {
        "messages": [
            said("system", "Be brief."),
            *(said("user", "One?"), said("assistant", "1", reasoning_content="Counting.")),
            *(said("user", "Two?"), said("assistant", "2")),
        ]
    },
    {
        "tools": [tool("look"), tool("buy")],
        "messages": [
            *(said("user", "Look."), call(where="there", at="noon"), said("tool", "Seen.")),
            *(said("assistant", "I saw it."), said("user", "Good."), said("assistant", "Bye.")),
        ],
    },
)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A build with a tokenizer that has a begin token."""
    folder = tmp_path_factory.mktemp("served")
    shutil.copytree(TOKENIZER, folder / "words")
    config = folder / "words" / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text("utf-8")), "bos_token": "<|endoftext|>"}), "utf-8")
    (folder / "t.jinja").write_text(TEMPLATE, "utf-8")
    (folder / "rows.jsonl").write_bytes(jsonl(*ROWS))
    words = ["--tokenizer", folder / "words", "--chat-template", folder / "t.jinja", "--output", folder / "out"]
    outcome = builds.run("build", folder / "rows.jsonl", *words)
    assert outcome.code == 0, outcome
    return str(folder / "out")


@pytest.fixture(scope="module")
def given(built):
    """What a check of the build is given."""
    data = StoredDataSet(built)
    loaded = load_tokenizer(data.tokenizer)
    return data, range(len(data)), rebuild_of(data, loaded), loaded, limits_of(config_of(data))


@pytest.fixture(scope="module")
def tokenizer(built):
    return AutoTokenizer.from_pretrained(f"{built}/tokenizer")


@pytest.fixture
def asked(given):
    """Ask a server about the build."""

    def ask(server, model=None):
        return check_server(*given, Host(server.url), model, lambda _: None)

    return ask


@pytest.mark.sweep
@pytest.mark.parametrize("kind", some(PROTOCOLS, 3))
def test_a_server_that_feeds_what_was_trained(asked, tokenizer, kind):
    with running(Server(tokenizer, kind)) as server:
        result = asked(server)
    assert (str(result.verdict), result.faults) == ("passed", ())
    assert result.figures["turns"] == 6
    assert result.figures["kinds"] == 6
    assert result.figures["model"] == "served"
    assert server.most <= 4
    assert any("loss_content" in name for name in result.figures) == (kind in {"vllm", "sglang"})


def each(asked, change):
    return {**asked, "messages": [change(dict(message)) for message in asked["messages"]]}


def reordered(message):
    for one in message.get("tool_calls") or ():
        one["function"]["arguments"] = dict(sorted(one["function"]["arguments"].items()))
    return message


def parts(message):
    return {**message, "content": [{"type": "text", "text": message["content"]}]}


FAULTS = {
    "the begin token stands twice": (None, lambda ids: [ids[0], *ids]),
    "the begin token is left out": (None, lambda ids: ids[1:]),
    "template variable polite is true": (lambda asked: {**asked, "polite": True}, None),
    "does not ask for an answer": (lambda asked: {**asked, "add_generation_prompt": False}, None),
    "earlier reasoning is dropped": (lambda asked: each(asked, lambda m: {**m, "reasoning_content": None}), None),
    "contents reach the template as lists of parts": (lambda asked: each(asked, parts), None),
    "contents are trimmed": (lambda asked: each(asked, lambda m: {**m, "content": m["content"].strip()}), None),
    "keys of tool arguments come in another order": (lambda asked: each(asked, reordered), None),
    "the tools come in another order": (
        lambda asked: {**asked, "tools": asked["tools"] and asked["tools"][::-1]},
        None,
    ),
    "the tools are left out": (lambda asked: {**asked, "tools": None}, None),
    "the system message is left out": (
        lambda asked: {**asked, "messages": [m for m in asked["messages"] if m["role"] != "system"]},
        None,
    ),
    "another chat template": (
        lambda asked: {**asked, "chat_template": "{% for m in messages %}### {{ m.content }}\n{% endfor %}"},
        None,
    ),
}


@pytest.mark.sweep
@pytest.mark.parametrize("kind", some(PROTOCOLS, 3))
def test_every_planted_fault_is_found_and_named(asked, tokenizer, kind):
    with running(Server(tokenizer, kind)) as server:
        for cause, (change, changed_ids) in FAULTS.items():
            server.change = change or (lambda asked: asked)
            server.changed_ids = changed_ids or (lambda ids: ids)
            result = asked(server)
            assert str(result.verdict) == "failed", cause
            assert result.fault_count
            assert any(cause in flag for flag in result.flags), (cause, result.flags)
            assert "ids" in result.faults[0]
            assert "messages[" in result.faults[0]


def test_the_first_difference_is_shown_as_text_and_as_ids(asked, tokenizer):
    with running(Server(tokenizer)) as server:
        server.change = lambda asked: {**asked, "polite": True}
        fault = asked(server).faults[0]
    assert "assistant\\nPlease: ' (ids" in fault
    assert "ids nothing more here" in fault


def test_a_model_is_asked_for_by_its_name(asked, tokenizer):
    with running(Server(tokenizer)) as server:
        server.models = ["one", "two"]
        result = asked(server)
        assert (str(result.verdict), "--served-model" in result.advice) == ("failed", True)
        assert asked(server, "two").figures["model"] == "two"
        assert server.requests[-1][1]["model"] == "two"
        assert "it has one, two" in asked(server, "three").faults[0]


def test_a_server_that_is_busy_is_asked_again(asked, tokenizer, monkeypatch):
    monkeypatch.setattr("maskprep.verify.served.host._PAUSE", 0.001)
    with running(Server(tokenizer)) as server:
        server.failures = [503, 429]
        assert str(asked(server).verdict) == "passed"
        server.failures = [503] * 100
        result = asked(server)
    assert str(result.verdict) == "failed"
    assert "answered 503" in result.faults[0]


def test_nothing_goes_to_another_host_and_the_key_comes_from_the_environment(asked, tokenizer, monkeypatch):
    monkeypatch.setenv(KEY, "secret")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with running(Server(tokenizer)) as server:
        result = asked(server)
        assert str(result.verdict) == "passed"
        assert server.requests[0][2]["Authorization"] == "Bearer secret"
        assert "secret" not in json.dumps(result.as_json())
        server.failures = [307] * 100
        assert "answered 307" in asked(server).faults[0]


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://there", "http://me:secret@there", "http://"])
def test_what_is_no_server(url):
    with pytest.raises(UsageError, match="--server") as caught:
        Host(url)
    assert "secret" not in str(caught.value)


def test_a_server_that_is_not_there(asked, monkeypatch):
    monkeypatch.setattr("maskprep.verify.served.host._PAUSE", 0.001)
    dead = Server(None)
    dead.url = "http://127.0.0.1:9"
    result = asked(dead)
    assert str(result.verdict) == "failed"
    assert "does not answer" in result.faults[0]
    assert "is it running there" in result.advice


def test_a_template_that_tells_the_date_is_blamed_for_it_and_for_nothing_else(tmp_path):
    template = "{{ strftime_now('%d %B %Y') }}\n" + TEMPLATE
    (tmp_path / "dated.jinja").write_text(template, "utf-8")
    (tmp_path / "rows.jsonl").write_bytes(jsonl(ROWS[0]))
    words = ["--tokenizer", TOKENIZER, "--chat-template", tmp_path / "dated.jinja", "--output", tmp_path / "out"]
    now = ["--set", "now=2020-01-31T12:00:00+00:00"]
    assert builds.run("build", tmp_path / "rows.jsonl", *words, *now).code == 0
    data = StoredDataSet(str(tmp_path / "out"))
    loaded = load_tokenizer(data.tokenizer)
    facts = data, range(len(data)), rebuild_of(data, loaded), loaded, limits_of(config_of(data))
    with running(Server(AutoTokenizer.from_pretrained(data.tokenizer))) as server:
        result = check_server(*facts, Host(server.url), None, lambda _: None)
        assert str(result.verdict) == "failed"
        assert any("the template tells the date" in flag for flag in result.flags), result.flags
        server.change = lambda asked: {**asked, "messages": asked["messages"][:0]}
        result = check_server(*facts, Host(server.url), None, lambda _: None)
        assert not any("the template tells the date" in flag for flag in result.flags)


def test_the_command_asks(built, tokenizer):
    with running(Server(tokenizer)) as server:
        outcome = builds.run("verify", built, "--rows", "2", "--server", server.url, "--json")
        assert outcome.code == 0
        checks = {check["check"]: check for check in outcome.json["checks"]}
        assert checks["server"]["verdict"] == "passed"
        server.change = lambda asked: {**asked, "polite": True}
        outcome = builds.run("verify", built, "--rows", "2", "--server", server.url)
    assert outcome.code == 1
    assert "the template variable polite is true there" in " ".join(outcome.stdout.split())
    assert builds.run("verify", built, "--served-model", "x").code == 2
    assert builds.run("verify", built, "--server", "nowhere").code == 2
