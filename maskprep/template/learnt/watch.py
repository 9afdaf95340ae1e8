"""What is written down of one rendering: in the order of the template, what was computed, asked and written.

    template                     written down                              as events
    {% for m in messages %}      a loop, whose iterations are its own      ("loop", "i1, (v1_0, s1_0)", "v0_0")
    {% if m.role == 'user' %}    v1_1 = v1_0['role']; v1_1 == 'user'?      ("bind", …) ("if", "v1_1 == 'user'", True)
    {{ m.content.strip() }}      v1_3 = v1_2.strip(); write v1_3           ("bind", …) ("write", "v1_3", "s1_0")

An event is a tuple of Python code, so that what is replayed is what was evaluated here: a value is computed by the very
code that is written down. Values have names, ``v`` with the depth of the loop and a number, and sources theirs, ``s``;
the number counts what was bound before in that iteration, so that two rows that went the same way have the same names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from types import NoneType
from typing import Any

from maskprep.template.learnt import gathering, runtime
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import TrackedDict, TrackedFloat, TrackedInt, TrackedList

Event = tuple[Any, ...]

_MOST_IN_A_ROW = 10_000  # events of one iteration, or of the main program: it may go through a loop of its own
_MOST_EVENTS = 300_000


class UnlearnableError(Exception):
    """A template does with a value what is not written down: such a row cannot be replayed."""


@dataclass(slots=True)
class Scope:
    """What was written down of the template's main program, or of one iteration of a loop, and what is known since.

    ``known`` are types, by name; ``answers`` those of questions, ``names`` those of what was computed, both by code;
    ``equal`` the names that are as good as a constant of the template's.
    """

    depth: int
    events: list[Event] = field(default_factory=list)
    count: int = 0
    known: dict[str, type] = field(default_factory=dict)
    answers: dict[str, bool] = field(default_factory=dict)
    names: dict[str, tuple[str, Any]] = field(default_factory=dict)
    equal: dict[str, Any] = field(default_factory=dict)
    ran: Ran | None = None


@dataclass(slots=True)
class Ran:
    """A loop that was gone through: the event, and the events of each iteration."""

    event: Event
    iterations: list[list[Event]] = field(default_factory=list)


class Watch:
    """Writes down one rendering. ``written`` is its text, in pairs of text and source.

    ``buffers`` are those that texts are put into at the moment, for a macro, say.
    """

    def __init__(self) -> None:
        self.scopes = [Scope(0)]
        self.written: list[tuple[str, int]] = []
        self.buffers: list[Any] = []
        self._count = 0

    def _note(self, event: Event) -> None:
        """Write down what happened, as long as it is not too much."""
        events = self.scope.events
        events.append(event)
        self._count += 1
        if len(events) > _MOST_IN_A_ROW or self._count > _MOST_EVENTS:
            raise UnlearnableError("more than can be learnt from one row")

    @property
    def scope(self) -> Scope:
        """The iteration, or the main program, that runs."""
        return self.scopes[-1]

    def name(self) -> str:
        """Return the next number of a name in this scope, with its depth."""
        scope = self.scope
        scope.count += 1
        return f"{scope.depth}_{scope.count}"

    def compute(self, code: str, *given: Any) -> tuple[str, Any]:
        """Return Python code with the given values filled in, and what it gives."""
        names = [code_of(each) for each in given]
        function = _function(code, len(given))
        return code.format(*names), function(*[value_of(each) for each in given])

    def ask(self, code: str, *given: Any) -> bool:
        """Ask a question that is answered with yes or no, and return the answer."""
        question, answer = self.compute(code, *given)
        return self._asked(question, bool(answer))

    def _asked(self, question: str, answer: bool) -> bool:  # noqa: FBT001
        for scope in reversed(self.scopes):
            if question in scope.answers:
                return scope.answers[question]
        self.scope.answers[question] = answer
        self._note(("if", question, answer))
        return answer

    def known_kind(self, name: str) -> type | None:
        """Return the type of a value, None where it was not asked for."""
        return next((scope.known[name] for scope in reversed(self.scopes) if name in scope.known), None)

    def kind_of(self, name: str, value: Any) -> type:
        """Ask for the type of a value, unless that is known."""
        known = self.known_kind(name)
        if known is not None:
            return known
        kind = type(value)
        if kind not in KINDS:
            raise UnlearnableError(f"a value of type {kind.__name__}")
        self._note(("type", name, kind))
        self.scope.known[name] = kind
        return kind

    def is_of(self, name: str, value: Any, kinds: tuple[type, ...]) -> bool:
        """Ask whether a value is of one of these types; which one is not known then, unless there is but one."""
        if type(value) not in KINDS:
            raise UnlearnableError(f"a value of type {type(value).__name__}")
        shown = " or ".join(f"type({name}) is {KINDS[kind]}" for kind in kinds)
        answer = self._asked(f"({shown})" if len(kinds) > 1 else shown or "False", type(value) in kinds)
        if answer and len(kinds) == 1:
            self.scope.known[name] = kinds[0]
        return answer

    def exactly(self, name: str, value: Any) -> None:
        """Ask whether it is this very value."""
        if self.constant(name) == value:
            return
        self.scope.equal[name] = value
        self._note(("value", name, value))

    def bind(self, code: str, *given: Any) -> tuple[str, Any]:
        """Compute a value, give it a name, and return both."""
        computed, value = self.compute(code, *given)
        for scope in reversed(self.scopes):
            if computed in scope.names:
                return scope.names[computed]
        name = "v" + self.name()
        self.scope.names[computed] = name, value
        self._note(("bind", name, computed))
        return name, value

    def constant(self, name: str) -> Any:
        """Return the constant that a value is known to be equal to, None where there is none."""
        return next((scope.equal[name] for scope in reversed(self.scopes) if name in scope.equal), None)

    def bind_code(self, targets: str, code: str) -> None:
        """Write down that names are bound, whose values the caller knows."""
        self._note(("bind", targets, code))

    def write(self, code: str, source: str, target: str = "") -> None:
        """Write down that text of one source is written, into a buffer or as the template's own output."""
        self._note(("write", code, source, target))

    def put(self, name: str, target: str = "") -> None:
        """Write down that text of several sources is written."""
        self._note(("put", name, target))

    def spill(self, buffer: str, target: str = "") -> None:
        """Write down that all that is in a buffer is written."""
        self._note(("spill", buffer, target))

    def set_state(self, name: str, code: str) -> None:
        """Write down that an attribute of a namespace is set."""
        self._note(("bind", name, code))

    def begin_loop(self, targets: str, code: str) -> Ran:
        """Begin a loop: what it puts into a buffer, and how often, is known to nobody before."""
        for buffer in self.buffers:
            buffer.hold()
        ran = Ran(("loop", targets, code))
        self._note(("ran", ran))
        return ran

    def begin_iteration(self, ran: Ran) -> None:
        """Begin an iteration of a loop."""
        self.scopes.append(Scope(self.scope.depth + 1, ran=ran))

    def end_iteration(self, how: str) -> None:
        """End an iteration: the ``next`` one follows if there is one, or a ``break``."""
        scope = self.scopes.pop()
        scope.events.append((how,))
        assert scope.ran is not None
        scope.ran.iterations.append(scope.events)

    def end(self) -> list[Event]:
        """End the rendering, and return all that was written down."""
        self.scope.events.append(("end",))
        return self.scope.events

    def give_up(self) -> list[Event]:
        """End a rendering that cannot be replayed, and return what was written down until then."""
        self.scope.events.append(("slow",))
        while (ran := self.scope.ran) is not None:
            ran.iterations.append(self.scopes.pop().events)
        return self.scope.events


