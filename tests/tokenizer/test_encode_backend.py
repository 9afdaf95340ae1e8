"""A fast tokenizer is watched: the build is begun again as soon as it differs."""

from __future__ import annotations

import threading
from zlib import crc32

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law.tokenizers_here import tokenizer
from loaded import Loaded

from maskprep.errors import BackendError, UsageError
from maskprep.tokenizer import backend
from maskprep.tokenizer.backend import COMPARED, EVERY, CheckedBackend, Fastokens, TransformersBackend, choose_backend
from maskprep.tokenizer.encode import Encoder


class Wrong(Loaded):
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
    watched = CheckedBackend(Wrong(reference), reference)
    assert watched.name == "fastokens"
    for text in texts(COMPARED - 2):
        assert watched.encode([text])[0].tolist() == reference.encode([text])[0].tolist()
    with pytest.raises(BackendError, match=r"^fastokens encodes a text otherwise than transformers\n") as caught:
        watched.encode(["good", "poison ivy"])
    assert caught.value.hint == "set tokenizer.backend: transformers"


def test_the_first_texts_are_counted_once_each(reference):
    watched = CheckedBackend(Wrong(reference), reference)
    for _ in range(2 * COMPARED):
        watched.encode(["the same"])
    with pytest.raises(BackendError):
        watched.encode(["poison"])


def test_behind_the_first_it_is_the_text_that_decides_what_is_compared(reference):
    watched = CheckedBackend(Wrong(reference), reference, first=0)
    bad = [f"poison {number}" for number in range(4 * EVERY)]
    found = []
    for text in bad:
        try:
            watched.encode([text])
        except BackendError:
            found.append(text)
    assert found == [text for text in bad if crc32(text.encode()) % EVERY == 0]
    assert 0 < len(found) < 20
    with pytest.raises(BackendError):
        watched.encode(["one", "two", found[0]])


def test_a_new_chunk_begins_with_as_many_first_texts_as_it_is_told(reference):
    watched = CheckedBackend(Wrong(reference), reference, first=1)
    watched.encode(["good"])
    watched.encode(["poison"])
    watched.renew(1)
    with pytest.raises(BackendError):
        watched.encode(["poison"])
    watched.renew(0)
    watched.encode(["poison"])


def test_half_of_a_surrogate_pair_can_be_drawn_as_any_text(reference):
    class Takes(Loaded):
        def encode(self, texts):
            return [np.zeros(1, np.int64) for _ in texts]

    assert len(CheckedBackend(Takes(), reference, first=0).encode(["\ud800"])) == 1


@pytest.mark.parametrize("failure", [ValueError, type("PanicException", (BaseException,), {})])
def test_a_text_that_it_cannot_encode_is_left_to_transformers(failure, reference):
    class Failing(Loaded):
        def encode(self, texts):
            raise failure("no")

    watched = CheckedBackend(Failing(), reference)
    assert watched.encode(["the cat"])[0].tolist() == reference.encode(["the cat"])[0].tolist()


def test_an_interrupt_is_not_taken_for_a_failure(reference):
    class Interrupted(Loaded):
        def encode(self, texts):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        CheckedBackend(Interrupted(), reference).encode(["the cat"])


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

    watched = CheckedBackend(Wrong(reference), Asked(tokenizer().tokenizer))
    good = "a long text " * 20
    assert watched.encode([good])[0].tolist() == reference.encode([good])[0].tolist()
    assert asked == [good[:100]]
    with pytest.raises(BackendError):
        watched.encode(["poison " + good])


class Loading(Wrong):
    """One that is not loaded before it is waited for; then ``failure`` is raised, if there is one."""

    loaded = False
    failure = None

    def __init__(self, reference, word="poison"):
        super().__init__(reference, word)
        self.begun = 0

    def begin(self):
        self.begun += 1

    def wait(self):
        if self.failure:
            raise self.failure
        self.loaded = True

    def encode(self, texts):
        self.wait()
        return super().encode(texts)


def test_texts_that_are_compared_anyway_do_not_wait_until_it_is_loaded(reference):
    fast = Loading(reference)
    watched = CheckedBackend(fast, reference)
    assert fast.begun == 0
    watched.renew(COMPARED)
    assert fast.begun == 1
    for text in texts(COMPARED):
        assert watched.encode([text])[0].tolist() == reference.encode([text])[0].tolist()
    assert fast.asked == 0
    watched.encode(texts(2, start=COMPARED))  # only one of 1,000 is compared from here on: this waits
    assert fast.asked == 2
    watched.flush_checks()
    assert fast.asked == 2


