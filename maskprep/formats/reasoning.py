"""The reasoning of an assistant message, where it is logged in pieces, or stands in the answer's text as well."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from maskprep.conversation import Finding
from maskprep.errors import RowError
from maskprep.formats.names import REASONING_KEYS, REASONING_LISTS
from maskprep.formats.nested_json import unwrapped
from maskprep.formats.wording import kind

_THOUGHT = re.compile(r"\s*<(think|thinking|thought|reasoning)>(.*?)</\1>\s*", re.DOTALL)
_HINT = 'Give reasoning as text, or as a list of {"type": "reasoning.text", "text": "…"}; `ignore:` leaves it out.'


def read_pieces(message: Mapping[str, Any], at: str) -> list[str]:
    """Return the texts of ``reasoning_details`` and ``thinking_blocks``; none where a field has the whole text.

    Raises RowError ``unread-field`` where a piece is encrypted, or no text, and ``bad-message`` where two disagree.
    """
    found: list[str] = []
    for key in REASONING_LISTS:
        texts = _texts(message.get(key), f"{at}.{key}")
        if not texts or alike(texts, found):
            continue
        if found:
            raise RowError(
                "bad-message", f"{at} has two different thoughts under {' and '.join(REASONING_LISTS)}", _HINT
            )
        found = texts
    plain = [message[key] for key in REASONING_KEYS if isinstance(message.get(key), str) and message[key].strip()]
    if not found or not plain:
        return found
    if not alike(found, plain[:1]):
        text = f"{at} has its reasoning as text and, otherwise, in pieces"
        raise RowError("bad-message", text, "Keep one of the two; `ignore:` leaves out a key.")
    return []


def once(fields: dict[str, Any], at: str, findings: list[Finding]) -> None:
    """Take a thought out of the answer's text where the message's reasoning holds it too; add a finding either way."""
    key = next((key for key in REASONING_KEYS if fields.get(key)), None)
    content = fields["content"]
    match = _THOUGHT.match(content) if key is not None and content.lstrip().startswith("<") else None
    if key is None or match is None:
        return
    if match[2].strip() == fields[key].strip():
        fields["content"] = content[match.end() :]
        detail = f"{at}: its {key} stands in the content, too; it is used once"
    else:
        detail = f"{at}: a thought stands in the content, and another one under {key}: both stay"
    findings.append(Finding("reasoning-twice", detail))


def alike(one: list[str], other: list[str]) -> bool:
    """Tell whether two lists of texts hold the same words, whatever white space is between."""
    return "".join("".join(one).split()) == "".join("".join(other).split())


def _texts(value: object, at: str) -> list[str]:
    value = unwrapped(value) if isinstance(value, str) and value.lstrip().startswith("[") else value
    if value is None or value in ("", []):
        return []
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise RowError("unread-field", f"{at} is {kind(value)}, not a list of pieces of reasoning", _HINT)
    texts = [_text(item, f"{at}[{index}]") for index, item in enumerate(value)]
    return [text for text in texts if text]


def _text(piece: object, at: str) -> str:
    if isinstance(piece, str):
        return piece
    if not isinstance(piece, dict):
        raise RowError("unread-field", f"{at} is {kind(piece)}, no piece of reasoning", _HINT)
    for key in ("text", "thinking", "summary", "reasoning", "content"):
        if isinstance(piece.get(key), str):
            return str(piece[key])
    if piece.get("data") or "encrypted" in str(piece.get("type")) or "redacted" in str(piece.get("type")):
        raise RowError(
            "unread-field", f"{at} is encrypted: the thought is lost, and the answer would be without it", _HINT
        )
    if all(value is None or key in {"type", "id", "format", "index", "signature"} for key, value in piece.items()):
        return ""
    raise RowError("unread-field", f"{at} is no piece of reasoning with a text", _HINT)
