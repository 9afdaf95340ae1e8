"""Builds of turns as they were generated: ids as they were sampled, drift, chains and branches, and verification."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builds import THINKS, rejects, run
from bundled import TOKENIZER
from datasets import load_from_disk
from transformers import AutoTokenizer

from maskprep.dataset.reader import StoredDataSet
from maskprep.dataset.trees import unrolled
from maskprep.labelled import IGNORED

ASKED, ANSWERED = "What is the weather like?", "the weather is fine"
AGAIN, DONE = "And tomorrow?", "No idea."


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(TOKENIZER)


class Server:
    """What a server feeds and samples: it answers letter by letter, in ids that no encoding of the answer gives."""

    def __init__(self, tokenizer, template=None):
        self.tokenizer, self.template = tokenizer, {"chat_template": template} if template else {}

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def letters(self, text, stop="<|im_end|>"):
        return [number for letter in text for number in self.ids(letter)] + self.ids(stop)

    def prompt(self, *messages):
        text = self.tokenizer.apply_chat_template(
            list(messages), add_generation_prompt=True, tokenize=False, **self.template
        )
        return self.ids(text)

    def turn(self, prompt, completion, **more):
        return {"prompt_token_ids": prompt, "token_ids": completion, **more}


USERS = [{"role": "user", "content": ASKED}, {"role": "user", "content": AGAIN}]
SAID = [{"role": "assistant", "content": ANSWERED}, {"role": "assistant", "content": DONE}]


@pytest.fixture(scope="module")
def server(tokenizer):
    return Server(tokenizer)


@pytest.fixture(scope="module")
def going_on(server):
    """A conversation of two turns whose second prompt holds the sampled ids of the first answer."""
    first = server.turn(server.prompt(USERS[0]), server.letters(ANSWERED))
    between = server.ids(f"\n<|im_start|>user\n{AGAIN}<|im_end|>\n<|im_start|>assistant\n")
    second = server.turn(
        first["prompt_token_ids"] + first["token_ids"] + between, server.letters(DONE), finish_reason="stop"
    )
    return first, second


@pytest.fixture(scope="module")
def encoded_again(server, going_on):
    """The same, whose second prompt holds the first answer as it is encoded from its text."""
    second = server.turn(server.prompt(USERS[0], SAID[0], USERS[1]), server.letters(DONE))
    return going_on[0], second


def in_messages(turns):
    messages = [message for pair in zip(USERS, SAID, strict=True) for message in pair]
    return {"messages": [messages[0], {**messages[1], **turns[0]}, messages[2], {**messages[3], **turns[1]}]}


def rows_of(folder):
    data = StoredDataSet(str(folder))
    return [data.row(number) for number in range(len(data))]


def trained(folder):
    """Return the ids before each trained turn, and the turn's own, of every row and every branch."""
    found = []
    for row in rows_of(folder):
        for one in unrolled(row.labelled):
            for message in sorted({span.message for span in one.spans if span.trained}):
                own = [span for span in one.spans if span.message == message and span.trained]
                start, end = own[0].start, own[-1].end
                assert (one.labels[start:end] == one.input_ids[start:end]).all()
                found.append((one.input_ids[:start].tolist(), one.input_ids[start:end].tolist()))
    return sorted(found)


def as_given(*turns):
    return sorted((turn["prompt_token_ids"], turn["token_ids"]) for turn in turns)


def verified(folder):
    outcome = run("verify", folder, "--rows", "all", "--json")
    assert outcome.code == 0, outcome
    return {check["check"]: check for check in outcome.json["checks"]}


@pytest.fixture
def made(build, source, place):
    def go(*rows, **options):
        words = [word for name, value in options.items() for word in ("--set", f"{name.replace('__', '.')}={value}")]
        return build(source(*rows), "--output", "out", "--json", "--set", "max_rejects=1", "--overwrite", *words)

    return go


def codes(outcome):
    return {code: facts["rows"] for code, facts in outcome.json["totals"]["findings"].items()}


