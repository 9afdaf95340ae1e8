"""Prompt and completion meet rightly for every kind of tokenizer, or the row is rejected: compared with a naive rule.

The rule knows ChatML and the library ``tokenizers``, and nothing of maskprep:

    prompt(k)      the messages before, and <|im_start|>assistant\\n
    completion(k)  the answer and <|im_end|>

The ids before an answer are those of its prompt. Behind them stand, all of them trained, the ids that the tokenizer
gives for the whole text, or, where these do not begin with the prompt's, those that it gives behind some letter.
"""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thorough import examples

from law.comparing import NOW
from law.tokenizers_built import CHATML, KINDS, LETTERS, Kind, built
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import AuditMode, History, Policy

FUSED = [
    Kind("unigram", fallback=True, split="always"),
    Kind("unigram", fallback=True, split="first"),
    Kind("unigram", fallback=True, split="never"),
    Kind("unigram", fallback=True, normalizer="prepend"),
    Kind("bpe", fallback=True, normalizer="prepend"),
]
PREFIXED = Kind("bpe", split="byte_level_prefix", breaks=True)
COLLAPSING = Kind("unigram", split="always", normalizer="collapse")

PIECES = ["hi", "he", "a", ".", "A", " ", "  ", "\n", "\n\n", "\t", "é", "世", "\U0001f600", "e\u0301", "\u0301", "ﬁ"]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map("".join).filter(str.strip)
kinds = KINDS.filter(
    lambda kind: kind.model != "wordpiece" or kind.split in {"", "whitespace"}
)  # it knows no letter for blanks
chats = st.lists(st.tuples(texts, texts), min_size=1, max_size=3)


class Naive:
    """What is right for one conversation of questions and answers."""

    def __init__(self, tokenizer, chat):
        self.tokenizer = tokenizer
        self.turns = []  # where each completion starts and ends
        text = ""
        for asked, answer in chat:
            text += f"<|im_start|>user\n{asked}<|im_end|>\n<|im_start|>assistant\n"
            self.turns.append((len(text), len(text) + len(answer) + len("<|im_end|>")))
            text += f"{answer}<|im_end|>\n"
        self.text = text

    def ids(self, text):
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def behind(self, text):
        """Yield the ids that a text may have behind other text that is no part of it."""
        for lead in ["", "x\n", "\n", *LETTERS, "0"]:
            before, both = self.ids(lead), self.ids(lead + text)
            if before == both[: len(before)]:
                yield both[len(before) :]

    def completion(self, ids, start, end):
        """Return between which tokens a completion stands in ``ids``, None where it does not stand there rightly."""
        prompt = self.ids(self.text[:start])
        low = len(prompt)
        if ids[:low] != prompt:
            return None
        for length in range(len(self.text), end - 1, -1):  # the sequence may end earlier than the conversation
            whole = self.ids(self.text[:length])
            later = any(length == other for other, _ in self.turns)  # a later turn's border may be split
            if whole == (ids[: len(whole)] if later else ids) and not self.swallows(self.text[:length], low, start):
                return low, self.common(ids, self.ids(self.text[:end]))
            if not self.text[:length].endswith(("<|im_end|>\n", "<|im_end|>")):
                continue
            for piece in self.behind(self.text[start:length]):
                if [*prompt, *piece] == ids and self.begins(ids[low], start):
                    return low, max(low + self.common(piece, behind) for behind in self.behind(self.text[start:end]))
        return None

    def swallows(self, text, low, start):
        """Tell whether the last token of the prompt holds characters of the answer, as unknown ones are fused."""
        encoding = self.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        unknown = low and encoding["input_ids"][low - 1] == self.tokenizer.unk_token_id
        return bool(unknown) and encoding["offset_mapping"][low - 1][1] > start

    def begins(self, token, start):
        """Tell whether a token may begin an answer: with a blank where that has one."""
        name = self.tokenizer.convert_ids_to_tokens(token)
        return not name.startswith(("▁", "Ġ")) or self.text[start].isspace() or self.text[start] == "▁"

    @staticmethod
    def common(one, two):
        return next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))


def prepared(kind, chat, history):
    messages = [
        {"role": role, "content": text} for turn in chat for role, text in zip(("user", "assistant"), turn, strict=True)
    ]
    policy = Policy(history=History(history))
    preparer = Preparer(built(kind), now=NOW, policy=policy, template=CHATML, audit=AuditMode.ALL)
    return preparer.prepare(DEFAULT.parse({"messages": messages})).sequences


