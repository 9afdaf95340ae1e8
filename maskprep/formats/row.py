"""A row while it is read: its fields under canonical names, and an account of the fields taken from it.

    row       {"messages": […], "tools": "[…]", "id": 7, "mood": "calm"}
    taken     messages, tools                        by the format, and by what all formats have in common
    left      id (meaningless), mood (named: not read)

A field that is looked at but not taken counts as left.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from maskprep.conversation import NOTHING_LEFT, Account, Finding, Message
from maskprep.errors import RowError
from maskprep.formats.keys import MEANINGLESS, Speaks, may_stand_twice, meaningful, says_nothing, speaks_of
from maskprep.formats.names import Names
from maskprep.formats.wording import kind, quote

_SAID = {
    Speaks.LOSS: "",
    Speaks.CONTEXT: "columns: {{system: {key}}} if it is the system prompt, or ",
    Speaks.REASONING: "columns: {{reasoning_content: {key}}} if it is what the assistant thought, or ",
}


class InputRow:
    """One row: ``fields`` under canonical names, ``findings`` about it, and the names of the fields taken.

    ``is_plain`` tells that the configuration has no names of its own for fields and roles.

    Raises RowError ``not-an-object`` where it is no object.
    """

    def __init__(self, raw: object, names: Names) -> None:
        self.names = names
        self.fields = names.row(as_object(raw))
        self.findings: list[Finding] = []
        self.is_plain = not (names.columns or names.roles or names.ignore)
        self._columns: dict[str, None] = {}
        self._roles: dict[str, None] = {}
        self._ignored = names.ignored_in(as_object(raw)) if names.ignore else set()
        self._taken: set[str] = set()
        self._unread: dict[str, None] = {}
        if names.columns:
            self.note_names(as_object(raw), names.row_fields)

    def get(self, key: str) -> Any:
        """Return a field, None where there is none; it is not taken."""
        return self.fields.get(key)

    def first(self, keys: Iterable[str]) -> str | None:
        """Return the first of the keys that has a value, None where none has."""
        for key in keys:
            if self.fields.get(key) is not None:
                return key
        return None

    def saying(self, keys: Sequence[str]) -> list[str]:
        """Return the keys among ``keys`` whose values say something."""
        if self.fields.keys().isdisjoint(keys):  # of most rows, of most keys
            return []
        return [key for key in keys if key in self.fields and not says_nothing(self.fields[key])]

    def take(self, *keys: str) -> Any:
        """Return the first of these fields that has a value, None where none has; that one is taken."""
        key = self.first(keys)
        if key is None:
            return None
        self._taken.add(key)
        return self.fields[key]

    def unfold(self, key: str) -> None:
        """Take a field that is an object, and put its fields among the row's own.

        Raises RowError ``bad-message`` where both have a field, and say different things.
        """
        value = self.take(key)
        if not isinstance(value, dict):
            return
        inner = self.names.row(value)
        if self.names.ignore:
            self._ignored |= self.names.ignored_in(value)
        outer = {name: each for name, each in self.fields.items() if not says_nothing(each)}
        both = [name for name in inner if name in outer and name not in MEANINGLESS and not says_nothing(inner[name])]
        if differing := [name for name in both if inner[name] != outer[name]]:
            text = f"the row and its {key} have different {', '.join(differing)}"
            raise RowError("bad-message", text, f"Keep one of the two, or say ignore: [{differing[0]}].")
        self.fields = {**self.fields, **inner, **outer}

    def put(self, fields: Mapping[str, Any]) -> None:
        """Put other fields in the place of the row's; fields that had been taken are to be taken again."""
        self.fields = dict(fields)
        self._taken.clear()

    def text(self, *keys: str, hint: str) -> str | None:
        """Take the first of these fields that has a value, which must be a string. Raises RowError ``bad-message``."""
        key = self.first(keys)
        value = self.take(*keys)
        if value is not None and not isinstance(value, str):
            raise RowError("bad-message", f"{key} must be a string, not {kind(value)}", hint)
        return value

    def account(self, messages: Sequence[Message]) -> Account:
        """Return the account of the row, once every field that is read was taken.

        Raises:
            RowError: ``unread-field`` where something was left that speaks of the loss, of context or of reasoning.
        """
        for key in meaningful(self.fields.keys() - self._taken, self.fields) if len(self.fields) > 1 else ():
            value = self.fields[key]
            speaks = speaks_of(key, value, in_message=False)
            if speaks is not None and not (may_stand_twice(key) and _stands_in(value, messages)):
                raise unread(self.names.columns.get(key, key), value, speaks, "the row's ")
            self._unread[key] = None
        if not (self._unread or self._columns or self._roles or self._ignored):
            return NOTHING_LEFT
        return Account(*map(tuple, (sorted(self._unread), self._columns, self._roles, sorted(self._ignored))))

    def note_message(self, message: Mapping[str, Any], known: Iterable[str], at: str) -> None:
        """Note the keys of a message that nothing reads: those that are not ``known``.

        Raises:
            RowError: ``unread-field`` where one speaks of the loss, of context or of reasoning.
        """
        for key in meaningful(message.keys() - set(known), message):
            speaks = speaks_of(key, message[key], in_message=True)
            if speaks is not None:
                raise unread(key, message[key], speaks, f"{at}.")
            self.note_unread(f"{list_of(at)}[].{key}")

    def note_unread(self, path: str) -> None:
        """Note a key that nothing reads, under its path: ``messages[].key``."""
        self._unread[path] = None

    def note_names(self, raw: Mapping[str, Any], fields: frozenset[str], at: str = "") -> None:
        """Note the entries of ``columns`` that a row, or the message ``at`` a place, with these fields made use of.

        A key of the data with the canonical name for which ``columns`` chose another key is not read.
        """
        if at:
            self._ignored |= self.names.ignored_in(raw, within=True)
        used = dict.fromkeys(self.names.used_in(raw, fields))
        self._columns.update(used)
        for name in used:
            if name in raw and name not in self.names.columns.values() and not says_nothing(raw[name]):
                self.note_unread(f"{list_of(at)}[].{name}" if at else name)

    def role(self, message: Mapping[str, Any], at: str) -> str:
        """Return the role of a message under canonical names. Raises RowError."""
        role = self.names.role(message, at)
        if message.get("role") in self.names.roles:
            self._roles[message["role"]] = None
        return role


