"""Lists and mappings that a template makes itself, with values of a row in them, as the tracked rendering has them.

{% set ns.parts = ns.parts + [m.content] %}      n0_1_parts = added(v1_3, [Tracked(v1_2, s1_0)])
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from jinja2.utils import Namespace

from maskprep.template.learnt import runtime
from maskprep.template.learnt.opaque import Unlooked
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.learnt.values import Fact, Joined, Message, Own, Watched, own
from maskprep.template.learnt.watch import UnlearnableError, code_of, value_of


def holds(values: Iterable[Any]) -> bool:
    """Tell whether a value of a row is among these, or in lists and mappings among these."""
    waiting = list(values)
    while waiting:
        each = waiting.pop()
        if isinstance(each, Unlooked | Namespace):
            return True
        if type(each) in (list, tuple):
            waiting += each
        elif type(each) is dict:
            waiting += each.values()
    return False


def own_code(value: Any) -> tuple[str, Any]:
    """Return the code of a value as the tracked rendering has it, and what that is in the row that is watched."""
    if isinstance(value, Joined):
        value = value.tracked()
    if isinstance(value, Watched):
        return _code_of_watched(value)
    if isinstance(value, Unlooked):
        raise UnlearnableError(f"a {type(value).__name__} in a list")
    if type(value) in (list, tuple):
        made = [own_code(each) for each in value]
        codes = "".join(f"{code}, " for code, _ in made)
        return (f"[{codes}]" if type(value) is list else f"({codes})"), type(value)(each for _, each in made)
    if type(value) is dict:
        pairs = {code_of(key): (value_of(key), own_code(each)) for key, each in value.items()}
        code = ", ".join(f"{key}: {each[0]}" for key, (_, each) in pairs.items())
        return f"{{{code}}}", {key: each[1] for key, each in pairs.values()}
    return code_of(value), value


def _code_of_watched(value: Watched) -> tuple[str, Any]:
    if isinstance(value, Own | Fact):
        return code_of(value), value.value
    if value.kind is Pairs:
        return f"messages_with_origins({code_of(value)})", runtime.messages_with_origins(value.value)
    if value.shape & runtime.TUPLE:
        raise UnlearnableError("a tuple in a list")
    made: Any
    if isinstance(value, Message):
        code, made = "message_with_origins({0}, {1})", runtime.message_with_origins(value.value, value.origin)
    else:
        code, made = "with_origins({0}, {1}, {2})", runtime.with_origins(value.value, value.origin, value.shape)
    return code.format(code_of(value), value.source, value.shape), made


def as_own(value: Any, watch: Any) -> Own:
    """Return a value that knows itself where its parts come from."""
    if isinstance(value, Own):
        return value
    code, made = own_code(value)
    return own(watch, code, made, type(value) if type(value) in (list, dict) else None)


def list_with_origins(value: Any, watch: Any) -> Own:
    """Return a list of the template's, or of a row, as one that knows itself where its items come from."""
    made = as_own(value, watch)
    if made.kind is not list:
        raise UnlearnableError(f"a {made.kind.__name__} instead of a list")
    return made


def sum_of_lists(one: Any, two: Any, watch: Any) -> Own:
    """Return two lists one behind the other."""
    first, second = list_with_origins(one, watch), list_with_origins(two, watch)
    code, made = watch.compute("added({0}, {1})", first, second)
    return own(watch, code, made, list)
