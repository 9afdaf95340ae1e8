"""The backends that encode: transformers, which decides what is right, or fastokens, which is faster and is checked.

fastokens is never trusted blindly. The first 256 distinct texts, and of all texts one in 1,000, are encoded by both.
Which ones in 1,000 is decided by the text alone, so that it is the same however rows are spread over workers. Should
both differ, texts that nobody compared may be wrong as well: ``BackendError`` is raised, and the build is begun again
without.

What both encode, transformers can encode first: in a process that begins without it, texts that are compared do not
wait until fastokens is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import numpy as np

from maskprep.arrays import Ints
from maskprep.errors import BackendError, UsageError, first_line
from maskprep.policy import BackendChoice
from maskprep.tokenizer.fast import Fastokens
from maskprep.tokenizer.known_ids import KnownIds
from maskprep.tokenizer.split_points import SplitPoints, encodes_itself

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


COMPARED = 256  # distinct texts, the first of a build, each of which is compared
EVERY = 1000  # of all texts, one in so many is compared


class Backend(Protocol):
    """Encodes texts, adding no special token. ``note`` says why it is not the backend that was asked for, if so."""

    note: str

    @property
    def name(self) -> str:
        """The package that encodes."""

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text."""

    def begin(self) -> None:
        """Begin to load the tokenizer, if it has to be loaded, beside other work."""

    def load(self) -> None:
        """Load the tokenizer now: a process that may run out of memory does better to do so before its work.

        Raises:
            BackendError: the tokenizer cannot be loaded.
            MemoryError: this process has too little memory for it.
        """

    def renew(self, first: int) -> None:
        """Begin a new chunk of the input, of which the ``first`` distinct texts are compared with transformers."""

    def flush_checks(self) -> None:
        """End a chunk of the input: compare the texts that are still to be compared."""


class TransformersBackend:
    """Encodes as transformers does.

    It is slow: what comes again within other text, as system prompts and tool schemas do, is encoded once.
    """

    name = "transformers"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, note: str = "") -> None:
        self._tokenizer, self.note = tokenizer, note
        self._known = KnownIds(self._encode)

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text."""
        divided = [self._segments.divide(text) for text in texts]
        known = self._known.of([segment for segments in divided for segment in segments])
        return [
            np.concatenate([known[segment] for segment in segments]) if len(segments) > 1 else known[segments[0]]
            for segments in divided
        ]

    def _encode(self, texts: Sequence[str]) -> list[Ints]:
        fast = self._fast
        encoded = (self._call(text) if fast is None else fast([text], **_PLAIN)[0].ids for text in texts)
        return [np.asarray(ids, dtype=np.int64) for ids in encoded]

    def begin(self) -> None:
        """Do nothing: transformers' tokenizer is loaded."""

    def load(self) -> None:
        """Do nothing: transformers' tokenizer is loaded already."""

    def renew(self, first: int) -> None:  # noqa: ARG002 - transformers' ids are compared with no others
        """Forget the texts of the chunks before."""
        self._known.forget()

    def flush_checks(self) -> None:
        """Do nothing: no texts are to be compared."""

    @cached_property
    def _segments(self) -> SplitPoints:
        return SplitPoints.of(self._tokenizer)

    @cached_property
    def _fast(self) -> Any:
        """The method that transformers itself calls, but without its offsets, None for a tokenizer that is not fast."""
        self._call("a")  # sets it up: neither truncation nor padding, special tokens as configured
        if encodes_itself(self._tokenizer):
            return None
        return getattr(self._tokenizer.backend_tokenizer, "encode_batch_fast", None)

    def _call(self, text: str) -> list[int]:
        encoding = self._tokenizer(text, return_attention_mask=False, verbose=False, **_PLAIN)
        ids: list[int] = encoding["input_ids"]
        return ids