def as_object(row: object) -> dict[str, Any]:
    """Return a row that is an object. Raises RowError where it is none."""
    if not isinstance(row, dict):
        hint = 'A row is an object, such as {"messages": [{"role": "user", "content": "…"}, …]}.'
        raise RowError("not-an-object", f"the row is {kind(row)}, not an object", hint)
    return row


def list_of(at: str) -> str:
    """Return the name of the list in which a place stands: ``messages`` for ``messages[3].content``."""
    return at.partition("[")[0]


def unread(key: str, value: object, speaks: Speaks, owner: str) -> RowError:
    """Return the error of a row of which a key speaks of something that must not be passed over."""
    shown = repr(value) if isinstance(value, bool | int | float) else kind(value)
    message = f"{owner}{quote(key)[1:-1]}, {shown}, speaks of {speaks}, and nothing here reads it"
    mapped = "" if speaks is Speaks.CONTEXT and not owner.endswith(" ") else _SAID[speaks].format(key=key)
    hint = f"say {mapped}ignore: [{key}] to leave it out"
    path = key if owner.endswith(" ") else f"{list_of(owner)}[].{key}"
    return RowError("unread-field", message, hint, {"not_read": [path]})


def _stands_in(value: object, messages: Sequence[Message]) -> bool:
    """Tell whether a value is a text that stands in a message already: then nothing is lost with its field."""
    if not isinstance(value, str):
        return False
    wanted = value.strip()
    return any(wanted in value for each in messages for value in each.fields.values() if isinstance(value, str))
