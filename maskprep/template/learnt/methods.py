"""Methods of values of a row, functions that are called with them, and operators."""

from __future__ import annotations

from typing import Any

from jinja2.runtime import Undefined

from maskprep.template.learnt import formats, lookups, markup, sequences
from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.buffers import join_pieces
from maskprep.template.learnt.lists import holds, sum_of_lists
from maskprep.template.learnt.loops import items_of
from maskprep.template.learnt.opaque import Markup, Method, Numbers
from maskprep.template.learnt.runtime import OURS, TUPLE, Pairs
from maskprep.template.learnt.values import Joined, Own, Watched
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.string import Tracked

_PARTED = {"split": OURS, "rsplit": OURS, "splitlines": OURS, "partition": TUPLE, "rpartition": TUPLE}
_SLICED = frozenset({"strip", "lstrip", "rstrip", "removeprefix", "removesuffix"})
_TOLD = frozenset(
    {
        *("startswith", "endswith", "find", "rfind", "index", "rindex", "count"),
        *("isalnum", "isalpha", "isdigit", "isspace", "islower", "isupper", "isnumeric", "isdecimal"),
    }
)
_CASES = frozenset({"upper", "lower", "capitalize", "title"})
_PADDED = frozenset({"ljust", "rjust", "center", "zfill"})
_TRACKED_ONLY = frozenset({"swapcase", "casefold"})
_WIDEST = 10_000


