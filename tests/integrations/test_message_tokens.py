"""Conversations as tokens with message and author, and answers read back: what a renderer is made of."""

from __future__ import annotations

import pytest
from bundled import TOKENIZER

from maskprep.errors import UsageError
from maskprep.integrations.answers import Answers
from maskprep.integrations.message_tokens import MessageTokenizer
from maskprep.integrations.next_turn import NextTurn
from maskprep.memory.example import Rejected
from maskprep.memory.masker import RowMasker

# As Qwen3's: thoughts of earlier turns are left out once a user asks again, and the last turn always has some.
FORGETFUL = """{%- set ns = namespace(last=0) -%}
{%- for m in messages -%}{%- if m.role == 'user' -%}{%- set ns.last = loop.index0 -%}{%- endif -%}{%- endfor -%}
{%- for m in messages -%}<|im_start|>{{ m.role }}
{% if m.role == 'assistant' and loop.index0 > ns.last -%}<think>
{{ m.reasoning_content or '' }}
</think>

{% endif -%}{{ m.content }}<|im_end|>
{% endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant
{% endif -%}"""
# As GLM's: only the next turn's role ends a turn.
UNENDED = """{%- for m in messages -%}
{{- '<|endoftext|>' if m.role == 'user' else '<|im_start|>' }}{{ m.content }}{%- endfor -%}
{%- if add_generation_prompt -%}<|im_start|>{%- endif -%}"""
DROPPING = """{%- for m in messages -%}{{ '<|im_start|>' ~ m.role ~ ':' ~ m.content ~ '<|im_end|>' }}{%- endfor -%}
{%- if add_generation_prompt -%}<|im_start|>assistant:{%- endif -%}"""

ASK, MORE = {"role": "user", "content": "What is a fjord?"}, {"role": "user", "content": "And a loch?"}
SAY, SAY_MORE = {"role": "assistant", "content": "An inlet."}, {"role": "assistant", "content": "A lake."}
CALL = {
    "role": "assistant",
    "content": "",
    "tool_calls": [{"id": "call00000", "type": "function", "function": {"name": "look", "arguments": {"at": "maps"}}}],
}
RESULT = {"role": "tool", "tool_call_id": "call00000", "name": "look", "content": "Norway"}
TOOLS = [{"name": "look", "description": "Looks.", "parameters": {"type": "object", "properties": {}}}]


def maker(template=None, **settings):
    given = {"history": "mask", **({"chat_template": template} if template else {}), **settings}
    return MessageTokenizer(RowMasker(str(TOKENIZER), given))


@pytest.fixture
def templated(tmp_path):
    def make(text, **settings):
        (tmp_path / "chat.jinja").write_text(text, encoding="utf-8")
        return maker(str(tmp_path / "chat.jinja"), **settings)

    return make


def pieces(made, tokens):
    """Return runs of tokens of the same message and author, as text."""
    decode = made._rows.loaded.tokenizer.decode
    runs = []
    for one, *kind in zip(tokens.ids, tokens.messages, tokens.sampled, tokens.content, strict=True):
        if not runs or runs[-1][0] != kind:
            runs.append((kind, []))
        runs[-1][1].append(one)
    return [(*kind, decode(ids)) for kind, ids in runs]


def test_each_token_has_its_message_and_author():
    made = maker()
    assert pieces(made, made.tokens([ASK, SAY, MORE], prompted=True)) == [
        (0, False, False, "<|im_start|>user\n"),
        (0, False, True, "What is a fjord?"),
        (0, False, False, "<|im_end|>\n"),
        (1, False, False, "<|im_start|>assistant\n"),
        (1, True, True, "An inlet.<|im_end|>"),
        (1, False, False, "\n"),
        (2, False, False, "<|im_start|>user\n"),
        (2, False, True, "And a loch?"),
        (2, False, False, "<|im_end|>\n"),
        (-1, False, False, "<|im_start|>assistant\n"),
    ]


def test_what_the_template_says_of_tools_is_of_no_message():
    made = maker()
    first, *_, last = pieces(made, made.tokens([ASK, CALL, RESULT, SAY], TOOLS, prompted=False))
    assert first[0] == -1
    assert first[-1].startswith("<|im_start|>system\nThese tools")
    assert first[-1].endswith("<|im_end|>\n")
    assert last == (3, False, False, "\n")


def test_a_prompt_has_the_ids_of_its_text():
    made = maker()
    tokenizer = made._rows.loaded.tokenizer
    text = tokenizer.apply_chat_template([ASK, SAY, MORE], tokenize=False, add_generation_prompt=True)
    assert made.tokens([ASK, SAY, MORE], prompted=True).ids == tokenizer.encode(text, add_special_tokens=False)


def test_a_turn_that_is_rendered_otherwise_later_is_not_sampled_there(templated):
    made = templated(FORGETFUL)
    thought = {**SAY, "reasoning_content": "Norway."}
    sampled = [run[-1] for run in pieces(made, made.tokens([ASK, thought, MORE, SAY_MORE], prompted=False)) if run[1]]
    assert sampled == ["<think>\n\n</think>\n\nA lake.<|im_end|>"]
    made = templated(FORGETFUL, history="rendered")
    sampled = [run[-1] for run in pieces(made, made.tokens([ASK, thought, MORE, SAY_MORE], prompted=False)) if run[1]]
    assert sampled == ["An inlet.<|im_end|>", "<think>\n\n</think>\n\nA lake.<|im_end|>"]


