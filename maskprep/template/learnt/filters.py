"""The filters that a watched template may use on a value of a row, and what each stands for.

What is not here a template may use on its own constants alone: on a value of a row, that row is not learnt from.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from jinja2.filters import do_default
from jinja2.runtime import Undefined

from maskprep.template.learnt import formats, lookups, methods, printing, selections
from maskprep.template.learnt.buffers import join_pieces
from maskprep.template.learnt.lists import as_own, holds
from maskprep.template.learnt.loops import items_of
from maskprep.template.learnt.runtime import CALL, CALLS, OURS, Pairs, escaped
from maskprep.template.learnt.values import (
    OF_TEMPLATE,
    Fact,
    Items,
    Joined,
    Markup,
    Message,
    Method,
    Own,
    Stream,
    Watched,
    own,
)
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.string import Tracked

if TYPE_CHECKING:
    from maskprep.template.learnt.environment import WatchingEnvironment

Wrapped = Callable[..., Any]

_HARMLESS = frozenset({"length", "count", "list", "first", "last", "items"})
"""Filters that look at no item of a list or mapping of the template's."""


def watching(environment: WatchingEnvironment, name: str, plain: Wrapped) -> Wrapped:
    """Return filter ``name``, which may be used on values of a row."""

    @wraps(plain)
    def watched(*args: Any, **kwargs: Any) -> Any:
        given = args[1:] if hasattr(plain, "jinja_pass_arg") else args
        if not holds(given) and not holds([*kwargs.values()]):
            return plain(*args, **kwargs)
        value, *rest = given
        if type(value) in (list, tuple, dict):
            if name in _HARMLESS and not rest and not kwargs:
                return plain(*args)
            if name not in _ON_LISTS:
                value = as_own(value, environment.watch)
        if isinstance(value, Joined) and name not in _ON_JOINED:
            value = value.tracked()
        if isinstance(value, Stream) and name not in _ON_STREAMS:
            raise UnlearnableError(f"the filter {name} on what is gone through but once")
        function = _FILTERS.get(name)
        if function is None or (type(value) is str and name not in _ON_CONSTANTS):
            raise UnlearnableError(f"the filter {name} on a value of a row")
        return function(environment, value, *rest, **kwargs)

    return watched


# Filters: (environment, value, further arguments)


def _text(environment: WatchingEnvironment, value: Any) -> Any:
    """Return the text of a value, as one that has methods."""
    text = environment.to_text(value)
    return text.tracked() if isinstance(text, Joined) else text


def _of_text(name: str) -> Wrapped:
    def change(environment: WatchingEnvironment, value: Any, *args: Any) -> Any:
        text = _text(environment, value)
        if isinstance(text, Watched):
            return methods.call_method(environment, Method(text, name), args, {})
        return getattr(text, name)(*args)

    return change


def _trim(environment: WatchingEnvironment, value: Any, chars: str | None = None) -> Any:
    return _of_text("strip")(environment, value, chars)


def _length(_environment: WatchingEnvironment, value: Any) -> Any:
    if isinstance(value, Items):
        return value.mapping.told("len({0})")
    if value.kind not in (str, list, dict, Pairs, Tracked):
        raise UnlearnableError("the length of what has none")
    return value.told("len({0})")


def _default(environment: WatchingEnvironment, value: Any, default_value: Any = "", boolean: bool = False) -> Any:  # noqa: FBT001, FBT002 - jinja2's own signature
    if isinstance(value, Watched | Joined | Items | Stream):
        return value if not boolean or value else default_value
    return do_default(value, default_value, boolean)


def _list(environment: WatchingEnvironment, value: Any) -> Any:
    if isinstance(value, Stream):
        value = value.take(environment.watch.scope)
    if isinstance(value, Items):
        return _list_of_items(value)
    if isinstance(value, Own):
        return value.made("list({0})", kind=list)
    if value.kind is dict:
        return _list(environment, items_of(value, "keys"))
    if value.kind is str:
        return value.made("list({0})", kind=list, shape=OURS)
    if value.kind not in (list, Pairs):
        raise UnlearnableError("a list of what is none")
    return value if value.kind is Pairs else _ours(value)


