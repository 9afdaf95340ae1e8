"""The filters, tests and methods that a watched template may use on a value of a row, and what each stands for.

What is not here a template may use on its own constants alone: on a value of a row, that row is not learnt from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from jinja2.filters import do_default
from jinja2.runtime import Undefined

from maskprep.template.learnt import lookups, printing
from maskprep.template.learnt.buffers import join_pieces
from maskprep.template.learnt.loops import items_of
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.learnt.values import OF_TEMPLATE, Fact, Items, Joined, Message, Method, Numbers, Watched
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.string import Tracked

if TYPE_CHECKING:
    from maskprep.template.learnt.environment import WatchingEnvironment

Wrapped = Callable[..., Any]

_PARTED = {"split": list, "rsplit": list, "splitlines": list, "partition": tuple, "rpartition": tuple}
_SLICED = frozenset({"strip", "lstrip", "rstrip", "removeprefix", "removesuffix"})
_TOLD = frozenset(
    {
        *("startswith", "endswith", "find", "rfind", "index", "rindex", "count"),
        *("isalnum", "isalpha", "isdigit", "isspace", "islower", "isupper", "isnumeric", "isdecimal"),
    }
)
_CASES = frozenset({"upper", "lower", "capitalize"})
_TRACKED_ONLY = frozenset({"swapcase", "casefold", "ljust", "rjust", "center"})
_NOT_ONE_BY_ONE = (Watched, Joined, Items, Numbers, Method)


def watching(environment: WatchingEnvironment, name: str, plain: Wrapped) -> Wrapped:
    """Return filter ``name``, which may be used on values of a row."""

    @wraps(plain)
    def watched(*args: Any, **kwargs: Any) -> Any:
        given = args[1:] if hasattr(plain, "jinja_pass_arg") else args
        if not holds(given) and not holds([*kwargs.values()]):
            return plain(*args, **kwargs)
        value, *rest = given
        if isinstance(value, Joined) and name not in _ON_JOINED:
            value = value.tracked()
        function = _FILTERS.get(name)
        if function is None or (not isinstance(value, Watched | Items | Joined) and name not in _ON_LISTS):
            raise UnlearnableError(f"the filter {name} on a value of a row")
        return function(environment, value, *rest, **kwargs)

    return watched


def holds(values: Any) -> bool:
    """Tell whether a value of a row is among these, or in lists and mappings among these."""
    waiting = list(values)
    while waiting:
        each = waiting.pop()
        if isinstance(each, _NOT_ONE_BY_ONE):
            return True
        if type(each) in (list, tuple):
            waiting += each
        elif type(each) is dict:
            waiting += each.values()
    return False


# Filters: (environment, value, further arguments)


def _trim(environment: WatchingEnvironment, value: Any, chars: str | None = None) -> Any:
    text = environment.to_text(value)
    return (
        call_method(environment, Method(text, "strip"), (chars,), {})
        if isinstance(text, Watched)
        else text.strip(chars)
    )


def _length(_environment: WatchingEnvironment, value: Any) -> Any:
    if isinstance(value, Items):
        value = Watched(value.mapping.watch, value.code, value.value)
    if value.kind not in (str, list, dict, Pairs, Tracked):
        raise UnlearnableError("the length of what has none")
    return value.told("len({0})")


def _default(environment: WatchingEnvironment, value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - jinja2's own signature
    if isinstance(value, Watched | Joined):
        return value if not boolean or value else default_value
    return do_default(value, default_value, boolean)


def _list(environment: WatchingEnvironment, value: Any) -> Any:
    if isinstance(value, Items):
        return Watched(value.mapping.watch, value.code, value.value, value.mapping.source, value.mapping.origin)
    if value.kind is dict:
        return value.made("list({0})", kind=list)
    if value.kind not in (list, Pairs):
        raise UnlearnableError("a list of what is none")
    return value


def _edge(index: int) -> Wrapped:
    def edge(environment: WatchingEnvironment, value: Any) -> Any:
        if value.kind not in (list, Pairs, str, Tracked):
            raise UnlearnableError("the first of what is no list")
        found = lookups.item(environment, value, index)
        return environment.undefined("No first item, sequence was empty.") if isinstance(found, Undefined) else found

    return edge


def _items(environment: WatchingEnvironment, value: Any) -> Any:
    if value.kind is not dict:
        raise UnlearnableError("the items of what is no mapping")
    return items_of(value, "items")


def _dictsort(
    environment: WatchingEnvironment,
    value: Any,
    case_sensitive: bool = False,
    by: str = "key",
    reverse: bool = False,  # noqa: FBT001, FBT002 - jinja2's own signature
) -> Any:
    if value.kind is not dict or case_sensitive or by != "key" or reverse:
        raise UnlearnableError("the items of a mapping in an order of their own")
    return items_of(value, "sorted")


def _map(environment: WatchingEnvironment, value: Any, *args: Any, **kwargs: Any) -> Any:
    if args or kwargs.keys() != {"attribute"} or not _is_name(kwargs["attribute"]) or value.kind is not list:
        raise UnlearnableError("the filter map, but for an attribute")
    if value.calls and kwargs["attribute"] == "id":
        raise UnlearnableError("the ids of tool calls")
    return value.made("items_of({0}, {1})", kwargs["attribute"], kind=list)


def _selecting(*, keep: bool) -> Wrapped:
    def selecting(environment: WatchingEnvironment, value: Any, name: Any, test: str = "", *args: Any) -> Any:
        if value.kind not in (list, Pairs) or not _is_name(name) or holds(args):
            raise UnlearnableError("a selection by what is no constant")
        condition = {"equalto": "_x == {2}", "==": "_x == {2}", "eq": "_x == {2}", "ne": "_x != {2}", "in": "_x in {2}"}
        if test in condition and len(args) == 1:
            wanted = condition[test]
        elif test in {"none", "string", "mapping", ""} and not args:
            kinds = {"none": "_x is None", "string": "type(_x) is str", "mapping": "type(_x) is dict", "": "_x"}
            wanted = kinds[test]
        else:
            raise UnlearnableError(f"a selection by the test {test}")
        pairs = value.kind is Pairs
        code = f"selected{'_pairs' if pairs else ''}({{0}}, {{1}}, lambda _x: bool({wanted}), keep={keep})"
        return value.made(code, name, *args, kind=value.kind, calls=value.calls)

    return selecting


def _is_name(name: Any) -> bool:
    return type(name) is str and "." not in name and not name.isdigit()


def _reverse(environment: WatchingEnvironment, value: Any) -> Any:
    if value.kind not in (list, Pairs):
        raise UnlearnableError("what is no list, backwards")
    return value[slice(None, None, -1)]


def _join(environment: WatchingEnvironment, value: Any, d: Any = "", attribute: Any = None) -> Any:
    if type(value) in (list, tuple):
        if attribute is not None:
            raise UnlearnableError("attributes joined")
        texts = [environment.to_text(each) for each in value]
        between = environment.to_text(d)
        return join_pieces(environment.watch, [each for text in texts for each in (between, text)][1:])
    if isinstance(value, Items) and value.what == "keys":
        value = _list(environment, value)
    if isinstance(value, Items) or value.kind is not list or type(d) is not str or value.calls:
        raise UnlearnableError("the filter join on what is no list of texts")
    if attribute is not None:
        value = _map(environment, value, attribute=attribute)
    if not d:
        return value.made("run_on({0})", kind=str)
    name = "v" + value.watch.name()
    code, made = value.watch.compute("joined({0}, {1}, {2})", value, d, Fact(value.watch, value.source, value.origin))
    value.watch.bind_code(name, code)
    value.watch.scope.known[name] = Tracked
    return Watched(value.watch, name, made)


def _replace(environment: WatchingEnvironment, s: Any, old: Any, new: Any, count: int | None = None) -> Any:
    return call_method(
        environment, Method(environment.to_text(s), "replace"), (old, new, -1 if count is None else count), {}
    )


def _case(name: str) -> Wrapped:
    def change(environment: WatchingEnvironment, s: Any) -> Any:
        return call_method(environment, Method(environment.to_text(s), name), (), {})

    return change


def _title(environment: WatchingEnvironment, s: Any) -> Any:
    text = environment.to_text(s)
    if not isinstance(text, Watched) or text.kind is not str:
        raise UnlearnableError("the filter title on a joined text")
    return text.made("title({0})", kind=str)


def _int(environment: WatchingEnvironment, value: Any, default: int = 0, base: int = 10) -> Any:
    if value.kind is int and value.source == OF_TEMPLATE:
        return value
    raise UnlearnableError("a number read from a text")


_FILTERS: dict[str, Wrapped] = {
    "trim": _trim,
    "length": _length,
    "count": _length,
    "default": _default,
    "d": _default,
    "list": _list,
    "first": _edge(0),
    "last": _edge(-1),
    "items": _items,
    "dictsort": _dictsort,
    "map": _map,
    "selectattr": _selecting(keep=True),
    "rejectattr": _selecting(keep=False),
    "reverse": _reverse,
    "join": _join,
    "replace": _replace,
    "title": _title,
    "upper": _case("upper"),
    "lower": _case("lower"),
    "capitalize": _case("capitalize"),
    "int": _int,
    "string": lambda environment, value: environment.to_text(value),
    "tojson": lambda environment, value, **options: printing.json_of(environment, value, options),
}
_ON_LISTS = frozenset({"join", "tojson", "default", "d"})
_ON_JOINED = frozenset({"trim", "string", "default", "d", "tojson"})


# Tests: (environment, value, further arguments)


def testing(environment: WatchingEnvironment, name: str, plain: Wrapped) -> Wrapped:
    """Return test ``name``, which may be used on values of a row."""

    @wraps(plain)
    def watched(*args: Any, **kwargs: Any) -> Any:
        given = args[1:] if hasattr(plain, "jinja_pass_arg") else args
        if not holds(given):
            return plain(*args, **kwargs)
        value, *rest = given
        if name in _COMPARISONS and len(rest) == 1:
            return _COMPARISONS[name](value, rest[0])
        if name == "in" and len(rest) == 1:
            return environment.contained(value, rest[0])
        if name in _KINDS and not rest:
            return _is_of(value, _KINDS[name])
        if isinstance(value, Watched) and not rest and name in _TRUTHS:
            return value.kind is bool and bool(value) == _TRUTHS[name]
        if isinstance(value, Fact) and not rest and name in {"odd", "even"}:
            return value.calculated("{0} % 2 == " + str(int(name == "odd")))
        if isinstance(value, Fact) and name == "divisibleby" and len(rest) == 1 and type(rest[0]) is int:
            return value.calculated("{0} % {1} == 0", rest[0])
        raise UnlearnableError(f"the test {name} on a value of a row")

    return watched


def _is_of(value: Any, kinds: tuple[type, ...] | bool) -> bool:  # noqa: FBT001
    if isinstance(kinds, bool):
        return kinds
    if isinstance(value, Joined):
        return str in kinds
    if isinstance(value, Items | Numbers | Method):
        raise UnlearnableError("the type of what is no value")
    if not isinstance(value, Watched):
        raise UnlearnableError("the type of a list that holds values of a row")
    kind = {Tracked: str, Pairs: list, tuple: dict}.get(value.kind, value.kind)
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


# Methods, functions and operators


def call_method(environment: WatchingEnvironment, method: Method, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a method of a value of a row."""
    owner, name = method.owner, method.name
    if isinstance(owner, Joined):
        owner = owner.tracked()
    if not isinstance(owner, Watched):
        return getattr(owner, name)(*args, **kwargs)  # the text of a constant such as None
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
        return owner.made(f"list({code})", *args, kind=list)
    if name in _TOLD:
        return owner.told(code, *args)
    if name == "replace" and len(args) in (2, 3):
        return _replaced(owner, code, args)
    if name in _CASES and owner.kind is str and not args:
        return owner.made(f"same_length({{0}}, {code})", kind=str)
    if name == "title" and owner.kind is str and not args:
        return owner.made("same_length({0}, {0}.title())", kind=str)
    if name in _TRACKED_ONLY and not any(isinstance(each, Watched) for each in args):
        return _as_tracked(owner).made(code, *args, kind=Tracked)
    raise UnlearnableError(f"the method {name} of a text")


