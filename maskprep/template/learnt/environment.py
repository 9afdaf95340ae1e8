"""The Jinja environment that runs a template on values that are watched (``values.py``)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import jinja2
import jinja2.nodes as n
from jinja2.compiler import Frame, optimizeconst
from jinja2.runtime import Context, LoopContext, Macro
from jinja2.visitor import NodeTransformer

from maskprep.template.environment import PlainEnvironment
from maskprep.template.learnt import filters, lookups, methods, printing, tests
from maskprep.template.learnt.buffers import Buffer, join_pieces, write
from maskprep.template.learnt.lists import as_own, holds
from maskprep.template.learnt.loops import NativeLoop, WatchedLoop, WatchedLoopContext, enter
from maskprep.template.learnt.opaque import Markup, Method, Unlooked
from maskprep.template.learnt.state import State
from maskprep.template.learnt.values import Joined, Watched
from maskprep.template.learnt.watch import UnlearnableError, Watch
from maskprep.template.sandbox.environment import GuardedGenerator
from maskprep.template.sandbox.limits import Limits

_FICKLE_NAMES = frozenset({"cycler", "joiner", "lipsum", "self"})
_ELSEWHERE = (n.Block, n.Extends, n.Include, n.Import, n.FromImport, n.EvalContextModifier)


class _Generator(GuardedGenerator):
    """Generated code that asks its environment whether something is in something else, and goes through its loops."""

    def visit_Template(self, node: n.Template, frame: Frame | None = None) -> None:  # noqa: N802 - jinja2's visitor names
        super().visit_Template(node, frame)
        self.writeline("LoopContext = environment.loop_context")

    def buffer(self, frame: Frame) -> None:
        super().buffer(frame)
        self.writeline(f"{frame.buffer} = environment.buffer()")

    @optimizeconst
    def visit_Compare(self, node: n.Compare, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        if len(node.ops) != 1 or node.ops[0].op not in {"in", "notin"}:
            super().visit_Compare(node, frame)
            return
        self.write("(environment.contained(" if node.ops[0].op == "in" else "(not environment.contained(")
        self.visit(node.expr, frame)
        self.write(", ")
        self.visit(node.ops[0].expr, frame)
        self.write("))")


class _Hooks(NodeTransformer):
    """Has each loop tell when it begins, and when it is left."""

    def visit_For(self, node: n.For) -> list[n.Node]:  # noqa: N802 - jinja2's visitor names
        self.generic_visit(node)
        if node.recursive:
            raise UnlearnableError("a recursive loop")
        leaving = (n.Break, n.Continue)
        if node.else_ and any(isinstance(each, leaving) or next(each.find_all(leaving), None) for each in node.body):
            # It depends on whether any iteration came to its end.
            raise UnlearnableError("the else of a loop that may be left")
        if any(isinstance(each, leaving) or next(each.find_all(leaving), None) for each in node.else_):
            raise UnlearnableError("a loop that is left by the else of one within it")
        node.iter = _hook("enter", [node.iter, n.Const(bool(node.else_)), n.Const(node.test is not None)], node.lineno)
        return [node, _statement("left", node.lineno)]

    def visit_Break(self, node: n.Node) -> list[n.Node]:  # noqa: N802 - jinja2's visitor names
        return [_statement("leave", node.lineno), node]


def _statement(name: str, line: int) -> n.Node:
    return n.ExprStmt(_hook(name, [], line)).set_lineno(line)


def _hook(name: str, given: list[Any], line: int) -> n.Expr:
    call = n.Call(n.EnvironmentAttribute(name), given, [], None, None)
    call.set_lineno(line, override=False)
    return call


class WatchingEnvironment(PlainEnvironment):
    """Runs templates on watched values, which write down what is done to them."""

    code_generator_class = _Generator
    loops = ()  # type: ignore[assignment]  # what `loop` is asked is looked up like anything else

    def __init__(self, now: datetime, limits: Limits) -> None:
        """Make an environment as the plain one."""
        super().__init__(now, limits)
        self.watch = Watch()
        self.running: list[WatchedLoop | NativeLoop] = []
        self.filters = {name: filters.watching(self, name, plain) for name, plain in self.filters.items()}
        known: dict[str, Any] = self.tests
        self.tests = {name: tests.watching(self, name, plain) for name, plain in known.items()}
        self.set_names: list[str] = []
        self._namespace = self.globals["namespace"]

    def begin(self, watch: Watch) -> None:
        """Get ready to watch one rendering."""
        self.watch, self.running = watch, []

    def _parse(self, source: str, name: str | None, filename: str | None) -> n.Template:
        tree = super()._parse(source, name, filename)
        if next(tree.find_all(_ELSEWHERE), None) is not None:
            raise UnlearnableError("a template of several files or blocks")
        if any(each.name in _FICKLE_NAMES for each in tree.find_all(n.Name)):
            raise UnlearnableError("a template that keeps what it was asked before")
        if any(used.name == "random" for used in tree.find_all(n.Filter)):
            raise UnlearnableError("a template that draws lots")
        self.set_names = sorted({each.attr for each in tree.find_all(n.NSRef)})
        hooked: n.Template = _Hooks().visit(tree)
        hooked.set_environment(self)
        return hooked

    # Loops

    def enter(self, iterable: Any, otherwise: bool, tested: bool) -> Any:  # noqa: FBT001 - called by generated code
        """Begin a loop, which may have an ``else``, and a test for each item."""
        return enter(self, iterable, otherwise=otherwise, tested=tested)

    def leave(self) -> str:
        """Leave the innermost loop early."""
        self.running[-1].leave()
        return ""

    def left(self) -> str:
        """Note that the innermost loop is over."""
        self.running.pop()
        return ""

    def loop_context(self, iterable: Any, undefined: Any, recurse: Any = None, depth0: int = 0) -> Any:
        """Return what ``loop`` is."""
        loop = self.running[-1]
        if isinstance(loop, NativeLoop):
            return LoopContext(iterable, undefined, recurse, depth0)
        if iterable is loop:
            return WatchedLoopContext(loop, self)
        # A generator of those items that pass the test of the loop: they are found out first.
        self.running.pop()
        return WatchedLoopContext(loop.gather(iterable, "f" + self.watch.name()), self)

    # Text

    def to_text(self, value: Any) -> Any:
        """Return the text of a value."""
        if type(value) is str or isinstance(value, Joined):
            return value
        if isinstance(value, Watched):
            return printing.text_of(value)
        if isinstance(value, Markup):
            return value.text
        if isinstance(value, list | tuple | dict) and holds([value]):
            return printing.text_of(as_own(value, self.watch))
        if isinstance(value, Unlooked | State | Macro):
            raise UnlearnableError(f"a {type(value).__name__}, printed")
        return super().to_text(value)

    def join(self, pieces: Any) -> Any:
        """Return the pieces of text joined."""
        return pieces.close() if isinstance(pieces, Buffer) else join_pieces(self.watch, list(pieces))

    def buffer(self) -> Buffer:
        """Return a new buffer."""
        return Buffer(self.watch)

    # Looking up

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up an attribute."""
        if isinstance(obj, Joined):
            return Method(obj, attribute) if attribute in lookups.OF_TEXT else self.undefined(obj="", name=attribute)
        if isinstance(obj, Watched):
            return lookups.attribute(self, obj, attribute)
        if isinstance(obj, WatchedLoopContext):
            return obj.attribute(attribute)
        if isinstance(obj, State):
            return obj.read(attribute)
        _refuse(obj)
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up an item, or else an attribute."""
        if isinstance(obj, Joined):
            obj = obj.tracked()
        if isinstance(obj, Watched):
            return lookups.item(self, obj, argument)
        if isinstance(obj, State | WatchedLoopContext):
            return self.getattr(obj, argument)
        _refuse(obj)
        if isinstance(argument, Joined):
            argument = argument.plain()
        if isinstance(argument, Watched):
            return lookups.of_constant(self, obj, argument)
        _refuse(argument)
        return super().getitem(obj, argument)

    def contained(self, item: Any, holder: Any) -> bool:
        """Tell whether something is in something else."""
        return lookups.contained(self, item, holder)

    # Calling

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute such as ``left + right``."""
        if holds((left, right)):
            return methods.operation(self, operator, left, right)
        return super().call_binop(context, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return the sandboxed form of the method ``str.format``, which knows its text."""
        sandboxed = super().wrap_str_format(value)
        if sandboxed is not None:
            sandboxed.template = value.__self__  # type: ignore[attr-defined]
        return sandboxed

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - jinja2's own names
        kwargs = {name: value for name, value in kwargs.items() if name not in {"_block_vars", "_loop_vars"}}
        if isinstance(__obj, Method):
            return methods.call_method(__self, __obj, args, kwargs)
        if __obj is __self._namespace:
            return State.begin(__self.watch, args, kwargs, __self.set_names)
        if isinstance(__obj, Macro):
            return super().call(__context, __obj, *args, **kwargs)
        if holds((*args, *kwargs.values())):
            return methods.call_other(__self, __obj, args, kwargs)
        _refuse(__obj)
        return super().call(__context, __obj, *args, **kwargs)


def _refuse(value: Any) -> None:
    if isinstance(value, Unlooked | State):
        raise UnlearnableError(f"a {type(value).__name__} looked into")


def watch_rendering(
    environment: WatchingEnvironment, template: jinja2.Template, variables: dict[str, Any], watch: Watch
) -> None:
    """Run a template on watched values."""
    environment.begin(watch)
    environment.meter.reset()
    for piece in template.root_render_func(template.new_context(variables)):
        write(watch, piece, watch.written)