def _list_of_items(items: Items) -> Watched:
    owner, what = items.mapping, items.what
    if what not in {"keys", "values"} or (what == "values" and (isinstance(owner, Message) or owner.shape & CALL)):
        raise UnlearnableError("a list of the items of a mapping")
    if isinstance(owner, Own):
        return Own(owner.watch, items.code, items.value)
    given = () if isinstance(owner, Message) else (owner.source, owner.origin)
    made = Watched(owner.watch, items.code, items.value, *given)
    made.shape = OURS
    return made


def _ours(value: Watched) -> Watched:
    """Return a list as one that the template has made."""
    made = Watched(value.watch, value.code, value.value, value.source, value.origin, value.shape | OURS)
    made.scope = value.scope
    return made


def _edge(index: int) -> Wrapped:
    def edge(environment: WatchingEnvironment, value: Any) -> Any:
        if isinstance(value, Stream):
            if index:
                raise UnlearnableError("the last of what is gone through but once")
            value = _list(environment, value)
        if not isinstance(value, Watched) or value.kind not in (list, Pairs, str, Tracked):
            raise UnlearnableError("the first of what is no list")
        found = lookups.item(environment, value, index)
        return environment.undefined("No first item, sequence was empty.") if isinstance(found, Undefined) else found

    return edge


def _items(environment: WatchingEnvironment, value: Any) -> Any:
    if value.kind is not dict:
        raise UnlearnableError("the items of what is no mapping")
    return Stream(items_of(value, "items"), environment.watch.scope)


def _dictsort(
    _environment: WatchingEnvironment,
    value: Any,
    case_sensitive: bool = False,  # noqa: FBT001, FBT002 - jinja2's own signature
    by: str = "key",
    reverse: bool = False,  # noqa: FBT001, FBT002
) -> Any:
    if value.kind is not dict or case_sensitive or by != "key" or reverse:
        raise UnlearnableError("the items of a mapping in an order of their own")
    return items_of(value, "sorted")


def _reverse(environment: WatchingEnvironment, value: Any) -> Any:
    if isinstance(value, Stream):
        value = _list(environment, value)
    if value.kind in (str, Tracked):
        return value[slice(None, None, -1)]
    if value.kind not in (list, Pairs):
        raise UnlearnableError("what is no list, backwards")
    return Stream(value[slice(None, None, -1)], environment.watch.scope)


def join(environment: WatchingEnvironment, value: Any, d: Any = "", attribute: Any = None) -> Any:
    """Return what the filter ``join`` does."""
    if type(value) in (list, tuple):
        if attribute is not None:
            raise UnlearnableError("attributes joined")
        texts = [environment.to_text(each) for each in value]
        between = environment.to_text(d)
        return join_pieces(environment.watch, [each for text in texts for each in (between, text)][1:])
    if isinstance(value, Stream):
        value = value.take(environment.watch.scope)
    if isinstance(value, Items) and value.what in {"keys", "values"}:
        value = _list(environment, value)
    if attribute is not None:
        value = selections.by_name(value, attribute)
    if isinstance(value, Items) or value.kind is not list or type(d) is not str or value.shape & CALLS:
        raise UnlearnableError("the filter join on what is no list of texts")
    watch = value.watch
    if isinstance(value, Own):
        return own(watch, *watch.compute("joined_own({0}, {1})", value, d), Tracked)
    if not d:
        return value.made("run_on({0})", kind=str)
    code, made = watch.compute("joined({0}, {1}, {2})", value, d, Fact(watch, value.source, value.origin))
    return own(watch, code, made, Tracked)


