"""A configuration file in which every line is explained: what is set, and every other key with its default."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from typing import Any

from maskprep.config.key_help import Key, keys
from maskprep.config.schema import FILE
from maskprep.config.sections import SECTIONS
from maskprep.recommend.configuration import written
from maskprep.recommend.recommendation import Recommendation

_WIDTH = 110


def commented(values: Mapping[str, Any], found: Recommendation | None) -> str:
    """Return a configuration as YAML with comments.

    Args:
        values: what is set, by key.
        found: what was tried on rows, None where none were given.
    """
    blocks = [_head(found)]
    told = keys()
    for key in (each for each in told if "." not in each.name and each.name in values):
        inner = [each for each in told if each.name.startswith(f"{key.name}.")]
        blocks.append("\n".join([*_set(key, values[key.name], inner)]))
    rest = [
        _unset(each, indent=2 * ("." in each.name))
        for each in told
        if each.name.partition(".")[0] not in values and each.name.partition(".")[0] != "sources"
    ]
    blocks.append("\n".join(["# Every other key, with its default: take the # away to set it.", *rest]))
    return "\n\n".join(blocks) + "\n"


def _head(found: Recommendation | None) -> str:
    lines = [f"# yaml-language-server: $schema={FILE}", "# maskprep build --config THIS_FILE"]
    lines += ["# `maskprep config KEY` explains a key."]
    if found is not None:
        lines += ["#", *_comment(found.summary().capitalize() + ".")]
        for why in found.why:
            lines += _comment(f"- {why}")
        for left in found.left:
            lines += _comment(f"- {left.rows:,} rows cannot be used ({left.code}): {left.why}")
    return "\n".join(lines)


def _set(key: Key, value: Any, inner: list[Key]) -> Iterator[str]:
    yield from _comment(key.meaning)
    if not isinstance(value, dict) or not inner:
        yield written({key.name: value}).rstrip("\n")
        return
    yield f"{key.name}:"
    for each in inner:
        name = each.name.partition(".")[2]
        if name in value:
            yield from (f"  {line}" for line in _comment(each.meaning))
            yield from (f"  {line}" for line in written({name: value[name]}).splitlines())


def _unset(key: Key, indent: int) -> str:
    """Return a key that is not set as one comment."""
    name = key.name.rpartition(".")[2]
    plain = "" if key.name in SECTIONS or key.default.startswith("none: ") else key.default
    value = "null" if plain == "none" else plain
    choices = f" ({', '.join(key.choices)})" if key.choices else ""
    lead = f"# {' ' * indent}{name}: {value}".rstrip()
    return f"{lead:<34}  # {key.meaning}{choices}"


def _comment(text: str) -> list[str]:
    """Return a text as comments; what quotes data or a template cannot end them."""
    shown = "".join(char if char.isprintable() else " " for char in text)
    return [f"# {line}" for line in textwrap.wrap(shown, _WIDTH, subsequent_indent="  " * shown.startswith("- "))]


def example_of(key: Key) -> str:
    """Return a key with its example as YAML of one line."""
    *outer, last = key.name.split(".")
    if outer == ["sources"]:
        path = "" if last == "path" else "path: data.jsonl, "
        return f"sources: [{{{path}{last}: {key.example}}}]"
    return f"{''.join(f'{name}: {{' for name in outer)}{last}: {key.example}{'}' * len(outer)}"
