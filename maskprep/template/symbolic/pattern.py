"""A rendering of atoms as a pattern: filled with texts, it is the rendering of a conversation that has these."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from maskprep.arrays import Ints
from maskprep.template.rendered import Rendered
from maskprep.template.strings.runs import Runs
from maskprep.template.symbolic.placeholder import FIRST, SIZE

_ATOM = re.compile(f"([{chr(FIRST)}-\U0010ffff])\\1{{{SIZE - 1}}}")
_ANY_ATOM = re.compile(f"[{chr(FIRST)}-\U0010ffff]{{{SIZE}}}")
_PRIVATE = re.compile(f"[{chr(FIRST)}-\U0010ffff]")

Place = tuple[int, int]
"""A place in a pattern: how many atoms stand before it, and its offset were all atoms empty."""


class NoPatternError(Exception):
    """What is rendered depends on more than where texts are put."""


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Text with places for atoms.

    ``pieces`` is the text, cut at the atoms, with an empty text in the place of each; ``slots`` says which of them are
    atoms: pairs (piece, atom). ``ends`` is where each atom ends in the rendering that it was made of. ``runs`` are
    triples: the length but for the atoms, the atoms in it, the source.
    """

    pieces: tuple[str, ...]
    slots: tuple[tuple[int, int], ...]
    ends: tuple[int, ...]
    runs: tuple[tuple[int, tuple[int, ...], int], ...]
    sources: Ints

    @classmethod
    def of(cls, rendered: Rendered) -> Pattern:
        """Read a rendering of atoms. Raises ``NoPatternError``."""
        text = rendered.text
        found = list(_ATOM.finditer(text))
        if len(found) * SIZE != len(_PRIVATE.findall(text)) or rendered.lost:
            raise NoPatternError
        pieces: list[str] = []
        slots: list[tuple[int, int]] = []
        position = 0
        for match in found:
            pieces += (text[position : match.start()], "")
            slots.append((len(pieces) - 1, ord(match[1]) - FIRST))
            position = match.end()
        pieces.append(text[position:])
        ends = tuple(match.end() for match in found)
        runs: list[tuple[int, tuple[int, ...], int]] = []
        for start, stop, source in rendered.places():
            low, high = bisect_left(ends, start + SIZE), bisect_right(ends, stop)
            atoms = tuple(atom for _, atom in slots[low:high])
            size = stop - start - SIZE * len(atoms)
            if size < 0 or (atoms and not source) or (low and ends[low - 1] > start):
                raise NoPatternError
            runs.append((size, atoms, source))
        sources = np.asarray([source for _, _, source in runs], np.int64)
        return cls(tuple(pieces), tuple(slots), ends, tuple(runs), sources)

    def place(self, offset: int) -> Place:
        """Return the place at an offset of the rendering that the pattern was made of."""
        before = bisect_right(self.ends, offset)
        if before < len(self.ends) and offset > self.ends[before] - SIZE:
            raise NoPatternError
        return before, offset - SIZE * before

    def text(self, texts: Sequence[str]) -> str:
        """Return the text with ``texts`` for atoms."""
        pieces = [*self.pieces]
        for piece, atom in self.slots:
            pieces[piece] = texts[atom]
        return "".join(pieces)

    def filled_runs(self, sizes: Sequence[int]) -> Runs:
        """Return the runs where atoms have these sizes."""
        return tuple(
            [
                (size + sizes[atoms[0]] if len(atoms) == 1 else size + sum([sizes[atom] for atom in atoms]), source)
                if atoms
                else (size, source)
                for size, atoms, source in self.runs
            ]
        )

    def shifts(self, sizes: Sequence[int]) -> list[int]:
        """Return how far atoms of these sizes shift what stands behind so many of them."""
        return [0, *accumulate([sizes[atom] for _, atom in self.slots])]


class Filled(Rendered):
    """A rendering that a pattern stands for; it is put together when it is asked for."""

    __slots__ = ("_length", "_made_runs", "_made_text", "_pattern", "_sizes", "_texts")
    _pattern: Pattern
    _texts: Sequence[str]
    _sizes: Sequence[int]
    _length: int
    _made_text: str | None
    _made_runs: Runs | None

    def __init__(self, pattern: Pattern, texts: Sequence[str], sizes: Sequence[int], length: int) -> None:
        """Fill the pattern with ``texts`` of these ``sizes``: it is then of this ``length``."""
        put = object.__setattr__
        put(self, "_known", [])
        put(self, "_pattern", pattern)
        put(self, "_texts", texts)
        put(self, "_sizes", sizes)
        put(self, "_length", length)
        put(self, "_made_text", None)
        put(self, "_made_runs", None)

    @property
    def text(self) -> str:
        if self._made_text is None:
            object.__setattr__(self, "_made_text", self._pattern.text(self._texts))
        assert self._made_text is not None
        return self._made_text

    @property
    def runs(self) -> Runs:
        if self._made_runs is None:
            object.__setattr__(self, "_made_runs", self._pattern.filled_runs(self._sizes))
        assert self._made_runs is not None
        return self._made_runs

    def __len__(self) -> int:
        return self._length

    def table(self) -> tuple[Ints, Ints]:
        ends = np.fromiter(accumulate([size for size, _ in self.runs]), np.int64, len(self.runs))
        return ends, self._pattern.sources


def apart(text: str, tokens: Iterable[str]) -> bool:
    """Tell whether no token can begin in an atom of a text and end behind it, or the other way round.

    Two atoms that stand side by side could hold one together.
    """
    pieces = _ANY_ATOM.split(text)
    return all(pieces[1:-1]) and not any(
        _may_begin_with(piece, token[cut:]) or _may_end_with(before, token[:cut])
        for token in tokens
        for cut in range(1, len(token))
        for before, piece in pairwise(pieces)
    )


def _may_begin_with(piece: str, rest: str) -> bool:
    return piece.startswith(rest) or (len(piece) < len(rest) and rest.startswith(piece))


def _may_end_with(piece: str, lead: str) -> bool:
    return piece.endswith(lead) or (len(piece) < len(lead) and lead.endswith(piece))
