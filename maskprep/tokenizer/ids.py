"""The ids of tokens, asked for one by one: a table of a whole vocabulary takes a fifth of a second to make."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Ids:
    """The ids of a tokenizer's tokens, as its ``get_vocab()`` has them.

    The table is made only where it is needed: to tell the size, or for a tokenizer with one of its own. To be forgotten
    when the tokenizer grows.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase) -> None:
        from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 - seconds to import

        self._tokenizer = tokenizer
        alike = getattr(type(tokenizer), "get_vocab", None) is PreTrainedTokenizerFast.get_vocab
        self._backend: Any = getattr(tokenizer, "backend_tokenizer", None) if alike else None

    @cached_property
    def _table(self) -> dict[str, int]:
        return dict(self._tokenizer.get_vocab())

    @cached_property
    def _tokens(self) -> dict[int, str]:
        return {number: token for token, number in self._table.items()}

    def of(self, token: str) -> int | None:
        """Return the id of a token, None where it is none."""
        found: int | None = self._table.get(token) if self._backend is None else self._backend.token_to_id(token)
        return found

    def token(self, number: int) -> str | None:
        """Return the token of an id, None where the id is no token's."""
        if self._backend is None:
            return self._tokens.get(number)
        found: str | None = self._backend.id_to_token(number) if 0 <= number < _NONE else None
        return found

    @cached_property
    def size(self) -> int:
        """The number of rows that an embedding needs: the largest id, plus one."""
        table = self._table if self._backend is None else self._tokenizer.get_vocab()  # not kept: some 20 MB
        return 1 + max(table.values(), default=-1)


_NONE = 2**32  # the library's ids are smaller
