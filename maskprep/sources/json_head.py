"""How JSON text that begins with an object is laid out, told by its first megabyte, without parsing it.

    {"a": 1}           {                    {"data": [               {"data": [{"a": 1}, {"a": 2}]}
    {"a": 2}             "a": 1               {"a": 1},
                       }                      {"a": 2}]}
    JSONL              objects over lines   a wrapper                a wrapper, on one line

A wrapper is one object that holds the rows in a list, under a name such as ``data``, and nothing that a row has. What
is no JSON at all, or breaks off within its first line, stays JSONL: then each line is told what is wrong with it.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from itertools import islice

WRAPPERS = frozenset(
    {
        *("data", "rows", "train", "training", "examples", "instances", "items", "records", "samples", "entries"),
        *("dataset", "test", "testing", "validation", "valid", "val", "dev", "eval", "evaluation"),
        *("training_data", "train_data", "test_data"),
    }
)
"""Names under which one object holds a list of rows."""

ROW_KEYS = frozenset(
    {
        *("messages", "conversations", "conversation", "dialog", "dialogue", "contents", "text", "system"),
        *("prompt", "completion", "instruction", "input", "output", "response", "question", "answer", "query"),
        *("chosen", "rejected"),
    }
)
"""Names of a row's own fields: an object that has one is a row, whatever lists it holds."""

_MESSAGE_KEYS = frozenset({"role", "from", "speaker"})  # of the elements of a list of messages
TOKENS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|["{}\[\],:]', re.DOTALL)
"""Strings, brackets, commas and colons; a quote by itself begins a string that does not end."""


_ELEMENT = 3  # the depth within the first element of a list within the object


@dataclass(slots=True)
class Listed:
    """A value of the outermost object that is a list of objects, beginning at byte ``start``."""

    key: str
    start: int
    keys: set[str] = field(default_factory=set)  # of its first element


@dataclass(slots=True)
class Head:
    """The first object of some text: ``end`` is the byte behind it, None where the text ends sooner.

    ``keys`` are its own, ``lists`` those of them that hold lists of objects; ``in_string`` tells whether the text ends
    within a string.
    """

    end: int | None = None
    keys: list[str] = field(default_factory=list)
    lists: list[Listed] = field(default_factory=list)
    in_string: bool = False

    def wrapped(self) -> Listed | None:
        """Return the list whose elements are the rows, None where the object is no wrapper, as far as it is seen."""
        named = [listed for listed in self.lists if listed.key in WRAPPERS]
        if len(named) != 1 or len(self.lists) != 1 or not ROW_KEYS.isdisjoint(self.keys):
            return None
        return None if named[0].keys & _MESSAGE_KEYS else named[0]

    def several(self) -> list[str]:
        """Return the names of the lists of rows where there are more than one, so that none can be chosen."""
        named = [listed.key for listed in self.lists if listed.key in WRAPPERS and not listed.keys & _MESSAGE_KEYS]
        return named if len(named) > 1 and ROW_KEYS.isdisjoint(self.keys) else []


def scan(text: bytes) -> Head:
    """Return what is seen of the object that ``text`` begins with; its brackets are counted, not matched."""
    looking = _Scan()
    for found in TOKENS.finditer(text):
        token = found[0]
        if token == b'"':
            looking.head.in_string = True
            break
        if token in b"{[":
            looking.open(token, found.start())
        elif token in b"}]":
            looking.close()
            if not looking.depth:
                looking.head.end = found.end()
                break
        elif token == b":":
            looking.name()
        elif token != b",":
            looking.string, looking.opened = token, None
    return looking.head


class _Scan:
    """Where a scan is: how deep, and in which list. ``opened`` is a list of which nothing was seen yet."""

    def __init__(self) -> None:
        self.head = Head()
        self.depth = 0
        self.string = b""
        self.opened: tuple[str, int] | None = None
        self._listed: Listed | None = None  # the list whose first element is being read

    def open(self, bracket: bytes, start: int) -> None:
        """Go into an object or a list."""
        if self.opened is not None and bracket == b"{":
            self._listed = Listed(*self.opened)
            self.head.lists.append(self._listed)
        within = self.depth == 1 and bracket == b"[" and self.head.keys
        self.opened = (self.head.keys[-1], start) if within else None
        self.depth += 1

    def close(self) -> None:
        """Come out of an object or a list."""
        self.depth -= 1
        self.opened = None
        if self.depth < _ELEMENT:
            self._listed = None

    def name(self) -> None:
        """Take the string before a colon for a key."""
        if self.depth == 1:
            self.head.keys.append(_decoded(self.string))
        elif self.depth == _ELEMENT and self._listed is not None:
            self._listed.keys.add(_decoded(self.string))


def _decoded(string: bytes) -> str:
    try:
        return str(json.loads(string))
    except ValueError:
        return string.decode(errors="replace")


def jq(wanted: str, source: str) -> str:
    """Return the command that writes what ``wanted`` selects of a file as JSONL; ``-`` is standard input."""
    return f"`jq -c {shlex.quote(wanted)}" + ("" if source == "-" else f" {shlex.quote(source)}") + "`"


class JsonLayout(Enum):
    """How the objects stand in a file."""

    LINES = auto()
    OBJECTS = auto()
    WRAPPER = auto()
    WRAPPERS = auto()  # an object with several lists of rows


def layout_of(text: bytes, *, whole: bool, enough: bool) -> JsonLayout | None:
    """Tell the layout of ``text``, which begins with an object; None where more of it must be seen.

    Args:
        text: what was seen so far.
        whole: whether that is all there is.
        enough: whether no more will be looked at.
    """
    line, newline, rest = text.partition(b"\n")
    unsure = not whole and not enough
    if not newline and unsure:
        return None
    first = scan(line)
    if newline and first.in_string:
        return JsonLayout.LINES  # no string goes on in the next line: it is broken
    if first.end is not None:
        return _closed(first, text, JsonLayout.LINES, unsure=unsure)
    if rest.strip():
        return _over_lines(text, rest, unsure=unsure)
    if newline and unsure:
        return None
    return JsonLayout.WRAPPER if first.wrapped() else JsonLayout.LINES


def _over_lines(text: bytes, rest: bytes, *, unsure: bool) -> JsonLayout | None:
    """Tell the layout of text whose first line, before the ``rest``, opens brackets that it does not close."""
    head = scan(text)
    if head.end is not None:
        return _closed(head, text, JsonLayout.OBJECTS, unsure=unsure)
    if unsure:
        return None
    following = len(list(islice(_rows(rest), 2)))
    if head.wrapped() and following <= 1:  # the last element of a list, too, has no comma behind it
        return JsonLayout.WRAPPER
    return JsonLayout.LINES if following else JsonLayout.OBJECTS


def _closed(head: Head, text: bytes, usual: JsonLayout, *, unsure: bool) -> JsonLayout | None:
    """Tell the layout of text whose first object ends: ``usual``, unless nothing follows it and it is a wrapper."""
    assert head.end is not None
    if not (head.wrapped() or head.several()) or text[head.end :].strip():
        return usual
    if unsure:
        return None
    return JsonLayout.WRAPPERS if head.several() else JsonLayout.WRAPPER


def _rows(rest: bytes) -> Iterator[bytes]:
    """Yield the later lines that are objects by themselves: then it was the first line that is broken."""
    lines = (line.rstrip() for line in rest.split(b"\n") if line.startswith(b"{"))
    return (line for line in lines if line.endswith(b"}") and scan(line).end == len(line))
