"""A chat template run on atoms (``placeholder.py``): what it does with texts, whatever they say.

Text can get at a template in few ways: by what generated code does with it, by the methods, filters and tests that it
calls. Each of these is known to leave an atom alone, or lets it note what is asked; any other loses it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cached_property, wraps
from typing import Any

import jinja2
import jinja2.nodes
from jinja2.compiler import Frame
from jinja2.filters import do_default
from jinja2.runtime import Context, Macro

from maskprep.conversation import Conversation
from maskprep.policy import Part
from maskprep.template.chat_template import ChatTemplate, Given, track_all
from maskprep.template.environment import TrackingEnvironment, TrackingGenerator
from maskprep.template.sandbox.limits import Limits
from maskprep.template.strings.printing import tojson
from maskprep.template.strings.runs import runs_of
from maskprep.template.strings.string import Tracked
from maskprep.template.symbolic.placeholder import FIRST, SIZE, Atom, AtomDict, Watch


class _WatchingGenerator(TrackingGenerator):
    """Generated code in which whatever is looked for in something else is looked at first."""

    def visit_Compare(self, node: jinja2.nodes.Compare, frame: Frame) -> None:  # noqa: N802 - jinja2's visitor names
        if any(operand.op in {"in", "notin"} for operand in node.ops) and not isinstance(node.expr, jinja2.nodes.Const):
            sought = jinja2.nodes.Call(jinja2.nodes.EnvironmentAttribute("sought"), [node.expr], [], None, None)
            watched = jinja2.nodes.Compare(sought.set_lineno(node.lineno), node.ops)
            watched.set_lineno(node.lineno)
            watched.set_environment(self.environment)
            super().visit_Compare(watched, frame)
            return
        super().visit_Compare(node, frame)


class WatchingEnvironment(TrackingEnvironment):
    """Renders conversations of atoms; ``watch`` is told what becomes of them."""

    code_generator_class = _WatchingGenerator

    def __init__(self, now: datetime, limits: Limits, watch: Watch) -> None:
        """Make an environment as the one that tracks."""
        super().__init__(now, limits)
        self.watch = watch
        own = {"trim": self._trim, "string": self.to_text, "tojson": self._tojson, "d": do_default}
        filters: Mapping[str, Any] = self.filters
        self.filters = {name: self._watching(filter_) for name, filter_ in filters.items()}
        self.filters |= {**own, "default": do_default}
        tests: dict[str, Any] = self.tests
        tests["in"] = self._watching(tests["in"])

    def _watching(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a filter that must not be given any atom as such; in a list it may be, if it does no more with it."""

        @wraps(function)
        def watching(*args: Any, **kwargs: Any) -> Any:
            self._refuse(args, kwargs)
            return self._looked_at(function(*args, **kwargs))

        return watching

    def _refuse(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if any(isinstance(value, Atom | AtomDict) for value in (*args, *kwargs.values())):
            self.watch.lose()

    def _looked_at(self, result: Any) -> Any:
        """Hand on what was computed; text with an atom in it that would not be watched any more is lost."""
        if isinstance(result, str) and not isinstance(result, Atom) and any(source for _, source in runs_of(result)):
            self.watch.lose()
        return result

    def _trim(self, value: Any, chars: str | None = None) -> Any:
        return value.strip(chars) if isinstance(value, Atom) else Tracked(self.to_text(value)).strip(chars)

    def _tojson(self, x: Any, **options: Any) -> Any:
        if isinstance(x, Atom | AtomDict):
            return self.watch.json(x, options)
        return self._looked_at(tojson(x, **options))

    def sought(self, value: Any) -> Any:
        """Hand on what is looked for in something else, which no atom may be."""
        self._refuse((value,), {})
        return value

    def to_text(self, value: Any) -> Any:
        """Return ``str(value)``."""
        return value if isinstance(value, Atom) else self._looked_at(super().to_text(value))

    def join(self, pieces: Any) -> Tracked:
        """Return the pieces one behind the other."""
        return Atom.joined(list(pieces), self.watch)

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Tell whether a template may have an attribute: none that only atoms have."""
        like = str if isinstance(obj, Atom) else dict if isinstance(obj, AtomDict) else None
        return super().is_safe_attribute(obj, attr, value) and (like is None or hasattr(like, attr))

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Look up an attribute."""
        if isinstance(obj, AtomDict):
            self.watch.lose()
        return super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        """Look up an item, or else an attribute."""
        self._refuse((obj if isinstance(obj, AtomDict) else None, argument), {})
        return super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Compute such as ``left + right``."""
        return self._looked_at(super().call_binop(context, operator, left, right))

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063 - jinja2's own names
        if not isinstance(__obj, Macro) and __obj is not __self.globals["namespace"]:
            __self._refuse(args, kwargs)
        return __self._looked_at(super().call(__context, __obj, *args, **kwargs))


class WatchedTemplate(ChatTemplate):
    """A chat template that is given conversations of atoms: texts as ``atoms.spelt``, mappings with that as a key."""

    def __init__(self, template: ChatTemplate) -> None:
        """Compile the template once more."""
        super().__init__(template.source, template.variables, template.now, template.limits)
        self.watch = Watch()

    @cached_property
    def _tracking(self) -> tuple[TrackingEnvironment, jinja2.Template]:
        environment = WatchingEnvironment(self.now, self.limits, self.watch)
        return environment, self._compile(environment)

    def _new_given(self, conversation: Conversation) -> Given:
        given = Given(conversation, track_all(conversation.tools, Part.TOOLS))
        given.messages = [self._watched(message) for message in given.messages]
        given.tools = self._watched(given.tools)
        return given

    def _watched(self, value: Any) -> Any:
        """Return what a template is given with atoms in the places of texts that spell them."""
        if isinstance(value, Tracked):
            return Atom.of(ord(value[0]) - FIRST, value._runs[0][1], self.watch) if _is_atom(value) else value
        if isinstance(value, dict):
            first = next(iter(value), "")
            if len(value) == 1 and isinstance(first, Tracked) and _is_atom(first):
                return AtomDict.of(ord(first[0]) - FIRST, first._runs[0][1], self.watch)
            for key, item in value.items():
                value[key] = self._watched(item)
        elif isinstance(value, list):
            value[:] = map(self._watched, value)
        return value


def _is_atom(text: str) -> bool:
    return str.__len__(text) == SIZE and str.__getitem__(text, 0) >= chr(FIRST) and len(set(map(str, text))) == 1
