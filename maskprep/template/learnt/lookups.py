"""What a watched template finds in a value: attributes, items, and whether something is in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from jinja2.runtime import Undefined

from maskprep.policy import Part
from maskprep.template.inputs import part_of_field
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.learnt.values import OF_TEMPLATE, Items, Joined, Message, Method, Numbers, Watched
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.origin import CALL_ID, TEMPLATE, shaded, source_of
from maskprep.template.strings.string import Tracked

if TYPE_CHECKING:
    from maskprep.template.learnt.environment import WatchingEnvironment

_LONGEST = 60  # characters of a text that may be told from all others
_CONTENT = source_of(0, Part.CONTENT)
_SHADED = shaded(0, CALL_ID)
_METHODS = {
    str: frozenset(dir(str)),
    dict: frozenset(dir(dict)),
    list: frozenset(dir(list)),
    Tracked: frozenset(dir(str)),
}


def attribute(environment: WatchingEnvironment, obj: Watched, name: str) -> Any:
    """Return an attribute of a value, or else its item."""
    kind = obj.kind
    if kind in _METHODS and name in _METHODS[kind]:
        return Method(obj, name)
    if kind is dict:
        return entry(environment, obj, name)
    if kind is Pairs and name in _METHODS[list]:
        raise UnlearnableError(f"the method {name} of the messages")
    if kind in (int, float) and hasattr(kind, name):
        raise UnlearnableError(f"the attribute {name} of a number")
    return environment.undefined(obj=obj.value, name=name)


def item(environment: WatchingEnvironment, obj: Watched, key: Any) -> Any:
    """Return an item of a value, or else its attribute."""
    kind = obj.kind
    if isinstance(key, Joined):
        key = key.plain()
    asked = key.kind if isinstance(key, Watched) else type(key)
    if kind is dict:
        if asked is not str:
            raise UnlearnableError("a key that is no text")
        found = entry(environment, obj, key)
        if isinstance(found, Undefined) and (isinstance(key, Watched) or key in _METHODS[dict]):
            raise UnlearnableError("a method of a mapping, called as if it were an item")
        return found
    if kind in (list, Pairs, str, Tracked) and asked in (int, bool):
        return _at(environment, obj, key)
    if kind in (list, str, Pairs, Tracked) and isinstance(key, str):
        return attribute(environment, obj, key)
    if isinstance(key, str) and kind is type(None):
        return attribute(environment, obj, key)
    raise UnlearnableError(f"an item of a {kind.__name__}")


def entry(environment: WatchingEnvironment, mapping: Watched, key: Any) -> Any:
    """Return the entry of a mapping under a key, undefined without one."""
    watch = mapping.watch
    if not watch.ask("{1} in {0}", mapping, key):
        return environment.undefined(obj=mapping.value, name=key.value if isinstance(key, Watched) else key)
    if isinstance(mapping, Message):
        if isinstance(key, Watched):
            raise UnlearnableError("a field of a message by a name that is no constant")
        return _field(mapping, key)
    name, value = watch.bind("{0}[{1}]", mapping, key)
    source, origin = mapping.source, mapping.origin
    if mapping.calls == 1 and not isinstance(key, Watched) and key == "id" and type(value) is str:
        source, origin = f"{source} + {_SHADED}", origin + _SHADED
        watch.kind_of(name, value)
    elif mapping.calls == 1 and (isinstance(key, Watched) or key == "id"):
        raise UnlearnableError("the id of a call that is no text, or perhaps the id")
    return Watched(watch, name, value, source, origin)


def _field(message: Message, key: str) -> Watched:
    """Return a field of a message: see ``inputs.tracked_message`` for whose text it is."""
    watch = message.watch
    name, value = watch.bind("{0}[{1}]", message, key)
    if key == "role":
        watch.scope.known[name] = str
        return Watched(watch, name, value)
    if key == "name" and watch.ask("{0}['role'] == 'assistant'", message):
        return Watched(watch, name, value)
    part = source_of(0, part_of_field(key)) - _CONTENT
    source = f"{message.source} + {part}" if part else message.source
    return Watched(watch, name, value, source, message.origin + part, calls=2 if key == "tool_calls" else 0)


def _at(environment: WatchingEnvironment, obj: Watched, index: Any) -> Any:
    watch, kind = obj.watch, obj.kind
    constant = not isinstance(index, Watched)
    room = "-len({0}) <= {1} < len({0})" if not constant else "len({0}) > {1}" if index >= 0 else "len({0}) >= -{1}"
    if not watch.ask(room, obj, index):
        number = index.value if isinstance(index, Watched) else index
        return environment.undefined(obj=obj.value, name=number)
    if kind is Pairs:
        number = watch.name()
        code, (value, origin) = watch.compute("{0}[{1}]", obj, index)
        watch.bind_code(f"v{number}, s{number}", code)
        return Message(watch, "v" + number, value, "s" + number, origin)
    known = kind if kind in (str, Tracked) else None
    return obj.made("{0}[{1}]", index, kind=known, calls=1 if obj.calls > 1 else 0)


def contained(environment: WatchingEnvironment, sought: Any, holder: Any) -> bool:
    """Tell whether something is in something else."""
    if isinstance(holder, Joined):
        holder = holder.plain()
    if isinstance(sought, Joined):
        sought = sought.plain()
    if isinstance(sought, Message) or (isinstance(sought, Watched) and sought.kind in (dict, list, tuple, Pairs)):
        raise UnlearnableError("whether a message or a list is in something")
    if isinstance(holder, Watched):
        if holder.kind is Pairs or isinstance(sought, Undefined):
            raise UnlearnableError("whether something is among the messages")
        return holder.watch.ask("{1} in {0}", holder, sought)
    if isinstance(holder, Items | Numbers):
        raise UnlearnableError("whether something is among the items of a mapping")
    if not isinstance(sought, Watched):
        return bool(environment.compared(sought) in environment.compared(holder))
    if isinstance(holder, Undefined):
        return False
    if isinstance(holder, list | tuple) and any(isinstance(each, Watched | Joined) for each in holder):
        return any(bool(each == sought) for each in holder)
    return sought.watch.ask("{0} in {1}", sought, holder)


def very_value(value: Watched) -> Any:
    """Return a short text or a number as the constant that it is in this row: no other row may have another one."""
    if value.source != OF_TEMPLATE or value.origin != TEMPLATE or value.kind not in (str, int, bool):
        raise UnlearnableError("a value of a message as the key of a table")
    if len(str(value.value)) > _LONGEST:
        raise UnlearnableError("a long text as the key of a table")
    value.watch.exactly(value.code, value.value)
    return value.value
