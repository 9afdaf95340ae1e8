"""One rendering for all the beginnings of a conversation.

``render(M[:p])`` runs the template on the first ``p`` messages. Most of what it does is what the rendering of all of
``M`` did: wherever a loop over the messages begins in the same state, its iterations do the same as long as what they
see is the same. So they are left out, and the rendering goes on with the last message of ``M[:p]``:

    render(M)      │ head │ m0 │ m1 │ m2 │ m3 │ m4 │ tail │
    render(M[:3])  │ head │ taken over  │ m2 │ tail │           head, m2 and tail are run, on three messages

What is taken over is proved to be the same, and by nothing that is known of any template:

- the loop stands at the top level of the template, and all variables have the same values when it begins;
- what was seen of the list of messages before iteration m2, those three messages alone show as well (``Messages``);
- whether a generation prompt is wanted was not asked in between, or the answer is the same;
- namespaces, the one thing that a template of the sandbox can change, are set to what they held when m2 began.

Whatever is not known to be so is run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from jinja2.runtime import LoopContext
from jinja2.utils import Namespace

from maskprep.template.rendered import Beginning, Rendered
from maskprep.template.same_state import MOST_VALUES, StateComparison, attributes, fixed
from maskprep.template.strings.message_list import ALL, Messages, ObservedList
from maskprep.template.strings.printing import concat

_NONE = object()
_LOOK_AHEAD = 3  # so many iterations back a loop is entered, where the last ones have looked ahead
_MOST_KEPT = 2**24  # characters that namespaces may come to hold within one loop, all their values together


class _Mark(NamedTuple):
    """The state of a rendering when an iteration of a loop began.

    ``pieces`` had been written, ``needs`` and ``asked`` tell what had been seen since the loop began, ``held`` are the
    attributes of each namespace.
    """

    pieces: int
    needs: int
    asked: bool
    held: tuple[dict[str, Any], ...]


class _LoopRecord:
    """A loop over messages at the top level of a template: how it began, and where each iteration did."""

    def __init__(self, run: Rendering, start: int, variables: Mapping[str, Any]) -> None:
        self.run, self.start = run, start
        self.variables = dict(variables)
        self.namespaces = [value for value in self.variables.values() if isinstance(value, Namespace)]
        self.pieces = len(run.pieces)
        self.held = tuple(dict(attributes(namespace)) for namespace in self.namespaces)
        self.marks: list[_Mark] = []
        self.kept = 0

    def mark(self) -> None:
        """Note the state of the rendering at the beginning of an iteration."""
        before = self.marks[-1].held if self.marks else self.held
        held = tuple(map(self._held, self.namespaces, before))
        self.marks.append(_Mark(len(self.run.pieces), self.run.needs, self.run.asked, held))
        if self.kept > _MOST_KEPT:
            self.run.needs = ALL  # gathers all of its output in a namespace: there is nothing to gain

    def _held(self, namespace: Namespace, before: dict[str, Any]) -> dict[str, Any]:
        now = attributes(namespace)
        changed = [value for name, value in now.items() if before.get(name, _NONE) is not value]
        if not changed and len(now) == len(before):
            return before
        self.kept += sum(len(value) for value in changed if isinstance(value, str))
        return dict(now)


class Rendering(ObservedList):
    """One rendering, under way or done.

    Args:
        size: how many messages it is given.
        prompted: whether a generation prompt is wanted.
        earlier: renderings of the same conversation, to take over from; the first one is the whole.
    """

    __slots__ = ("earlier", "jumps", "loops", "offsets", "pieces", "prompted", "rendered", "size", "written")

    def __init__(self, size: int, earlier: Sequence[Rendering] = (), *, prompted: bool) -> None:
        super().__init__()
        self.size, self.prompted, self.earlier = size, prompted, earlier
        self.pieces: list[str] = []
        self.jumps: list[tuple[int, Rendering, int, int]] = []
        self.loops: dict[int, _LoopRecord] = {}
        self.offsets: list[int] = []
        self.rendered = Rendered("", ())
        self.written = 0

    def enter(self, number: int, messages: Messages, variables: Mapping[str, Any]) -> Resumed:
        """Return the messages that loop ``number`` of the template must go through, the output before taken over."""
        for run in self.earlier:
            loop = run.loops.get(number)
            if loop is not None and loop.start == messages.start:
                first = self._take_over(loop, variables)
                if first:
                    return Resumed(messages, first, None)
        self.needs, self.asked = 0, False
        self.loops[number] = loop = _LoopRecord(self, messages.start, variables)
        return Resumed(messages, 0, loop)

    def _take_over(self, loop: _LoopRecord, variables: Mapping[str, Any]) -> int:
        """Return how many iterations of an earlier run's loop are taken over, and set the namespaces that they set."""
        known = min(self.size, loop.run.size)
        last = min(known - loop.start, len(loop.marks)) - 1
        for first in range(last, max(last - _LOOK_AHEAD, 0), -1):
            mark = loop.marks[first]
            if mark.needs <= known and (not mark.asked or self.prompted == loop.run.prompted):
                break
        else:
            return 0
        own = StateComparison(loop).namespaces(variables)
        if own is None:
            return 0
        changes = [
            (
                namespace,
                {name: value for name, value in held.items() if name not in before or value is not before[name]},
            )
            for namespace, held, before in zip(own, mark.held, loop.held, strict=True)
        ]
        budget = [MOST_VALUES]
        if not all(fixed(value, budget) for _, changed in changes for value in changed.values()):
            return 0
        for namespace, changed in changes:
            attributes(namespace).update(changed)
        self.jumps.append((len(self.pieces), loop.run, loop.pieces, mark.pieces))
        return first

    def finish(self) -> Rendered:
        """Return the rendered text, as a ``Beginning`` of the whole rendering where it is one.

        ``written`` then tells how many of its characters were not taken over.
        """
        self.written = sum(map(len, self.pieces))
        if self.jumps:
            self.rendered = self._joined()
            self.loops.clear()  # they were not run from their beginning: nothing can be taken over from them
        else:
            self.rendered = Rendered.of(concat(self.pieces))
            self.offsets = [0, *accumulate(map(len, self.pieces))]
        self.earlier = ()
        return self.rendered

    def _joined(self) -> Rendered:
        whole = self.earlier[0].rendered
        at, along = 0, True
        parts: list[tuple[Rendered, int, int]] = []
        position = 0
        for index, source, first, last in [*self.jumps, (len(self.pieces), self, 0, 0)]:
            own = Rendered.of(concat(self.pieces[position:index]))
            parts.append((own, 0, len(own)))
            along = along and whole.continues(at, own)
            at, position = at + len(own), index
            if source is not self:
                low, high = source.offsets[first], source.offsets[last]
                parts.append((source.rendered, low, high))
                along = along and ((source.rendered is whole and low == at) or low == high)
                at += high - low
        if along:
            return Beginning(whole, at)
        return Rendered.joined(text.part(low, high) for text, low, high in parts)


