r"""Texts that stand for any text: what a template does with them, it does with every text of which the same is true.

A template is run on a conversation whose texts are *atoms*. It may print them, put them together, and ask about them;
what it asks is noted, and the answer is that of a text in which nothing is found:

    '</think>' in content   no          content.strip('\n')   the same text
    content == 'x'          no          content.split('#')    one piece

A real text of which all that was asked is true as well takes the template the very same way: so it stands in the
rendering exactly where its atom does. Whatever else a template does with an atom counts as *lost*: nothing can be said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NamedTuple, Self

from maskprep.template.strings.runs import Runs, merge, runs_of
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import TrackedDict

FIRST = 0xF0000
"""The first of the characters of private use that atoms consist of."""

SIZE = 3
"""The number of characters of an atom, all alike."""

MOST = 0xFFF0
"""So many atoms there can be."""


class Asked(NamedTuple):
    """What was asked of the text of an atom: ``contains``, ``startswith``, ``endswith``, ``equals``, ``strip`` …."""

    what: str
    given: str | None


class Printed(NamedTuple):
    """An atom that is the JSON of another one, with the options of ``json.dumps``."""

    atom: int
    options: tuple[tuple[str, Any], ...]


def spelt(atom: int) -> str:
    """Return the text of an atom."""
    return chr(FIRST + atom) * SIZE


@dataclass(slots=True)
class Watch:
    """What a template did with atoms: the ``count`` of those it was given, and all that it ``asked``, by atom."""

    count: int = 0
    lost: bool = False
    asked: dict[int, set[Asked]] = field(default_factory=dict)
    printed: dict[Printed, int] = field(default_factory=dict)

    def begin(self, count: int) -> None:
        """Give out ``count`` atoms."""
        self.count, self.lost, self.asked, self.printed = count, False, {}, {}

    def lose(self) -> None:
        """Note that nothing can be said."""
        self.lost = True

    def note(self, atom: int | None, what: str, given: object) -> None:
        """Note a question; one about a text of several pieces, or of a kind of its own, is lost."""
        if atom is None or not (given is None or (isinstance(given, str) and not _is_data(given))):
            self.lost = True
        else:
            self.asked.setdefault(atom, set()).add(Asked(what, None if given is None else str.__str__(given)[:]))

    def json(self, value: Atom | AtomDict, options: dict[str, Any]) -> Tracked:
        """Return the atom that is the JSON of another one."""
        if value.atom is None or value.atom >= self.count:
            self.lost = True
            return value if isinstance(value, Atom) else Tracked(spelt(value.atom), value.source)
        printed = Printed(value.atom, tuple(sorted(options.items())))
        atom = self.printed.setdefault(printed, self.count + len(self.printed))
        return Atom.of(atom, value.source, self)


def _is_data(text: str) -> bool:
    """Tell whether there is text in it that is not the template's."""
    return any(source for _, source in runs_of(text))


