r"""Two texts aligned: which byte of the one is which byte of the other, wherever they agree.

    expected   <|im_start|>assistant\n              The inlet.<|im_end|>
    found      <|im_start|>assistant\n<think>\n\n   The inlet.<|im_end|>
                                      └─ of nothing in the expected text

Runs of words that occur once in either text are anchors; what lies between two anchors is aligned likewise, with
shorter runs, and last by difflib.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from itertools import pairwise

import numpy as np

from maskprep.arrays import Ints, limits_of

# In Latin-1, where each byte is a character: one character of three bytes, a word, other characters, white space.
_WORD = re.compile(r"[\xe0-\xef][\x80-\xbf]{2}|[A-Za-z0-9_]+|[\x80-\xff]+| +|.", re.DOTALL)
_RUNS = (8, 4, 2, 1)  # words that make an anchor
_SMALL = 40_000  # words times words that are left to difflib


def aligned(expected: bytes, found: bytes) -> Ints:
    """Return for each byte of ``found`` its place in ``expected``, -1 where it has none: (bytes of found,)."""
    one, two = _words(expected), _words(found)
    place = np.full(len(found), -1, np.int64)
    ends_one, ends_two = limits_of(map(len, one)), limits_of(map(len, two))
    for start, other, size in _matches(one, two):
        low, high = int(ends_two[other]), int(ends_two[other + size])
        first = int(ends_one[start])
        place[low:high] = np.arange(first, first + high - low)
    return place


def _words(text: bytes) -> list[str]:
    return _WORD.findall(text.decode("latin-1"))


def _matches(one: Sequence[str], two: Sequence[str]) -> Iterator[tuple[int, int, int]]:
    """Yield ``start in one, start in two, words`` of the stretches that agree."""
    waiting = [(0, len(one), 0, len(two), 0)]
    while waiting:
        a, b, c, d, depth = waiting.pop()
        head = _common(one[a:b], two[c:d])
        if head:
            yield a, c, head
            a, c = a + head, c + head
        tail = _common(one[a:b][::-1], two[c:d][::-1])
        if tail:
            b, d = b - tail, d - tail
            yield b, d, tail
        if a == b or c == d:
            continue
        anchors: list[tuple[int, int]] = []
        while not anchors and depth < len(_RUNS):
            anchors = _anchors(one[a:b], two[c:d], _RUNS[depth])
            depth += not anchors
        if anchors:
            edges = [(a, c), *((a + x, c + y) for x, y in anchors), (b, d)]
            waiting += [(x, u, y, v, depth) for (x, y), (u, v) in pairwise(edges)]
        elif (b - a) * (d - c) <= _SMALL:
            for block in SequenceMatcher(None, one[a:b], two[c:d], autojunk=False).get_matching_blocks():
                if block.size:
                    yield a + block.a, c + block.b, block.size


def _common(one: Sequence[str], two: Sequence[str]) -> int:
    """Return with how many words two lists begin alike."""
    size = min(len(one), len(two))
    return next((at for at in range(size) if one[at] != two[at]), size)


def _anchors(one: Sequence[str], two: Sequence[str], size: int) -> list[tuple[int, int]]:
    """Return the places of runs of words that occur once in both, as far as their order is the same."""
    if min(len(one), len(two)) < size:
        return []
    runs, others = ([tuple(words[at : at + size]) for at in range(len(words) - size + 1)] for words in (one, two))
    once, twice = Counter(runs), Counter(others)
    where = {run: at for at, run in enumerate(others) if twice[run] == 1}
    pairs = [(at, where[run]) for at, run in enumerate(runs) if once[run] == 1 and run in where]
    return _rising(pairs)


def _rising(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest of the subsequences whose second places rise."""
    tops: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for number, (_, place) in enumerate(pairs):
        at = bisect_left(tops, place)
        before.append(last[at - 1] if at else -1)
        tops[at : at + 1], last[at : at + 1] = [place], [number]
    found, number = [], last[-1] if last else -1
    while number >= 0:
        found.append(pairs[number])
        number = before[number]
    return found[::-1]
