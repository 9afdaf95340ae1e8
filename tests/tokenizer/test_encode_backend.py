"""A fast tokenizer is watched: the build is begun again as soon as it differs."""

from __future__ import annotations

from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law.tokenizers_here import tokenizer

from maskprep.errors import BackendDiffersError, UsageError
from maskprep.tokenizer import backend
from maskprep.tokenizer.backend import COMPARED, EVERY, Fastokens, TransformersBackend, WatchedBackend, choose_backend
from maskprep.tokenizer.encode import Encoder


class Wrong:
    """Encodes as the reference does, but for texts that hold ``word``; counts how often it was asked."""

    def __init__(self, reference, word="poison"):
        self.reference, self.word, self.asked = reference, word, 0

    def encode(self, texts):
        self.asked += 1
        return [ids[::-1] if self.word in text else ids for text, ids in self.right(texts)]

    def right(self, texts):
        return zip(texts, self.reference.encode(texts), strict=True)


@pytest.fixture
def reference():
    return TransformersBackend(tokenizer().tokenizer)


def texts(count, start=0):
    return [f"text number {index}" for index in range(start, start + count)]


def test_the_first_texts_are_all_compared(reference):
    watched = WatchedBackend(Wrong(reference), reference)
    assert watched.name == "fastokens"
    for text in texts(COMPARED - 2):
        assert watched.encode([text])[0].tolist() == reference.encode([text])[0].tolist()
    with pytest.raises(BackendDiffersError, match=r"^fastokens encodes a text otherwise than transformers$") as caught:
        watched.encode(["good", "poison ivy"])
    assert caught.value.hint == "set tokenizer.backend: transformers"


def test_the_first_texts_are_counted_once_each(reference):
    watched = WatchedBackend(Wrong(reference), reference)
    for _ in range(2 * COMPARED):
        watched.encode(["the same"])
    with pytest.raises(BackendDiffersError):
        watched.encode(["poison"])


def test_behind_the_first_it_is_the_text_that_decides_what_is_compared(reference):
    watched = WatchedBackend(Wrong(reference), reference, first=0)
    bad = [f"poison {number}" for number in range(4 * EVERY)]
    found = []
    for text in bad:
        try:
            watched.encode([text])
        except BackendDiffersError:
            found.append(text)
    assert found == [text for text in bad if crc32(text.encode()) % EVERY == 0]
    assert 0 < len(found) < 20
    with pytest.raises(BackendDiffersError):
        watched.encode(["one", "two", found[0]])


def test_a_new_chunk_begins_with_as_many_first_texts_as_it_is_told(reference):
    watched = WatchedBackend(Wrong(reference), reference, first=1)
    watched.encode(["good"])
    watched.encode(["poison"])
    watched.renew(1)
    with pytest.raises(BackendDiffersError):
        watched.encode(["poison"])
    watched.renew(0)
    watched.encode(["poison"])


def test_half_of_a_surrogate_pair_can_be_drawn_as_any_text(reference):
    class Takes:
        def encode(self, texts):
            return [np.zeros(1, np.int64) for _ in texts]

    assert len(WatchedBackend(Takes(), reference, first=0).encode(["\ud800"])) == 1


@pytest.mark.parametrize("failure", [ValueError, type("PanicException", (BaseException,), {})])
def test_a_text_that_it_cannot_encode_is_left_to_transformers(failure, reference):
    class Failing:
        def encode(self, texts):
            raise failure("no")

    watched = WatchedBackend(Failing(), reference)
    assert watched.encode(["the cat"])[0].tolist() == reference.encode(["the cat"])[0].tolist()


def test_an_interrupt_is_not_taken_for_a_failure(reference):
    class Interrupted:
        def encode(self, texts):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        WatchedBackend(Interrupted(), reference).encode(["the cat"])


def test_it_is_chosen_where_it_can_be_had():
    pytest.importorskip("fastokens")
    made = tokenizer().tokenizer
    assert choose_backend(made, "auto").name == choose_backend(made, "fastokens").name == "fastokens"
    assert choose_backend(made, "transformers").name == "transformers"


def test_where_it_cannot_be_had_transformers_encodes_and_says_why():
    class Slow:
        is_fast = False

    backend = choose_backend(Slow(), "auto")
    assert backend.name == "transformers"
    assert backend.note
    with pytest.raises(UsageError, match=r"tokenizer\.backend: fastokens cannot be used: "):
        choose_backend(Slow(), "fastokens")


@pytest.mark.parametrize("kind", ["byte_level", "nfc"])
@given(text=st.text(st.sampled_from("the cat\n\té世\U0001f600\u0301<|im_end>/think0"), max_size=40), data=st.data())
def test_fastokens_gives_the_ids_of_transformers(kind, text, data):
    pytest.importorskip("fastokens")
    made = tokenizer(kind).tokenizer
    fast = _fast(kind)
    other = data.draw(st.sampled_from(["", "<|im_start|>user\n", text]))
    for one, ids in zip([text, other], fast.encode([text, other]), strict=True):
        assert ids.dtype == np.int64
        assert ids.tolist() == made(one, add_special_tokens=False)["input_ids"]


def _fast(kind, made={}):  # noqa: B006 - made once
    if kind not in made:
        made[kind] = Fastokens(tokenizer(kind).tokenizer)
    return made[kind]


def test_an_encoder_gives_the_same_with_either():
    pytest.importorskip("fastokens")
    made = tokenizer("nfc").tokenizer
    fast, slow = Encoder(made, choose_backend(made, "fastokens")), Encoder(made)
    text = "<|im_start|>user\ncafé 世界<|im_end|>\n<|im_start|>assistant\ncafe\u0301"
    one, other = fast.encode(text), slow.encode(text)
    assert [one.ids.tolist(), one.starts.tolist(), one.ends.tolist()] == [
        *(other.ids.tolist(), other.starts.tolist(), other.ends.tolist())
    ]
    assert fast.contexts(text, [20, 40])[40].rest.tolist() == slow.contexts(text, [20, 40])[40].rest.tolist()


def test_of_a_long_text_only_the_beginning_is_compared(reference, monkeypatch):
    monkeypatch.setattr(backend, "_LONG", 100)
    asked = []

    class Asked(TransformersBackend):
        def encode(self, texts):
            asked.extend(texts)
            return super().encode(texts)

    watched = WatchedBackend(Wrong(reference), Asked(tokenizer().tokenizer))
    good = "a long text " * 20
    assert watched.encode([good])[0].tolist() == reference.encode([good])[0].tolist()
    assert asked == [good[:100]]
    with pytest.raises(BackendDiffersError):
        watched.encode(["poison " + good])
