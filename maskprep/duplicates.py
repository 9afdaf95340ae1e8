"""Which conversations were there before: a digest of each, and where it stood first."""

from __future__ import annotations

import hashlib
import json

from maskprep.conversation import Conversation, Message

_DIGEST, _SLOT = 16, 24  # bytes of a digest, and of one with its place
_LINES = 2**44  # places are numbered: so many lines a file
_FULLEST = 2 / 3

Place = tuple[str, int]
"""File and line."""


def digest(conversation: Conversation) -> bytes:
    """Return 16 bytes that are the same for the same conversation.

    The same are messages with their weights, tools, documents and template variables. The order of a message's fields
    does not count, that of the keys within them does: templates print them in their order.
    """
    value = (
        [_plain(message) for message in conversation.messages],
        conversation.tools,
        conversation.documents,
        sorted((conversation.template_kwargs or {}).items()),
    )
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(errors="surrogatepass"), digest_size=_DIGEST).digest()


def _plain(message: Message) -> list[object]:
    ranges = [[span.field, span.start, span.end, float(span.weight)] for span in message.ranges]
    return [sorted(message.fields.items()), float(message.weight), ranges, message.prefix]


class FirstSeen:
    """Where each digest stood first. It takes 36 bytes a digest and, while it grows, as many again."""

    def __init__(self) -> None:
        """Begin with none."""
        self._slots = bytearray(_SLOT * 1024)
        self._count = 0
        self._numbers: dict[str, int] = {}

    def __len__(self) -> int:
        """Return how many digests are held."""
        return self._count

    def find(self, key: bytes) -> Place | None:
        """Return where a digest stood first, None where it is new."""
        at = self._slot(self._slots, key)
        place = int.from_bytes(self._slots[at + _DIGEST : at + _SLOT])
        if not place:
            return None
        number, line = divmod(place - 1, _LINES)
        return list(self._numbers)[number], line

    def add(self, key: bytes, place: Place) -> None:
        """Note where a digest stands that is new."""
        if self._count * _SLOT >= len(self._slots) * _FULLEST:
            self._grow()
        number = self._numbers.setdefault(place[0], len(self._numbers))
        at = self._slot(self._slots, key)
        self._slots[at : at + _SLOT] = key + (number * _LINES + place[1] + 1).to_bytes(_SLOT - _DIGEST)
        self._count += 1

    def _grow(self) -> None:
        larger = bytearray(len(self._slots) * 2)
        for start in range(0, len(self._slots), _SLOT):
            held = self._slots[start : start + _SLOT]
            if any(held[_DIGEST:]):
                at = self._slot(larger, bytes(held[:_DIGEST]))
                larger[at : at + _SLOT] = held
        self._slots = larger

    @staticmethod
    def _slot(slots: bytearray, key: bytes) -> int:
        """Return where a digest is, or where it belongs: the first place from its own on that is free."""
        count = len(slots) // _SLOT
        at = int.from_bytes(key[:8]) % count
        while True:
            start = at * _SLOT
            if slots[start : start + _DIGEST] == key or not any(slots[start + _DIGEST : start + _SLOT]):
                return start
            at = (at + 1) % count
