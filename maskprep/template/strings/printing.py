"""Values as text, with provenance: what ``str``, ``tojson`` and ``str.format`` write."""

from __future__ import annotations

import json
import types
from collections.abc import ItemsView, Iterator, KeysView, Mapping, Sequence, ValuesView
from itertools import chain
from json import encoder
from typing import TYPE_CHECKING, Any

from jinja2.runtime import Undefined
from jinja2.sandbox import SandboxedFormatter

from maskprep.template.strings.markup import TrackedMarkup
from maskprep.template.strings.origin import MIXED, NOTATION, TEMPLATE, lost
from maskprep.template.strings.runs import deep_sources, merge, runs_of
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import TrackedDict, TrackedFloat, TrackedInt, TrackedList, bare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HARMLESS = (bool, int, float, types.NoneType, Undefined)


def concat(pieces: Iterable[str]) -> Tracked:
    """Join strings, keeping the origin of each. The tracked ``"".join``."""
    pieces = list(pieces)
    return Tracked._make("".join(pieces), merge(chain.from_iterable(map(runs_of, pieces))))


def to_text(value: Any) -> str:
    """Return ``str(value)``, byte for byte, with the origin of every character."""
    if isinstance(value, TrackedMarkup):
        return str(value)
    if isinstance(value, Tracked) or type(value) is str:
        return value
    if isinstance(value, TrackedInt | TrackedFloat):
        return Tracked(repr(value))
    if isinstance(value, _HARMLESS):
        return str(value)
    printed = concat(notation(value))
    return Tracked._make(
        str.__str__(printed), merge((size, source and source | NOTATION) for size, source in printed._runs)
    )


def notation(value: Any) -> Iterator[str]:
    """Yield the pieces of ``repr(value)``."""
    if isinstance(value, str):
        yield repr(value if isinstance(value, Tracked) else Tracked(value))
    elif isinstance(value, TrackedInt | TrackedFloat):
        yield Tracked(repr(value))
    elif isinstance(value, _HARMLESS):
        yield repr(value)
    elif type(value) in (dict, TrackedDict):
        source = getattr(value, "_source", TEMPLATE)
        yield Tracked("{", source)
        for index, (key, item) in enumerate(value.items()):
            yield Tracked(", " if index else "", source)
            yield from _of(source, key)
            yield Tracked(": ", source)
            yield from _of(source, item)
        yield Tracked("}", source)
    elif type(value) in (list, tuple, TrackedList):
        source = getattr(value, "_source", TEMPLATE)
        opening, closing = ("(", ",)" if len(value) == 1 else ")") if type(value) is tuple else ("[", "]")
        yield Tracked(opening, source)
        for index, item in enumerate(value):
            yield Tracked(", " if index else "", source)
            yield from _of(source, item)
        yield Tracked(closing, source)
    elif isinstance(value, KeysView | ValuesView | ItemsView):
        yield f"{type(value).__name__}("
        yield from notation(list(value))
        yield ")"
    else:
        yield Tracked(str(value), MIXED)


def _of(source: int, item: Any) -> Iterator[str]:
    """Yield the notation of an item of a container: a constant without an origin takes the container's."""
    plain = item is None or type(item) in (bool, int, float)
    yield from (Tracked(repr(item), source),) if plain else notation(item)


