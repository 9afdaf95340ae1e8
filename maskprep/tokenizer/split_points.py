r"""Where a text may be divided so that its parts, encoded alone, give the ids of the whole.

    text      Be brief.<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\nHel…
    segments  ├───────┤├───────────────┤├──────────┤├───────────────────────…

Why that holds. A Hugging Face fast tokenizer first searches the text as it stands for added tokens (those that are not
``normalized``): from the left, of those that begin at one place the longest. Only what lies between them is then
normalised, searched for the other added tokens, pre-tokenised and encoded, each stretch by itself. Call an added token
*isolated* when its first character stands inside no such token, it is the beginning of no longer one, and it takes no
white space with it (``lstrip``, ``rstrip``). Then

1. wherever the text spells a isolated token, that token is found: none that begins earlier can reach into it, none that
   begins with it is longer;
2. the search therefore begins afresh at each isolated token, knowing nothing of what stood before: what is found in
   front of it and behind it is what is found in those two texts alone. (Tokens that must be a ``single_word`` look at
   their neighbours: a tokenizer with one is not divided.)
3. the steps after the search know of a stretch only its text, and whether it is the text's very beginning (a blank is
   put there by Metaspace with ``prepend_scheme: first``). A segment begins with a isolated token: the text behind that
   is the beginning neither in the segment nor in the whole.

Hence ids(text) is the ids of the segments one after the other; and of ``text[:n]`` all segments but the last one are
segments of the text.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from maskprep.arrays import Ints

if TYPE_CHECKING:
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerBase


_FEW = 512  # tokens that one regular expression finds quickly

# The parts of tokenizers that are known to look at nothing but the stretch itself, and whether it is the first.
_LOCAL = frozenset(
    {
        *("NFC", "NFD", "NFKC", "NFKD", "Nmt", "Lowercase", "Replace", "Prepend", "Precompiled", "Strip"),
        *("StripAccents", "BertNormalizer", "ByteLevel", "Sequence", "Metaspace", "Split", "Digits", "Punctuation"),
        *("Whitespace", "WhitespaceSplit", "BertPreTokenizer", "CharDelimiterSplit", "UnicodeScripts", "FixedLength"),
    }
)


class SplitPoints:
    """Divides texts at the isolated tokens of one tokenizer.

    Args:
        isolated: the ids of these tokens, by what they spell.
    """

    def __init__(self, isolated: Mapping[str, int]) -> None:
        self._ids = dict(isolated)
        self._sizes = sorted({len(content) for content in isolated}, reverse=True)
        whole = sorted(isolated, key=len, reverse=True) if len(isolated) <= _FEW else None
        self._all = None if whole is None else re.compile("|".join(map(re.escape, whole)) or r"(?!)")
        heads = sorted({content[:2] for content in isolated})
        self._heads = re.compile("|".join(map(re.escape, heads)) or r"(?!)")
        self._is_isolated = np.zeros(max(isolated.values(), default=-1) + 2, dtype=np.bool_)
        self._is_isolated[list(isolated.values())] = True

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> SplitPoints:
        """Return the segments of a tokenizer: where there is any doubt about it, no text is ever divided."""
        return cls(isolated(tokenizer.backend_tokenizer.get_added_tokens_decoder()) if _is_local(tokenizer) else {})

    def bounds(self, text: str) -> list[tuple[int, int]]:
        """Return the places of all isolated tokens, in characters and in order."""
        if self._all is not None:
            return [found.span() for found in self._all.finditer(text)]
        return list(self._found(text))

    def _found(self, text: str) -> Iterator[tuple[int, int]]:
        for head in self._heads.finditer(text):
            start = head.start()
            for size in self._sizes:
                if text[start : start + size] in self._ids:
                    yield start, start + size
                    break

    def divide(self, text: str) -> list[str]:
        """Return the segments of ``text``."""
        starts = [start for start, _ in self.bounds(text)]
        edges = [0, *(start for start in starts if start), len(text)]
        return [text[start:end] for start, end in pairwise(edges)]

    def isolated(self, ids: Ints) -> Ints:
        """Return at which of ``ids`` isolated tokens stand."""
        return np.flatnonzero(self._is_isolated[np.minimum(ids, len(self._is_isolated) - 1)])

    def positions(self, text: str, bounds: Sequence[tuple[int, int]], ids: Ints) -> Ints | None:
        """Return at which of ``ids`` each isolated token of ``text`` stands.

        None where the ids hold a isolated token that the text does not spell (a normaliser may bring it about): nobody
        can then tell which is which.
        """
        found = self.isolated(ids)
        spelt = np.asarray([self._ids[text[start:end]] for start, end in bounds], np.int64)
        return found if np.array_equal(ids[found], spelt) else None


def encodes_itself(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether a tokenizer may do anything but call the library ``tokenizers`` with the text as it is."""
    from transformers import PreTrainedTokenizerFast  # noqa: PLC0415 - seconds to import

    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        return True
    return type(tokenizer)._encode_plus is not PreTrainedTokenizerFast._encode_plus  # noqa: SLF001 - what encodes


def _is_local(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Tell whether every part of the tokenizer is known to do as the argument has it."""
    if encodes_itself(tokenizer) or tokenizer.split_special_tokens:
        return False
    backend = tokenizer.backend_tokenizer
    try:
        parts = [json.loads(part.__getstate__()) for part in (backend.normalizer, backend.pre_tokenizer) if part]
    except Exception:  # noqa: BLE001 - parts written in Python cannot be told
        return False
    return (
        is_local(parts)
        and not getattr(backend.model, "dropout", None)
        and not any(token.single_word for token in backend.get_added_tokens_decoder().values())
    )


def is_local(parts: Iterable[Mapping[str, Any]]) -> bool:
    """Tell whether normalisers and pre-tokenisers are known to look at nothing but the stretch itself."""
    return all(name in _LOCAL for part in parts for name in _types(part))


def _types(part: Mapping[str, Any]) -> Iterator[str]:
    """Yield the types of a normaliser or pre-tokeniser and of all parts within it."""
    yield str(part.get("type"))
    for inner in (*part.get("normalizers", ()), *part.get("pretokenizers", ())):
        yield from _types(inner)


def isolated(added: Mapping[int, AddedToken]) -> dict[str, int]:
    """Return the ids of the isolated ones among the added tokens, by what they spell."""
    raw = {id_: token for id_, token in added.items() if not token.normalized and token.content}
    contents = sorted(token.content for token in raw.values())
    inside = {char for content in contents for char in content[1:]}
    found = {}
    for id_, token in raw.items():
        content = token.content
        after = bisect_right(contents, content)
        longer = after < len(contents) and contents[after].startswith(content)
        if content[0] not in inside and not (longer or token.lstrip or token.rstrip):
            found[content] = id_
    return found