def _replace(environment: WatchingEnvironment, s: Any, old: Any, new: Any, count: int | None = None) -> Any:
    return _of_text("replace")(environment, s, old, new, *([] if count is None else [count]))


def _title(environment: WatchingEnvironment, s: Any) -> Any:
    text = _text(environment, s)
    if not isinstance(text, Watched):
        raise UnlearnableError("the title of a constant")
    if text.kind is str:
        return text.made("title({0})", kind=str)
    return _filtered(text, "title")


def _filtered(text: Watched, name: str, *args: Any) -> Own:
    """Return what the tracked rendering makes of a text with origins."""
    codes = "".join(f", {{{index}}}" for index in range(2, len(args) + 2))
    return own(text.watch, *text.watch.compute(f"filtered({{1}}, {{0}}{codes})", text, name, *args), Tracked)


def _indent(
    environment: WatchingEnvironment,
    s: Any,
    width: Any = 4,
    first: bool = False,  # noqa: FBT001, FBT002 - jinja2's own signature
    blank: bool = False,  # noqa: FBT001, FBT002
) -> Any:
    if type(width) is not int or not 0 <= width <= printing.WIDEST or holds((first, blank)):
        raise UnlearnableError("a very wide indentation")
    text = _text(environment, s)
    if not isinstance(text, Watched):
        raise UnlearnableError("a constant indented")
    return _filtered(as_own(text, environment.watch), "indent", width, bool(first), bool(blank))


def escape(environment: WatchingEnvironment, value: Any) -> Markup:
    """Return what the filter ``escape`` does: a text as HTML, unless it is that already."""
    if isinstance(value, Markup):
        return value
    if hasattr(value, "__html__"):
        return Markup("".join([value]))
    text = _text(environment, value)
    if not isinstance(text, Watched):
        return Markup(escaped(text))
    return Markup(text.made("escaped({0})", kind=str) if text.kind is str else _filtered(text, "escape"))


def _int(_environment: WatchingEnvironment, value: Any, default: int = 0, base: int = 10) -> Any:
    if not isinstance(value, Watched) or isinstance(value, Own) or (default, base) != (0, 10):
        raise UnlearnableError("a number read from what is no value of a row")
    if value.kind is int and value.is_number:
        return value
    watch = value.watch
    code, found = watch.compute("to_int({0})", value)
    if value.source == OF_TEMPLATE:
        return Fact(watch, f"({code})", found)
    name = "v" + watch.name()
    watch.bind_code(name, code)
    watch.scope.known[name] = int
    source, origin = watch.compute("lost({0})", Fact(watch, value.source, value.origin))
    return Watched(watch, name, found, source, origin)


def _string(environment: WatchingEnvironment, value: Any) -> Any:
    return value if isinstance(value, Markup) else environment.to_text(value)


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
    "map": selections.mapping,
    "selectattr": selections.selecting(keep=True),
    "rejectattr": selections.selecting(keep=False),
    "unique": selections.unique,
    "reverse": _reverse,
    "join": join,
    "replace": _replace,
    "title": _title,
    "upper": _of_text("upper"),
    "lower": _of_text("lower"),
    "capitalize": _of_text("capitalize"),
    "indent": _indent,
    "int": _int,
    "string": _string,
    "safe": lambda environment, value: Markup(environment.to_text(value)),
    "escape": escape,
    "e": escape,
    "format": formats.format_filter,
    "tojson": lambda environment, value, **options: printing.json_of(environment, value, options),
}
_ON_LISTS = frozenset({"join", "tojson", "default", "d", "string", "safe"})
_ON_JOINED = frozenset({"trim", "string", "default", "d", "tojson", "safe"})
_ON_STREAMS = frozenset(
    {"list", "first", "join", "default", "d", "reverse", "map", "selectattr", "rejectattr", "unique"}
)
_ON_CONSTANTS = frozenset({"replace", "default", "d", "format", "join"})
