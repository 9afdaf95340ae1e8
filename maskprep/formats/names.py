"""What data sets call things, and what they are called here: fields of rows and messages, and roles."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from maskprep.conversation import ROLES
from maskprep.errors import RowError, UsageError
from maskprep.formats.wording import kind, quote

CALL = "function_call"
"""The role, in data, of a message that is the JSON of an assistant's tool calls."""

REASONING_KEYS = ("reasoning_content", "reasoning", "thinking")
"""Where a message may hold what an assistant thought; each stays under its own key."""

WEIGHT_KEYS = ("weight", "train", "training", "loss_weight")
"""Where a message may say how much it counts in the loss."""

DETAIL_KEYS = ("training_detail", "train_detail")
"""Where a message may say which of its characters are trained."""

ROW_FIELDS = (
    *("messages", "conversations", "conversation"),
    *("instruction", "input", "context", "output", "response", "history", "prompt", "completion", "text"),
    *("system", "tools", "functions", "documents", "chat_template_kwargs", "weight", "loss_weight"),
)
"""The fields of a row that mean something."""

MESSAGE_FIELDS = (
    *("role", "content", "from", "value", "name", "tool_calls", "tool_call_id", "function_call"),
    *(*REASONING_KEYS, *WEIGHT_KEYS, *DETAIL_KEYS, "mask_spans", "prefix"),
)
"""The fields of a message that mean something."""

_FIELDS = tuple(dict.fromkeys((*ROW_FIELDS, *MESSAGE_FIELDS)))

_ALIASES = {
    **{role: role for role in ROLES},
    **dict.fromkeys(("human", "prompter"), "user"),
    **dict.fromkeys(("gpt", "chatgpt", "bing", "bard", "claude", "model", "bot", "chatbot", "ai"), "assistant"),
    **dict.fromkeys(("function", "observation", "ipython", "tool_response", "function_response"), "tool"),
    **dict.fromkeys(("tool_result", "tool_results", "function_result", "tool_output", "function_output"), "tool"),
    **dict.fromkeys((CALL, "function_calls", "tool_call", "tool_calls"), CALL),
}

_ALLOWED = f"The roles are {', '.join(ROLES)}."


@dataclass(frozen=True, slots=True)
class Names:
    """What the data calls fields (``columns``: canonical name → name in the data) and ``roles`` (name → role).

    Raises UsageError where ``columns`` names a field that does not exist.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    roles: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what nothing would ever read."""
        for name in self.columns:
            if name not in _FIELDS:
                near = difflib.get_close_matches(name, _FIELDS, n=1, cutoff=0.4)
                meant = f"Did you mean {near[0]!r}?" if near else f"Known are {', '.join(_FIELDS)}."
                raise UsageError(f"columns: there is no field {name!r}", f"{meant} Write `field: name in the data`.")

    def row(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a row with its fields under their canonical names."""
        return self._renamed(raw, ROW_FIELDS)

    def message(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a message with its fields under their canonical names, ``from`` and ``value`` among them."""
        message = self.renamed_message(raw)
        aliases = {old: new for old, new in _OLD_NAMES.items() if old in message and new not in message}
        return {aliases.get(key, key): value for key, value in message.items()} if aliases else message

    def renamed_message(self, raw: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a message with its fields under their canonical names, ``from`` and ``value`` as they are."""
        return self._renamed(raw, MESSAGE_FIELDS)

    def role(self, message: Mapping[str, Any], at: str) -> str:
        """Return the role of a message under canonical names: one of ``ROLES``, or ``CALL``. Raises RowError."""
        name = message.get("role")
        if not isinstance(name, str):
            found = kind(name) if "role" in message else "missing"
            raise RowError("bad-message", f"{at}.role must be a string, not {found}", _ALLOWED)
        role = self.roles.get(name) or _ALIASES.get(name.strip().lower().replace("-", "_"))
        if role is None:
            hint = f"Say what it means in the configuration, for example roles: {{{quote(name)}: user}}."
            raise RowError("unknown-role", f"{at}.role is {quote(name)}, which is not a role. {_ALLOWED}", hint)
        return role

    def _renamed(self, raw: Mapping[str, Any], fields: tuple[str, ...]) -> Mapping[str, Any]:
        used = {new: old for new, old in self.columns.items() if new in fields and old in raw}
        if not used:
            return raw
        taken = {*used, *used.values()}
        return {
            **{key: value for key, value in raw.items() if key not in taken},
            **{k: raw[o] for k, o in used.items()},
        }


_OLD_NAMES = {"from": "role", "value": "content"}  # of ShareGPT
