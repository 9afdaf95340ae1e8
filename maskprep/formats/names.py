"""The names of fields and roles in data sets, and their canonical names."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from maskprep.errors import RowError
from maskprep.formats.weights import DETAIL_KEYS, WEIGHT_KEYS
from maskprep.formats.wording import kind, quote
from maskprep.policy import ROLES

CALL = "function_call"
"""The role, in data, of a message that is the JSON of an assistant's tool calls."""

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""The keys under which a message may hold its reasoning; each stays under its own key."""

REASONING_LISTS = ("reasoning_details", "thinking_blocks")
"""The keys under which a message may hold its reasoning in pieces, as some routers of model servers log it."""

MESSAGE_FIELDS = (
    *("role", "content", "from", "value", "name", "arguments", "tool_calls", "tool_call_id", "function_call"),
    *("channel", "recipient", "refusal", *REASONING_KEYS, *REASONING_LISTS, *WEIGHT_KEYS, *DETAIL_KEYS),
    *("mask_spans", "prefix"),
)
"""The fields of a message that mean something."""

_ALIASES = {
    **{role: role for role in ROLES},
    **dict.fromkeys(("human", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "claude", "model", "bot", "chatbot", "ai"), "assistant"),
    **dict.fromkeys(
        ("function", "observation", "ipython", "tool_response", "function_response", "environment"), "tool"
    ),
    **dict.fromkeys(("tool_result", "tool_results", "function_result", "tool_output", "function_output"), "tool"),
    **dict.fromkeys((CALL, "function_calls", "tool_call", "tool_calls"), CALL),
}

_SHOWN = 8  # keys of a message that are named
_ALLOWED = f"The roles are {', '.join(ROLES)}."


@dataclass(frozen=True, slots=True)
class Names:
    """The data's names of fields (``columns``: canonical name → name in the data) and of ``roles`` (name → role).

    ``row_fields`` are the fields that a row may have, ``ignore`` the keys of rows and messages that are left out before
    anything is read: ``label``, or ``messages[].label`` for those of messages alone.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)
    row_fields: frozenset[str] = frozenset()
    ignore: frozenset[str] = frozenset()

    def row(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a row with its fields under their canonical names."""
        return self._renamed(raw, self.row_fields)

    def message(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a message with its fields under their canonical names, ``from`` and ``value`` among them."""
        message = self.renamed_message(raw)
        aliases = {old: new for old, new in _OLD_NAMES.items() if old in message and new not in message}
        return {aliases.get(key, key): value for key, value in message.items()} if aliases else message

    def renamed_message(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a message with its fields under their canonical names, ``from`` and ``value`` as they are."""
        return self._renamed(raw, _MESSAGE_FIELDS)

    def role(self, message: Mapping[str, Any], at: str) -> str:
        """Return the role of a message under canonical names: one of ``ROLES``, or ``CALL``. Raises RowError."""
        name = message.get("role")
        if not isinstance(name, str):
            if "role" not in message and message:
                raise RowError("bad-message", *_no_role(message, at))
            found = kind(name) if "role" in message else "missing"
            raise RowError("bad-message", f"{at}.role must be a string, not {found}", _ALLOWED)
        role = self.roles.get(name) or usual_role(name)
        if role is None:
            hint = f"Say what it means in the configuration, for example roles: {{{quote(name)}: user}}."
            raise RowError("unknown-role", f"{at}.role is {quote(name)}, which is not a role. {_ALLOWED}", hint)
        return role

    def ignored_in(self, raw: Mapping[str, Any], *, within: bool = False) -> set[str]:
        """Return the entries of ``ignore`` that leave a key out of a row, or of a message ``within`` it."""
        return {each for each in self.ignore if (each.rpartition("[].")[2] if within else each) in raw}

    def used_in(self, raw: Mapping[str, Any], fields: Collection[str]) -> Iterator[str]:
        """Yield the canonical names of the columns that rename a key of a row or a message with these fields."""
        return (new for new, old in self.columns.items() if new in fields and old in raw)

    def _renamed(self, raw: Mapping[str, Any], fields: Collection[str]) -> Mapping[str, Any]:
        if self.ignore:
            within = {key.rpartition("[].")[2] for key in self.ignore} if fields is _MESSAGE_FIELDS else self.ignore
            raw = {key: value for key, value in raw.items() if key not in within}
        used = {new: self.columns[new] for new in self.used_in(raw, fields)}
        if not used:
            return raw
        taken = {*used, *used.values()}
        return {
            **{key: value for key, value in raw.items() if key not in taken},
            **{k: raw[o] for k, o in used.items()},
        }


def _no_role(message: Mapping[str, Any], at: str) -> tuple[str, str]:
    """Return what to say of a message of other keys, and what to do: told with its own keys."""
    texts = [key for key, value in message.items() if isinstance(value, str)]
    keys = ", ".join(map(quote, list(message)[:_SHOWN]))
    meant = [f"role: {quote(texts[0])}"] if texts and len(message) > 1 else []
    meant += [f"content: {quote(texts[1])}"] if meant and len(texts) > 1 and "content" not in message else []
    named = f" If its keys have other names, name them: columns: {{{', '.join(meant)}}}, say." if meant else ""
    return f"{at}.role must be a string, not missing; it has {keys}", _ALLOWED + named


def usual_role(name: str) -> str | None:
    """Return the role that a name usually means: one of ``ROLES``, or ``CALL``; None for an unknown name."""
    return _ALIASES.get(name.strip().lower().replace("-", "_"))


_MESSAGE_FIELDS = frozenset(MESSAGE_FIELDS)
_OLD_NAMES = {"from": "role", "value": "content"}  # of ShareGPT
