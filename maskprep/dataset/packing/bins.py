"""The packing algorithms: each returns the bin of every document, bins counted from 0 without a gap.

    sizes            4 4 3 3 3 3                 tokens of six documents; bins of 10
    in_order         4 4 │ 3 3 3 │ 3             as they come
    _decreasing      4 4 │ 3 3 3 │ 3             the longest first, each where least is left over
    _exact           4 3 3 │ 4 3 3               bin by bin, the last two so that nothing is left over
    best_fit         0 1 0 1 0 1                 the bins of the better of the last two

Documents of one length are alike, so both searches work on *how many* there are of each length, and place all that
go the same way at once. Their time grows with the number of different lengths, hardly with that of documents. The set
of lengths (or of free sizes) is one integer: bit ``s`` is set where there is one of ``s`` tokens, and the smallest
that fits is its lowest bit after a shift.
"""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from maskprep.arrays import Ints


def in_order(sizes: Ints, capacity: int) -> Ints:
    """Return the bin of each document, bins filled with consecutive documents; ``sizes`` are from 1 to ``capacity``."""
    ends = np.cumsum(sizes).tolist()
    edges, before = [0], 0
    while edges[-1] < len(ends):
        edges.append(bisect_right(ends, before + capacity, lo=edges[-1]))
        before = ends[edges[-1] - 1]
    return np.repeat(np.arange(len(edges) - 1), np.diff(edges))


def best_fit(sizes: Ints, capacity: int) -> Ints:
    """Return the bin of each document, with few bins in all; ``sizes`` are from 1 to ``capacity``.

    Best-fit decreasing comes first. Where it takes more bins than the tokens need, exact filling is tried too, and the
    one with fewer bins is taken. The first is better with many long documents, the second with many short ones.
    """
    counts = np.bincount(sizes, minlength=capacity + 1).tolist()
    count, bins = _decreasing(counts, capacity)
    if count * capacity - int(sizes.sum()) >= capacity:
        other, others = _exact(counts, capacity)
        if other < count:
            bins = others
    placed = np.empty(len(sizes), np.int64)
    placed[np.argsort(-sizes, kind="stable")] = np.fromiter(
        (bin_ for of_one_length in reversed(bins) for bin_ in of_one_length), np.int64, len(sizes)
    )
    return placed


def _decreasing(counts: list[int], capacity: int) -> tuple[int, list[list[int]]]:
    """Put each document, longest first, into the bin where the least space is left over.

    Return the number of bins, and for each length the bins of its documents.
    """
    placed: list[list[int]] = [[] for _ in counts]
    free: list[list[int]] = [[] for _ in counts]  # the bins that have so much space
    sizes = opened = 0
    for length in range(capacity, 0, -1):
        left = counts[length]
        while left:
            fitting = sizes >> length
            space = length + _lowest(fitting) if fitting else capacity
            # The best bin stays the best until it is full: it takes as many as go in.
            each = space // length
            wanted = -(-left // each)
            if not fitting:
                taken = list(range(opened, opened + wanted))
                opened += wanted
            elif wanted < len(free[space]):
                taken = free[space][-wanted:]
                del free[space][-wanted:]
            else:
                taken, free[space] = free[space], []
                sizes ^= 1 << space
            documents = min(left, each * len(taken))
            rest = documents - each * (len(taken) - 1)  # the last bin may get fewer
            left -= documents
            last = taken.pop()
            placed[length] += taken * each + [last] * rest
            for some, there in (([last], space - rest * length), (taken, space - each * length)):
                if some and there:
                    free[there] += some
                    sizes |= 1 << there
    return opened, placed


def _exact(counts: list[int], capacity: int) -> tuple[int, list[list[int]]]:
    """Fill one bin at a time: longest first, and the last two so that nothing is left over, if any two do.

    The lengths found for one bin are used again for as long as there are such documents. Returns what ``_decreasing``
    returns.
    """
    counts = counts.copy()
    placed: list[list[int]] = [[] for _ in counts]
    lengths = mirrored = opened = 0  # bit s of the one is bit capacity - s of the other
    for length, count in enumerate(counts):
        if count:
            lengths |= 1 << length
            mirrored |= 1 << (capacity - length)
    while lengths:
        pattern = _pattern(counts, lengths, mirrored, capacity)
        bins = min(counts[length] // each for length, each in pattern.items())
        for length, each in pattern.items():
            placed[length] += list(range(opened, opened + bins)) * each
            counts[length] -= each * bins
            if not counts[length]:
                lengths ^= 1 << length
                mirrored ^= 1 << (capacity - length)
        opened += bins
    return opened, placed


def _pattern(counts: list[int], lengths: int, mirrored: int, capacity: int) -> dict[int, int]:
    """Return how many documents of each length fill one bin, by length."""
    pattern: dict[int, int] = {}
    space = capacity
    while space:
        fitting = lengths & ((2 << space) - 1)
        longest = fitting.bit_length() - 1
        while longest > 0 and pattern.get(longest, 0) >= counts[longest]:
            fitting ^= 1 << longest
            longest = fitting.bit_length() - 1
        if longest <= 0:
            break
        if space <= 2 * longest:
            ending = _ending(counts, pattern, lengths & (mirrored >> (capacity - space)), space)
            if longest == space or ending:
                for length in ending if longest != space else (space,):
                    pattern[length] = pattern.get(length, 0) + 1
                break
        many = min(counts[longest] - pattern.get(longest, 0), max(1, space // longest - 2))
        pattern[longest] = pattern.get(longest, 0) + many
        space -= many * longest
    return pattern


_TRIES = 8  # pairs looked at before the longest document is taken instead


def _ending(counts: list[int], pattern: dict[int, int], pairs: int, space: int) -> tuple[int, ...]:
    """Return two lengths that fill the space exactly and are still there, the most equal ones, or an empty tuple.

    ``pairs`` has the bit ``a`` where there are documents of ``a`` and of ``space - a`` tokens.
    """
    half = (space + 1) // 2
    above = pairs >> half
    for _ in range(_TRIES):
        if not above:
            break
        longer = half + _lowest(above)
        shorter = space - longer
        spare = counts[longer] - pattern.get(longer, 0)
        if spare > (longer == shorter) and counts[shorter] > pattern.get(shorter, 0):
            return longer, shorter
        above &= above - 1
    return ()


def _lowest(bits: int) -> int:
    """Return the number of the lowest bit that is set."""
    return (bits & -bits).bit_length() - 1
