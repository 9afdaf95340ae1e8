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
from typing import Any, NoReturn

import jinja2.ext
import jinja2.nodes
import jinja2.parser
import jinja2.utils
from jinja2.compiler import CodeGenerator, Frame, optimizeconst
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.filters import do_title
from jinja2.nodes import EvalContext
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maskprep.template.markup import TrackedMarkup, escape_html
from maskprep.template.printing import TrackedFormatter, concat, to_text, tojson
from maskprep.template.runs import deep_sources
from maskprep.template.source import lost
from maskprep.template.tracked import Tracked
from maskprep.template.values import number, untrack


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
    """The ``dict`` that a template can call, without the type behind it."""

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


def _raise_exception(message: object) -> NoReturn:
    raise TemplateError(str(message))


def _plain_tojson(
    x: Any,
    ensure_ascii: bool = False,  # noqa: FBT001, FBT002 - transformers' own signature
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,  # noqa: FBT001, FBT002
) -> str:
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


class PlainEnvironment(ImmutableSandboxedEnvironment):
    """What ``apply_chat_template`` of transformers renders with, but for the clock, which stands at ``now``."""

    def __init__(self, now: datetime) -> None:
        """Make an environment whose ``strftime_now`` always tells ``now``."""
        super().__init__(trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, jinja2.ext.loopcontrols])
        self.filters["tojson"] = _plain_tojson
        self.globals["raise_exception"] = _raise_exception
        self.globals["strftime_now"] = now.strftime
        self.globals["dict"] = _DictFactory()
        self.globals["namespace"] = _Namespace


class _TrackingGenerator(CodeGenerator):
    """Generated code that keeps origins: ``to_text`` in the place of ``str``, for output and for ``~``."""

    def _output_child_pre(self, node: jinja2.nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:
        if _escapes(frame):
            super()._output_child_pre(node, frame, finalize)
        else:
            self.write("environment.to_text(")

    @optimizeconst
    def visit_Concat(self, node: jinja2.nodes.Concat, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        if _escapes(frame):
            super().visit_Concat(node, frame)
            return
        self.write("environment.concat(map(environment.to_text, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write(")))")


def _escapes(frame: Frame) -> bool:
    """Tell whether text may be escaped for HTML here: Jinja's own code does that, and provenance is lost."""
    return bool(frame.eval_ctx.volatile or frame.eval_ctx.autoescape)


