"""YAML in which a key that stands twice in one mapping is an error: PyYAML takes the last one and says nothing."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import yaml

_MERGE = "tag:yaml.org,2002:merge"  # `<<`, whose keys may be said again: that is what it is for

# libyaml's, where it is there: it reads a list of 100,000 tokens in a quarter of the time.
_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class KeyTwiceError(yaml.constructor.ConstructorError):
    """Raised where a key stands twice in one mapping: that is YAML, but not what anyone means."""


class EachOnceLoader(_SAFE):  # type: ignore[misc]  # chosen when the module is loaded
    """A safe loader that raises ``KeyTwiceError`` where a key stands twice, and names both lines."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the mapping of a node."""
        lines: dict[Hashable, int] = {}
        for key_node, _ in node.value:
            if key_node.tag == _MERGE:
                continue
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                break  # the loader itself says what is wrong with that
            if key in lines:
                problem = f"the key {key!r} stands twice, first on line {lines[key]}: keep one of the two"
                raise KeyTwiceError(None, None, problem, key_node.start_mark)
            lines[key] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep)
