"""The Jinja environments that render chat templates: one plain, as transformers' own, and one that tracks origins.

Jinja's hooks carry the tracking: the environment's ``concat``, a code generator that writes ``environment.to_text``
wherever generated code would call ``str``, and filters that keep origins. A filter that is not known to keep them is
wrapped: whatever text it makes of tracked text is marked as lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import wraps
from typing import Any

import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.utils
import markupsafe
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro

from maskprep.template.sandbox.environment import OF_LOOPS, OF_TEXTS, GuardedEnvironment
from maskprep.template.sandbox.limits import Limits
from maskprep.template.strings.filters import COMPUTING, KEEPING, TRACKED, computed, lossy
from maskprep.template.strings.markup import TrackedMarkup
from maskprep.template.strings.percent import percent
from maskprep.template.strings.printing import TrackedFormatter, concat, to_text
from maskprep.template.strings.string import Tracked
from maskprep.template.strings.values import TrackedDict, TrackedFloat, TrackedInt, TrackedList


class _Generation(jinja2.ext.Extension):
    """The ``{% generation %}`` block, which only marks: its body is rendered where it stands."""

    tags = {"generation"}  # noqa: RUF012 - jinja2 declares it as a plain attribute

    def parse(self, parser: jinja2.parser.Parser) -> jinja2.nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("_render"), [], [], body).set_lineno(line)

    @staticmethod
    def _render(caller: Macro) -> Any:
        return caller()


class _DictFactory:
    """The function ``dict`` that a template can call, without the type behind it."""

    def __call__(self, *args: Any, **kwargs: Any) -> dict[Any, Any]:
        return dict(*args, **kwargs)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(jinja2.utils.Namespace):
    """A namespace that refuses names with a leading underscore, as transformers' does."""

    def __init__(*args: Any, **kwargs: Any) -> None:
        self, rest = args[0], args[1:]
        attributes = dict(*rest, **kwargs)
        for name in attributes:
            _refuse_underscore(name)
        jinja2.utils.Namespace.__init__(self, attributes)

    def __setitem__(self, name: str, value: Any) -> None:
        _refuse_underscore(name)
        super().__setitem__(name, value)


def _refuse_underscore(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        msg = f"a template must not store the underscore-prefixed name {name!r} in a namespace"
        raise SecurityError(msg)


def _plain_tojson(
    x: Any,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 - transformers' own signature
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class PlainEnvironment(GuardedEnvironment):
    """What ``apply_chat_template`` of transformers renders with, but for the clock, which stands at ``now``."""

    def __init__(self, now: datetime, limits: Limits | None = None) -> None:
        """Make an environment whose ``strftime_now`` always tells ``now``."""
        extensions = [_Generation, jinja2.ext.loopcontrols]
        super().__init__(limits or Limits(), trim_blocks=True, lstrip_blocks=True, extensions=extensions)
        self.filters["tojson"] = _plain_tojson
        self.filters.update({name: self.guard(name, function) for name, function in self.filters.items()})
        self.globals["strftime_now"] = lambda form: self.tell_time(now.strftime, form)
        self.globals["dict"] = _DictFactory()
        self.globals["namespace"] = _Namespace


# What such a namespace holds is no method that would have to be looked at.
_HARMLESS = frozenset({bool, int, float, str, type(None), Tracked, TrackedInt, TrackedFloat, dict, list})
# What a template is to take things for: an attribute of their own would tell it where it runs.
_LIKENESS = {
    Tracked: str,
    TrackedMarkup: markupsafe.Markup,
    TrackedInt: int,
    TrackedFloat: float,
    TrackedList: list,
}


class TrackingEnvironment(PlainEnvironment):
    """Renders the same text as ``PlainEnvironment``, as a ``Tracked`` string."""

    mappings: frozenset[type] = frozenset([dict, TrackedDict])  # type: ignore[list-item]
    simple: Mapping[type, frozenset[str]] = {LoopContext: OF_LOOPS, Tracked: OF_TEXTS}

    def __init__(self, now: datetime, limits: Limits | None = None) -> None:
        """Make an environment whose ``strftime_now`` always tells ``now``."""
        super().__init__(now, limits)
        for name, function in self.filters.items():
            if name in COMPUTING:
                self.filters[name] = computed(function)
            elif name not in KEEPING:
                self.filters[name] = lossy(function)
        self.filters.update({name: self.guard(name, function) for name, function in TRACKED.items()})
        self.globals["strftime_now"] = lossy(lambda form: self.tell_time(now.strftime, form))

    def to_text(self, value: Any) -> str:
        """Return ``str(value)`` with the origin of every character."""
        if not isinstance(value, str):
            self.meter.printed(value)
        return to_text(value)

    def join(self, pieces: Any) -> Tracked:
        """Return the pieces of text joined, with the origin of each."""
        pieces = list(pieces)
        self.meter.allow(sum(map(len, pieces)))
        text: Tracked = self.made(concat(pieces))
        return text

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may read an attribute: none that only tracked values have."""
        like = _LIKENESS.get(type(obj))
        return super().is_safe_attribute(obj, attr, value) and (like is None or hasattr(like, attr))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up an attribute. The methods of a plain string become those of a tracked one."""
        if type(obj) is _Namespace and not attribute.startswith("_"):
            held = object.__getattribute__(obj, "_Namespace__attrs").get(attribute, obj)
            if type(held) in _HARMLESS:
                return held
        return super().getattr(Tracked(obj) if type(obj) is str else obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up an item, or else an attribute; the methods of a plain string become those of a tracked one."""
        return super().getitem(Tracked(obj) if type(obj) is str else obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute such as ``left % right``; the text that formatting gives keeps the origins, or is lost."""
        if operator == "+":
            return self.made(left + right)
        result = super().call_binop(context, operator, left, right)
        return percent(left, right, result) if operator == "%" and isinstance(result, str) else result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return the sandboxed form of the method ``str.format`` or ``str.format_map``, None for any other value."""
        sandboxed = super().wrap_str_format(value)
        if sandboxed is None or isinstance(value.__self__, TrackedMarkup):
            return None if sandboxed is None else lossy(sandboxed, value.__self__)
        template: str = value.__self__
        formatter = TrackedFormatter(self)

        @wraps(sandboxed)
        def keep(*args: Any, **kwargs: Any) -> str:
            if value.__name__ == "format":
                return formatter.vformat(template, args, kwargs)
            sandboxed(*args, **kwargs)  # refuses wrong arguments
            mapping: Mapping[str, Any] = args[0]
            return formatter.vformat(template, (), mapping)

        return self.formatting(keep, template)