@pytest.mark.parametrize("drawn", [True, False])
def test_a_comparison_that_is_put_off_is_made_up_for(drawn, reference):
    fast = Loading(reference)
    first = 0 if drawn else 3
    watched = CheckedBackend(fast, reference, first=first)
    bad = next(text for n in range(10**6) if (crc32((text := f"poison {n}").encode()) % EVERY == 0) is drawn)
    assert watched.encode([bad])[0].tolist() == reference.encode([bad])[0].tolist()
    with pytest.raises(BackendError, match=r"^fastokens encodes a text otherwise than transformers\n"):
        watched.flush_checks()
    # What was put off is compared before anything else is said, too.
    again = CheckedBackend(Loading(reference), reference, first=first)
    again.encode([bad])
    with pytest.raises(BackendError):
        again.encode(texts(COMPARED))


def test_a_long_text_waits(reference, monkeypatch):
    monkeypatch.setattr(backend, "_LONG", 100)
    fast = Loading(reference)
    CheckedBackend(fast, reference).encode(["a long text " * 20])
    assert fast.loaded


def test_one_that_cannot_be_loaded_ends_it(reference):
    fast = Loading(reference)
    fast.failure = BackendError("fastokens cannot take the tokenizer: no")
    watched = CheckedBackend(fast, reference, first=1)
    watched.encode(["good"])
    with pytest.raises(BackendError, match="cannot take the tokenizer"):
        watched.flush_checks()
    with pytest.raises(BackendError, match="cannot take the tokenizer"):
        watched.encode(["better"])
    with pytest.raises(BackendError, match="cannot take the tokenizer"):
        watched.load()


def test_fastokens_is_loaded_beside_other_work():
    pytest.importorskip("fastokens")
    made = tokenizer().tokenizer
    fast = Fastokens(made)
    load, go, asked = fast._load, threading.Event(), []

    def slowly(model):
        asked.append(model)
        assert go.wait(60)
        return load(model)

    fast._load = slowly
    fast.begin()
    fast.begin()
    assert not fast.loaded
    go.set()
    assert fast.encode(["the cat"])[0].tolist() == made("the cat", add_special_tokens=False)["input_ids"]
    assert fast.loaded
    assert len(asked) == 1


@pytest.mark.parametrize("late", [False, True])
def test_a_text_that_it_cannot_encode_saves_no_other_from_being_compared(late, reference):
    class Choking(Loading):
        def encode(self, texts):
            if "boom" in texts:
                raise ValueError("no")
            return super().encode(texts)

    fast = Choking(reference)
    fast.loaded = not late
    watched = CheckedBackend(fast, reference)
    with pytest.raises(BackendError):  # noqa: PT012 - at one place or the other
        watched.encode(["boom", "poison", "good"])
        watched.flush_checks()
    # What could not be compared is not counted: there are to be 256 that were.
    fast = Choking(reference)
    fast.loaded = not late
    watched = CheckedBackend(fast, reference, first=2)
    watched.encode(["boom", "good"])
    watched.flush_checks()
    with pytest.raises(BackendError):  # noqa: PT012 - as above
        watched.encode(["poison"])
        watched.flush_checks()


def test_too_little_memory_is_told_and_not_worked_around(reference):
    fast = Loading(reference)
    fast.failure = MemoryError()
    watched = CheckedBackend(fast, reference, first=1)
    watched.encode(["good"])
    with pytest.raises(MemoryError):
        watched.flush_checks()
    with pytest.raises(MemoryError):
        watched.encode(["better"])


def test_a_new_chunk_owes_nothing_for_the_one_before(reference):
    watched = CheckedBackend(Loading(reference), reference)
    watched.encode(["poison"])  # of a sample, whose rows come again
    watched.renew(COMPARED)
    watched.encode(["good"])
    watched.flush_checks()


def test_a_tokenizer_of_another_kind_is_refused_before_it_is_loaded():
    pytest.importorskip("fastokens")
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    other = PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.Unigram([("a", -1.0), ("b", -2.0)], 0)))
    with pytest.raises(ValueError, match="Unigram"):
        Fastokens(other)


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (
            ValueError("a merge of nothing\nand more"),
            (BackendError, "fastokens cannot take the tokenizer: a merge of nothing"),
        ),
        (MemoryError("no more"), (MemoryError, "no more")),
    ],
)
def test_what_fastokens_refuses_only_when_it_is_loaded_is_told(failure, told):
    pytest.importorskip("fastokens")
    fast = Fastokens(tokenizer().tokenizer)

    def refuse(_model):
        raise failure

    fast._load = refuse
    kind, message = told
    for ask in (fast.wait, lambda: fast.encode(["the cat"])):
        with pytest.raises(kind, match=f"^{message}(\n|$)"):
            ask()
