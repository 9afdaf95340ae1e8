"""Lists made of what a row holds, and texts joined of them: the filters ``list`` and ``join``."""

from __future__ import annotations

from typing import Any

from maskprep.template.learnt import selections
from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.buffers import join_pieces
from maskprep.template.learnt.loops import items_of
from maskprep.template.learnt.opaque import Items, Stream
from maskprep.template.learnt.runtime import CALL, CALLS, OURS, Pairs
from maskprep.template.learnt.values import Fact, Message, Own, Watched, own
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.string import Tracked


def list_of(environment: Watching, value: Any) -> Any:
    """Return what the filter ``list`` does."""
    if isinstance(value, Stream):
        value = value.take(environment.watch.scope)
    if isinstance(value, Items):
        return _list_of_items(value)
    if isinstance(value, Own):
        return value.made("list({0})", kind=list)
    if value.kind is dict:
        return list_of(environment, items_of(value, "keys"))
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


def join(environment: Watching, value: Any, d: Any = "", attribute: Any = None) -> Any:
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
        value = list_of(environment, value)
    if attribute is not None:
        value = selections.by_name(value, attribute)
    if isinstance(value, Items) or value.kind is not list or type(d) is not str or value.shape & CALLS:
        raise UnlearnableError("the filter join on what is no list of texts")
    watch = value.watch
    if isinstance(value, Own):
        code, made = watch.compute("joined_own({0}, {1})", value, d)
        return own(watch, code, made, Tracked)
    if not d:
        return value.made("run_on({0})", kind=str)
    code, made = watch.compute("joined({0}, {1}, {2})", value, d, Fact(watch, value.source, value.origin))
    return own(watch, code, made, Tracked)