class Resumed:
    """The messages that a loop at the top level is to go through, from number ``first`` on."""

    __slots__ = ("first", "loop", "messages")

    def __init__(self, messages: Messages, first: int, loop: _LoopRecord | None) -> None:
        self.messages, self.first, self.loop = messages, first, loop

    def __iter__(self) -> Iterator[Any]:
        messages = self.messages.walk(self.first)
        loop = self.loop
        if loop is None:
            yield from messages
            return
        while True:
            loop.mark()
            try:
                message = next(messages)
            except StopIteration:
                return
            yield message

    def __len__(self) -> int:
        return len(self.messages)


class ResumedLoop(LoopContext):
    """The variable ``loop`` of a loop that may be entered at a later message; it counts from the first all the same."""

    def __init__(self, walk: Resumed, undefined: Any, recurse: Any = None, depth0: int = 0) -> None:
        super().__init__(walk.messages, undefined, recurse, depth0)
        self._loop = walk.loop
        if walk.first:
            self._iterator = walk.messages.walk(walk.first)
            self.index0 = walk.first - 1
            self._current = walk.messages[walk.first - 1]

    def __next__(self) -> tuple[Any, LoopContext]:
        if self._loop is not None:
            self._loop.mark()
        return super().__next__()

    def changed(self, *value: Any) -> bool:
        if self._loop is not None:
            self._loop.run.needs = ALL  # what it compares with is kept where no mark holds it
        return super().changed(*value)


def loop_context(iterable: Any, undefined: Any, recurse: Any = None, depth0: int = 0) -> LoopContext:
    """Return the value of the template's variable ``loop``."""
    kind = ResumedLoop if isinstance(iterable, Resumed) else LoopContext
    return kind(iterable, undefined, recurse, depth0)
