"""A sandbox that counts: whatever makes text, lists or numbers is looked at, beforehand where it can make very much.

Jinja's sandbox lets a template reach nothing, but take any time and memory. A timer interrupts loops; it cannot
interrupt what Python does in one go, such as ``'x' * 10**10`` or ``'x'.ljust(10**10)``. That is what is checked here.

Jinja compiles a template to Python; ``GuardedGenerator`` writes guards into that code, around the template's values::

    template           compiled code, values shortened                      what the guard does
    {{ v }}            to_text(v)                                           counts the text
    {{ a ~ b }}        to_text(concat(map(to_text, (a, b,))))               asks for the sum of lengths first
    {{ 'x' * n }}      to_text(call_binop(context, '*', 'x', n))            asks for n bytes first
    {{ a[1:] }}        to_text(made(a[1:]))                                 counts the slice
    {{ a == b }}       to_text(compared(a) == compared(b))                  asks how much nested lists hold

With ``n = 10**10`` the third raises ``Exceeded`` before Python makes anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import wraps
from types import BuiltinMethodType, MethodType
from typing import Any, NoReturn

import jinja2.nodes
from jinja2.compiler import CodeGenerator, Frame, optimizeconst
from jinja2.exceptions import TemplateError
from jinja2.runtime import Context, LoopContext
from jinja2.sandbox import ImmutableSandboxedEnvironment

from maskprep.template.sandbox.limits import Exceeded, Limits
from maskprep.template.sandbox.meter import Meter
from maskprep.template.sandbox.quotas import FILTERS, METHODS, check_format, check_operator

_COMPARING = (
    "eq",
    "equalto",
    "==",
    "ne",
    "!=",
    "lt",
    "lessthan",
    "<",
    "le",
    "<=",
    "gt",
    "greaterthan",
    ">",
    "ge",
    ">=",
    "in",
)
_OF_MAPPINGS = frozenset(dir(dict))
OF_LOOPS = frozenset({"depth", "depth0", "first", "index", "index0", "last", "length", "revindex", "revindex0"})
"""The attributes of ``loop`` that any template may read; none of them is a method."""
OF_TEXTS = frozenset(
    {
        *("count", "endswith", "find", "lower", "lstrip", "replace", "rfind", "rsplit", "rstrip", "split"),
        *("splitlines", "startswith", "strip", "title", "upper"),
    }
)
"""The methods of texts that any template may call; none of them formats."""
_TO_CONTEXTS = frozenset({"_block_vars", "_loop_vars"})  # what generated code gives beside a template's own arguments
_METHODS = frozenset({MethodType, BuiltinMethodType})
_COUNTING = frozenset({"count", "length"})  # filters that make nothing but the size of what is there
_LONGEST_DATE = 1_000  # characters of a format for dates


class GuardedGenerator(CodeGenerator):
    """Generated code that has its environment make text: ``to_text`` for ``str``, ``concat`` for ``~``."""

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

    @optimizeconst
    def visit_Getitem(self, node: jinja2.nodes.Getitem, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        if not isinstance(node.arg, jinja2.nodes.Slice):
            super().visit_Getitem(node, frame)
            return
        self.write("environment.made(")
        super().visit_Getitem(node, frame)
        self.write(")")

    @optimizeconst
    def visit_Getattr(self, node: jinja2.nodes.Getattr, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        if node.attr in _OF_MAPPINGS or self.environment.is_async:
            super().visit_Getattr(node, frame)
            return
        # What templates do most is to look into messages: a plain mapping answers without a call.
        self.write("(_found if type(_owner := ")
        self.visit(node.node, frame)
        self.write(f") in environment.mappings and (_found := _owner.get({node.attr!r}, missing)) is not missing")
        if node.attr in OF_LOOPS:
            self.write(f" else _owner.{node.attr} if isinstance(_owner, environment.loops)")
        self.write(f" else environment.getattr(_owner, {node.attr!r}))")

    def visit_Call(self, node: jinja2.nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: FBT001, FBT002, N802 - jinja2's signature
        if not isinstance(node.node, jinja2.nodes.EnvironmentAttribute):
            super().visit_Call(node, frame, forward_caller=forward_caller)
            return
        # What we put there ourselves is no call of the template's.
        self.visit(node.node, frame)
        self.write("(")
        for argument in node.args:
            self.visit(argument, frame)
            self.write(", ")
        self.write(")")

    @optimizeconst
    def visit_Compare(self, node: jinja2.nodes.Compare, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        if len(node.ops) == 1 and (_is_simple(node.expr) or _is_simple(node.ops[0].expr)):
            super().visit_Compare(node, frame)
            return
        self.write("(")
        self._compared(node.expr, frame)
        for operand in node.ops:
            self.write(f" {_OPERATORS[operand.op]} ")
            self._compared(operand.expr, frame)
        self.write(")")

    @optimizeconst
    def visit_Dict(self, node: jinja2.nodes.Dict, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        self.write("{")
        for index, item in enumerate(node.items):
            if index:
                self.write(", ")
            self._compared(item.key, frame)
            self.write(": ")
            self.visit(item.value, frame)
        self.write("}")

    def _compared(self, node: jinja2.nodes.Expr, frame: Frame) -> None:
        self.write("environment.compared(")
        self.visit(node, frame)
        self.write(")")


_OPERATORS = {
    "eq": "==",
    "ne": "!=",
    "gt": ">",
    "gteq": ">=",
    "lt": "<",
    "lteq": "<=",
    "in": "in",
    "notin": "not in",
}


def _is_simple(node: jinja2.nodes.Expr) -> bool:
    """Tell whether an expression is a constant, or a list of constants: a comparison with one is always quick."""
    if isinstance(node, jinja2.nodes.List | jinja2.nodes.Tuple):
        return all(map(_is_simple, node.items))
    return isinstance(node, jinja2.nodes.Const)


def _escapes(frame: Frame) -> bool:
    """Tell whether text may be escaped for HTML here, which is left to Jinja's own code."""
    return bool(frame.eval_ctx.volatile or frame.eval_ctx.autoescape)


