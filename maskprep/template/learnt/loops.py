"""Loops of a watched template over what a row holds; each iteration is written down by itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from maskprep.template.learnt.runtime import Pairs
from maskprep.template.learnt.values import Fact, Items, Joined, Message, Numbers, Watched
from maskprep.template.learnt.watch import UnlearnableError, Watch

if TYPE_CHECKING:
    from maskprep.template.learnt.environment import WatchingEnvironment


def enter(environment: WatchingEnvironment, iterable: Any, *, otherwise: bool, tested: bool) -> Any:
    """Return what goes through an iterable; ``otherwise`` tells that it matters whether there is anything in it."""
    watch = environment.watch
    if isinstance(iterable, Watched):
        if iterable.kind is dict:
            iterable = items_of(iterable, "keys")
        elif iterable.kind not in (list, Pairs):
            raise UnlearnableError(f"a loop over a {iterable.kind.__name__}")
    if not isinstance(iterable, Watched | Items | Numbers):
        return NativeLoop(environment, iter(_native(iterable)), list(iterable) if _sized(iterable) else None)
    loop = WatchedLoop(environment, watch, iterable)
    if tested:
        loop.tested = True
    if otherwise:
        if tested:
            raise UnlearnableError("whether anything passes a test")
        watch.ask(f"len({loop.code}) > 0" if not isinstance(iterable, Watched) else "len({0}) > 0", *loop.given)
    return loop


def items_of(mapping: Watched, what: str) -> Items:
    """Return the items, keys or values of a mapping, for a loop."""
    code = "sorted_items({0})" if what == "sorted" else f"list({{0}}.{what}())"
    return Items(mapping, what, *mapping.watch.bind(code, mapping))


def _native(iterable: Any) -> Any:
    if isinstance(iterable, Joined):
        raise UnlearnableError("the characters of a text, one by one")
    return iterable


def _sized(iterable: Any) -> bool:
    return hasattr(iterable, "__len__")


class NativeLoop:
    """A loop over what the template has made itself: it is unrolled."""

    def __init__(self, environment: WatchingEnvironment, items: Iterator[Any], held: list[Any] | None) -> None:
        self._environment, self._items, self._held = environment, items if held is None else iter(held), held
        environment.running.append(self)

    def __iter__(self) -> NativeLoop:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._items)
        except StopIteration:
            if self in self._environment.running:
                self._environment.running.remove(self)
            raise

    def __len__(self) -> int:
        if self._held is None:
            raise TypeError
        return len(self._held)

    def leave(self) -> None:
        """Note that the loop is left early."""


class WatchedLoop:
    """A loop over what a row holds."""

    def __init__(self, environment: WatchingEnvironment, watch: Watch, iterable: Watched | Items | Numbers) -> None:
        self._environment, self.watch, self._iterable = environment, watch, iterable
        self.code, self.values = iterable.code, list(iterable.value)
        self.given = (iterable,) if isinstance(iterable, Watched) else ()
        self.depth = watch.scope.depth + 1
        self.tested = False
        self.position = -1
        self._left = False
        targets = f"i{self.depth}, {self._target()}"
        self.ran = watch.begin_loop(targets, self.code)
        environment.running.append(self)

    def _target(self) -> str:
        value, source = f"v{self.depth}_0", f"s{self.depth}_0"
        if isinstance(self._iterable, Items) and self._iterable.what in {"items", "sorted"}:
            return f"(k{self.depth}_0, {value})"
        return f"({value}, {source})" if self.over_messages else value

    @property
    def over_messages(self) -> bool:
        """Whether its items are messages."""
        return isinstance(self._iterable, Watched) and isinstance(self._iterable.value, Pairs)

    def __iter__(self) -> WatchedLoop:
        return self

    def __next__(self) -> Any:
        if self.position >= 0:
            self._end("next")
        self.position += 1
        if self.position >= len(self.values):
            self._environment.running.remove(self)
            raise StopIteration
        self.watch.begin_iteration(self.ran)
        return self._item(self.values[self.position])

    def _end(self, how: str) -> None:
        if self.watch.scope.depth != self.depth:
            raise UnlearnableError("a loop that is gone on with inside another one")
        self.watch.end_iteration(how)

    def leave(self) -> None:
        """Note that the loop is left early."""
        self._end("break")

    def _item(self, value: Any) -> Any:
        watch, iterable = self.watch, self._iterable
        name = f"v{self.depth}_0"
        if isinstance(iterable, Numbers):
            return Fact(watch, name, value)
        if self.over_messages:
            return Message(watch, name, value[0], f"s{self.depth}_0", value[1])
        owner = iterable.mapping if isinstance(iterable, Items) else iterable
        given = owner.source, owner.origin
        if isinstance(iterable, Items):
            if isinstance(owner, Message):
                raise UnlearnableError("a loop over the fields of a message")
            if iterable.what in {"items", "sorted"}:
                return (Watched(watch, f"k{self.depth}_0", value[0], *given), Watched(watch, name, value[1], *given))
            return Watched(watch, name, value, *given)
        return Watched(watch, name, value, *given, calls=1 if owner.calls > 1 else 0)


class WatchedLoopContext:
    """The variable ``loop`` of a loop over what a row holds."""

    def __init__(self, loop: WatchedLoop, environment: WatchingEnvironment) -> None:
        if loop.tested:
            raise UnlearnableError("the number of an item among those that pass a test")
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
        if name in {"previtem", "nextitem"} and loop.over_messages:
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
        number = watch.name()
        watch.bind_code(f"v{number}, s{number}", f"{loop.code}[i{loop.depth} {'-' if step < 0 else '+'} 1]")
        value, origin = loop.values[loop.position + step]
        return Message(watch, "v" + number, value, "s" + number, origin)
