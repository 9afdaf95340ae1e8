"""Namespaces of a watched template: what they hold may change from one iteration to the next."""

from __future__ import annotations

from typing import Any

import jinja2.utils
from jinja2.runtime import Undefined

from maskprep.template.learnt.values import Fact, Joined, Message, Watched
from maskprep.template.learnt.watch import KINDS, Scope, UnlearnableError, Watch, code_of, value_of
from maskprep.template.strings.origin import TEMPLATE

Held = tuple[Any, int, int]
"""A value, its origin, and whether it holds tool calls (``Watched.calls``)."""


class State(jinja2.utils.Namespace):
    """A namespace.

    In the iteration that has set an attribute it is known what it is. Whoever reads it elsewhere gets the value of that
    moment under a name of its own, whatever was set before: another iteration, or another row, may have set it.
    """

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._put("watch", watch)
        self._put("name", "n" + watch.name())
        self._put("held", dict[str, Held]())
        self._put("set_in", dict[str, tuple[Scope, int, Any]]())

    def _put(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __getattribute__(self, name: str) -> Any:
        return object.__getattribute__(self, name)

    @classmethod
    def begin(cls, watch: Watch, args: tuple[Any, ...], kwargs: dict[str, Any]) -> State:
        """Return a new namespace."""
        state = cls(watch)
        for name, value in dict(*args, **kwargs).items():
            state[name] = value
        return state

    def __setitem__(self, name: str, value: Any) -> None:
        if not (isinstance(name, str) and name.isidentifier()) or name.startswith("_"):
            raise UnlearnableError(f"an attribute {name!r} of a namespace")
        code, held = _stored(value)
        self.watch.set_state(f"{self.name}_{name}", code)
        self.held[name] = held
        scope = self.watch.scope
        self.set_in[name] = scope, _loops(scope), value

    def read(self, name: str) -> Any:
        """Return an attribute."""
        if name not in self.held:
            raise UnlearnableError(f"the attribute {name!r} of a namespace that may not be set")
        scope, loops, value = self.set_in[name]
        if scope is self.watch.scope and loops == _loops(scope):
            return value
        return self._snapshot(name)

    def _snapshot(self, name: str) -> Any:
        watch = self.watch
        value, origin, calls = self.held[name]
        number = watch.name()
        code, source = "v" + number, "s" + number
        watch.bind_code(f"{code}, {source}, c{number}", f"{self.name}_{name}")
        if watch.kind_of(code, value) is tuple:
            message = watch.name()
            watch.bind_code(f"v{message}, s{message}", code)
            return Message(watch, "v" + message, value[0], "s" + message, value[1])
        if type(value) in (int, bool, float):
            if watch.ask("{0} == 0", Fact(watch, source, origin)):
                return Fact(watch, code, value)
        if watch.kind_of(code, value) in (list, dict) and not watch.ask("{0} == 0", Fact(watch, f"c{number}", calls)):
            raise UnlearnableError("tool calls in a namespace")
        return Watched(watch, code, value, source, origin)


def _stored(value: Any) -> tuple[str, Held]:
    """Return the code of a value, as a namespace holds it: with its source, and whether it holds calls; and all that."""
    if isinstance(value, Joined):
        value = value.tracked()
    if isinstance(value, Undefined):
        raise UnlearnableError("what is not defined, in a namespace")
    if isinstance(value, Message):
        return f"({value.code}, {value.source}), 0, 0", ((value.value, value.origin), TEMPLATE, 0)
    if isinstance(value, Watched):
        if type(value.value) not in KINDS:
            raise UnlearnableError("a value of an unknown type, in a namespace")
        held = value.value, value.origin, value.calls
        return f"{value.code}, {value.source}, {value.calls}", held
    return f"{code_of(value)}, 0, 0", (value_of(value), TEMPLATE, 0)


def _loops(scope: Scope) -> int:
    """Return how many loops were gone through in a scope: any of them may set an attribute, in another row."""
    return sum(event[0] == "ran" for event in scope.events)


