"""Strict JSON: what Python's ``json`` accepts and a tokenizer or a template would trip over is refused, by name.

bytes ─┬─ orjson, where nothing is to be refused ──┬─▶ value
       └─ Python's parser, which says what is wrong ┘

orjson is several times faster, and refuses nearly all that is refused here. What it takes all the same is looked for in
the bytes (``_loads_quickly``), roughly: where there is any doubt, Python's parser decides.
"""

from __future__ import annotations

import json
import math
import re
from itertools import chain
from typing import Any

import orjson

from maskprep.errors import RowError
from maskprep.formats.wording import QUOTED, quote

MAX_DEPTH = 200
"""The deepest nesting of lists and objects. Python's parser recurses: 100,000 levels would exhaust a thread's stack."""

MAX_DIGITS = 4300
"""The most digits of an integer: Python's own default limit, whatever the environment sets it to."""

_BRACKET = re.compile(r"[\[\]{}]")
_SUSPECT = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")  # the escapes that can give a surrogate or a NUL
_SURROGATE = re.compile("[\ud800-\udfff]")
_CUT_WORD = re.compile(r"\s*|t|tr|tru|f|fa|fal|fals|n|nu|nul|-|\.|[eE][+-]?|\\|\\?u[0-9a-fA-F]{0,4}")
# What a fault may lie in, or is passed over: strings, keys, objects, constants, and numbers that may be out of range.
_TOKEN = re.compile(
    r'("[^"\\]*(?:\\.[^"\\]*)*")(\s*:)?|[{}]|NaN|-?Infinity|-?\d[\d.]*[eE][\d+-]+|-?\d[\d.]{300,}', re.DOTALL
)
_DIGITS = bytes(0x30 if chr(byte).isdecimal() else 0x20 for byte in range(128)) + b" " * 128
_LONG_NUMBER = b"0" * 19  # digits: a number of fewer takes less than 64 bits
_OBJECTS, _TEXTS, _VALUES = {dict}, {str}, dict.values
_REFUSED = object()
_JSONL_HINT = "Mend the row, or write one JSON object a line; `jq -c .` makes that of a file of objects."


def loads(data: bytes) -> Any:
    """Return the value of one line of JSON.

    Raises RowError with the code ``invalid-utf8``, ``not-json``, ``nan``, ``duplicate-key``, ``too-deep``,
    ``integer-too-long``, ``lone-surrogate`` or ``nul-character``. Where the fault has a place, ``facts["at"]`` is the
    number of bytes in front of it.
    """
    value = _loads_quickly(data)
    if value is not _REFUSED:
        return value
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        before = quote(data[max(0, error.start - 20) : error.start].decode(errors="ignore"))
        message = f"byte {error.start + 1} of the line, 0x{data[error.start]:02x} after {before}, is not UTF-8"
        hint = "Convert the file to UTF-8, for example with iconv."
        raise RowError("invalid-utf8", f"{message} ({error.reason})", hint, {"at": error.start}) from error
    try:
        return _parse(text)
    except RowError as error:
        at = _place_of(error, text)
        if at is None:
            raise
        raise RowError(error.code, error.message, error.hint, {"at": len(text[:at].encode())}) from error


def loads_text(text: str) -> Any:
    """Return the value of JSON in a string, parsed as strictly as ``loads`` does."""
    if not text.isascii() and (found := _SURROGATE.search(text)):
        raise _lone_surrogate(f"at character {found.start() + 1}")
    value = _loads_quickly(text.encode())
    return _parse(text) if value is _REFUSED else value


def _loads_quickly(data: bytes) -> Any:
    """Return the value of JSON as orjson parses it, ``_REFUSED`` where that may be another one, or none.

    orjson takes four things that are refused or read otherwise here: keys that come again, NUL characters, integers of
    more than 64 bits (for floats), and nesting of up to 1,024.
    """
    try:
        value = orjson.loads(data)
    except ValueError:
        return _REFUSED
    escapes = b"\\" in data
    if escapes and b"\\u0000" in data:
        return _REFUSED
    # Of a key that came again, the last value is there: there are fewer strings than in the bytes.
    quotes = _count_quotes(data) if escapes else data.count(b'"')
    if quotes == 2 * _count_strings(value):
        return value
    if _LONG_NUMBER in data.translate(_DIGITS):
        return _REFUSED
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and too_deep(data.decode()):
        return _REFUSED
    return value if quotes == _count_quotes(orjson.dumps(value)) else _REFUSED


def _count_quotes(data: bytes) -> int:
    """Return the number of quotes that begin or end a string of JSON: those that are not escaped."""
    if b"\\\\" in data:
        data = data.replace(b"\\\\", b"")
    return data.count(b'"') - data.count(b'\\"')