KINDS: dict[type, str] = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    NoneType: "NoneType",
    dict: "dict",
    list: "list",
    tuple: "tuple",
    Tracked: "Tracked",
    TrackedDict: "TrackedDict",
    TrackedList: "TrackedList",
    TrackedInt: "TrackedInt",
    TrackedFloat: "TrackedFloat",
    runtime.Pairs: "Pairs",
    runtime.Sourced: "Sourced",
    runtime.Absent: "Absent",
}
"""The types of values that a replay meets, with their names in its code. A tuple is one of ``Pairs``."""

NAMES: dict[str, Any] = {
    **{name: kind for kind, name in KINDS.items()},
    "ABSENT": runtime.ABSENT,
    **{
        name: thing
        for module in (runtime, gathering)
        for name, thing in vars(module).items()
        if callable(thing) and not name.startswith("_")
    },
}
"""What the code of a replay may call, beside what is Python's own."""


class Coded:
    """A value that has a name in the code; ``value`` is what it is in the row that is watched.

    The name holds in the ``scope`` that gave it, and in those within that.
    """

    __slots__ = ("code", "scope", "value", "watch")
    code: str
    scope: Scope
    value: Any
    watch: Watch


def code_of(value: Any) -> str:
    """Return the code of a value: its name, or the constant itself."""
    if isinstance(value, Coded):
        if all(scope is not value.scope for scope in value.watch.scopes):
            raise UnlearnableError("a value that outlives its iteration")
        return value.code
    if not _is_constant(value):
        raise UnlearnableError(f"a constant of type {type(value).__name__}")
    return repr(value)


def value_of(value: Any) -> Any:
    """Return a value as it is in the row that is watched."""
    return value.value if isinstance(value, Coded) else value


def _is_constant(value: Any) -> bool:
    kind = type(value)
    if kind in (list, tuple):
        return all(map(_is_constant, value))
    if kind is dict:
        return all(_is_constant(key) and _is_constant(item) for key, item in value.items())
    return kind in (str, int, bool, NoneType) or (kind is float and value - value == 0)


@lru_cache(4096)
def _function(code: str, count: int) -> Callable[..., Any]:
    names = [f"_{index}" for index in range(count)]
    function: Callable[..., Any] = eval(f"lambda {', '.join(names)}: {code.format(*names)}", dict(NAMES))  # noqa: S307 - our own code
    return function