def test_the_sampled_ids_are_trained_though_their_text_is_encoded_to_others(made, place, server, going_on):
    assert server.ids(server.tokenizer.decode(going_on[0]["token_ids"])) != going_on[0]["token_ids"]
    outcome = made(in_messages(going_on))
    assert outcome.code == 0, outcome
    assert trained(place / "out") == as_given(*going_on)
    (row,) = rows_of(place / "out")
    assert row.labelled.input_ids.tolist() == going_on[1]["prompt_token_ids"] + going_on[1]["token_ids"]
    assert (row.labelled.labels != IGNORED).sum() == sum(len(turn["token_ids"]) for turn in going_on)
    assert {(span.role, span.part) for span in row.labelled.spans if span.trained} == {
        ("assistant", "content"),
        ("assistant", "stop"),
    }
    checked = verified(place / "out")["source"]
    assert checked["verdict"] == "passed"
    assert checked["figures"]["turns_as_sampled"] == 2


def test_other_ids_than_the_template_gives_are_counted_and_shown(made, server, going_on, encoded_again):
    outcome = made(in_messages(going_on), in_messages(encoded_again), in_messages(going_on))
    assert codes(outcome) == {"token-drift": 2, "encoded-otherwise": 3, "prompt-rewritten": 1, "duplicate": 1}
    said = outcome.json["totals"]["findings"]["token-drift"]["example"]["message"]
    assert said.startswith("messages[3]: ")
    assert "for the same text" in said
    assert "was fed, not 'he weather is fine" in said
    assert str(server.ids(ANSWERED)[1:4])[:-1] in said


def test_another_system_prompt_is_drift(made, server):
    fed = server.prompt({"role": "system", "content": "Be brief."}, USERS[0])
    outcome = made({"messages": [USERS[0], {**SAID[0], **server.turn(fed, server.ids(f"{ANSWERED}<|im_end|>"))}]})
    assert codes(outcome) == {"token-drift": 1}
    assert "Be brief" in outcome.json["totals"]["findings"]["token-drift"]["example"]["message"]


def test_a_prompt_that_does_not_go_on_is_another_sequence_or_a_branch(made, place, encoded_again):
    assert made(in_messages(encoded_again)).code == 0
    assert len(rows_of(place / "out")) == 2
    assert trained(place / "out") == as_given(*encoded_again)
    assert made(in_messages(encoded_again), history="tree").code == 0
    (tree,) = rows_of(place / "out")
    assert tree.labelled.positions is not None
    assert trained(place / "out") == as_given(*encoded_again)
    written = sum(len(turn["prompt_token_ids"] + turn["token_ids"]) for turn in encoded_again)
    assert len(tree.labelled.input_ids) <= written - len(encoded_again[0]["prompt_token_ids"]) + 1
    assert verified(place / "out")["source"]["verdict"] == "passed"


@pytest.mark.parametrize("history", ["mask", "rendered"])
def test_one_sequence_is_that_of_the_last_turn(made, place, going_on, encoded_again, history):
    assert made({"turns": list(encoded_again)}, {"turns": list(going_on)}, history=history).code == 0
    assert [row.sequence for row in rows_of(place / "out")] == [0, 0]
    assert trained(place / "out") == as_given(encoded_again[1], *going_on)


def test_two_turns_behind_one_beginning_are_two_branches(made, place, server, going_on):
    first, second = going_on
    other = server.turn(second["prompt_token_ids"], server.letters("Rain, it seems."))
    assert made({"turns": [first, second, other]}, history="tree").code == 0
    (tree,) = rows_of(place / "out")
    assert trained(place / "out") == as_given(first, second, other)
    written = second["prompt_token_ids"] + second["token_ids"] + other["token_ids"]
    assert len(tree.labelled.input_ids) == len(written) + 1