def _count_strings(value: Any) -> int:
    """Return the number of keys and texts of a row that is nothing but messages of nothing but text, else -1."""
    messages = value.get("messages") if type(value) is dict and len(value) == 1 else None
    if type(messages) is not list or set(map(type, messages)) != _OBJECTS:
        return -1
    if set(map(type, chain.from_iterable(map(_VALUES, messages)))) != _TEXTS:
        return -1
    return 1 + 2 * sum(map(len, messages))


def _parse(text: str) -> Any:
    if too_deep(text):
        raise _nested()
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _not_json(text, error) from error
    except RecursionError as error:
        raise _nested() from error
    if "\\u" in text and _SUSPECT.search(text):
        _check_strings(value)
    return value


def too_deep(text: str) -> bool:
    """Tell whether the nesting exceeds ``MAX_DEPTH``, up to the first error of syntax, without recursion."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    # Without escaped backslashes and quotes, every second piece between quotes is outside of strings.
    outside = "".join(text.replace("\\\\", "").replace('\\"', "").split('"')[::2])
    depth = 0
    for match in _BRACKET.finditer(outside):
        depth += 1 if match[0] in "[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _nested() -> RowError:
    return RowError("too-deep", f"lists and objects are nested more than {MAX_DEPTH} deep", "Flatten or drop the row.")


def _not_json(text: str, error: json.JSONDecodeError) -> RowError:
    """Return the error ``not-json``: what is wrong, where, and whether the line seems to end before the row does."""
    rest = text[error.pos :]
    if error.msg.startswith("Unterminated string"):
        cut = not text.rstrip().endswith("}")
    else:
        cut = error.msg != "Extra data" and bool(_CUT_WORD.fullmatch(rest))
    place = f"column {error.colno}" if error.lineno == 1 else f"line {error.lineno}, column {error.colno}"
    message = f"not JSON: {error.msg} ({place})" + (f", before {quote(rest)}" if rest else "")
    return RowError("not-json", message + ("; the line looks cut off" if cut else ""), _JSONL_HINT)


def _place_of(error: RowError, text: str) -> int | None:
    """Return the index of the character where a fault of the text lies, None where it has no place of its own.

    The parser's hooks are not told where they are: up to the fault the text is JSON, and is gone through again.
    """
    if isinstance(error.__cause__, json.JSONDecodeError):
        return error.__cause__.pos
    keys: list[set[str]] = []
    for token in _TOKEN.finditer(text) if error.code in {"nan", "integer-too-long", "duplicate-key"} else ():
        string, colon = token.groups()
        if token[0] == "{":
            keys.append(set())
        elif token[0] == "}":
            keys.pop()
        elif colon:
            key = json.loads(string)
            if key in keys[-1] and _twice(key).message == error.message:
                return token.start()
            keys[-1].add(key)
        elif not string:
            try:
                _DECODER.decode(token[0])
            except RowError:
                return token.start()
    return None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) == len(pairs):
        return value
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    raise _twice(key)


def _twice(key: str) -> RowError:
    return RowError("duplicate-key", f"the key {quote(key)} occurs twice in one object", "Keep one of the two.")


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > MAX_DIGITS:
        message = f"an integer of {len(digits):,} digits; the most that is read is {MAX_DIGITS:,}"
        raise RowError("integer-too-long", message, "Write the number as a string.")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise RowError("nan", f"number out of range: {quote(digits)}", "Write the number as a string.")
    return value


def _constant(name: str) -> float:
    raise RowError("nan", f"{name} is not JSON", "Write null, or leave the key out.")


def _check_strings(value: Any) -> None:
    """Refuse a NUL or half of a surrogate pair in any key or string."""
    todo: list[tuple[str, Any]] = [("", value)]
    while todo:
        path, item = todo.pop()
        if isinstance(item, str):
            if "\0" in item:
                message = f"a NUL character in {_place(path)}"
                raise RowError("nul-character", message, "Remove it: it stands for binary data, which is not text.")
            if _SURROGATE.search(item):
                raise _lone_surrogate(f"in {_place(path)}")
        elif isinstance(item, list):
            todo.extend((f"{path}[{index}]", each) for index, each in enumerate(item))
        elif isinstance(item, dict):
            todo.extend((f"{path}[{quote(key)}] (a key)", key) for key in item)
            todo.extend((_inside(path, key), each) for key, each in item.items())


def _inside(path: str, key: str) -> str:
    """Return the path of a key in words of an error: ``messages[3].content``."""
    name = key if key.isidentifier() and len(key) <= QUOTED else f"[{quote(key)}]"
    return f"{path}.{name}" if path and not name.startswith("[") else path + name


def _place(path: str) -> str:
    return path[-2 * QUOTED :] or "the text"


def _lone_surrogate(place: str) -> RowError:
    message = f"half of a surrogate pair (\\ud800 to \\udfff) {place}: it is no character"
    return RowError("lone-surrogate", message, "The text was cut within an emoji or the like: repair or drop the row.")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_number, parse_constant=_constant
)
