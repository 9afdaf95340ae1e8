"""The hint of a rejected row: what was tried on it, and works."""

from __future__ import annotations

import pytest
from law.comparing import NOW
from law.templates import LAWS
from law.tokenizers_here import tokenizer
from refusals import ASKED, REFUSALS, TEMPLATES, called, row

from maskprep.conversation import Conversation, Where
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.advice import Adviser
from maskprep.formats import DEFAULT
from maskprep.policy import Adaptations, Mismatch, Policy

HERE = Where("rows.jsonl", 1, 0)


def preparer(template, adapt=None, kwargs=None, **policy):
    loaded = tokenizer("byte_level", "<|im_end|>")
    chosen = Policy(adaptations=Adaptations(**(adapt or {})), **policy)
    return Preparer(loaded, now=NOW, policy=chosen, template=TEMPLATES.get(template, template), variables=kwargs)


def reject(prepares, conversation, where=HERE, adviser=None):
    with pytest.raises(RowError) as caught:
        prepares.prepare(conversation)
    return (adviser or Adviser(prepares)).advise(caught.value, where, conversation)


def typed(settings):
    return " ".join(f"--set {setting}" for setting in settings.split())


@pytest.mark.parametrize("name", REFUSALS)
def test_what_is_advised_was_tried_and_uses_the_row(name):
    template, data, settings = REFUSALS[name]
    conversation = DEFAULT.parse(data)
    error = reject(preparer(template), conversation)
    assert error.hint.startswith("tried on this row, and it is used with --set")
    assert error.facts["advice"]["fits"][0] == typed(settings)
    pairs = [setting.split("=") for setting in settings.split()]
    adapt = {key.removeprefix("adapt."): value for key, value in pairs if key.startswith("adapt.")}
    kwargs = {key.removeprefix("template_kwargs."): value == "true" for key, value in pairs if "kwargs" in key}
    assert preparer(template, adapt, kwargs).prepare(conversation).sequences


def test_both_forms_of_arguments_work_where_the_template_reads_but_one():
    conversation = DEFAULT.parse(row(*ASKED[:1], called("call00001")))
    for template, wrong, right in (("adds_text", "object", "text"), ("walks", "text", "object")):
        assert preparer(template).prepare(conversation).sequences, "by default, what the template reads"
        error = reject(preparer(template, {"arguments": wrong}), conversation)
        assert error.facts["advice"]["fits"] == [f"--set adapt.arguments={right}"]
        assert preparer(template, {"arguments": right}).prepare(conversation).sequences


def test_a_prompt_that_nothing_mends_is_told_with_what_does_without():
    data = row(*ASKED[:1], {**ASKED[1], "reasoning_content": "Greet."})
    conversation = DEFAULT.parse(data)
    error = reject(preparer("always_closes"), conversation)
    assert error.code == "prompt-mismatch"
    ways = "--set prompt_mismatch=graft or --set prompt_mismatch=train"
    assert error.hint == f"tried on this row, and it is used with {ways}"
    twice = reject(preparer("always_closes"), DEFAULT.parse(row(data["messages"][0], *data["messages"])))
    assert twice.hint == f"tried on this row, and none helps: adapt.same_role; it is used with {ways}"
    for way in Mismatch.GRAFT, Mismatch.TRAIN:
        assert preparer("always_closes", mismatch=way).prepare(conversation).sequences


def test_reasoning_in_the_data_is_tried():
    error = reject(preparer(LAWS["prompt_opens_thought"].text), DEFAULT.parse(row(*ASKED)))
    assert "used with reasoning in the data; else" in error.hint
    assert error.facts["advice"]["reasoning"]


def test_nothing_is_advised_by_habit():
    for name, (template, data, _) in REFUSALS.items():
        hint = reject(preparer(template), DEFAULT.parse(data)).hint
        assert ("enable_thinking" in hint) == ("thought" in name), hint


def test_where_nothing_helps_it_says_what_was_tried():
    messages = row(*ASKED, *ASKED[:1], *ASKED)
    error = reject(preparer("refuses_all"), DEFAULT.parse(messages))
    assert error.hint.startswith("tried on this row, and none helps: adapt.same_role")
    assert error.facts["advice"]["fits"] == []
    plain = reject(preparer("refuses_all"), DEFAULT.parse(row(*ASKED)))
    assert plain.facts["advice"]["fits"] == []


def test_rows_of_the_same_kind_get_what_was_found_for_the_first_of_them():
    prepares = preparer("one_system")
    adviser, data = Adviser(prepares), REFUSALS["one system message"][1]
    first = reject(prepares, DEFAULT.parse(data), adviser=adviser)
    prepares.under = None  # nothing more can be tried
    later = reject(prepares, DEFAULT.parse(data), Where("rows.jsonl", 7, 99), adviser)
    assert later.facts["advice"] == first.facts["advice"]
    assert later.hint == first.hint.replace("this row", "rows.jsonl:1, which fails alike")


def test_as_many_kinds_are_tried_as_are_few():
    template = "{{ raise_exception('No ' ~ messages[0].content) }}"
    prepares = preparer(template)
    adviser = Adviser(prepares)
    letters = "abcdefghijklmnop"
    found = [
        reject(prepares, DEFAULT.parse(row({"role": "user", "content": one}, *ASKED)), adviser=adviser)
        for one in letters
    ]
    tried = ["advice" in error.facts for error in found]
    assert tried == [True] * 12 + [False] * 4


def test_a_row_that_is_too_long_to_be_tried_leaves_it_to_the_next():
    prepares = preparer("one_system")
    adviser, data = Adviser(prepares), REFUSALS["one system message"][1]
    long = {"messages": [*data["messages"][:-1], {"role": "assistant", "content": "x" * 60_000}]}
    assert "advice" not in reject(prepares, DEFAULT.parse(long), adviser=adviser).facts
    assert reject(prepares, DEFAULT.parse(data), adviser=adviser).facts["advice"]["fits"]


def test_other_rejects_are_left_as_they_are():
    error = RowError("too-long", "x", "y")
    assert Adviser(preparer("ids")).advise(error, HERE, Conversation(())) is error


def test_trying_changes_nothing_of_what_becomes_of_later_rows():
    """The same rows, with and without rejected ones that were tried between them: the same ids, findings and state."""
    one, two = preparer("one_system"), preparer("one_system")
    adviser = Adviser(one)
    used = [DEFAULT.parse(row({"role": "user", "content": f"Hi {n}"}, ASKED[1])) for n in range(5)]
    for number, conversation in enumerate(used):
        if number == 2:
            reject(one, DEFAULT.parse(REFUSALS["one system message"][1]), adviser=adviser)
        mine, other = one.prepare(conversation), two.prepare(conversation)
        assert mine.findings == other.findings
        assert [s.labelled.input_ids.tolist() for s in mine.sequences] == [
            s.labelled.input_ids.tolist() for s in other.sequences
        ]
    assert one.policy == two.policy
    assert one.templates[False].replays == two.templates[False].replays
