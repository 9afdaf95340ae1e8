"""The values that a watched template is given: they stand for what is in a row, and write down what is done to them.

    {{ m.content.split('</think>')[-1] }}     v1_1 = v1_0['content']           a text, of source s1_0
                                              v1_2 = v1_1.split('</think>')    a list of texts of that source
                                              len(v1_2) > 0?  v1_3 = v1_2[-1]

A value has nothing that a template could use without its being written down: no length, no hash, no text.
"""

from __future__ import annotations

from typing import Any

from jinja2.runtime import Undefined

from maskprep.template.learnt.opaque import Unlooked
from maskprep.template.learnt.runtime import CALLS, OURS, TUPLE, Pairs, tracked
from maskprep.template.learnt.watch import Coded, UnlearnableError, Watch, code_of
from maskprep.template.strings.origin import TEMPLATE
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import TrackedDict, TrackedFloat, TrackedInt, TrackedList

OF_TEMPLATE = "0"
"""The source of what is no message's text, as code."""

_LIKE: dict[type, type] = {Tracked: str, Pairs: list}
_BASES: dict[type, type] = {TrackedDict: dict, TrackedList: list, TrackedInt: int, TrackedFloat: float}


class Watched(Unlooked, Coded):
    """A value of a row.

    Args:
        watch: what it writes down to.
        code: its name, or code that takes no time.
        value: what it is in the row that is watched.
        source: the code of its source; for a message, of that of its content.
        origin: that source.
        shape: what is special about it: see ``runtime.with_origins``.
    """

    __slots__ = ("origin", "shape", "source")
    __hash__ = None  # type: ignore[assignment]

    def __init__(  # noqa: PLR0913, PLR0917 - a value, and where it comes from
        self, watch: Watch, code: str, value: Any, source: str = OF_TEMPLATE, origin: int = TEMPLATE, shape: int = 0
    ) -> None:
        self.watch, self.scope, self.code, self.value = watch, watch.scope, code, value
        self.source, self.origin, self.shape = source, origin, shape

    @property
    def kind(self) -> type:
        """The type of the value, which is asked for."""
        return self.watch.kind_of(self.code, self.value)

    def is_of(self, kinds: tuple[type, ...]) -> bool:
        """Tell whether the value is of one of some types of JSON, which is asked for; a text is one of any origins."""
        if type(self) is Watched and self.watch.known_kind(self.code) is None:
            return self.watch.is_of(code_of(self), self.value, kinds)
        kind = self.kind
        return _LIKE.get(kind, kind) in kinds

    @property
    def is_number(self) -> bool:
        """Whether it is a number that is the template's own."""
        return self.source == OF_TEMPLATE and self.kind in (int, bool, float)

    def made(self, code: str, *given: Any, kind: type | None = None, shape: int = 0) -> Watched:
        """Return what is computed of this value, ``{0}`` in the code: of the same source, and maybe of a known type."""
        name, value = self.watch.bind(code, self, *given)
        if kind is not None:
            self.watch.scope.known[name] = kind
        return Watched(self.watch, name, value, self.source, self.origin, shape)

    def part(self, code: str, *given: Any, shape: int = 0) -> Watched:
        """Return an item of this value."""
        return self.made(code, *given, shape=shape)

    def told(self, code: str, *given: Any) -> Fact:
        """Return a fact about this value that is no text of it: a length, whether it begins with something."""
        computed, value = self.watch.compute(code, self, *given)
        return Fact(self.watch, f"({computed})", value)

    # What generated code does with a value itself

    def __bool__(self) -> bool:
        return self.watch.ask("{0}", self)

    def _compared(self, operator: str, other: Any) -> Any:
        if isinstance(other, Joined):
            other = other.plain()
        if isinstance(other, Undefined) and operator in {"==", "!="}:
            return operator == "!="
        if self.shape & TUPLE:
            raise UnlearnableError("a tuple compared")
        return self.told(f"{{0}} {operator} {{1}}", other)

    def __eq__(self, other: object) -> Any:
        return self._is(other, "==")

    def __ne__(self, other: object) -> Any:
        return self._is(other, "!=")

    def _is(self, other: object, operator: str) -> Any:
        """Compare with a constant: where it is the same, the template has the constant as good as the value."""
        if type(other) is not str or self.source != OF_TEMPLATE:
            return self._compared(operator, other)
        known = self.watch.constant(self.code)
        if known is not None:
            return (known == other) == (operator == "==")
        answer = self.watch.ask("{0} == {1}", self, other)
        if answer:
            self.watch.scope.equal[self.code] = other
        return answer == (operator == "==")

    def __lt__(self, other: Any) -> Any:
        return self._compared("<", other)

    def __le__(self, other: Any) -> Any:
        return self._compared("<=", other)

    def __gt__(self, other: Any) -> Any:
        return self._compared(">", other)

    def __ge__(self, other: Any) -> Any:
        return self._compared(">=", other)

    def calculated(self, code: str, *given: Any) -> Fact:
        """Return what is calculated of numbers that are the template's own."""
        for each in (self, *given):
            if not (each.is_number if isinstance(each, Watched) else type(each) in (int, bool, float)):
                raise UnlearnableError("arithmetic with what is no number of the template's")
        return self.told(code, *given)

    def __sub__(self, other: Any) -> Any:
        return self.calculated("{0} - {1}", other)

    def __rsub__(self, other: Any) -> Any:
        return self.calculated("{1} - {0}", other)

    def __floordiv__(self, other: Any) -> Any:
        return self.calculated("{0} // {1}", other)

    def __truediv__(self, other: Any) -> Any:
        return self.calculated("{0} / {1}", other)

    def __neg__(self) -> Any:
        return self.calculated("-{0}")

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice) or self.kind not in (str, list, Pairs, Tracked):
            raise UnlearnableError("an item that is not written down")
        edges = [key.start, key.stop, key.step]
        if any(isinstance(edge, Watched) and not edge.is_number for edge in edges):
            raise UnlearnableError("a slice by what is no number")
        sliced = "Pairs({0}[{1}:{2}:{3}])" if self.kind is Pairs else "{0}[{1}:{2}:{3}]"
        shape = self.shape & CALLS | OURS if self.kind is list else 0
        return self.made(sliced, *edges, kind=self.kind if self.kind in (str, list, Pairs) else None, shape=shape)


