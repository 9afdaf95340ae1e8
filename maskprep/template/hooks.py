"""The hooks that are put into a template: its rendering tells where loops begin, and what is asked.

    {% for m in messages %}           {% for m in environment.enter(messages, 0, context) %}
    {% if add_generation_prompt %}    {% if environment.asked(add_generation_prompt) %}

Only loops at the top level are marked, where all variables stand in the context; and none in a template that holds
what one rendering may do otherwise than the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jinja2
import jinja2.nodes as n
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer

from maskprep.template.prefix_reuse import Rendering, Resumed
from maskprep.template.strings.message_list import Messages

_ASKED = "add_generation_prompt"
_FICKLE_NAMES = frozenset({"cycler", "joiner", "lipsum", "self"})
_FICKLE_FILTERS = frozenset({"random"})
_ELSEWHERE = (n.Block, n.Extends, n.Include, n.Import, n.FromImport, n.EvalContextModifier)


class TemplateHooks:
    """Receives what a template tells while it runs, by the hooks of ``with_hooks``. ``run`` is the rendering."""

    run: Rendering | None = None

    def enter(self, iterable: Any, number: int, context: Context) -> Any:
        """Begin loop ``number``."""
        run = self.run
        if run is None or not isinstance(iterable, Messages) or iterable.stop is not None:
            return iterable
        walk: Resumed = run.enter(number, iterable, context.vars)
        return walk

    def asked(self, wanted: Any) -> Any:
        """Hand on whether a generation prompt is wanted."""
        if self.run is not None:
            self.run.asked = True
        return wanted


def with_hooks(tree: n.Template, environment: jinja2.Environment) -> n.Template:
    """Return the parsed template with the hooks put in."""
    if _is_fickle(tree):
        return tree
    for number, loop in enumerate(_loops(tree.body)):
        given = [loop.iter, n.Const(number), n.ContextReference()]
        loop.iter = _hook("enter", given, loop.iter.lineno)
    _Asking().visit(tree)
    tree.set_environment(environment)
    return tree


def _is_fickle(tree: n.Template) -> bool:
    return (
        next(tree.find_all(_ELSEWHERE), None) is not None
        or any(name.name in _FICKLE_NAMES for name in tree.find_all(n.Name))
        or any(used.name in _FICKLE_FILTERS for used in tree.find_all(n.Filter))
    )


def _loops(nodes: list[n.Node]) -> Iterator[n.For]:
    """Yield the plain loops at the top level, those under conditions included.

    Not one with an ``else``, which asks whether any iteration came to its end.
    """
    for node in nodes:
        if isinstance(node, n.For) and not (node.recursive or node.test or node.else_):
            yield node
        elif isinstance(node, n.If):
            yield from _loops([*node.body, *node.elif_, *node.else_])


class _Asking(NodeTransformer):
    def visit_Name(self, node: n.Name) -> n.Node:  # noqa: N802 - jinja2's visitor names
        return _hook("asked", [node], node.lineno) if node.name == _ASKED and node.ctx == "load" else node


def _hook(name: str, given: list[Any], line: int) -> n.Call:
    call = n.Call(n.EnvironmentAttribute(name), given, [], None, None)
    call.set_lineno(line, override=False)
    return call