def test_a_template_that_takes_thoughts_away_makes_branches(build, source, place, tokenizer):
    (place / "thinks.jinja").write_text(THINKS)
    server = Server(tokenizer, THINKS)
    thought = server.ids("<think>\n\n</think>\n\n")
    turns = (
        server.turn(server.prompt(USERS[0]), [*thought, *server.letters(ANSWERED)]),
        server.turn(server.prompt(USERS[0], SAID[0], USERS[1]), [*thought, *server.letters(DONE)]),
    )
    words = ["--chat-template", "thinks.jinja", "--history", "tree", "--output", "out", "--json"]
    outcome = build(source(in_messages(turns)), *words)
    assert "token-drift" not in codes(outcome)
    assert trained(place / "out") == as_given(*turns)


def test_masks_weights_and_turns_choose_what_is_trained(made, place, server, going_on):
    first, second = going_on
    mask = [0] * (len(first["token_ids"]) - 3) + [1, 1, 1]
    assert made({"turns": [{**first, "loss_mask": mask}, {**second, "weight": 0.5}]}).code == 0
    (row,) = rows_of(place / "out")
    assert (row.labelled.labels != IGNORED).sum() == 3 + len(second["token_ids"])
    assert set(row.labelled.weights.tolist()) == {0, 0.5, 1}
    assert verified(place / "out")["structure"]["verdict"] == "passed"
    assert made({"turns": [first, second]}, train__turns="first").code == 0
    assert trained(place / "out") == as_given(first)
    assert made({"turns": [first, second]}, train__parts="[content,reasoning,tool_call,scaffold]").code == 0
    assert [own for _, own in trained(place / "out")] == [own[:-1] for _, own in as_given(first, second)]


def with_logprobs(turn):
    return {**turn, "logprobs": [-0.25 * (place + 1) for place in range(len(turn["token_ids"]))]}


def logprobs_of(folder):
    """Return, for each trained turn, the log-probabilities of its ids; those of all other ids must be unknown."""
    found = []
    for row in rows_of(folder):
        for one in unrolled(row.labelled):
            known = np.full(len(one.labels), np.nan) if one.logprobs is None else one.logprobs
            for message in sorted({span.message for span in one.spans if span.trained}):
                own = [span for span in one.spans if span.message == message]
                found.append((one.input_ids[: own[-1].end].tolist(), known[own[0].start : own[-1].end].tolist()))
            assert np.isnan(known[[span.start for span in one.spans if span.message < 0]]).all()
    return sorted(found)


@pytest.mark.parametrize(
    "options", [{}, {"history": "tree"}, {"packing": "{length: 300}"}, {"profile": "trl", "packing": "{length: 300}"}]
)
def test_log_probabilities_are_a_column_wherever_rows_go(made, place, going_on, encoded_again, options):
    first, second = map(with_logprobs, encoded_again)
    assert (
        made({"turns": [first, second]}, {"messages": [*USERS[:1], *SAID[:1]]}, mixed_formats="true", **options).code
        == 0
    )
    expected = [(turn["prompt_token_ids"] + turn["token_ids"], turn["logprobs"]) for turn in (first, second)]
    found = [each for each in logprobs_of(place / "out") if not np.isnan(each[1]).all()]
    assert found == sorted(expected)
    schema = load_from_disk(str(place / "out")).features
    assert ("logprobs" in schema) == ("profile" not in options)
    assert verified(place / "out")["source"]["verdict"] == "passed"
    words = ("--profile", "hf", "--set", "packing=null", "--output", "again")
    assert run("export", "out", *words).code == 0
    assert list(map(str, logprobs_of(place / "again"))) == list(map(str, logprobs_of(place / "out")))  # NaN is not NaN


def test_rows_without_log_probabilities_have_no_column_of_them(made, place, going_on):
    assert made({"turns": list(going_on)}).code == 0
    assert "logprobs" not in load_from_disk(str(place / "out")).features