def tojson(
    x: Any,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 - transformers' own signature
    indent: int | str | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    """Return what ``json.dumps`` returns with these options, with the origin of every character.

    The punctuation inside a value that belongs to a message is the message's, too.

    Raises:
        TypeError: as ``json.dumps`` does, for what JSON cannot say.
    """
    if type(x) is not TrackedDict or isinstance(separators, list):
        return _tojson(x, ensure_ascii, indent, separators, sort_keys)
    # Nothing can change it, and a conversation is rendered many times in a row.
    options = (ensure_ascii, indent, separators, sort_keys)
    known: dict[Any, Tracked] = x._printed
    if options not in known:
        known[options] = _tojson(x, *options)
    return known[options]


def _tojson(
    x: Any,
    ensure_ascii: bool,  # noqa: FBT001
    indent: int | str | None,
    separators: tuple[str, str] | None,
    sort_keys: bool,  # noqa: FBT001
) -> Tracked:
    if indent is not None and not isinstance(indent, str):
        indent = " " * indent
    comma, colon = (", ", ": ") if indent is None else (",", ": ")
    if separators is not None:
        comma, colon = separators
    quote = encoder.encode_basestring_ascii if ensure_ascii else encoder.encode_basestring
    return concat(_Json(indent, comma, colon, quote, sort_keys).write(x, "\n", TEMPLATE))


class _Json:
    def __init__(self, indent: str | None, comma: str, colon: str, quote: Callable[[str], str], sort_keys: Any) -> None:
        self.indent, self.comma, self.colon, self.quote, self.sort_keys = indent, comma, colon, quote, sort_keys

    def text(self, value: str, source: int) -> Tracked:
        runs = [(len(self.quote(piece)) - 2, origin) for piece, origin in Tracked(value).pieces()]
        whole = self.quote(str.__str__(value) if type(value) is str else "".join(p for p, _ in Tracked(value).pieces()))
        return Tracked._make(whole, merge(((1, source), *runs, (1, source))))

    def write(self, value: Any, newline: str, source: int) -> Iterator[str]:
        if isinstance(value, str):
            # The quotes are the text's own where all of it has one origin.
            runs = runs_of(value)
            yield self.text(value, runs[0][1] if len(runs) == 1 else source)
        elif isinstance(value, Mapping) and isinstance(value, dict):
            yield from self.mapping(value, newline, getattr(value, "_source", TEMPLATE))
        elif isinstance(value, list | tuple):
            yield from self.sequence(value, newline, getattr(value, "_source", TEMPLATE))
        elif isinstance(value, TrackedInt | TrackedFloat):
            yield Tracked(json.dumps(bare(value)), value._source)
        else:
            yield Tracked(json.dumps(value), source)

    def sequence(self, value: Sequence[Any], newline: str, source: int) -> Iterator[str]:
        if not value:
            yield Tracked("[]", source)
            return
        inner = newline + (self.indent or "")
        lead = "" if self.indent is None else inner
        yield Tracked("[" + lead, source)
        for index, item in enumerate(value):
            if index:
                yield Tracked(self.comma + lead, source)
            yield from self.write(item, inner, source)
        yield Tracked(("" if self.indent is None else newline) + "]", source)

    def mapping(self, value: Mapping[Any, Any], newline: str, source: int) -> Iterator[str]:
        if not value:
            yield Tracked("{}", source)
            return
        inner = newline + (self.indent or "")
        lead = "" if self.indent is None else inner
        yield Tracked("{" + lead, source)
        for index, (key, item) in enumerate(sorted(value.items()) if self.sort_keys else value.items()):
            if index:
                yield Tracked(self.comma + lead, source)
            yield from self.write(_key(key), inner, source)
            yield Tracked(self.colon, source)
            yield from self.write(item, inner, source)
        yield Tracked(("" if self.indent is None else newline) + "}", source)


def _key(key: Any) -> str:
    """Return a key as the text that ``json.dumps`` makes of it."""
    if isinstance(key, str):
        return key
    if key is None or isinstance(key, bool | int | float):
        text = json.dumps(bare(key))
        return Tracked(text, key._source) if isinstance(key, TrackedInt | TrackedFloat) else text
    msg = f"keys must be str, int, float, bool or None, not {type(key).__name__}"
    raise TypeError(msg)


class TrackedFormatter(SandboxedFormatter):
    """``str.format`` inside the sandbox, keeping the origin of what it puts in."""

    def vformat(self, format_string: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> str:
        """Return ``format_string`` filled in. Text under a format specification is lost (``origin.py``)."""
        plain = super().vformat(str.__str__(format_string), args, kwargs)
        pieces: list[str] = []
        automatic = 0
        for literal, name, spec, conversion in self.parse(format_string):
            pieces.append(literal)
            if name is None:
                continue
            if name == "" or name[0] in ".[":
                name, automatic = f"{automatic}{name}", automatic + 1  # noqa: PLW2901
            value = self.get_field(name, args, kwargs)[0]
            if spec or conversion == "a":
                return Tracked(plain, lost(deep_sources((format_string, args, kwargs))))
            pieces.append(concat(notation(value)) if conversion == "r" else to_text(value))
        tracked = concat(pieces)
        origin = Tracked(format_string)
        sources = {source for _, source in origin._runs}
        if str.__eq__(tracked, plain) and sources <= {TEMPLATE}:
            return tracked
        return Tracked(plain, lost(deep_sources((format_string, args, kwargs))))