def call_method(environment: Watching, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of a value of a row."""
    owner, name = method.owner, method.name
    if isinstance(owner, Joined):
        owner = owner.plain() if name in _TOLD else owner.tracked()
    args = tuple(each.plain() if isinstance(each, Joined) else each for each in args)
    while args and args[-1] is None and name in {*_SLICED, "split", "rsplit"}:
        args = args[:-1]
    if owner.kind is dict:
        return _method_of_mapping(environment, owner, name, args, kwargs)
    if kwargs or owner.kind not in (str, Tracked):
        raise UnlearnableError(f"the method {name} of a {owner.kind.__name__}")
    return _method_of_text(owner, name, args)


def _method_of_text(owner: Watched, name: str, args: tuple[Any, ...]) -> Any:
    code = f"{{0}}.{name}({', '.join(f'{{{i}}}' for i in range(1, len(args) + 1))})"
    if name in _SLICED:
        return owner.made(code, *args, kind=owner.kind)
    if name in _PARTED:
        return owner.made(f"list({code})", *args, kind=list, shape=_PARTED[name])
    if name in _TOLD:
        return owner.told(code, *args)
    if name == "replace" and len(args) in (2, 3):
        return _replaced(owner, args)
    if name in _CASES and not args:
        return owner.made(code if owner.kind is Tracked else f"same_length({{0}}, {code})", kind=owner.kind)
    padding = name in _PADDED and bool(args) and type(args[0]) is int and args[0] <= _WIDEST
    if (padding or name in _TRACKED_ONLY) and not holds(args):
        return _as_tracked(owner).made(code, *args, kind=Tracked)
    raise UnlearnableError(f"the method {name} of a text")


def _replaced(owner: Watched, args: tuple[Any, ...]) -> Any:
    if type(args[0]) is not str or type(args[1]) is not str or not args[0] or holds(args):
        raise UnlearnableError("a text replaced by what is no constant")
    if not owner.watch.ask("{1} in {0}", owner, args[0]):
        return owner
    places = ", ".join(f"{{{i}}}" for i in range(1, len(args) + 1))
    if not args[1] and owner.kind is str:
        return owner.made(f"{{0}}.replace({places})", *args, kind=str)
    return _as_tracked(owner).made(f"replaced({{0}}, {places})", *args, kind=Tracked)


def _as_tracked(text: Watched) -> Own:
    return text if isinstance(text, Own) and text.kind is Tracked else Joined(text.watch, [text]).tracked()


def _method_of_mapping(
    environment: Watching, owner: Watched, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if name == "get" and len(args) in (1, 2) and not kwargs:
        found = lookups.entry(environment, owner, args[0])
        return (args[1] if len(args) > 1 else None) if isinstance(found, Undefined) else found
    if name in {"items", "keys", "values"} and not args and not kwargs:
        return items_of(owner, name)
    raise UnlearnableError(f"the method {name} of a mapping")


def call_other(environment: Watching, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function of the template's with values of a row."""
    name = getattr(function, "__name__", "")
    owner = getattr(function, "__self__", None)
    if function is environment.globals["raise_exception"]:
        raise UnlearnableError("what the template refuses")
    if function is environment.globals["range"] and not kwargs:
        return _range(environment, args)
    if function is environment.globals["dict"] and all(type(each) is dict for each in args):
        return dict(*args, **kwargs)
    if name == "join" and type(owner) is str and len(args) == 1 and not kwargs:
        return sequences.join(environment, args[0], owner)
    template = getattr(function, "template", None)
    if type(template) is str and name == "format":
        return formats.format_method(environment, template, args, kwargs)
    if name == "get" and type(owner) is dict and not kwargs:
        return _get(environment, owner, *args)
    raise UnlearnableError(f"the function {name}, called with a value of a row")


def _range(environment: Watching, args: tuple[Any, ...]) -> Numbers:
    if not all(isinstance(each, int) or (isinstance(each, Watched) and each.kind is int) for each in args):
        raise UnlearnableError("a range of what is no number")
    code, value = environment.watch.compute(f"ranged({', '.join(f'{{{i}}}' for i in range(len(args)))})", *args)
    if len(value) > _WIDEST:
        raise UnlearnableError("a long range")
    return Numbers(code, value)


def _get(environment: Watching, owner: dict[Any, Any], key: Any, default: Any = None) -> Any:
    if isinstance(key, Joined):
        key = key.plain()
    if not isinstance(key, Watched):
        return owner.get(key, default)
    found = lookups.of_constant(environment, owner, key)
    return default if isinstance(found, Undefined) else found


def operation(environment: Watching, operator: str, left: Any, right: Any) -> Any:
    """Compute such as ``left + right``."""
    if operator == "%" and type(left) is str:
        return formats.percent(environment, left, right)
    if operator == "+" and any(hasattr(each, "__html__") or isinstance(each, Markup) for each in (left, right)):
        return _added_markup(environment, left, right)
    kinds = [_kind_of(left), _kind_of(right)]
    if operator == "+" and all(kind in (str, Tracked) for kind in kinds):
        return join_pieces(environment.watch, [left, right])
    if operator == "+" and all(kind in (list, Pairs) for kind in kinds):
        return sum_of_lists(left, right, environment.watch)
    if operator in {"+", "*", "%"} and all(kind in (int, bool, float) for kind in kinds):
        first = left if isinstance(left, Watched) else right
        if operator == "*":
            first = left if isinstance(left, Watched) else right
            return first.calculated("product({0}, {1})", right if first is left else left)
        code = f"{{0}} {operator} {{1}}" if first is left else f"{{1}} {operator} {{0}}"
        return first.calculated(code, right if first is left else left)
    first, second = (kind.__name__ for kind in kinds)
    raise UnlearnableError(f"the operator {operator} on a {first} and a {second}")


def _added_markup(environment: Watching, left: Any, right: Any) -> Markup:
    """Return two texts added of which one counts as HTML: the other is escaped."""
    if not all(isinstance(each, str | Joined | Markup) or _kind_of(each) in (str, Tracked) for each in (left, right)):
        raise UnlearnableError("HTML added to what is no text")
    pieces = [markup.escape(environment, each).text for each in (left, right)]
    return Markup(join_pieces(environment.watch, pieces))


def _kind_of(value: Any) -> type:
    if isinstance(value, Watched):
        return tuple if value.shape & TUPLE else value.kind
    return str if isinstance(value, Joined) else type(value)
