"""The values that a watched template is given: they stand for what is in a row, and write down what is done to them.

    {{ m.content.split('</think>')[-1] }}     v1_1 = v1_0['content']           a text, of source s1_0
                                              v1_2 = v1_1.split('</think>')    a list of texts of that source
                                              len(v1_2) > 0?  v1_3 = v1_2[-1]

A value has nothing that a template could use without its being written down: no length, no hash, no text.
"""

from __future__ import annotations

from typing import Any, NoReturn

from maskprep.template.learnt.runtime import Pairs, tracked
from maskprep.template.learnt.watch import Coded, UnlearnableError, Watch, code_of
from maskprep.template.strings.origin import TEMPLATE
from maskprep.template.strings.string import Tracked

OF_TEMPLATE = "0"
"""The source of what is no message's text, as code."""


class Watched(Coded):
    """A value of a row.

    Args:
        watch: what it writes down to.
        code: its name, or code that takes no time.
        value: what it is in the row that is watched.
        source: the code of its source; for a message, of that of its content.
        origin: that source.
        calls: 2 for a list of tool calls, 1 for a call, whose ids have origins of their own; else 0.
    """

    __slots__ = ("calls", "origin", "source")
    __hash__ = None  # type: ignore[assignment]

    def __init__(  # noqa: PLR0913, PLR0917 - a value, and where it comes from
        self, watch: Watch, code: str, value: Any, source: str = OF_TEMPLATE, origin: int = TEMPLATE, calls: int = 0
    ) -> None:
        self.watch, self.scope, self.code, self.value = watch, watch.scope, code, value
        self.source, self.origin, self.calls = source, origin, calls

    @property
    def kind(self) -> type:
        """The type of the value, which is asked for."""
        return self.watch.kind_of(self.code, self.value)

    def made(self, code: str, *given: Any, kind: type | None = None, calls: int = 0) -> Watched:
        """Return what is computed of this value, ``{0}`` in the code: it has the same source, and maybe a known type."""
        name, value = self.watch.bind(code, self, *given)
        if kind is not None:
            self.watch.scope.known[name] = kind
        return Watched(self.watch, name, value, self.source, self.origin, calls)

    def told(self, code: str, *given: Any) -> Watched:
        """Return a fact about this value that is no text of it: a length, whether it begins with something."""
        computed, value = self.watch.compute(code, self, *given)
        return Fact(self.watch, f"({computed})", value)

    # What generated code does with a value itself

    def __bool__(self) -> bool:
        return self.watch.ask("{0}", self)

    def _compared(self, operator: str, other: Any) -> Any:
        if isinstance(other, Joined):
            other = other.plain()
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

    def calculated(self, code: str, *given: Any) -> Watched:
        """Return what is calculated of numbers that are the template's own."""
        for each in (self, *given):
            number = each.kind if isinstance(each, Watched) else type(each)
            if number not in (int, bool, float) or (isinstance(each, Watched) and each.source != OF_TEMPLATE):
                raise UnlearnableError("arithmetic with what is no number of the template's")
        return self.told(code, *given)

    def __sub__(self, other: Any) -> Any:
        return self.calculated("{0} - {1}", other)

    def __rsub__(self, other: Any) -> Any:
        return self.calculated("{1} - {0}", other)

    def __floordiv__(self, other: Any) -> Any:
        return self.calculated("{0} // {1}", other)

    def __neg__(self) -> Any:
        return self.calculated("-{0}")

    def __iter__(self) -> NoReturn:
        raise UnlearnableError("a value is gone through by something other than a loop")

    def __len__(self) -> NoReturn:
        raise UnlearnableError("a length that is not written down")

    def __str__(self) -> NoReturn:  # type: ignore[override]
        raise UnlearnableError("a text that is not written down")

    def __getitem__(self, key: Any) -> Any:
        if not isinstance(key, slice) or self.kind not in (str, list, Pairs, Tracked):
            raise UnlearnableError("an item that is not written down")
        edges = [key.start, key.stop, key.step]
        if any(isinstance(edge, Watched) and edge.kind is not int for edge in edges):
            raise UnlearnableError("a slice by what is no number")
        if self.kind is str and key.step not in (None, 1):
            raise UnlearnableError("every other character of a text")
        sliced = "Pairs({0}[{1}:{2}:{3}])" if self.kind is Pairs else "{0}[{1}:{2}:{3}]"
        return self.made(sliced, *edges, kind=self.kind, calls=self.calls if self.calls > 1 else 0)


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


class Joined:
    """Texts joined by the template; ``pieces`` are its own, texts that are watched, and what buffers hold."""

    __slots__ = ("pieces", "watch")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, watch: Watch, pieces: list[Any]) -> None:
        self.watch, self.pieces = watch, pieces

    def plain(self) -> Watched:
        """Return the text without its origins, for questions about it."""
        name, value = self.watch.bind(" + ".join(f"{{{i}}}" for i in range(len(self.pieces))) or "''", *self.pieces)
        self.watch.scope.known[name] = str
        return Watched(self.watch, name, value)

    def tracked(self) -> Watched:
        """Return the text with its origins, for what takes it apart again."""
        codes: list[str] = []
        values: list[tuple[str, int]] = []
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
        name = "v" + self.watch.name()
        self.watch.bind_code(name, f"tracked({', '.join(codes)})")
        self.watch.scope.known[name] = Tracked
        return Watched(self.watch, name, tracked(*values))

    def __bool__(self) -> bool:
        return any(type(piece) is str and piece for piece in self.pieces) or bool(self.plain())

    def __eq__(self, other: object) -> Any:
        return self.plain() == other

    def __ne__(self, other: object) -> Any:
        return self.plain() != other

    def __iter__(self) -> NoReturn:
        raise UnlearnableError("the characters of a text, one by one")

    def __len__(self) -> NoReturn:
        raise UnlearnableError("a length that is not written down")

    def __str__(self) -> NoReturn:  # type: ignore[override]
        raise UnlearnableError("a text that is not written down")

    def __getitem__(self, key: Any) -> Any:
        return self.tracked()[key]


class Held(Coded):
    """What a buffer holds that was filled by a loop: the lists ``…t`` and ``…s`` of the code."""

    __slots__ = ("name", "pieces")

    def __init__(self, watch: Watch, name: str, pieces: list[tuple[str, int]]) -> None:
        self.watch, self.scope, self.name, self.pieces = watch, watch.scope, name, pieces
        self.code, self.value = f"''.join({name}t)", "".join(piece for piece, _ in pieces)


class Method:
    """A method of a value, about to be called."""

    __slots__ = ("name", "owner")
    owner: Watched
    name: str

    def __init__(self, owner: Watched, name: str) -> None:
        self.owner, self.name = owner, name


class Items:
    """What a loop over the items, keys or values of a mapping goes through; ``what`` is the name of the method."""

    __slots__ = ("code", "mapping", "value", "what")

    def __init__(self, mapping: Watched, what: str, code: str, value: list[Any]) -> None:
        self.mapping, self.what, self.code, self.value = mapping, what, code, value


class Numbers:
    """A ``range`` whose ends are not constants."""

    __slots__ = ("code", "value")

    def __init__(self, code: str, value: range) -> None:
        self.code, self.value = code, value