class Atom(Tracked):
    """Text with atoms in it; ``atom`` is the number of the one that it consists of, None where there is more to it."""

    __slots__ = ("atom", "watch")
    atom: int | None
    watch: Watch

    @classmethod
    def of(cls, atom: int, source: int, watch: Watch) -> Self:
        """Return atom number ``atom``."""
        return cls.made(spelt(atom), ((SIZE, source),), watch, atom)

    @classmethod
    def made(cls, text: str, runs: Runs, watch: Watch, atom: int | None = None) -> Self:
        """Return text with these runs."""
        new = cls._make(text, runs)
        new.atom, new.watch = atom, watch
        return new

    @classmethod
    def joined(cls, pieces: Iterable[str], watch: Watch) -> Tracked:
        """Return the pieces one behind the other."""
        kept = [piece for piece in pieces if piece]
        if len(kept) == 1 and isinstance(kept[0], Atom):
            return kept[0]
        for piece in kept:
            if not isinstance(piece, Atom) and _is_data(piece):
                watch.lose()
        text, runs = "".join(map(str.__str__, kept)), merge(run for piece in kept for run in runs_of(piece))
        made = any(isinstance(piece, Atom) for piece in kept)
        return cls.made(text, runs, watch) if made else Tracked._make(text, runs)

    @property
    def source(self) -> int:
        """Where it comes from."""
        return self._runs[0][1]

    def __add__(self, other: object) -> Any:
        if type(other) is not str and not (isinstance(other, str) and type(other) in (Tracked, Atom)):
            return self._lost("__add__", other)
        return Atom.joined((self, other), self.watch)

    def __radd__(self, other: object) -> Any:
        if type(other) is not str and not (isinstance(other, str) and type(other) in (Tracked, Atom)):
            return self._lost("__radd__", other)
        return Atom.joined((other, self), self.watch)

    def __bool__(self) -> bool:
        return True

    def __str__(self) -> str:
        return self

    def __eq__(self, other: object) -> bool:
        if isinstance(other, str):
            self.watch.note(self.atom, "equals", other)
        return str.__eq__(self, other) is True

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        self.watch.lose()
        return str.__hash__(self)

    def __contains__(self, other: object) -> bool:
        self.watch.note(self.atom if other else None, "contains", other)
        return False

    def startswith(self, *given: Any) -> bool:
        return self._never("startswith", given)

    def endswith(self, *given: Any) -> bool:
        return self._never("endswith", given)

    def _never(self, what: str, given: tuple[Any, ...]) -> bool:
        plain = len(given) == 1 and isinstance(given[0], str) and bool(given[0])
        self.watch.note(self.atom if plain else None, what, given[0] if plain else None)
        return False

    def strip(self, chars: str | None = None) -> Any:
        return self._same("strip", chars)

    def lstrip(self, chars: str | None = None) -> Any:
        return self._same("lstrip", chars)

    def rstrip(self, chars: str | None = None) -> Any:
        return self._same("rstrip", chars)

    def _same(self, what: str, chars: str | None) -> Self:
        self.watch.note(self.atom, what, chars)
        return self

    def split(self, *given: Any, **named: Any) -> list[str]:
        plain = not named and 1 <= len(given) <= 2 and isinstance(given[0], str) and bool(given[0])  # noqa: PLR2004
        self.watch.note(self.atom if plain else None, "contains", given[0] if plain else None)
        return [self]

    rsplit = split

    def replace(self, *given: Any) -> Any:
        plain = len(given) == 2 and isinstance(given[0], str) and bool(given[0])  # noqa: PLR2004
        self.watch.note(self.atom if plain else None, "contains", given[0] if plain else None)
        return self

    def __iter__(self) -> Iterator[Any]:
        self.watch.lose()  # once it is gone through: that it can be is true of any text
        yield from Tracked.__iter__(self)

    def _lost(self, name: str, *args: Any, **kwargs: Any) -> Any:
        self.watch.lose()
        return getattr(Tracked, name)(self, *args, **kwargs)


def _losing(function: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(function)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        self.watch.lose()
        return function(self, *args, **kwargs)

    return method


# What Python itself asks of any object, and what tells nothing of a text.
_SILENT = frozenset(
    {
        *("__class__", "__delattr__", "__dir__", "__doc__", "__getattribute__", "__getnewargs__", "__getstate__"),
        *("__init__", "__init_subclass__", "__len__", "__new__", "__reduce__", "__reduce_ex__", "__setattr__"),
        *("__sizeof__", "__subclasshook__", "maketrans"),
    }
)


def _teach_losing(kind: type, like: type, own: type) -> None:
    """Let everything that ``like`` can do, and ``kind`` does not do itself, be lost."""
    for name in dir(like):
        if name not in _SILENT and name not in kind.__dict__:
            setattr(kind, name, _losing(getattr(own, name)))


_teach_losing(Atom, str, Tracked)


class AtomDict(TrackedDict):
    """A mapping that may be printed as JSON; whatever else is done with it is lost."""

    __slots__ = ("atom", "watch")
    atom: int
    watch: Watch

    @classmethod
    def of(cls, atom: int, source: int, watch: Watch) -> Self:
        """Return atom number ``atom``."""
        new = cls({spelt(atom): 0})
        new._source, new.atom, new.watch = source, atom, watch
        return new

    @property
    def source(self) -> int:
        """Where it comes from."""
        return self._source

    def __bool__(self) -> bool:
        return True

    def __iter__(self) -> Iterator[Any]:
        self.watch.lose()
        yield from dict.__iter__(self)


_SILENT_OF_DICTS = frozenset({"__class_getitem__", "fromkeys", "source", "atom", "watch"})
for _name in dir(dict):
    if _name not in _SILENT - {"__len__"} and _name not in _SILENT_OF_DICTS and _name not in AtomDict.__dict__:
        setattr(AtomDict, _name, _losing(getattr(dict, _name)))