def test_what_is_too_long_is_cut_behind_a_whole_turn_or_rejected(made, place, going_on):
    limit = len(going_on[1]["prompt_token_ids"]) + 2
    assert made({"turns": list(going_on)}, max_length=limit, overflow="truncate").code == 0
    assert trained(place / "out") == as_given(going_on[0])
    outcome = made({"turns": list(going_on)}, max_length=limit, overflow="drop_turns")
    assert outcome.json["totals"]["rejects"]["too-long"]["rows"] == 1
    assert "overflow: truncate" in rejects(place / "out")[0]["hint"]


def test_what_cannot_be_trained_as_asked_is_refused(made, place, server, going_on):
    alien = server.turn([1, 2], [10**6])
    outcome = made({"turns": [alien]}, {"turns": [going_on[0]]})
    assert outcome.json["totals"]["rejects"]["bad-token-ids"]["rows"] == 1
    assert "the id 1000000 is no token" in rejects(place / "out")[0]["message"]
    for key, value in (("train.parts", "[content,stop]"), ("train.roles", "[assistant,user]")):
        outcome = made({"turns": [going_on[0]]}, **{key.replace(".", "__"): value})
        assert outcome.json["totals"]["rejects"]["tokens-undivided"]["rows"] == 1


def test_what_is_not_as_it_should_be_is_told(made, server, going_on):
    first, _ = going_on
    cut = server.turn(first["prompt_token_ids"], server.letters(ANSWERED, stop=""))
    silent = server.turn(first["prompt_token_ids"], server.ids("<|im_end|>"))
    partly = {"messages": [USERS[0], SAID[0], USERS[1], {**SAID[1], **server.turn(first["prompt_token_ids"], [7, 8])}]}
    outcome = made({"turns": [cut]}, {"turns": [first, silent]}, partly)
    found = codes(outcome)
    assert found["sampled-without-stop"] == 2
    assert found["empty-answer"] == 1
    assert found["context-unchecked"] == 2
    assert found["turn-without-ids"] == 1
    special = server.turn(first["prompt_token_ids"], server.letters(ANSWERED, stop="<|endoftext|>"))
    assert "sampled-without-stop" not in codes(made({"turns": [special]}))


def test_the_same_turns_are_duplicates_and_other_ids_of_the_same_text_are_none(made, place, server, going_on):
    first, _ = going_on
    again = server.turn(first["prompt_token_ids"], server.ids(f"{ANSWERED}<|im_end|>"))
    outcome = made({"turns": [first]}, {"turns": [again]}, {"turns": [first]}, duplicates="drop")
    assert outcome.json["totals"]["dropped"]["duplicate"]["rows"] == 1
    assert trained(place / "out") == as_given(first, again)


def test_a_changed_id_is_found(made, place, going_on):
    import pyarrow as pa

    assert made({"turns": list(going_on)}).code == 0
    (shard,) = (place / "out").glob("*.arrow")
    with pa.ipc.open_stream(shard) as stream:
        table = stream.read_all()
    row = table.to_pylist()[0]
    at = int(np.flatnonzero(np.asarray(row["labels"]) != IGNORED)[0])
    row["input_ids"][at] = row["labels"][at] = row["input_ids"][at] + 1
    with pa.ipc.new_stream(shard, table.schema) as sink:
        sink.write_table(pa.Table.from_pylist([row], table.schema))
    outcome = run("verify", place / "out", "--rows", "all", "--json")
    found = {check["check"]: check for check in outcome.json["checks"]}
    assert outcome.code == 1
    assert found["source"]["verdict"] == "failed"
    assert "are not the" in json.dumps(found["source"])


def test_inspect_shows_them_before_and_after_the_build(made, place, source, going_on):
    assert made(in_messages(going_on)).code == 0
    for words in (["out"], [source(in_messages(going_on)), "--tokenizer", TOKENIZER]):
        outcome = run("inspect", *words, "--row", "0")
        assert outcome.code == 0, outcome
        assert f"⟦{ANSWERED}" in outcome.stdout
