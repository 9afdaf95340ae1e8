"""Buffers: what a template writes into a macro, a call or a ``set`` block, and takes out of it as one text.

As long as no loop puts anything in, it is known which pieces there are. A loop may put in any number of pieces: then
the buffer becomes a pair of lists in the code, which it is taken from when it is full.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from maskprep.template.learnt.values import OF_TEMPLATE, Held, Joined, Watched
from maskprep.template.learnt.watch import UnlearnableError, Watch, code_of
from maskprep.template.strings.origin import TEMPLATE
from maskprep.template.strings.string import Tracked


class Buffer:
    """A buffer that generated code fills."""

    def __init__(self, watch: Watch) -> None:
        self._watch, self._scope = watch, watch.scope
        self._pieces: list[Any] = []
        self._name = ""
        self._held: list[tuple[str, int]] = []
        watch.buffers.append(self)

    def append(self, piece: Any) -> None:
        """Put in a piece of text."""
        if not self._name:
            self._pieces.append(piece)
        else:
            write(self._watch, piece, self._held, self._name)

    def extend(self, pieces: Iterable[Any]) -> None:
        """Put in some pieces of text."""
        for piece in pieces:
            self.append(piece)

    def hold(self) -> None:
        """Become a pair of lists."""
        if self._name:
            return
        self._name = "b" + self._watch.name()
        self._watch.bind_code(f"{self._name}t, {self._name}s", "[], []")
        for piece in self._pieces:
            write(self._watch, piece, self._held, self._name)

    def close(self) -> Any:
        """Return all that was put in, as one text."""
        self._watch.buffers.remove(self)
        if self._watch.scope is not self._scope:
            raise UnlearnableError("a macro that is left within a loop")
        pieces = [Held(self._watch, self._name, self._held)] if self._name else self._pieces
        return join_pieces(self._watch, pieces)


def join_pieces(watch: Watch, pieces: list[Any]) -> Any:
    """Return pieces of text joined: a constant, where all are."""
    flat: list[Any] = []
    for piece in pieces:
        for each in piece.pieces if isinstance(piece, Joined) else [piece]:
            if type(each) is str and flat and type(flat[-1]) is str:
                flat[-1] += each
            elif isinstance(each, Watched | Held) or each != "":
                flat.append(each)
    if all(type(each) is str for each in flat):
        return "".join(flat)
    return flat[0] if len(flat) == 1 and isinstance(flat[0], Watched) else Joined(watch, flat)


def write(watch: Watch, piece: Any, written: list[tuple[str, int]], target: str = "") -> None:
    """Write a piece of text, into a buffer or as the template's own output; ``written`` is what is there by now."""
    for each in piece.pieces if isinstance(piece, Joined) else [piece]:
        if type(each) is str:
            watch.write(repr(each), OF_TEMPLATE, target)
            written.append((each, TEMPLATE))
        elif isinstance(each, Held):
            code_of(each)
            watch.spill(each.name, target)
            written += each.pieces
        elif isinstance(each, Watched) and each.kind is Tracked:
            watch.put(code_of(each), target)
            written += each.value.pieces()
        elif isinstance(each, Watched) and each.kind is str:
            known = watch.constant(each.code)
            watch.write(code_of(each if known is None else known), each.source, target)
            written.append((each.value, each.origin))
        else:
            raise UnlearnableError("what is no text, written")
