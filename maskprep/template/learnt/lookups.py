"""What a watched template finds in a value: attributes, items, and whether something is in it."""

from __future__ import annotations

from typing import Any

from jinja2.runtime import Undefined

from maskprep.policy import Part
from maskprep.template.inputs import part_of_field
from maskprep.template.learnt.asking import Watching
from maskprep.template.learnt.lists import holds
from maskprep.template.learnt.opaque import Items, Method, Unlooked
from maskprep.template.learnt.runtime import CALL, CALLS, TUPLE, Pairs
from maskprep.template.learnt.values import Joined, Message, Own, Watched
from maskprep.template.learnt.watch import UnlearnableError
from maskprep.template.strings.origin import CALL_ID, shaded, source_of
from maskprep.template.strings.string import Tracked

_CONTENT = source_of(0, Part.CONTENT)
_SHADED = shaded(0, CALL_ID)
OF_TEXT = frozenset(name for name in dir(str) if not name.startswith("_"))
"""The methods of texts."""
_METHODS = {
    str: OF_TEXT,
    dict: frozenset(name for name in dir(dict) if not name.startswith("_")),
    list: frozenset(name for name in dir(list) if not name.startswith("_")),
    Tracked: OF_TEXT,
}


def attribute(environment: Watching, obj: Watched, name: str) -> Any:
    """Return an attribute of a value, or else its item."""
    kind = obj.kind
    if name.startswith("_"):
        raise UnlearnableError("an attribute that a template must not read")
    if kind in _METHODS and name in _METHODS[kind]:
        return Method(obj, name)
    if kind is dict:
        return entry(environment, obj, name)
    if kind is Pairs and name in _METHODS[list]:
        raise UnlearnableError(f"the method {name} of the messages")
    if kind in (int, float, bool) and hasattr(kind, name):
        raise UnlearnableError(f"the attribute {name} of a number")
    return environment.undefined(obj=obj.value, name=name)


def item(environment: Watching, obj: Watched, key: Any) -> Any:
    """Return an item of a value, or else its attribute."""
    kind = obj.kind
    if isinstance(key, Joined):
        key = key.plain()
    asked = key.kind if isinstance(key, Watched) else type(key)
    if kind is dict:
        if asked is int and not isinstance(key, Watched):
            return environment.undefined(obj=obj.value, name=key)
        if asked not in (str, Tracked):
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


def entry(environment: Watching, mapping: Watched, key: Any) -> Any:
    """Return the entry of a mapping under a key, undefined without one."""
    watch = mapping.watch
    if not watch.ask("{1} in {0}", mapping, key):
        return environment.undefined(obj=mapping.value, name=key.value if isinstance(key, Watched) else key)
    if isinstance(mapping, Own):
        return mapping.part("{0}[{1}]", key)
    if isinstance(mapping, Message):
        if isinstance(key, Watched):
            raise UnlearnableError("a field of a message by a name that is no constant")
        return _field(mapping, key)
    name, value = watch.bind("{0}[{1}]", mapping, key)
    source, origin = mapping.source, mapping.origin
    if mapping.shape & CALL and not isinstance(key, Watched) and key == "id" and type(value) is str:
        source, origin = f"{source} + {_SHADED}", origin + _SHADED
        watch.kind_of(name, value)
    elif mapping.shape & CALL and (isinstance(key, Watched) or key == "id"):
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
    return Watched(watch, name, value, source, message.origin + part, CALLS if key == "tool_calls" else 0)


def _at(environment: Watching, obj: Watched, index: Any) -> Any:
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
    if kind in (str, Tracked):
        return obj.made("{0}[{1}]", index, kind=kind)
    return obj.part("{0}[{1}]", index, shape=CALL if obj.shape & CALLS else 0)


def contained(environment: Watching, sought: Any, holder: Any) -> bool:
    """Tell whether something is in something else."""
    if isinstance(holder, Joined):
        holder = holder.plain()
    if isinstance(sought, Joined):
        sought = sought.plain()
    if isinstance(sought, Message) or (isinstance(sought, Watched) and (sought.shape & TUPLE or sought.kind is Pairs)):
        raise UnlearnableError("whether a message is in something")
    if isinstance(holder, Unlooked):
        return _in_watched(sought, holder)
    if not isinstance(sought, Watched):
        return bool(environment.compared(sought) in environment.compared(holder))
    if isinstance(holder, Undefined):
        return False
    if isinstance(holder, dict):
        return sought.watch.ask("{0} in {1}", sought, dict.fromkeys(holder))  # a list in it is an error, as it is there
    if isinstance(holder, list | tuple) and holds(holder):
        return any(bool(each == sought) for each in holder)
    return sought.watch.ask("{0} in {1}", sought, holder)


def _in_watched(sought: Any, holder: Unlooked) -> bool:
    if isinstance(holder, Items) and holder.what == "keys":
        holder = holder.mapping
    if not isinstance(holder, Watched) or holder.kind is Pairs or isinstance(sought, Undefined):
        raise UnlearnableError(f"whether something is in a {type(holder).__name__}")
    return holder.watch.ask("{1} in {0}", holder, sought)


def of_constant(environment: Watching, holder: Any, key: Watched) -> Any:
    """Return what the template has in a table or a list of its own under a value of the row, undefined without it."""
    if isinstance(holder, dict) and key.kind not in (str, Tracked) and all(type(each) is str for each in holder):
        return environment.undefined(obj=holder, name=key.value)
    if isinstance(holder, dict) and key.kind in (str, Tracked):
        for each, found in holder.items():
            if type(each) is str and key == each:
                return found
        if key.watch.ask("{0} in {1}", key, sorted(_METHODS[dict])):
            raise UnlearnableError("a method of a table, called as if it were an item")
        return environment.undefined(obj=holder, name=key.value)
    if isinstance(holder, list | tuple | str) and key.is_number:
        key.watch.exactly(key.code, key.value)
        return environment.getitem(holder, key.value)
    raise UnlearnableError("an item of a constant that is no table")
