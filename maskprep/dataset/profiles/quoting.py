"""Text from elsewhere in settings that people paste: quoted, so that it can be nothing but text."""

from __future__ import annotations

from collections.abc import Iterable

_LAST_PRINTABLE = 0x7E
_FIRST_WIDE = 0x80  # from here on, bash takes \x for a byte and not for a character
_FOUR_DIGITS = 0xFFFF


def quoted(text: str) -> str:
    """Return a literal in double quotes, in ASCII, that Python and YAML both read as ``text``."""
    return '"' + "".join(map(_escaped, text)) + '"'


def shell_quoted(text: str) -> str:
    """Return one word of a shell, in ASCII, where it is printable; bash's own escapes where it is not."""
    if all(" " <= char <= "~" for char in text):
        return "'" + text.replace("'", "'\\''") + "'"
    return "$'" + "".join("\\'" if char == "'" else _escaped(char) for char in text) + "'"


def ending(stops: Iterable[int]) -> str:
    """Return the line that the ``generation_config.json`` of the trained model must have, so that generation stops."""
    return f"eos_token_id in the generation_config.json of the trained model must hold {list(stops)}"


def _escaped(char: str) -> str:
    code = ord(char)
    if char in '"\\':
        return "\\" + char
    if ord(" ") <= code <= _LAST_PRINTABLE:
        return char
    if code < _FIRST_WIDE:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= _FOUR_DIGITS else f"\\U{code:08x}"
