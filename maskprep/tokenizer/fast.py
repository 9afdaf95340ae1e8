"""fastokens: a fast tokenizer, whose tables take seconds to build. They can be built beside other work."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np

from maskprep.arrays import Ints
from maskprep.errors import BackendError, first_line

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Fastokens:
    """A transformers tokenizer, loaded into fastokens.

    Whether it takes such a tokenizer at all is known at once, by one of the same kind with a vocabulary of three.

    Raises:
        ValueError: fastokens cannot take it.
        ImportError: it does not work on this machine.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        from fastokens import Tokenizer  # noqa: PLC0415 - wanted only here

        if not getattr(tokenizer, "is_fast", False):
            raise ValueError("the tokenizer has no tokenizer.json")
        if tokenizer.split_special_tokens:
            raise ValueError("the tokenizer encodes special tokens as plain text")
        self._model = tokenizer.backend_tokenizer
        self._load = Tokenizer.from_json_str
        self._load(_small(self._model))
        self._loading: Future[Any] | None = None
        self._tokenizer: Any = None

    def begin(self) -> None:
        """Begin to build the tokenizer's tables, if that was not begun."""
        if self._loading is None:
            thread = ThreadPoolExecutor(1)
            # Not the file: the configuration may have added tokens since.
            self._loading = thread.submit(self._load, self._model.to_str())
            thread.shutdown(wait=False)

    @property
    def loaded(self) -> bool:
        """Whether the tables are built, or never will be."""
        return self._loading is not None and self._loading.done()

    def wait(self) -> None:
        """Wait until the tokenizer's tables are built.

        Raises:
            BackendError: fastokens does not take this tokenizer after all.
            MemoryError: there is too little memory for its tables.
        """
        if self._tokenizer is not None:
            return
        self.begin()
        assert self._loading is not None
        failure = self._loading.exception()
        if isinstance(failure, MemoryError):
            raise failure
        if failure is not None:
            msg = f"fastokens cannot take the tokenizer: {first_line(failure)}"
            raise BackendError(msg, "set tokenizer.backend: transformers") from failure
        self._tokenizer = self._loading.result()
        self._tokenizer.enable_segment_cache(_CACHED_BYTES)

    def encode(self, texts: Sequence[str]) -> list[Ints]:
        """Return the ids of each text. Raises as ``wait`` does."""
        self.wait()
        flat, offsets = self._tokenizer.encode_batch_flat(list(texts))
        ids = np.frombuffer(flat, np.uint32).astype(np.int64)
        return np.split(ids, np.frombuffer(offsets, np.uint64)[1:-1].astype(np.int64))


def _small(model: Any) -> str:
    """Return, as JSON, a tokenizer that treats text as this ``model`` does, but has a vocabulary of three tokens."""
    from tokenizers import Tokenizer, models  # noqa: PLC0415 - comes with transformers

    kind = type(model.model)
    small = Tokenizer(models.BPE({"a": 0, "b": 1, "ab": 2}, [("a", "b")]) if kind is models.BPE else kind())
    for part in ("normalizer", "pre_tokenizer", "post_processor", "decoder"):
        given = getattr(model, part)
        if given is not None:
            setattr(small, part, given)
    return small.to_str()


_CACHED_BYTES = 64 * 2**20  # of texts that repeat, as system prompts do
