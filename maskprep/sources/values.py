"""Rows of typed tables as JSON: what has no place in JSON becomes text, or a fault."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import orjson

from maskprep.errors import RowError
from maskprep.formats.strict_json import MAX_DEPTH
from maskprep.formats.wording import quote
from maskprep.sources.row_limit import RAISE_IT

_HINT = "Leave the column out of the table, or write it as text."
_LONG = 2**20  # characters
_OTHERS_REFUSED = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_SUBCLASS


def to_json(row: Mapping[str, Any], max_bytes: int) -> bytes:
    """Return a row of Python values as one JSON object.

    Dates and times become ISO text, decimals, durations and UUIDs their text, bytes the text that they are in UTF-8. A
    column of its own that is binary data or not a number becomes null: rows need not use it.

    Raises:
        RowError: ``bad-value``, ``nan``, ``too-deep`` or ``row-too-large``.
    """
    data = _of_json_alone(row)
    if data is None:
        values = {name: None if _is_blank(value) else _plain(value, name, 1) for name, value in row.items()}
        data = json.dumps(values, ensure_ascii=False).encode(errors="surrogatepass")
    if len(data) > max_bytes:
        message = f"the row has {len(data):,} bytes as JSON; the most that is read is {max_bytes:,}"
        raise RowError("row-too-large", message, RAISE_IT)
    return data


def _of_json_alone(row: Mapping[str, Any]) -> bytes | None:
    """Return a row that holds nothing but JSON's own types, as most do, as JSON; None for any other.

    orjson refuses what Python's ``json`` would change without a word, such as keys that are no text, but writes null
    for what is not a number: ``json`` tells those apart.
    """
    if any(type(value) is str and len(value) > _LONG for value in row.values()):
        return None  # its buffer grows to twice of what it holds
    try:
        data = orjson.dumps(row, option=_OTHERS_REFUSED)
        if b"null" in data:
            json.dumps(row, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return None
    return data


def _is_blank(value: object) -> bool:
    if isinstance(value, bytes):
        try:
            value.decode()
        except UnicodeDecodeError:
            return True
    return isinstance(value, float) and not math.isfinite(value)


def _plain(value: Any, at: str, depth: int) -> Any:  # noqa: C901, PLR0911, PLR0912 - a table of types
    if depth > MAX_DEPTH:
        raise RowError("too-deep", f"lists and objects are nested more than {MAX_DEPTH} deep", "Flatten the row.")
    match value:
        case np.generic():
            return _plain(value.item(), at, depth)
        case np.ndarray():
            return _plain(value.tolist(), at, depth)
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise RowError("nan", f"{at} is {value}, which is not JSON", "Write null, or leave it out.")
            return value
        case Mapping():
            return {_key(key, at): _plain(each, f"{at}.{key}", depth + 1) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each, f"{at}[{index}]", depth + 1) for index, each in enumerate(value)]
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise RowError("bad-value", f"{at} is binary data, not text", _HINT) from error
        case datetime() | date() | time():
            return value.isoformat()
        case Decimal() | timedelta() | UUID():
            return str(value)
        case _:
            raise RowError("bad-value", f"{at} is a {type(value).__name__}, which has no place in JSON", _HINT)


def _key(key: object, at: str) -> str:
    if not isinstance(key, str):
        raise RowError("bad-value", f"{at} has the key {quote(str(key))}, which is not text", _HINT)
    return key