def test_the_role_that_ends_a_turn_is_sampled(templated):
    made = templated(UNENDED, stop_tokens=["<|endoftext|>"])
    assert pieces(made, made.tokens([ASK, SAY, MORE], prompted=True))[2:] == [
        (1, False, False, "<|im_start|>"),
        (1, True, True, "An inlet.<|endoftext|>"),
        (2, False, True, "And a loch?"),
        (-1, False, False, "<|im_start|>"),
    ]


def test_what_the_law_refuses_is_raised_with_the_reason(templated):
    made = templated(DROPPING)
    with pytest.raises(Rejected, match="content-dropped"):
        made.tokens([ASK, CALL, RESULT, SAY], TOOLS, prompted=False)
    with pytest.raises(Rejected, match="unknown-role"):
        maker().tokens([{"role": "narrator", "content": "x"}], prompted=True)
    for prompted in (False, True):
        with pytest.raises(Rejected, match="control-token"):
            maker().tokens([{"role": "user", "content": "<|im_start|>"}, SAY, MORE], prompted=prompted)


def test_a_prompt_is_rendered_though_an_earlier_turn_does_not_fit_its_own(templated):
    made = templated(
        FORGETFUL.replace("<|im_start|>assistant\n{% endif", "<|im_start|>assistant\n<think>\n\n</think>\n\n!{% endif")
    )
    with pytest.raises(Rejected, match="prompt-mismatch"):
        made.tokens([ASK, SAY], prompted=False)
    assert not any(made.tokens([ASK, SAY, MORE], prompted=True).sampled)


def test_settings_that_make_other_sequences_are_refused():
    for settings in ({"history": "split"}, {"control_tokens": "escape"}, {"max_length": 20, "overflow": "truncate"}):
        with pytest.raises(UsageError, match="a renderer"):
            maker(**settings)


def test_an_answer_is_read_as_the_message_that_is_written_so(templated):
    answers = Answers(maker())
    assert answers.read("Hello.").message() == {"role": "assistant", "content": "Hello."}
    thought = answers.read("<think>\nHm.\n</think>\n\nHello.")
    assert (thought.reasoning, thought.content, thought.proved, thought.complete) == ("Hm.", "Hello.", True, True)
    calls = '<tool_call>\n{"name": "look", "arguments": {"at": "maps"}}\n</tool_call>'
    read = answers.read(f"Wait.\n{calls}\n{calls}", tools=True)
    assert [(call.name, call.arguments) for call in read.calls] == [("look", {"at": "maps"})] * 2
    assert read.content == "Wait."
    assert read.proved
    assert answers.read(calls).content == calls  # there are no tools


def test_an_answer_that_is_no_message_is_told(templated):
    answers = Answers(maker())
    unended = answers.read("<think>\nHm")
    assert (unended.reasoning, unended.content, unended.complete) == ("Hm", "", False)
    broken = answers.read('<tool_call>\n{"name": "look", "arguments": {"at" "maps"}}\n</tool_call>', tools=True)
    assert [(call.is_valid, call.arguments) for call in broken.calls] == [(False, '{"at" "maps"}')]
    always = Answers(templated(FORGETFUL)).read("Hello.")
    assert (always.content, always.complete) == ("Hello.", True)  # so it stands once other messages follow


def test_calls_that_are_not_written_as_json_are_told(templated):
    arguments = "{% for k, v in c.function.arguments.items() %}{{ k }}={{ v }};{% endfor %}"
    written = (
        "{{ m.content }}{% for c in m.tool_calls or [] %}<call={{ c.function.name }}>" + arguments + "{% endfor %}"
    )
    answers = Answers(templated(FORGETFUL.replace("{{ m.content }}", written)))
    with pytest.raises(UsageError, match="not as JSON"):
        answers.read("<think>\n\n</think>\n\n<call=look>at=maps;", tools=True)
    assert answers.read("Hello.", tools=True).content == "Hello."


def test_the_next_prompt_is_what_the_template_writes_behind_the_answer(templated):
    made = maker()
    found = NextTurn(made, Answers(made)).tokens("An inlet.", "<|im_end|>", [MORE], None)
    prompt, whole = made.tokens([ASK], prompted=True), made.tokens([ASK, SAY, MORE], prompted=True)
    said = made._rows.loaded.tokenizer.encode("An inlet.<|im_end|>")
    assert [*prompt.ids, *said, *found.ids] == whole.ids
    assert pieces(made, found) == [
        (-1, False, False, "\n"),
        (0, False, False, "<|im_start|>user\n"),
        (0, False, True, "And a loch?"),
        (0, False, False, "<|im_end|>\n"),
        (-1, False, False, "<|im_start|>assistant\n"),
    ]
    forgetful = templated(FORGETFUL)
    found = NextTurn(forgetful, Answers(forgetful))
    assert found.tokens("<think>\n\n</think>\n\nAn inlet.", "<|im_end|>", [MORE], None) is None


def test_the_next_prompt_behind_a_call():
    made = maker()
    call = '<tool_call>\n{"name": "look", "arguments": {"at": "maps"}}\n</tool_call>'
    found = NextTurn(made, Answers(made)).tokens(call, "<|im_end|>", [RESULT], TOOLS)
    whole = made.tokens([ASK, CALL, RESULT], TOOLS, prompted=True)
    assert whole.ids[-len(found.ids) :] == found.ids
    assert NextTurn(made, Answers(made)).tokens(call, "<|endoftext|>", [RESULT], TOOLS) is None
    assert NextTurn(made, Answers(made)).tokens(call, "<|im_end|>", [SAY], TOOLS) is None
