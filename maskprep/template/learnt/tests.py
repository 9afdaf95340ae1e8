"""The tests that a watched template may put a value of a row to."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.lists import holds
from maskprep.template.learnt.opaque import Items, Markup, Stream
from maskprep.template.learnt.values import Fact, Joined, Watched
from maskprep.template.learnt.watch import UnlearnableError

Wrapped = Callable[..., Any]


def watching(environment: Watching, name: str, plain: Wrapped) -> Wrapped:
    """Return test ``name``, which values of a row may be put to."""

    @wraps(plain)
    def watched(*args: Any, **kwargs: Any) -> Any:
        given = args[1:] if hasattr(plain, "jinja_pass_arg") else args
        if not holds(given) and not kwargs:
            return plain(*args, **kwargs)
        value, *rest = given
        if name in _COMPARISONS and len(rest) == 1:
            return _COMPARISONS[name](value, rest[0])
        if name == "in" and len(rest) == 1:
            return environment.contained(value, rest[0])
        if name in _KINDS and not rest:
            return _is_of(value, name, _KINDS[name])
        if isinstance(value, Watched) and not rest and name in _TRUTHS:
            return value.kind is bool and bool(value) == _TRUTHS[name]
        return _of_number(name, value, rest)

    return watched


def _of_number(name: str, value: Any, rest: list[Any]) -> Any:
    if isinstance(value, Fact) and not rest and name in {"odd", "even"}:
        return value.calculated("{0} % 2 == " + str(int(name == "odd")))
    if isinstance(value, Fact) and name == "divisibleby" and len(rest) == 1 and type(rest[0]) is int:
        return value.calculated("{0} % {1} == 0", rest[0])
    raise UnlearnableError(f"the test {name} on a value of a row")


def _is_of(value: Any, name: str, kinds: tuple[type, ...] | bool) -> bool:  # noqa: FBT001
    if isinstance(kinds, bool):
        return kinds
    if isinstance(value, Joined | Markup):
        return str in kinds
    if isinstance(value, Stream) or (isinstance(value, Items) and value.what != "sorted"):
        return name == "iterable"
    if isinstance(value, Watched):
        return value.is_of(kinds)
    if type(value) in (list, tuple, dict):
        kind = dict if type(value) is dict else list
    else:
        raise UnlearnableError(f"the type of a {type(value).__name__}")
    return kind in kinds


_KINDS: dict[str, tuple[type, ...] | bool] = {
    "defined": True,
    "undefined": False,
    "none": (type(None),),
    "string": (str,),
    "mapping": (dict,),
    "sequence": (str, list, dict),
    "iterable": (str, list, dict),
    "number": (int, float, bool),
    "integer": (int,),
    "float": (float,),
    "boolean": (bool,),
    "callable": (),
}
_TRUTHS = {"true": True, "false": False}
_COMPARISONS: dict[str, Wrapped] = {
    **dict.fromkeys(("eq", "equalto", "=="), lambda one, two: one == two),
    **dict.fromkeys(("ne", "!="), lambda one, two: one != two),
    **dict.fromkeys(("lt", "lessthan", "<"), lambda one, two: one < two),
    **dict.fromkeys(("le", "<="), lambda one, two: one <= two),
    **dict.fromkeys(("gt", "greaterthan", ">"), lambda one, two: one > two),
    **dict.fromkeys(("ge", ">="), lambda one, two: one >= two),
}