class TrackingEnvironment(PlainEnvironment):
    """Renders the same text as ``PlainEnvironment``, as a ``Tracked`` string."""

    code_generator_class = _TrackingGenerator
    concat = staticmethod(concat)
    to_text = staticmethod(to_text)
    # Jinja sends these operators through `call_binop`, the others are left to Python.
    intercepted_binops = frozenset({"%"})

    def __init__(self, now: datetime) -> None:
        """Make an environment whose ``strftime_now`` always tells ``now``."""
        super().__init__(now)
        for name, function in self.filters.items():
            if name in _COMPUTING:
                self.filters[name] = _computed(function)
            elif name not in _KEEPING:
                self.filters[name] = _lossy(function)
        self.filters.update(_TRACKED_FILTERS)
        self.globals["strftime_now"] = _lossy(now.strftime)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up an attribute. The methods of a plain string become those of a tracked one."""
        return super().getattr(Tracked(obj) if type(obj) is str else obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up an item, or else an attribute, of which the same is true."""
        return super().getitem(Tracked(obj) if type(obj) is str else obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute ``left % right``; the text that formatting gives is lost."""
        result = super().call_binop(context, operator, left, right)
        return _mark(result, (left, right)) if isinstance(result, str) else result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return the sandboxed ``str.format`` or ``str.format_map`` for such a method, else None."""
        sandboxed = super().wrap_str_format(value)
        if sandboxed is None or isinstance(value.__self__, TrackedMarkup):
            return None if sandboxed is None else _lossy(sandboxed, value.__self__)
        template: str = value.__self__
        formatter = TrackedFormatter(self)

        @wraps(sandboxed)
        def keep(*args: Any, **kwargs: Any) -> str:
            if value.__name__ == "format":
                return formatter.vformat(template, args, kwargs)
            sandboxed(*args, **kwargs)  # refuses wrong arguments
            mapping: Mapping[str, Any] = args[0]
            return formatter.vformat(template, (), mapping)

        return keep


def _mark(text: str, inputs: tuple[Any, ...]) -> Tracked:
    """Return text computed from ``inputs`` in an unknown way."""
    kind = TrackedMarkup if hasattr(text, "__html__") else Tracked
    return kind("".join(piece for piece, _ in Tracked(text).pieces()), lost(deep_sources(inputs)))


def _data(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Leave out what Jinja itself passes to a filter."""
    return tuple(item for item in arguments if not isinstance(item, jinja2.Environment | Context | EvalContext))


def _lossy(function: Callable[..., Any], *more: Any) -> Callable[..., Any]:
    """Wrap a function so that the text it makes of tracked text is marked as lost."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*map(untrack, args), **{name: untrack(value) for name, value in kwargs.items()})
        return _mark(result, (*_data(args), kwargs, *more)) if isinstance(result, str) else result

    return wrapped


def _computed(function: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a function so that the number it makes of tracked text is no text of the template's when it is printed."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return number(function(*args, **kwargs), *_data(args), kwargs)

    return wrapped


def _text_of(value: Any) -> Tracked:
    return Tracked(to_text(value))


def _soft(value: Any) -> Tracked:
    """Return the text of a value, markup as markup: jinja2's ``soft_str``."""
    return value if isinstance(value, TrackedMarkup) else _text_of(value)


@jinja2.pass_context
def _join(context: Context, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = context.environment.call_filter("map", value, kwargs={"attribute": attribute}, context=context)
    return _text_of(d).join(to_text(item) for item in value)


def _escape(value: Any) -> TrackedMarkup:
    return value if isinstance(value, TrackedMarkup) else escape_html(to_text(value))


def _replace(s: Any, old: Any, new: Any, count: int | None = None) -> str:
    return _text_of(s).replace(to_text(old), to_text(new), -1 if count is None else count)


def _indent(s: Any, width: int | str = 4, first: bool = False, blank: bool = False) -> str:  # noqa: FBT001, FBT002 - jinja2's own signature
    indention = _text_of(width if isinstance(width, str) else " " * width)
    newline = Tracked("\n")
    lines = (_text_of(s) + newline).splitlines()
    head, rest = lines[0], lines[1:]
    if blank:
        text = newline.join([head, *(indention + line for line in rest)])
    else:
        text = newline.join([head, *(indention + line if line else line for line in rest)])
    return indention + text if first else text


def _title(value: Any) -> str:
    text = _text_of(value)
    plain = do_title(text)
    # Jinja's title changes letters where they stand, but for the rare one that becomes two.
    return Tracked._make(plain, text._runs) if len(plain) == len(text) else _mark(plain, (text,))


_TRACKED_FILTERS: Mapping[str, Callable[..., Any]] = {
    "tojson": tojson,
    "string": _soft,
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "trim": lambda value, chars=None: _soft(value).strip(chars),
    "upper": lambda value: _soft(value).upper(),
    "lower": lambda value: _soft(value).lower(),
    "capitalize": lambda value: _soft(value).capitalize(),
    "title": _title,
    "safe": lambda value: TrackedMarkup(_text_of(value)),
    "escape": _escape,
    "e": _escape,
}

# A length or a count is no text of anybody's; a number read out of a text is.
_COMPUTING = frozenset({"abs", "float", "int", "round", "sum"})

# Filters of jinja2 that hand on what they are given, or that give no text, read in jinja2 3.1.6.
_KEEPING = frozenset(
    {
        *("attr", "batch", "count", "d", "default", "dictsort", "first", "groupby", "items", "last", "length", "list"),
        *("map", "max", "min", "random", "reject", "rejectattr", "reverse", "select", "selectattr", "slice", "sort"),
        *("truncate", "unique", "wordcount"),
    }
)