class GuardedEnvironment(ImmutableSandboxedEnvironment):
    """Jinja's sandbox, which raises ``Exceeded`` where a template would make more than ``meter`` allows."""

    code_generator_class = GuardedGenerator
    mappings: frozenset[type] = frozenset({dict})
    loops = LoopContext
    simple: Mapping[type, frozenset[str]] = {LoopContext: OF_LOOPS, str: OF_TEXTS}
    # Jinja sends these operators through `call_binop`, the others are left to Python.
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self, limits: Limits, **options: Any) -> None:
        """Make a sandbox with these limits; ``options`` are those of Jinja's environment."""
        self.meter = Meter(limits.size)
        self.made = self.meter.count
        super().__init__(**options)
        # Compiled code takes `concat` from here.
        self.concat = self.join  # type: ignore[method-assign]
        self.globals["raise_exception"] = self._raise_exception
        for name in _COMPARING:
            self.tests[name] = self._comparing(self.tests[name])

    def guard(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return filter ``name`` wrapped: its arguments are checked before, and its result is counted."""
        if name in _COUNTING:
            return function
        check = FILTERS.get(name)
        meter = self.meter

        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            if check is not None:
                args = check(meter, args, kwargs)
            return meter.count(function(*args, **kwargs))

        return guarded

    def tell_time(self, tell: Callable[[str], str], form: str) -> str:
        """Return the time in the form that the template asks for."""
        if len(form) > _LONGEST_DATE:
            raise Exceeded(f"it asks for the time in a format of {len(form):,} characters")
        return tell(form)

    def _comparing(self, test: Any) -> Callable[..., Any]:
        @wraps(test)
        def guarded(*values: Any) -> Any:
            self.meter.printed(*values)
            return test(*values)

        return guarded

    def _raise_exception(self, message: object) -> NoReturn:
        raise TemplateError(self.to_text(message))

    def to_text(self, value: Any) -> str:
        """Return the text of a value, ``str(value)``, counted."""
        if type(value) is str:
            return value
        self.meter.printed(value)
        text: str = self.made(str(value))
        return text

    def join(self, pieces: Any) -> str:
        """Return the pieces of text joined, counted before they are."""
        pieces = list(pieces)
        self.meter.allow(sum(map(len, pieces)))
        text: str = self.made("".join(pieces))
        return text

    def compared(self, value: Any) -> Any:
        """Return the value that is to be compared or looked up, once the meter has allowed for what it holds."""
        if isinstance(value, list | tuple | dict):
            self.meter.printed(value)
        return value

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up an attribute: what templates ask most is answered as the sandbox would, but without its detours."""
        kind = type(obj)
        if kind in self.mappings and attribute not in _OF_MAPPINGS:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        if attribute in self.simple.get(kind, ()):
            return getattr(obj, attribute)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return super().getitem(obj, self.compared(argument) if type(argument) is tuple else argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator != "+":
            check_operator(self.meter, operator, left, right)
        return self.made(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - jinja2's own names: a template's arguments may have any
        name, owner = getattr(__obj, "__name__", ""), getattr(__obj, "__self__", None)
        if owner is not None and (check := METHODS.get(name)) is not None:
            args = check(__self.meter, owner, args)
        if type(__obj) in _METHODS and name in __self.simple.get(type(owner), ()) and kwargs.keys() <= _TO_CONTEXTS:
            return __self.made(__obj(*args))
        return __self.made(super().call(__context, __obj, *args, **kwargs))

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        sandboxed = super().wrap_str_format(value)
        return None if sandboxed is None else self.formatting(sandboxed, value.__self__)

    def formatting(self, function: Callable[..., str], template: str) -> Callable[..., str]:
        """Return the format method ``function`` of ``template`` wrapped: its arguments are checked before it runs."""

        @wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> str:
            check_format(self.meter, template, [*args, *kwargs.values()])
            text: str = self.made(function(*args, **kwargs))
            return text

        return guarded
