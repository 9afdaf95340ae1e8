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
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maskprep.template.filters import COMPUTING, KEEPING, TRACKED, computed, lossy, mark
from maskprep.template.markup import TrackedMarkup
from maskprep.template.printing import TrackedFormatter, concat, to_text
from maskprep.template.tracked import Tracked


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
            if name in COMPUTING:
                self.filters[name] = computed(function)
            elif name not in KEEPING:
                self.filters[name] = lossy(function)
        self.filters.update(TRACKED)
        self.globals["strftime_now"] = lossy(now.strftime)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up an attribute. The methods of a plain string become those of a tracked one."""
        return super().getattr(Tracked(obj) if type(obj) is str else obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up an item, or else an attribute, of which the same is true."""
        return super().getitem(Tracked(obj) if type(obj) is str else obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute ``left % right``; the text that formatting gives is lost."""
        result = super().call_binop(context, operator, left, right)
        return mark(result, (left, right)) if isinstance(result, str) else result

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return the sandboxed ``str.format`` or ``str.format_map`` for such a method, else None."""
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

        return keep
