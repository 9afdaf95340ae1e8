"""Namespaces of a watched template: what they hold may change from one iteration to the next."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import jinja2.utils
from jinja2.runtime import Undefined

from maskprep.template.learnt.lists import holds, own_code
from maskprep.template.learnt.opaque import Items, Stream
from maskprep.template.learnt.runtime import ABSENT, Absent, Pairs, Sourced
from maskprep.template.learnt.values import OF_TEMPLATE, Fact, Joined, Message, Own, Watched
from maskprep.template.learnt.watch import KINDS, Scope, UnlearnableError, Watch, code_of, value_of


class State(jinja2.utils.Namespace):
    """A namespace.

    In the iteration that has set an attribute it is known what it is. Whoever reads it elsewhere gets the value of that
    moment under a name of its own, whatever was set before: another iteration, or another row, may have set it.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._put("watch", watch)
        self._put("name", "n" + watch.name())
        self._put("held", dict[str, Any]())
        self._put("set_in", dict[str, tuple[Scope, int, Any]]())

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)

    @classmethod
    def begin(cls, watch: Watch, args: tuple[Any, ...], kwargs: dict[str, Any], names: Iterable[str]) -> State:
        """Return a new namespace; ``names`` are those that the template sets in any."""
        if any(isinstance(each, Watched | Joined | Items | Stream) for each in args):
            raise UnlearnableError("a namespace made of a mapping of a row")
        state = cls(watch)
        given = dict(*args, **kwargs)
        for name in names:
            given.setdefault(name, Undefined(name=name))
        for name, value in given.items():
            state[name] = value
        return state

    def __setitem__(self, name: str, value: Any) -> None:
        if not (isinstance(name, str) and name.isidentifier()) or name.startswith("_"):
            raise UnlearnableError(f"an attribute {name!r} of a namespace")
        scope = self.watch.scope
        code, held = _stored(value)
        self.watch.set_state(f"{self.name}_{name}", code)
        self.held[name] = held
        self.set_in[name] = scope, _loops(scope), value

    def read(self, name: str) -> Any:
        """Return an attribute."""
        if name not in self.held:
            return Undefined(name=name)  # nothing ever sets it
        scope, loops, value = self.set_in[name]
        if scope is self.watch.scope and loops == _loops(scope):
            return value
        return self._snapshot(name)

    def _snapshot(self, name: str) -> Any:
        watch, value = self.watch, self.held[name]
        code = "v" + watch.name()
        watch.bind_code(code, f"{self.name}_{name}")
        kind = watch.kind_of(code, value)
        if kind is Absent:
            return Undefined(name=name)
        number = watch.name() if kind in (tuple, Sourced) else ""
        if kind is tuple:
            watch.bind_code(f"v{number}, s{number}", code)
            return Message(watch, "v" + number, value[0], "s" + number, value[1])
        if kind is Sourced:
            watch.bind_code(f"v{number}, s{number}, c{number}", code)
            watch.exactly("c" + number, value[2])
            return Watched(watch, "v" + number, value[0], "s" + number, value[1], value[2])
        if kind in (int, bool, float):
            return Fact(watch, code, value)
        return Watched(watch, code, value) if kind in (str, type(None), Pairs) else Own(watch, code, value)


def _stored(value: Any) -> tuple[str, Any]:
    """Return the code of a value, as a namespace holds it, and what that is now."""
    if isinstance(value, Joined):
        value = value.tracked()
    if isinstance(value, Undefined):
        return "ABSENT", ABSENT
    if isinstance(value, Message):
        return f"({code_of(value)}, {value.source})", (value.value, value.origin)
    if isinstance(value, Watched) and type(value.value) not in KINDS:
        raise UnlearnableError("a value of an unknown type, in a namespace")
    if isinstance(value, Watched) and (value.source != OF_TEMPLATE or value.shape):
        held = Sourced((value.value, value.origin, value.shape))
        return f"Sourced(({code_of(value)}, {value.source}, {value.shape}))", held
    if type(value) in (list, tuple, dict) and holds([value]):
        return own_code(value)
    return code_of(value), value_of(value)


def _loops(scope: Scope) -> int:
    """Return how many loops were gone through in a scope: any of them may set an attribute, in another row."""
    return sum(event[0] == "ran" for event in scope.events)
