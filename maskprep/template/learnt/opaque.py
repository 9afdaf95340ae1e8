"""What a watched template may do but a few things with: methods, items of mappings, what may be gone through but once.

m.content.strip             a method, to be called
c.arguments.items()         the items of a mapping, to be gone through or counted
messages|selectattr(…)      a stream, to be gone through but once; it is true whatever it yields
"""

from __future__ import annotations

from typing import Any, NoReturn

from maskprep.template.learnt.watch import Scope, UnlearnableError


class Unlooked:
    """What nobody can look at without its being written down; a subclass says what may be done with it."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]


def _refused(self: Unlooked, *_: Any) -> NoReturn:
    raise UnlearnableError(f"a {type(self).__name__} looked at in a way that is not written down")


for _look in (
    "bool",
    "iter",
    "len",
    "str",
    "repr",
    "format",
    "getitem",
    "contains",
    "eq",
    "ne",
    "lt",
    "le",
    "gt",
    "ge",
):
    setattr(Unlooked, f"__{_look}__", _refused)


class Markup(Unlooked):
    """A text that counts as HTML: it may be written, and nothing else."""

    __slots__ = ("text",)

    def __init__(self, text: Any) -> None:
        self.text = text


class Method(Unlooked):
    """A method of a value, about to be called."""

    __slots__ = ("name", "owner")

    def __init__(self, owner: Any, name: str) -> None:
        self.owner, self.name = owner, name


class Items(Unlooked):
    """The items, keys or values of a mapping, which a loop may go through; ``what`` is the name of the method."""

    __slots__ = ("code", "mapping", "value", "what")

    def __init__(self, mapping: Any, what: str, code: str, value: list[Any]) -> None:
        self.mapping, self.what, self.code, self.value = mapping, what, code, value

    def __bool__(self) -> bool:
        answer: bool = self.mapping.watch.ask("len({0}) > 0", self.mapping)
        return answer


class Stream(Unlooked):
    """What a filter yields one by one, and but once: the items of ``inner``. It is true whatever it yields."""

    __slots__ = ("_inner", "_scope", "_used")

    def __init__(self, inner: Any, scope: Scope) -> None:
        self._inner, self._scope, self._used = inner, scope, False

    def __bool__(self) -> bool:
        return True

    def take(self, scope: Scope) -> Any:
        """Return what is gone through."""
        if self._used or scope is not self._scope:
            raise UnlearnableError("what may be gone through but once")
        self._used = True
        return self._inner


class Numbers(Unlooked):
    """A ``range`` whose ends are not constants."""

    __slots__ = ("code", "value")

    def __init__(self, code: str, value: range) -> None:
        self.code, self.value = code, value