def attempt(kind, chat, history):
    try:
        return prepared(kind, chat, history), None
    except RowError as error:
        return (), error


def check(kind, chat, history):
    """Return how many turns are trained, each rightly, of a conversation; 0 where it is rejected."""
    naive = Naive(built(kind).tokenizer, chat)
    made, error = attempt(kind, chat, history)
    if error is not None:
        assert error.code in {"no-alignment", "nothing-to-train"}, (error.code, error.message)
        assert error.hint
        return 0
    done = 0
    for one in made:
        ids, labels = one.labelled.input_ids.tolist(), one.labelled.labels.tolist()
        trained = {index for index, label in enumerate(labels) if label != -100}
        spans = [span for span in one.labelled.spans if span.role == "assistant" and span.trained]
        messages = sorted({span.message for span in spans})
        if history == "rendered" and one.sequence.borders:
            messages = messages[:1] if one.sequence.borders == 1 and len(messages) == 1 else []
        for message in messages:
            found = naive.completion(ids, *naive.turns[message // 2])
            shown = naive.tokenizer.convert_ids_to_tokens(ids), sorted(trained), naive.turns[message // 2]
            assert found is not None, shown
            low, high = found
            own = [index for span in spans if span.message == message for index in range(span.start, span.end)]
            # A token across the end is not trained: only markers that are plain text have one.
            assert own == list(range(low, high)) or (not kind.added and own == list(range(low, high - 1))), (
                shown,
                found,
            )
            trained -= set(own)
            done += 1
        if not (history == "rendered" and one.sequence.borders):
            assert not trained
    return done


def turns_of(chat, kind):
    return [check(kind, chat, history) for history in ("split", "mask", "rendered")]


@pytest.mark.parametrize("kind", FUSED, ids=str)
@pytest.mark.parametrize("answer", ["éa", "é", "\n\na", "\U0001f600 hi", "e\u0301", " é"])
def test_bytes_that_were_fused_with_the_line_break_of_the_header_are_the_answers(kind, answer):
    (one,) = prepared(kind, [("hi", answer)], "split")
    tokens = built(kind).tokenizer.convert_ids_to_tokens(one.labelled.input_ids.tolist())
    trained = [token for token, label in zip(tokens, one.labelled.labels.tolist(), strict=True) if label != -100]
    spelled = b"".join(
        bytes.fromhex(token[3:5]) if token.startswith("<0x") else token.replace("▁", " ").encode() for token in trained
    )
    assert spelled == f"{answer}<|im_end|>".encode()
    assert [(span.part, span.trained) for span in one.labelled.spans if span.message == 1] == [
        ("content", True),
        ("stop", True),
    ]
    assert turns_of([("hi", answer), ("a", "hi")], kind)[0] == 2


@pytest.mark.parametrize("answer", ["\n\nhi", "\nhi", "\n\n\n a", "hi"])
def test_a_prefix_space_is_not_put_into_an_answer_whose_border_is_split(answer):
    (one,) = prepared(PREFIXED, [("hi", answer)], "split")
    labels = [label for label in one.labelled.labels.tolist() if label != -100]
    assert built(PREFIXED).tokenizer.decode(labels) == f"{answer}<|im_end|>"
    assert turns_of([("hi", answer), ("a", "hi")], PREFIXED)[0] == 2


@pytest.mark.parametrize("answer", ["hi", "hi he", " hi", "\nhi", "é", "hi\n\nhe", "A é"])
def test_a_line_break_that_becomes_a_blank_puts_no_second_one_into_the_answer(answer):
    assert turns_of([("hi", answer), ("a", "hi")], COLLAPSING)[0] == 2
    first = prepared(COLLAPSING, [("hi", answer)], "split")[0].labelled
    tokens = built(COLLAPSING).tokenizer.convert_ids_to_tokens(
        [label for label in first.labels.tolist() if label != -100]
    )
    assert tokens[0].startswith("▁") == answer[0].isspace()


@settings(max_examples=examples(300))
@given(kinds, chats, st.sampled_from(["split", "mask", "rendered"]))
@example(Kind("unigram", split="always"), [("hi", "éa")], "split").via("unknown characters of both are one token")
@example(Kind("wordpiece"), [("hi", "hi")], "split").via("all of a stretch is one unknown token")
@example(Kind("bpe", split="byte_level", normalizer="strip"), [("hi", "\n\nhi")], "split").via(
    "white space is stripped"
)
def test_every_kind_of_tokenizer_is_right_or_rejected(kind, chat, history):
    check(kind, chat, history)
