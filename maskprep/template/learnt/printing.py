"""Values of a row as text: printed, or as JSON."""

from __future__ import annotations

from typing import Any

from jinja2.runtime import Undefined

from maskprep.template.learnt import runtime
from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.buffers import join_pieces
from maskprep.template.learnt.lists import as_own, holds
from maskprep.template.learnt.opaque import Unlooked
from maskprep.template.learnt.runtime import CALL, CALLS, OURS, TUPLE, encoder
from maskprep.template.learnt.values import Joined, Message, Own, Watched, own
from maskprep.template.learnt.watch import UnlearnableError, code_of
from maskprep.template.strings.string import Tracked

_OPTIONS = frozenset({"ensure_ascii", "indent", "separators", "sort_keys"})
WIDEST = 100  # characters of an indentation


def text_of(value: Watched) -> Any:
    """Return the text of a value: a text, or a constant."""
    kind = value.kind
    if kind in (str, Tracked):
        return value
    if kind is type(None):
        return "None"
    if kind is bool:
        return str(bool(value))
    if kind in (int, float):
        return printed(value) if isinstance(value, Own) else value.made("repr({0})", kind=str)
    if kind in (dict, list) and not value.shape & TUPLE:
        return printed(as_own(value, value.watch))
    raise UnlearnableError(f"a {kind.__name__}, printed as Python prints it")


def printed(value: Own) -> Own:
    """Return a value as Python prints it."""
    return own(value.watch, *value.watch.compute("printed({0})", value), Tracked)


def json_of(environment: Watching, value: Any, options: dict[str, Any]) -> Any:
    """Return the JSON of a value, which may be one of the template's with values of a row in it."""
    if not options.keys() <= _OPTIONS or holds(options.values()):
        raise UnlearnableError("options of tojson that are no constants")
    indent, separators = options.get("indent"), options.get("separators") or ()
    if len(str(indent)) > WIDEST or (isinstance(indent, int) and indent > WIDEST):
        raise UnlearnableError("a very wide indentation")
    if type(separators) is not tuple or any(type(each) is not str or len(each) > WIDEST for each in separators):
        raise UnlearnableError("separators that are no two short texts")
    if isinstance(value, Joined | Own):
        return _json_of_own(as_own(value, environment.watch), options)
    if isinstance(value, Watched):
        return _json_of_value(value, options)
    if isinstance(value, Unlooked):
        raise UnlearnableError(f"the JSON of a {type(value).__name__}")
    if options.keys() - {"ensure_ascii"}:
        return _json_of_own(as_own(value, environment.watch), options)
    return join_pieces(environment.watch, list(_own(environment, value, options)))


def _json_of_own(value: Own, options: dict[str, Any]) -> Own:
    return own(value.watch, *value.watch.compute("tracked_json({0}, {1})", value, options), Tracked)


def _json_of_value(value: Watched, options: dict[str, Any]) -> Any:
    if type(value) is Watched and not value.shape and value.watch.known_kind(value.code) is None:
        # Of values of most types all of their JSON is theirs, whatever they are.
        nobodys = value.watch.ask("{0} is None or {0} is True or {0} is False or {0} == ''", value)
        if not nobodys:
            return _json_of_one(value, options)
    kind = value.kind
    if kind in (bool, type(None)):
        return encoder(options)(bool(value) if kind is bool else None)
    if isinstance(value, Message) or (kind in (dict, list) and value.shape & (CALL | CALLS | OURS)):
        return _json_of_several(value, options)
    if kind not in (str, int, float, dict, list) or value.shape & TUPLE:
        raise UnlearnableError(f"the JSON of a {kind.__name__}")
    if kind is str and not value:
        return '""'  # there is no character whose origin the quotes could take
    return _json_of_one(value, options)


def _json_of_one(value: Watched, options: dict[str, Any]) -> Watched:
    return value.made("encoder({1})({0})", options, kind=str) if options else value.made("to_json({0})", kind=str)


def _json_of_several(value: Watched, options: dict[str, Any]) -> Own:
    watch = value.watch
    if value.kind is list and value.shape == OURS and watch.ask("all(type(_x) is dict for _x in {0})", value):
        # As the tools are: what is between them is the template's. Any other list takes longer.
        code = f"json_of_list({code_of(value)}, {value.source}, {options!r})"
        return own(watch, code, runtime.json_of_list(value.value, value.origin, options), Tracked)
    return _json_of_own(as_own(value, watch), options)


def _own(environment: Watching, value: Any, options: dict[str, Any]) -> Any:
    """Yield the JSON of a mapping, a list or a value of the template's, in pieces."""
    if isinstance(value, Watched | Joined):
        yield json_of(environment, value, options)
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
    elif isinstance(value, Undefined | Unlooked):
        raise UnlearnableError("the JSON of what is no value")
    else:
        yield encoder(options)(value)