class Own(Watched):
    """A value that the template has made of others: it knows itself where each part of it comes from.

    It is of the types that the tracked rendering has (``strings``), so that all that is done to it is done by these.
    """

    __slots__ = ()

    def __init__(self, watch: Watch, code: str, value: Any) -> None:
        super().__init__(watch, code, value)

    @property
    def kind(self) -> type:
        kind = self.watch.kind_of(self.code, self.value)
        return _BASES.get(kind, kind)

    @property
    def is_number(self) -> bool:
        return self.kind in (int, bool, float) and type(self.value) not in _BASES

    def made(self, code: str, *given: Any, kind: type | None = None, shape: int = 0) -> Own:  # noqa: ARG002 - it knows itself
        name, value = self.watch.bind(code, self, *given)
        if kind in (Tracked, list):
            self.watch.scope.known[name] = type(value)
        return Own(self.watch, name, value)


class Fact(Watched):
    """A number or a truth that is computed of others: its type depends on theirs alone."""

    __slots__ = ()

    @property
    def kind(self) -> type:
        return type(self.value)


class Message(Watched):
    """A message: each of its fields has a source of its own."""

    __slots__ = ()

    @property
    def kind(self) -> type:
        return dict


class Joined(Unlooked):
    """Texts joined by the template; ``pieces`` are its own, texts that are watched, and what buffers hold."""

    __slots__ = ("pieces", "watch")
    __hash__ = None

    def __init__(self, watch: Watch, pieces: list[Any]) -> None:
        self.watch, self.pieces = watch, pieces

    def plain(self) -> Watched:
        """Return the text without its origins, for questions about it."""
        codes = ", ".join(f"{{{i}}}" for i in range(len(self.pieces)))
        name, value = self.watch.bind(f"plain({codes})", *self.pieces)
        self.watch.scope.known[name] = str
        return Watched(self.watch, name, value)

    def tracked(self) -> Own:
        """Return the text with its origins, for what takes it apart again."""
        codes: list[str] = []
        values: list[Any] = []
        for piece in self.pieces:
            if isinstance(piece, Held):
                codes.append(f"*zip({piece.name}t, {piece.name}s)")
                values += piece.pieces
            elif isinstance(piece, Watched):
                if piece.kind not in (str, Tracked):
                    raise UnlearnableError("a joined text with something else in it")
                codes.append(f"({code_of(piece)}, {piece.source})")
                values.append((piece.value, piece.origin))
            else:
                codes.append(f"({piece!r}, {TEMPLATE})")
                values.append((piece, TEMPLATE))
        return own(self.watch, f"tracked({', '.join(codes)})", tracked(*values), Tracked)

    def __bool__(self) -> bool:
        return any(type(piece) is str and piece for piece in self.pieces) or bool(self.plain())

    def __eq__(self, other: object) -> Any:
        return self.plain() == other

    def __ne__(self, other: object) -> Any:
        return self.plain() != other

    def __getitem__(self, key: Any) -> Any:
        return self.tracked()[key]


class Held(Coded):
    """What a buffer holds that was filled by a loop: the lists ``…t`` and ``…s`` of the code."""

    __slots__ = ("name", "pieces")

    def __init__(self, watch: Watch, name: str, pieces: list[tuple[str, int]]) -> None:
        self.watch, self.scope, self.name, self.pieces = watch, watch.scope, name, pieces
        self.code, self.value = f"plain(*{name}t)", "".join(piece for piece, _ in pieces)


def own(watch: Watch, code: str, value: Any, kind: type | None = None) -> Own:
    """Give a name to a value that code makes whose parts know where they come from."""
    name = "v" + watch.name()
    watch.bind_code(name, code)
    if kind is not None:
        watch.scope.known[name] = kind
    return Own(watch, name, value)
