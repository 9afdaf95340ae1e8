"""What is advised for published templates that refuse rows, and that a row is used with it; no false alarm."""

from __future__ import annotations

import json

import pytest
from law.comparing import NOW
from law.shapes import assistant, system, tool, user
from refusals import ASKED, called, row

from maskprep.conversation import Where
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.advice import Adviser
from maskprep.examples.markers import markers_told
from maskprep.formats import DEFAULT
from maskprep.policy import Adaptations, Policy
from maskprep.tokenizer.load import load_tokenizer

pytestmark = pytest.mark.assets

NEMO = "mistralai-Mistral-Nemo-Instruct-2407.jinja"
V3 = "mistralai-Mistral-7B-Instruct-v0.3.jinja"
LATE = row(system("A."), *ASKED, system("B."), *ASKED)
SPEAKER = row(user("Hi"), user("There?"), assistant("Yes."), assistant("How can I help?"))
THOUGHT = {"reasoning_content": "Greet."}
CASES = {
    "gemma3, a late system": ("gemma3", None, LATE, "adapt.system=merge"),
    "gemma3, one speaker twice": ("gemma3", None, SPEAKER, "adapt.same_role=join"),
    "gemma3, a greeting": ("gemma3", None, row(assistant("Hi!"), *ASKED), "adapt.first_assistant=drop"),
    "gemma3, a tool": (
        "gemma3",
        None,
        row(user("Go"), assistant("I look."), tool("1"), assistant("Done.")),
        "adapt.tool_results=user",
    ),
    "gemma3, tools": (
        "gemma3",
        None,
        row(user("Go"), assistant("I look."), tool("1"), tool("2"), assistant("Done.")),
        "adapt.same_role=join adapt.tool_results=user",
    ),
    "gemma2, a system": ("gemma3", "google-gemma-2-2b-it.jinja", row(system("A."), *ASKED), "adapt.system=user_all"),
    "mistral, ids": (
        "qwen3",
        NEMO,
        row(
            user("Go"), called(), tool("1", tool_call_id="call_abc12345678901234567890"), assistant("Done."), tools=True
        ),
        "adapt.tool_call_ids=short",
    ),
    "mistral, a greeting": ("qwen3", NEMO, row(assistant("Hi!"), *ASKED), "adapt.first_assistant=drop"),
    "mistral, system and greeting": (
        "qwen3",
        V3,
        row(system("A."), assistant("Hi!"), *ASKED),
        "adapt.system=user_all",
    ),
    "qwen3.5, a late system": ("qwen3", "Qwen-Qwen3.5-0.8B.jinja", LATE, "adapt.system=merge"),
    "qwen3.5 small, reasoning": (
        "qwen3",
        "Qwen-Qwen3.5-0.8B.jinja",
        row(user("Hi"), assistant("Hello.", **THOUGHT)),
        "template_kwargs.enable_thinking=true",
    ),
}
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
TOKENIZERS = ("qwen3", "qwen2_5", "llama3_1", "gemma3", "gptoss", "deepseek_v3")


@pytest.fixture(scope="module")
def loaded(assets):
    known = {}

    def load(name):
        if name not in known:
            known[name] = load_tokenizer(str(assets / "tokenizers" / name))
        return known[name]

    return load


@pytest.mark.parametrize("name", CASES)
def test_what_is_advised_uses_the_row(name, loaded, assets):
    tokenizer, template, data, wanted = CASES[name]
    text = (assets / "templates" / template).read_text("utf-8") if template else None
    conversation = DEFAULT.parse(data)
    preparer = Preparer(loaded(tokenizer), now=NOW, policy=Policy(), template=text)
    with pytest.raises(RowError) as caught:
        preparer.prepare(conversation)
    error = Adviser(preparer).advise(caught.value, Where("x", 1, 0), conversation)
    assert error.facts["advice"]["fits"][0] == " ".join(f"--set {setting}" for setting in wanted.split()), error.hint
    settings = dict(setting.split("=") for setting in wanted.split())
    adapt = {key.removeprefix("adapt."): value for key, value in settings.items() if key.startswith("adapt.")}
    kwargs = {
        key.removeprefix("template_kwargs."): value == "true" for key, value in settings.items() if "kwargs" in key
    }
    policy = Policy(adaptations=Adaptations(**adapt))
    assert Preparer(loaded(tokenizer), now=NOW, policy=policy, template=text, variables=kwargs).prepare(conversation)


def told(loaded, template=None):
    """Return what is told of every row, by template: markers that are no tokens."""
    preparer = Preparer(loaded, now=NOW, policy=Policy(), template=template)
    return {markers_told(chat, loaded, preparer.encoder, preparer.stops) for chat in preparer.templates.values()}


@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_tokenizer_raises_no_alarm_about_the_markers_of_its_own_template(name, loaded):
    assert told(loaded(name)) == {()}


def test_chatml_is_spelt_in_pieces_by_a_tokenizer_of_another_template(loaded):
    ((found,),) = told(loaded("llama3_1"), CHATML)
    assert json.dumps(["<|im_end|>", "<|im_start|>"]) in found.detail
    assert told(loaded("qwen3"), CHATML) == {()}
