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
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maskprep.template.printing import TrackedFormatter, concat, to_text, tojson
from maskprep.template.source import lost
from maskprep.template.tracked import Tracked, TrackedMarkup, deep_sources, escape_html


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

    def _output_child_pre(self, node: jinja2.nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:  # noqa: ARG002
        self.write("environment.to_text(")

    def _output_child_post(self, node: jinja2.nodes.Expr, frame: Frame, finalize: CodeGenerator._FinalizeInfo) -> None:  # noqa: ARG002
        self.write(")")

    @optimizeconst
    def visit_Concat(self, node: jinja2.nodes.Concat, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        self.write("environment.concat(map(environment.to_text, (")
        for part in node.nodes:
            self.visit(part, frame)
            self.write(", ")
        self.write(")))")


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
            if name not in _KEEPING:
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
    return Tracked("".join(piece for piece, _ in Tracked(text).pieces()), lost(deep_sources(inputs)))


def _lossy(function: Callable[..., Any], *more: Any) -> Callable[..., Any]:
    """Wrap a function so that the text it makes of tracked text is marked as lost."""

    @wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        result = function(*args, **kwargs)
        if isinstance(result, str) and not isinstance(result, Tracked):
            return _mark(result, (*args, kwargs, *more))
        return result

    return wrapped


def _text_of(value: Any) -> Tracked:
    return Tracked(to_text(value))


@jinja2.pass_environment
def _join(environment: jinja2.Environment, value: Any, d: str = "", attribute: str | int | None = None) -> str:
    if attribute is not None:
        value = environment.call_filter("map", value, kwargs={"attribute": attribute})
    return _text_of(d).join(to_text(item) for item in value)


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
    "string": _text_of,
    "join": _join,
    "replace": _replace,
    "indent": _indent,
    "trim": lambda value, chars=None: _text_of(value).strip(chars),
    "upper": lambda value: _text_of(value).upper(),
    "lower": lambda value: _text_of(value).lower(),
    "capitalize": lambda value: _text_of(value).capitalize(),
    "title": _title,
    "safe": lambda value: TrackedMarkup(_text_of(value)),
    "escape": lambda value: escape_html(to_text(value)),
    "e": lambda value: escape_html(to_text(value)),
}

# Filters of jinja2 that hand on what they are given, or that give no text, read in jinja2 3.1.6.
_KEEPING = frozenset(
    {
        *("abs", "attr", "batch", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items"),
        *("last", "length", "list", "map", "max", "min", "random", "reject", "rejectattr", "reverse", "round"),
        *("select", "selectattr", "slice", "sort", "sum", "truncate", "unique", "wordcount"),
    }
)
