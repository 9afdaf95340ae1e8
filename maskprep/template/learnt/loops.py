"""Loops of a watched template over what a row holds; each iteration is written down by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.opaque import Items, Numbers, Stream, Unlooked
from maskprep.template.learnt.runtime import CALL, CALLS, Pairs
from maskprep.template.learnt.values import Fact, Joined, Message, Own, Watched
from maskprep.template.learnt.watch import UnlearnableError, Watch, code_of
from maskprep.template.strings.string import Tracked

PAIRED = frozenset({"items", "sorted"})
"""The ways through a mapping on which there are both keys and values."""


def enter(environment: Watching, iterable: Any, *, otherwise: bool, tested: bool) -> Any:
    """Return what goes through an iterable; ``otherwise`` tells that it matters whether there is anything in it."""
    watch = environment.watch
    iterable = _walked(iterable, watch)
    if not isinstance(iterable, Watched | Items | Numbers):
        return NativeLoop(environment, iterable)
    if otherwise:
        if tested:
            raise UnlearnableError("whether anything passes a test")
        watch.ask("len({0}) > 0", iterable if isinstance(iterable, Watched) else _listed(iterable, watch))
    return WatchedLoop(environment, watch, iterable)


def _listed(iterable: Items | Numbers, watch: Watch) -> Watched:
    """Return what a loop goes through as a value that can be asked about."""
    return Watched(watch, iterable.code, iterable.value)


def _walked(iterable: Any, watch: Watch) -> Any:
    """Return what a loop goes through for an iterable."""
    if isinstance(iterable, Stream):
        iterable = iterable.take(watch.scope)
    if isinstance(iterable, Joined):
        iterable = iterable.tracked()
    if isinstance(iterable, Watched) and iterable.kind is dict:
        return items_of(iterable, "keys")
    if isinstance(iterable, Watched) and iterable.kind not in (list, Pairs, str, Tracked):
        raise UnlearnableError(f"a loop over a {iterable.kind.__name__}")
    if isinstance(iterable, Unlooked) and not isinstance(iterable, Watched | Items | Numbers):
        raise UnlearnableError(f"a loop over a {type(iterable).__name__}")
    return iterable


def items_of(mapping: Watched, what: str) -> Items:
    """Return the items, keys or values of a mapping, for a loop."""
    code = "sorted_items({0})" if what == "sorted" else f"list({{0}}.{what}())"
    return Items(mapping, what, *mapping.watch.bind(code, mapping))


class NativeLoop:
    """A loop over what the template has made itself: it is unrolled."""

    def __init__(self, environment: Watching, iterable: Any) -> None:
        held = list(iterable) if hasattr(iterable, "__len__") else None
        self._items, self._held = iter(iterable if held is None else held), held
        environment.running.append(self)

    def __iter__(self) -> NativeLoop:
        return self

    def __next__(self) -> Any:
        return next(self._items)

    def __len__(self) -> int:
        if self._held is None:
            raise TypeError
        return len(self._held)

    def leave(self) -> None:
        """Note that the loop is left early."""


class WatchedLoop:
    """A loop over what a row holds."""

    def __init__(self, environment: Watching, watch: Watch, iterable: Watched | Items | Numbers) -> None:
        self._environment, self.watch, self.iterable = environment, watch, iterable
        self.code, self.values = (
            code_of(iterable) if isinstance(iterable, Watched) else iterable.code,
            [*iterable.value],
        )
        self.depth = watch.scope.depth + 1
        self.position = -1
        self._sure = self._known()
        targets = f"i{self.depth}, {self._target()}"
        self.ran = watch.begin_loop(targets, self.code)
        environment.running.append(self)

    def _target(self) -> str:
        value, source = f"v{self.depth}_0", f"s{self.depth}_0"
        if isinstance(self.iterable, Items) and self.iterable.what in PAIRED:
            return f"(k{self.depth}_0, {value})"
        return f"({value}, {source})" if self.over_messages else value

    def _known(self) -> tuple[str, type] | None:
        """Return the name of which it is known that it is a text, and of which type."""
        if isinstance(self.iterable, Items):
            letter = "k" if self.iterable.what in PAIRED else "v"
            plain = self.iterable.what != "values" and not isinstance(self.iterable.mapping, Own)
            return (f"{letter}{self.depth}_0", str) if plain else None
        text = isinstance(self.iterable, Watched) and isinstance(self.iterable.value, str)
        return (f"v{self.depth}_0", type(self.iterable.value)) if text else None

    @property
    def over_messages(self) -> bool:
        """Whether its items are messages."""
        return isinstance(self.iterable, Watched) and isinstance(self.iterable.value, Pairs)

    def __iter__(self) -> WatchedLoop:
        return self

    def __next__(self) -> Any:
        if self.position >= 0:
            self._end("next")
        self.position += 1
        if self.position >= len(self.values):
            raise StopIteration
        self.watch.begin_iteration(self.ran)
        if self._sure is not None:
            self.watch.scope.known[self._sure[0]] = self._sure[1]
        return self._item(self.values[self.position])

    def _end(self, how: str) -> None:
        if self.watch.scope.depth != self.depth:
            raise UnlearnableError("a loop that is gone on with inside another one")
        self.watch.end_iteration(how)

    def leave(self) -> None:
        """Note that the loop is left early."""
        self._end("break")

    def gather(self, items: Iterator[Any], name: str) -> WatchedLoop:
        """Return a loop over those of the items that pass a test, which ``items`` yields."""
        gathered: Any = Pairs() if self.over_messages else []
        # Nothing has come yet of the loop that was just begun: what it fills is there before it.
        self.watch.scope.events.insert(-1, ("bind", name, "Pairs()" if self.over_messages else "[]"))
        target = self._target()
        for _ in items:
            gathered.append(self.values[self.position])
            self.watch.bind_code("_", f"{name}.append({target})")
        iterable = self.iterable
        if isinstance(iterable, Items):
            return WatchedLoop(self._environment, self.watch, Items(iterable.mapping, iterable.what, name, gathered))
        if isinstance(iterable, Numbers):
            raise UnlearnableError("the number of a number among those that pass a test")
        kept = Own(self.watch, name, gathered) if isinstance(iterable, Own) else Watched(self.watch, name, gathered)
        kept.source, kept.origin, kept.shape = iterable.source, iterable.origin, iterable.shape
        return WatchedLoop(self._environment, self.watch, kept)

    def _item(self, value: Any) -> Any:
        watch, iterable = self.watch, self.iterable
        name = f"v{self.depth}_0"
        if isinstance(iterable, Numbers):
            return Fact(watch, name, value)
        if self.over_messages:
            return Message(watch, name, value[0], f"s{self.depth}_0", value[1])
        if isinstance(iterable, Items):
            return self._entry(iterable, name, value)
        if isinstance(iterable, Own):
            return Own(watch, name, value)
        return Watched(watch, name, value, iterable.source, iterable.origin, CALL if iterable.shape & CALLS else 0)

    def _entry(self, items: Items, name: str, value: Any) -> Any:
        watch, owner, what = self.watch, items.mapping, items.what
        if (isinstance(owner, Message) or owner.shape & CALL) and what != "keys":
            raise UnlearnableError("a loop over the fields of a message, or of a call")
        # The names of the fields of a message are the template's.
        given = () if isinstance(owner, Own | Message) else (owner.source, owner.origin)
        kind: Callable[..., Watched] = Own if isinstance(owner, Own) else Watched
        if what not in PAIRED:
            return kind(watch, name, value, *given)
        return kind(watch, f"k{self.depth}_0", value[0], *given), kind(watch, name, value[1], *given)


class WatchedLoopContext(Unlooked):
    """The variable ``loop`` of a loop over what a row holds."""

    def __init__(self, loop: WatchedLoop, environment: Watching) -> None:
        self._loop, self._environment = loop, environment

    def __iter__(self) -> WatchedLoopContext:
        return self

    def __next__(self) -> tuple[Any, WatchedLoopContext]:
        return next(self._loop), self

    def attribute(self, name: str) -> Any:
        """Return an attribute of ``loop``."""
        loop = self._loop
        index, size = loop.position, len(loop.values)
        number = f"i{loop.depth}"
        length = f"len({loop.code})"
        facts = {
            "index0": (number, index),
            "index": (f"({number} + 1)", index + 1),
            "first": (f"({number} == 0)", index == 0),
            "last": (f"({number} + 1 == {length})", index + 1 == size),
            "length": (length, size),
            "revindex": (f"({length} - {number})", size - index),
            "revindex0": (f"({length} - {number} - 1)", size - index - 1),
        }
        if name in facts:
            return Fact(loop.watch, *facts[name])
        if name in {"previtem", "nextitem"}:
            return self._neighbour(-1 if name == "previtem" else 1, name)
        if name in {"depth", "depth0"}:
            return int(name == "depth")  # of recursion, of which there is none
        raise UnlearnableError(f"loop.{name}")

    def _neighbour(self, step: int, name: str) -> Any:
        loop = self._loop
        watch = loop.watch
        known = self.attribute("first" if step < 0 else "last")
        if watch.ask("{0}", known):
            return self._environment.undefined(f"there is no {name.removesuffix('item')} item")
        code = f"{loop.code}[i{loop.depth} {'-' if step < 0 else '+'} 1]"
        value = loop.values[loop.position + step]
        number = watch.name()
        if loop.over_messages:
            watch.bind_code(f"v{number}, s{number}", code)
            return Message(watch, "v" + number, value[0], "s" + number, value[1])
        iterable = loop.iterable
        if not isinstance(iterable, Watched) or iterable.kind is not list:
            raise UnlearnableError("the next item of what is no list")
        watch.bind_code(f"v{number}", code)
        if isinstance(iterable, Own):
            return Own(watch, "v" + number, value)
        shape = CALL if iterable.shape & CALLS else 0
        return Watched(watch, "v" + number, value, iterable.source, iterable.origin, shape)
