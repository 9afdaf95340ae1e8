"""What `adapt` makes of conversations: nothing is lost, nothing counts otherwise in the loss, what changed is told."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law.comparing import NOW
from law.templates import LAWS
from law.tokenizers_here import tokenizer

from maskprep.conversation import Conversation, Message, Range
from maskprep.examples import Preparer
from maskprep.examples.adapt import adapt
from maskprep.labelled import IGNORED
from maskprep.policy import ADAPTATIONS, Adaptations, Policy

TRAINED = frozenset({"assistant"})


def say(role, content="", weight=1.0, ranges=(), **fields):
    return Message({"role": role, "content": content, **fields}, weight, tuple(ranges))


def call(*ids, **arguments):
    function = {"name": "f", "arguments": arguments or {"x": 1}}
    return [{**({"id": id_} if id_ else {}), "type": "function", "function": dict(function)} for id_ in ids]


def policy(trained=TRAINED, **chosen):
    return Policy(roles=frozenset(trained), adaptations=Adaptations(**chosen))


def adapted(*messages, trained=TRAINED, **chosen):
    return adapt(Conversation(tuple(messages)), policy(trained, **chosen))


def told(conversation):
    return [(message.role, message.fields["content"]) for message in conversation.messages]


def codes(conversation):
    return [finding.code for finding in conversation.findings]


def test_nothing_is_changed_unless_it_is_asked_for():
    conversation = Conversation((say("assistant", "Hi"), say("assistant", "Hi"), say("system", "x"), say("tool", "1")))
    assert adapt(conversation, policy()) is conversation


@pytest.mark.parametrize(("name", "value"), [(name, value) for name, values in ADAPTATIONS.items() for value in values])
def test_a_conversation_that_needs_no_adaptation_is_left_as_it_is(name, value):
    conversation = Conversation((say("user", "Hi"), say("assistant", "Hello.")))
    assert adapt(conversation, policy(**{name: value})) is conversation


def test_later_system_messages_go_into_the_first_one():
    found = adapted(
        say("system", "One.", name="boss"),
        say("user", "Hi"),
        say("developer", "Two."),
        say("assistant", "Hello."),
        say("system", "Three."),
        system="merge",
    )
    assert told(found) == [("system", "One.\n\nTwo.\n\nThree."), ("user", "Hi"), ("assistant", "Hello.")]
    assert found.messages[0].fields["name"] == "boss"
    assert codes(found) == ["system-merged"]


def test_a_system_message_that_comes_late_goes_to_the_beginning():
    found = adapted(say("user", "Hi"), say("system", "Be brief."), say("assistant", "Hello."), system="merge")
    assert told(found) == [("system", "Be brief."), ("user", "Hi"), ("assistant", "Hello.")]


CHAT = (
    say("system", "One."),
    say("user", "Hi"),
    say("assistant", "Hello."),
    say("system", "Two."),
    say("system", "Three."),
    say("user", "Bye"),
    say("assistant", "Bye!"),
    say("system", "Four."),
    say("assistant", "Still here."),
)


def test_later_system_messages_go_in_front_of_the_text_of_the_next_user_message():
    assert told(adapted(*CHAT, system="user")) == [
        ("system", "One."),
        ("user", "Hi"),
        ("assistant", "Hello."),
        ("user", "Two.\n\nThree.\n\nBye"),
        ("assistant", "Bye!"),
        ("user", "Four."),
        ("assistant", "Still here."),
    ]


def test_the_first_system_message_becomes_the_users_only_where_all_do():
    assert told(adapted(*CHAT, system="user_all"))[0] == ("user", "One.\n\nHi")


def test_neighbours_of_one_role_become_one_message():
    found = adapted(
        say("user", "Hi"),
        say("user", "Are you there?"),
        say("assistant", "Yes."),
        say("assistant", ""),
        say("assistant", "How can I help?", reasoning_content=""),
        same_role="join",
    )
    assert told(found) == [("user", "Hi\n\nAre you there?"), ("assistant", "Yes.\n\nHow can I help?")]
    assert found.messages[1].weight == 1
    assert not found.messages[1].ranges
    assert codes(found) == ["same-role-joined"]


def test_results_of_tools_are_no_neighbours_that_could_be_joined():
    messages = (say("user", "Hi"), say("assistant", tool_calls=call("a", "b")), say("tool", "1"), say("tool", "2"))
    assert adapted(*messages, same_role="join").messages == messages


@pytest.mark.parametrize(
    "pair",
    [
        (say("assistant", "Wait.", tool_calls=call("a")), say("assistant", "Text behind a call.")),
        (say("assistant", "Wait."), say("assistant", "Yes.", reasoning_content="A thought behind text.")),
        (say("user", "Hi", name="Ann"), say("user", "Hi", name="Bob")),
        (say("assistant", tool_calls=call("a")), say("assistant", weight=0.0, tool_calls=call("b"))),
        (say("assistant", "Yes."), Message({"role": "assistant", "content": "It is"}, prefix=True)),
    ],
)
def test_neighbours_that_cannot_be_one_message_stay_apart(pair):
    assert adapted(*pair, same_role="join").messages == pair


def test_thoughts_and_calls_are_joined_where_their_order_stays():
    found = adapted(
        say("assistant", "", thinking="First."),
        say("assistant", "", reasoning_content="Second."),
        say("assistant", "Look.", tool_calls=call("a")),
        say("assistant", "", tool_calls=call("b")),
        same_role="join",
    )
    (message,) = found.messages
    assert message.fields["reasoning_content"] == "First.\n\nSecond."
    assert "thinking" not in message.fields
    assert message.fields["content"] == "Look."
    assert [each["id"] for each in message.fields["tool_calls"]] == ["a", "b"]


def weight_of_each(message):
    """The weight of each character of the content, by the rule that the later one of two ranges counts."""
    weights = [message.weight] * len(message.fields["content"])
    for span in message.ranges:
        if span.field == "content":
            weights[span.start : span.end] = [span.weight] * (span.end - span.start)
    return weights


TEXTS = st.text("ab\n", max_size=6)
WEIGHTS = st.sampled_from([0.0, 0.5, 1.0])


@st.composite
def messages(draw):
    text = draw(TEXTS)
    edges = sorted(draw(st.lists(st.integers(0, len(text)), min_size=2, max_size=2)))
    ranges = draw(st.sampled_from([(), (Range("content", *edges, draw(WEIGHTS)),)]))
    return say("assistant", text, draw(WEIGHTS), ranges)


@given(st.lists(messages(), min_size=1, max_size=4))
def test_each_character_counts_in_the_loss_as_it_did_before(parts):
    found = adapted(*parts, same_role="join")
    (message,) = found.messages
    assert message.weight == parts[-1].weight, "it is the last one that ends the turn"
    wanted = [weight for part in parts for weight in weight_of_each(part)]
    said = [part.fields["content"] for part in parts if part.fields["content"]]
    assert message.fields["content"] == "\n\n".join(said)
    kept, start = [], 0
    weights = weight_of_each(message)
    for text in said:
        kept += weights[start : start + len(text)]
        start += len(text) + 2
    assert kept == wanted


def test_a_message_out_of_the_loss_stays_out_of_it_when_it_is_joined():
    law = LAWS["chatml"]
    policy = Policy(adaptations=Adaptations(same_role="join"))
    preparer = Preparer(tokenizer("byte_level", law.eos, law.stops), now=NOW, policy=policy, template=law.text)
    rows = [say("user", "Hi"), say("assistant", "Yes.", 0.0), say("assistant", "How can I help?")]
    (sequence,) = preparer.prepare(Conversation(tuple(rows))).sequences
    labels = sequence.labelled.labels
    learnt = preparer.loaded.tokenizer.decode(labels[labels != IGNORED])
    assert learnt == "How can I help?<|im_end|>"
    rows[1:] = [say("assistant", "Yes"), say("assistant", "How can I help?", 0.0)]
    (sequence,) = preparer.prepare(Conversation(tuple(rows))).sequences
    labels = sequence.labelled.labels
    assert preparer.loaded.tokenizer.decode(labels[labels != IGNORED]) == "Yes"


@pytest.mark.parametrize("chosen", [{"system": "user_all"}, {"tool_results": "user"}])
def test_text_that_comes_to_a_trained_role_is_not_trained_for_that(chosen):
    rows = (say("system", "Be brief."), say("user", "Hi"), say("tool", "Result."))
    found = adapted(*rows, trained={"user"}, **chosen)
    law = LAWS["chatml"]
    policy = Policy(adaptations=Adaptations(**chosen), roles=frozenset({"user"}))
    preparer = Preparer(tokenizer("byte_level", law.eos, law.stops), now=NOW, policy=policy, template=law.text)
    learnt = []
    for sequence in preparer.prepare(Conversation(rows)).sequences:
        labels = sequence.labelled.labels
        learnt.append(preparer.loaded.tokenizer.decode(labels[labels != IGNORED]))
    assert learnt == ["Hi<|im_end|>"]
    assert found.messages[-1].role == ("tool" if "system" in chosen else "user")


def ids(conversation):
    calls = [each.get("id") for m in conversation.messages for each in m.fields.get("tool_calls", ())]
    return calls, [m.fields.get("tool_call_id") for m in conversation.messages if m.role == "tool"]


def test_ids_become_nine_letters_and_digits_in_calls_and_results_alike():
    rows = (
        say("user", "Hi"),
        say("assistant", tool_calls=call("call_abc12345678901234567890", "good4nine")),
        say("tool", "2", tool_call_id="good4nine"),
        say("tool", "1", tool_call_id="call_abc12345678901234567890"),
    )
    found = adapted(*rows, tool_call_ids="short")
    calls, results = ids(found)
    assert calls[1] == "good4nine", "what fits stays"
    assert results == calls[::-1]
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", id_) for id_ in calls)
    assert codes(found) == ["tool-call-ids-shortened"]
    assert ids(adapted(*rows, tool_call_ids="short")) == (calls, results), "the same row, the same ids"


def test_ids_are_made_where_there_are_none_and_results_follow_the_order_of_calls():
    rows = (
        say("assistant", tool_calls=call("", "")),
        say("tool", "1"),
        say("tool", "2", tool_call_id=7),
        say("assistant", tool_calls=call("")),
        say("tool", "3"),
    )
    found = adapted(*rows, tool_call_ids="short")
    calls, results = ids(found)
    assert calls == results
    assert len(set(calls[:2])) == 2
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", id_) for id_ in calls)


def test_calls_without_results_get_ids_too():
    calls, _ = ids(adapted(say("user", "Hi"), say("assistant", tool_calls=call("", "x")), tool_call_ids="short"))
    assert len({*calls}) == 2


@given(st.lists(st.text("abc123", min_size=1, max_size=4), unique=True, max_size=30))
def test_other_ids_never_become_the_same(given_ids):
    calls, _ = ids(adapted(say("assistant", tool_calls=call(*given_ids)), tool_call_ids="short"))
    assert len(set(calls)) == len(given_ids)


def test_results_of_tools_become_user_messages():
    rows = (say("user", "Hi"), say("assistant", "Look."), say("tool", "1", tool_call_id="a", name="f"))
    found = adapted(*rows, tool_results="user")
    assert found.messages[2].fields == {"role": "user", "content": "1"}
    assert codes(found) == ["tool-results-as-user"]


def test_arguments_take_the_form_that_is_asked_for():
    text = adapted(say("assistant", tool_calls=call("a", city="Åre")), arguments="text")
    assert text.messages[0].fields["tool_calls"][0]["function"]["arguments"] == '{"city": "Åre"}'
    assert codes(text) == ["arguments-changed"]
    back = adapt(replace(text, findings=()), policy(arguments="object"))
    assert back.messages[0].fields["tool_calls"][0]["function"]["arguments"] == {"city": "Åre"}
    loose = call("a")
    loose[0]["function"]["arguments"] = "no JSON"
    assert codes(adapted(say("assistant", tool_calls=loose), arguments="object")) == []


@pytest.mark.parametrize("system", [(), (say("system", "Be brief."),)])
def test_what_an_assistant_says_before_anybody_asks_is_left_out(system):
    rest = (say("user", "Hi"), say("assistant", "Hello."))
    greeting = (say("assistant", "Welcome!", tool_calls=call("a")), say("tool", "1"), say("assistant", "Ask me."))
    found = adapted(*system, *greeting, *rest, first_assistant="drop")
    assert found.messages == (*system, *rest)
    assert codes(found) == ["first-assistant-dropped"]
    alone = Conversation((*system, *greeting))
    assert adapt(alone, policy(first_assistant="drop")) is alone, "nothing would be left"


def test_what_other_adaptations_bring_together_is_joined():
    found = adapted(
        say("user", "Go"),
        say("assistant", "I look."),
        say("tool", "1"),
        say("tool", "2"),
        say("system", "Now be brief."),
        say("user", "So?"),
        system="user",
        tool_results="user",
        same_role="join",
    )
    assert told(found)[2:] == [("user", "1\n\n2\n\nNow be brief.\n\nSo?")]


def test_replays_make_of_adapted_conversations_what_is_made_without_them():
    law = LAWS["chatml_calls"]
    adaptations = Adaptations("merge", "join", "short", "user", "text", "drop")
    one, two = (
        Preparer(
            tokenizer("byte_level", law.eos, law.stops),
            now=NOW,
            policy=Policy(adaptations=adaptations),
            template=law.text,
        )
        for _ in range(2)
    )
    for number in range(6):
        rows = (
            say("assistant", f"Welcome {number}!"),
            say("user", f"Hi {number}"),
            say("user", "Are you there?"),
            say("system", f"Be brief, {number}."),
            say("assistant", "Look.", tool_calls=call(f"call_{number}", x=number)),
            say("tool", f"{number}", tool_call_id=f"call_{number}"),
            say("assistant", f"It is {number}."),
        )
        two.begin()
        for template in two.templates.values():
            template.replays = False
        fast, slow = (preparer.prepare(Conversation(rows)) for preparer in (one, two))
        assert fast.findings == slow.findings
        assert {"system-merged", "same-role-joined", "first-assistant-dropped"} <= {f.code for f in fast.findings}
        for mine, other in zip(fast.sequences, slow.sequences, strict=True):
            assert np.array_equal(mine.labelled.input_ids, other.labelled.input_ids)
            assert np.array_equal(mine.labelled.labels, other.labelled.labels)
            assert mine.labelled.spans == other.labelled.spans
