"""The filters that make texts of texts, on values of a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskprep.template.learnt import methods, printing
from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.lists import as_own, holds
from maskprep.template.learnt.markup import escape, filtered, text_of
from maskprep.template.learnt.opaque import Markup, Method
from maskprep.template.learnt.values import OF_TEMPLATE, Fact, Own, Watched, own
from maskprep.template.learnt.watch import UnlearnableError

Wrapped = Callable[..., Any]


def _of_text(name: str) -> Wrapped:
    def change(environment: Watching, value: Any, *args: Any) -> Any:
        text = text_of(environment, value)
        if isinstance(text, Watched):
            return methods.call_method(environment, Method(text, name), args, {})
        return getattr(text, name)(*args)

    return change


def _trim(environment: Watching, value: Any, chars: str | None = None) -> Any:
    return _of_text("strip")(environment, value, chars)


def _replace(environment: Watching, s: Any, old: Any, new: Any, count: int | None = None) -> Any:
    return _of_text("replace")(environment, s, old, new, *([] if count is None else [count]))


def _title(environment: Watching, s: Any) -> Any:
    text = text_of(environment, s)
    if not isinstance(text, Watched):
        raise UnlearnableError("the title of a constant")
    if text.kind is str:
        return text.made("title({0})", kind=str)
    return filtered(text, "title")


def _indent(
    environment: Watching,
    s: Any,
    width: Any = 4,
    first: bool = False,  # noqa: FBT001, FBT002 - jinja2's own signature
    blank: bool = False,  # noqa: FBT001, FBT002
) -> Any:
    if type(width) is not int or not 0 <= width <= printing.WIDEST or holds((first, blank)):
        raise UnlearnableError("a very wide indentation")
    text = text_of(environment, s)
    if not isinstance(text, Watched):
        raise UnlearnableError("a constant indented")
    return filtered(as_own(text, environment.watch), "indent", width, bool(first), bool(blank))


def _int(_environment: Watching, value: Any, default: int = 0, base: int = 10) -> Any:
    if not isinstance(value, Watched) or (default, base) != (0, 10):
        raise UnlearnableError("a number read from what is no value of a row")
    if isinstance(value, Own):
        return own(value.watch, *value.watch.compute("own_int({0})", value))
    if value.kind is int and value.is_number:
        return value
    watch = value.watch
    code, found = watch.compute("to_int({0})", value)
    if value.kind not in (str, int, float, bool, type(None)):
        raise UnlearnableError(f"a number read from a {value.kind.__name__}")
    if value.source == OF_TEMPLATE or value.kind in (bool, type(None)) or (value.kind is str and not value):
        return Fact(watch, f"({code})", found)  # there is no character whose origin it could have
    name = "v" + watch.name()
    watch.bind_code(name, code)
    watch.scope.known[name] = int
    source, origin = watch.compute("lost({0})", Fact(watch, value.source, value.origin))
    return Watched(watch, name, found, source, origin)


def _string(environment: Watching, value: Any) -> Any:
    return value if isinstance(value, Markup) else environment.to_text(value)


FILTERS: dict[str, Wrapped] = {
    "trim": _trim,
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
}
