"""Who encodes: transformers, which decides what is right, or fastokens, which is faster and is watched.

fastokens is never trusted blindly. Of the first 256 distinct texts each, and later one in 1,000, is encoded by both. A
difference among the first: every text so far was compared, so transformers simply goes on alone. A difference later:
texts that nobody compared may be wrong as well, so ``BackendDiffersError`` is raised: the build is begun again without.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from maskprep.errors import BackendDiffersError, UsageError
from maskprep.tokenizer.segments import encodes_itself

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

Ints = npt.NDArray[np.int64]
Choice = Literal["auto", "fastokens", "transformers"]

COMPARED = 256  # distinct texts that are compared before one is trusted
EVERY = 1000  # of those that follow, one in so many is compared


class Backend(Protocol):
    """Encodes texts, adding no special token. ``note`` says why it is not the one that was wished for, if so."""

    note: str

    @property
    def name(self) -> str:
        """The package that encodes."""

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text. The first one is new: it is what comparisons go by; the others are small."""


class TransformersBackend:
    """Encodes as transformers does."""

    name = "transformers"

    def __init__(self, tokenizer: PreTrainedTokenizerBase, note: str = "") -> None:
        self._tokenizer, self.note = tokenizer, note

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text."""
        fast = self._fast
        encoded = (self._call(text) if fast is None else fast([text], **_PLAIN)[0].ids for text in texts)
        return [np.asarray(ids, dtype=np.int64) for ids in encoded]

    @cached_property
    def _fast(self) -> Any:
        """What transformers itself calls, but without the offsets that it throws away; None for another tokenizer."""
        self._call("a")  # sets it up: neither truncation nor padding, special tokens as configured
        if encodes_itself(self._tokenizer):
            return None
        return getattr(self._tokenizer.backend_tokenizer, "encode_batch_fast", None)

    def _call(self, text: str) -> list[int]:
        encoding = self._tokenizer(text, return_attention_mask=False, verbose=False, **_PLAIN)
        ids: list[int] = encoding["input_ids"]
        return ids


class Fastokens:
    """The tokenizer in fastokens.

    Raises:
        ValueError: fastokens cannot take it.
        ImportError: it is not installed.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        from fastokens import Tokenizer  # noqa: PLC0415 - need not be installed

        if not getattr(tokenizer, "is_fast", False):
            raise ValueError("the tokenizer has no tokenizer.json")
        if tokenizer.split_special_tokens:
            raise ValueError("the tokenizer encodes special tokens as plain text")
        tokenizer("a", **_PLAIN)  # takes away truncation and padding
        # Not the file: the configuration may have added tokens since.
        self._tokenizer = Tokenizer.from_json_str(tokenizer.backend_tokenizer.to_str())
        self._tokenizer.enable_segment_cache(_CACHED_BYTES)

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text."""
        flat, offsets = self._tokenizer.encode_batch_flat(list(texts))
        ids = np.frombuffer(flat, np.uint32).astype(np.int64)
        return np.split(ids, np.frombuffer(offsets, np.uint64)[1:-1].astype(np.int64))


class WatchedBackend:
    """Encodes with a fast tokenizer that is compared with the ``reference``; see the module."""

    def __init__(self, fast: Any, reference: TransformersBackend, name: str = "fastokens") -> None:
        self._fast, self._reference, self._fast_name = fast, reference, name
        self._stopped, self.note = False, ""
        self._compared: set[str] = set()
        self._calls = 0

    @property
    def name(self) -> str:
        """The package that encodes: transformers, once the other one was found to differ."""
        return self._reference.name if self._stopped else self._fast_name

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text.

        Raises:
            BackendDiffersError: both differ, and texts that were not compared have been encoded already.
        """
        if self._stopped:
            return self._reference.encode(texts)
        trusted = len(self._compared) >= COMPARED
        self._calls += 1
        ids = self._try(texts)
        if ids is None:
            return self._reference.encode(texts)
        if trusted and self._calls % EVERY:
            return ids
        right = self._reference.encode(texts)
        if all(map(np.array_equal, ids, right)):
            if not trusted:
                self._compared.add(texts[0])
            return right
        if trusted:
            raise BackendDiffersError(
                f"{self._fast_name} and transformers encode a text differently, after {self._calls:,} texts",
                "set tokenizer.backend: transformers",
            )
        self._stopped = True
        self.note = f"{self._fast_name} encoded text {self._calls:,} otherwise: transformers went on alone"
        return right

    def _try(self, texts: Sequence[str]) -> list[Ints] | None:
        """Return the ids, None where it fails: transformers then takes the text, or says what is wrong with it."""
        try:
            return list(self._fast.encode(texts))
        except BaseException as error:
            # A panic of a Rust library is no Exception, but no wish to end the program either.
            if isinstance(error, Exception) or type(error).__name__ == "PanicException":
                return None
            raise


def choose_backend(tokenizer: PreTrainedTokenizerBase, choice: Choice) -> Backend:
    """Return the backend for a tokenizer: with ``auto``, fastokens where it takes it.

    Raises:
        UsageError: fastokens was asked for and cannot be used.
    """
    reference = TransformersBackend(tokenizer)
    if choice == "transformers":
        return reference
    try:
        return WatchedBackend(Fastokens(tokenizer), reference)
    except Exception as error:  # it raises what its parser raises
        reason = str(error).strip().split("\n")[0]
        if choice == "fastokens":
            msg = f"tokenizer.backend: fastokens cannot be used: {reason}"
            raise UsageError(msg, "pip install 'maskprep[fast]', or leave tokenizer.backend out") from error
        return TransformersBackend(tokenizer, f"fastokens cannot be used: {reason}")


_PLAIN = {"add_special_tokens": False}
_CACHED_BYTES = 64 * 2**20  # of texts that repeat, as system prompts do