def _replaced(owner: Watched, code: str, args: tuple[Any, ...]) -> Any:
    if type(args[0]) is not str or type(args[1]) is not str or not args[0]:
        raise UnlearnableError("a text replaced by what is no constant")
    if not owner.watch.ask("{1} in {0}", owner, args[0]):
        return owner
    if not args[1] or owner.kind is Tracked:
        return owner.made(code, *args, kind=owner.kind)
    return _as_tracked(owner).made(code, *args, kind=Tracked)


def _as_tracked(text: Watched) -> Watched:
    return text if text.kind is Tracked else Joined(text.watch, [text]).tracked()


def _method_of_mapping(
    environment: WatchingEnvironment, owner: Watched, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if name == "get" and len(args) in (1, 2) and not kwargs:
        found = lookups.entry(environment, owner, args[0])
        return (args[1] if len(args) > 1 else None) if isinstance(found, Undefined) else found
    if name in {"items", "keys", "values"} and not args and not kwargs and not isinstance(owner, Message):
        return items_of(owner, name)
    raise UnlearnableError(f"the method {name} of a mapping")


def call_other(environment: WatchingEnvironment, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Call a function of the template's with values of a row."""
    name = getattr(function, "__name__", "")
    owner = getattr(function, "__self__", None)
    if function is environment.globals["raise_exception"]:
        raise UnlearnableError("what the template refuses")
    if function is environment.globals["range"] and not kwargs:
        if not all(isinstance(each, int) or (isinstance(each, Watched) and each.kind is int) for each in args):
            raise UnlearnableError("a range of what is no number")
        code, value = environment.watch.compute(f"range({', '.join(f'{{{i}}}' for i in range(len(args)))})", *args)
        return Numbers(code, value)
    if name == "join" and type(owner) is str and len(args) == 1 and not kwargs:
        return _join(environment, args[0], owner)
    if name == "get" and type(owner) is dict and isinstance(args[0], Watched):
        return function(lookups.very_value(args[0]), *args[1:], **kwargs)
    if name == "append":
        raise UnlearnableError("a list that is added to")
    raise UnlearnableError(f"the function {name}, called with a value of a row")


def operation(environment: WatchingEnvironment, operator: str, left: Any, right: Any) -> Any:
    """Compute such as ``left + right``."""
    kinds = [
        str if isinstance(each, Joined) else each.kind if isinstance(each, Watched) else type(each)
        for each in (left, right)
    ]
    if operator == "+" and all(kind in (str, Tracked) for kind in kinds):
        return join_pieces(environment.watch, [left, right])
    if operator in {"+", "*", "%"} and all(kind in (int, bool, float) for kind in kinds):
        first = left if isinstance(left, Watched) else right
        code = f"{{0}} {operator} {{1}}" if first is left else f"{{1}} {operator} {{0}}"
        return first.calculated(code, right if first is left else left)
    first, second = (kind.__name__ for kind in kinds)
    raise UnlearnableError(f"the operator {operator} on a {first} and a {second}")


# Text


def text_of(value: Watched) -> Any:
    """Return the text of a value."""
    return printing.text_of(value)
