"""Values of a row as text: printed, or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2.runtime import Undefined

from maskprep.template.learnt import filters
from maskprep.template.learnt.buffers import join_pieces
from maskprep.template.learnt.runtime import encoder
from maskprep.template.learnt.values import Fact, Items, Joined, Message, Watched
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.string import Tracked

if TYPE_CHECKING:
    from maskprep.template.learnt.environment import WatchingEnvironment

_OPTIONS = frozenset({"ensure_ascii", "indent", "separators", "sort_keys"})


def text_of(value: Watched) -> Any:
    """Return the text of a value: a text, or a constant."""
    kind, watch = value.kind, value.watch
    if kind in (str, Tracked):
        return value
    if kind is type(None):
        return "None"
    if kind is bool:
        return str(bool(value))
    if kind in (int, float):
        return value.made("repr({0})", kind=str)
    if kind in (dict, list) and not isinstance(value, Message):
        name = "v" + watch.name()
        code, text = watch.compute(
            "printed({0}, {1}, {2})", value, Fact(watch, value.source, value.origin), value.calls
        )
        watch.bind_code(name, code)
        watch.scope.known[name] = Tracked
        return Watched(watch, name, text)
    raise UnlearnableError("messages, printed as Python prints them")


def json_of(environment: WatchingEnvironment, value: Any, options: dict[str, Any]) -> Any:
    """Return the JSON of a value, which may be one of the template's with values of a row in it."""
    if not options.keys() <= _OPTIONS or filters.holds(options.values()):
        raise UnlearnableError("options of tojson that are no constants")
    if isinstance(value, Watched):
        return _json_of_value(value, options)
    if isinstance(value, Joined):
        plain = value.plain()
        raise UnlearnableError(f"the JSON of a joined text of {len(plain.value)} characters")
    if options.keys() - {"ensure_ascii"}:
        raise UnlearnableError("a mapping of the template's in a form of its own")
    return join_pieces(environment.watch, list(_own(environment, value, options)))


def _json_of_value(value: Watched, options: dict[str, Any]) -> Any:
    kind, watch = value.kind, value.watch
    if isinstance(value, Message | Items) or kind not in (str, int, float, bool, type(None), dict, list):
        raise UnlearnableError("the JSON of messages, or of a text of several origins")
    if kind in (bool, type(None)):
        return encoder(options)(bool(value) if kind is bool else None)
    if kind in (dict, list) and value.calls:
        name = "v" + watch.name()
        source = Fact(watch, value.source, value.origin)
        code, text = watch.compute("tracked_json({0}, {1}, {2}, {3})", value, source, value.calls, options)
        watch.bind_code(name, code)
        watch.scope.known[name] = Tracked
        return Watched(watch, name, text)
    if kind is str and not value:
        return '""'  # there is no character whose origin the quotes could take
    return value.made("encoder({1})({0})", options, kind=str) if options else value.made("to_json({0})", kind=str)


def _own(environment: WatchingEnvironment, value: Any, options: dict[str, Any]) -> Any:
    """Yield the JSON of a mapping, a list or a value of the template's, in pieces."""
    if isinstance(value, Watched):
        yield _json_of_value(value, options)
    elif type(value) is dict:
        yield "{"
        for index, (key, item) in enumerate(value.items()):
            if type(key) is not str:
                raise UnlearnableError("a key that is no text")
            yield (", " if index else "") + encoder(options)(key) + ": "
            yield from _own(environment, item, options)
        yield "}"
    elif type(value) in (list, tuple):
        yield "["
        for index, item in enumerate(value):
            if index:
                yield ", "
            yield from _own(environment, item, options)
        yield "]"
    elif isinstance(value, Joined | Undefined):
        raise UnlearnableError("the JSON of a joined text")
    else:
        yield encoder(options)(value)