class Fast(Protocol):
    """A fast tokenizer, which may have to be loaded before it can encode."""

    @property
    def loaded(self) -> bool:
        """Whether the tokenizer is loaded, or will never be."""

    def begin(self) -> None:
        """Begin to load the tokenizer, if that was not begun."""

    def wait(self) -> None:
        """Wait until the tokenizer is loaded. Raises ``BackendError`` where it cannot be used, or ``MemoryError``."""

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text. Waits, and raises, as ``wait`` does."""


class CheckedBackend:
    """Encodes with a fast tokenizer, whose ids for some texts are compared with those of the ``reference``.

    Args:
        fast: the fast tokenizer.
        reference: encodes as is right.
        first: how many distinct texts are compared before one in 1,000 is drawn.
    """

    name = "fastokens"
    note = ""

    def __init__(self, fast: Fast, reference: TransformersBackend, *, first: int = COMPARED) -> None:
        self._fast, self._reference = fast, reference
        self._start(first)

    def _start(self, first: int) -> None:
        self._first = first
        self._compared: set[str] = set()
        self._pending: dict[str, Ints] = {}  # to be compared, and what transformers makes of them

    def begin(self) -> None:
        """Begin to load the fast tokenizer."""
        self._fast.begin()

    def load(self) -> None:
        """Wait until the fast tokenizer is loaded. Raises ``BackendError`` or ``MemoryError`` where it cannot be."""
        self._fast.wait()

    def renew(self, first: int) -> None:
        """Begin a new chunk of the input, of which the ``first`` distinct texts are compared."""
        self._reference.renew(first)
        self._start(first)
        self.begin()

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text.

        Raises:
            BackendError: the two encode one of those that are compared differently, or the fast one cannot be used.
        """
        first = self._first_of(texts)
        drawn = [index for index, text in enumerate(texts) if text in first or _is_drawn(text)]
        if len(drawn) == len(texts) and not self._fast.loaded and max(map(len, texts), default=0) < _LONG:
            ids = self._reference.encode(texts)
            self._pending.update(zip(texts, ids, strict=True))
            self._compared |= first
            return ids
        self.flush_checks()
        found = self._try(texts)
        if found is None:
            found = self._reference.encode(texts)
            self._pending = {texts[index]: found[index] for index in drawn}
        elif drawn:
            self._compare(*self._both(texts, found, drawn))
        self._compared |= first
        self.flush_checks()
        return found

    def flush_checks(self) -> None:
        """Compare the drawn texts that were not compared yet: one by one, if the fast tokenizer fails for any of them.

        Raises:
            BackendError: the two encode one of them differently, or the fast tokenizer cannot be used.
        """
        pending, self._pending = self._pending, {}
        found = self._try([*pending]) if pending else []
        if found is not None:
            self._compare(found, [*pending.values()])
            return
        for text, right in pending.items():
            alone = self._try([text])
            if alone is None:
                self._compared.discard(text)
            else:
                self._compare(alone, [right])

    def _compare(self, found: list[Ints], right: list[Ints]) -> None:
        if not all(map(np.array_equal, found, right)):
            # Nothing of where, or of what: every worker is to say the same.
            msg = f"{self.name} encodes a text otherwise than {self._reference.name}"
            raise BackendError(msg, "set tokenizer.backend: transformers")

    def _first_of(self, texts: Sequence[str]) -> set[str]:
        """Return the texts that are among the first distinct ones of the chunk."""
        left = self._first - len(self._compared)
        return set(islice((text for text in dict.fromkeys(texts) if text not in self._compared), max(left, 0)))

    def _both(self, texts: Sequence[str], ids: list[Ints], drawn: list[int]) -> tuple[list[Ints], list[Ints]]:
        """Return the two tokenizers' ids of the ``drawn`` texts; of a long text, those of its beginning.

        transformers takes more than a hundred bytes for each of a text.
        """
        heads = [texts[index][:_LONG] for index in drawn]
        own = [ids[index] for index in drawn]
        for place, head in enumerate(heads):
            if len(head) == _LONG:
                found = self._try([head])
                own[place] = own[place][:0] if found is None else found[0]
        return own, self._reference.encode(heads)

    def _try(self, texts: Sequence[str]) -> list[Ints] | None:
        """Return the fast ids of each text, None where it fails: transformers then encodes them, or says why not."""
        self._fast.wait()
        try:
            return list(self._fast.encode(texts))
        except BaseException as error:
            # A panic of a Rust library is no Exception, but no wish to end the program either.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                return None
            raise


def _is_drawn(text: str) -> bool:
    return crc32(text.encode("utf-8", "surrogatepass")) % EVERY == 0


def choose_backend(tokenizer: PreTrainedTokenizerBase, choice: BackendChoice, *, first: int = COMPARED) -> Backend:
    """Return the backend for a tokenizer: with ``auto``, fastokens where it takes it.

    Args:
        tokenizer: the tokenizer.
        choice: the backend that the configuration asks for.
        first: how many distinct texts are compared before one in 1,000 is drawn.

    Raises:
        UsageError: fastokens was asked for and cannot be used.
    """
    reference = TransformersBackend(tokenizer)
    if choice == BackendChoice.TRANSFORMERS:
        return reference
    try:
        return CheckedBackend(Fastokens(tokenizer), reference, first=first)
    except Exception as error:  # it raises what its parser raises
        reason = first_line(error)
        if choice == BackendChoice.FASTOKENS:
            msg = f"tokenizer.backend: fastokens cannot be used: {reason}"
            raise UsageError(msg, "leave tokenizer.backend out") from error
        return TransformersBackend(tokenizer, f"fastokens cannot be used: {reason}")


_PLAIN = {"add_special_tokens": False}
_LONG = 2**20  # characters
