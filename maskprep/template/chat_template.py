"""A conversation rendered: ``render(X)`` of the law, with or without the origin of each character."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import jinja2
import jinja2.nodes
import orjson

from maskprep.conversation import Conversation
from maskprep.errors import RowError, UsageError
from maskprep.template.environment import PlainEnvironment, TrackingEnvironment
from maskprep.template.given import Given, Render, Tools
from maskprep.template.inputs import aliased
from maskprep.template.learnt.program import Program
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.lookups import looked_up
from maskprep.template.rendered import Rendered
from maskprep.template.replayed import Replayed
from maskprep.template.sandbox.limits import Exceeded, Limits
from maskprep.template.strings.printing import concat

_MOST_WRITTEN = 400_000_000  # characters for one conversation, where nothing is replayed: some minutes
_LIMIT = 16  # a text so many times smaller than what a rendering may take is sure to be within all limits
_MOST_TOOLS = 100  # sets of tools that are remembered
_MOST_MET = 10_000  # choices of variables that were met once
_MOST_PROGRAMS = 100  # one for each choice of variables: strange data may make any number
_LONGEST_MESSAGE = 2_000  # characters of what a template says when it refuses
_REMEMBERED = 5  # conversations: one, and the same in the few other forms that are tried


class ChatTemplate:
    """One compiled chat template.

    Args:
        source: the template's text.
        variables: what every rendering is given: special tokens by name, ``template_kwargs``.
        now: the time that ``strftime_now`` tells.
        limits: what one rendering may take.

    ``replays`` tells whether renderings may be replayed from what was learnt of others (``learnt/``).

    Raises:
        UsageError: the template does not compile.
    """

    def __init__(self, source: str, variables: Mapping[str, Any], now: datetime, limits: Limits | None = None) -> None:
        self.source = source
        self.variables = dict(variables)
        self.replays = True
        self.limits = limits or Limits()
        self.now = now
        self._plain_environment = PlainEnvironment(now, self.limits)
        self._plain = self._compile(self._plain_environment)
        self._beyond: tuple[Conversation, RowError] | None = None
        self._given: list[Given] = []
        self._programs: dict[str, Program] = {}
        self._met: set[str] = set()  # variables that no other row had before
        self._tools: dict[bytes, Tools] = {}

    def _compile(self, environment: PlainEnvironment) -> jinja2.Template:
        try:
            with self.limits.compiling():
                return environment.from_string(self.source)
        except jinja2.TemplateSyntaxError as error:
            line = self.source.split("\n")[error.lineno - 1 : error.lineno]
            shown = f": {line[0].strip()[:120]}" if line else ""
            msg = f"the chat template does not compile, line {error.lineno}{shown}: {error.message}"
            raise UsageError(msg, "transformers refuses it, too; mend it or choose another one") from error
        except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
            msg = f"the chat template does not compile: {type(error).__name__}: {error}"
            raise UsageError(msg) from error
        except Exceeded as error:
            raise UsageError(f"the chat template cannot be compiled: {error}", "use another one") from error

    @cached_property
    def _tracking(self) -> tuple[TrackingEnvironment, jinja2.Template]:
        environment = TrackingEnvironment(self.now, self.limits)
        return environment, self._compile(environment)

    @cached_property
    def _tree(self) -> jinja2.nodes.Template:
        return self._plain_environment.parse(self.source)

    @cached_property
    def _asks_for(self) -> frozenset[str]:
        # Every name that occurs: what the environment itself provides, such as the clock, does not count as undeclared.
        return frozenset(node.name for node in self._tree.find_all(jinja2.nodes.Name))

    @cached_property
    def mentioned(self) -> frozenset[str]:
        """Every name and every word in the template: it never looks up a name that is not among these."""
        words = {node.value for node in self._tree.find_all(jinja2.nodes.Const) if isinstance(node.value, str)}
        return self._asks_for | words | {node.attr for node in self._tree.find_all(jinja2.nodes.Getattr)}

    @cached_property
    def looked_up(self) -> frozenset[str]:
        """The names that the template looks up, but for those that no user may set."""
        return looked_up(self._plain_environment, self.source)

    @property
    def uses_clock(self) -> bool:
        """Whether the template asks what time it is."""
        return "strftime_now" in self._asks_for

    @property
    def has_generation_prompt(self) -> bool:
        """Whether the template asks whether it should write a generation prompt."""
        return "add_generation_prompt" in self._asks_for

    def plain(self, conversation: Conversation, upto: int, *, generation_prompt: bool) -> str:
        """Return the text of the first ``upto`` messages. Raises ``RowError`` where the template raises."""
        messages = [aliased(message.fields) for message in conversation.messages[:upto]]
        tools, documents = conversation.tools, conversation.documents
        variables = self._variables(conversation, messages, tools, documents, prompted=generation_prompt)
        return "".join(self._pieces(conversation, self._plain_environment, self._plain, variables))

    def tracked(self, conversation: Conversation, upto: int, *, generation_prompt: bool) -> Rendered:
        """Return the text of the first ``upto`` messages with the origin of each character: replayed, if possible.

        Once a conversation was rendered as a whole, the renderings of its beginnings are a ``Beginning`` of that where
        they can be.
        """
        given = self._given_for(conversation)
        whole = upto == len(conversation.messages) and not generation_prompt
        if whole and given.whole is not None:
            return given.whole
        rendered = self._replayed(given, upto, prompted=generation_prompt)
        if rendered is None:
            rendered = self.tracked_apart(conversation, upto, generation_prompt=generation_prompt)
        if whole:
            given.whole = rendered
        return rendered

    def _replayed(self, given: Given, upto: int, *, prompted: bool) -> Rendered | None:
        """Return a rendering that was replayed, None where that is not possible."""
        if not self.replays or not given.replayable:
            return None
        pairs = given.pairs if upto == len(given.pairs) else Pairs(given.pairs[:upto])
        program = given.program
        written = None if program is None else program.render(pairs, given.tools.plain, prompted=prompted)
        if written is None:
            return None
        rendered = Replayed(*written)
        if self.beyond(len(rendered)):
            return None
        return rendered if given.whole is None else rendered.within(given.whole)

    def learnt(self, conversation: Conversation) -> tuple[Pairs, Any, Render] | None:
        """Return messages and tools as they are replayed, and what replays them; None where that is not possible."""
        given = self._given_for(conversation)
        if not self.replays or not given.replayable:
            return None
        program = given.program
        return None if program is None else (given.pairs, given.tools.plain, program.render)

    def beyond(self, length: int) -> bool:
        """Tell whether a text is so long that only the template itself can tell whether it is within all limits."""
        return length * _LIMIT > self.limits.size

    def _program(self, conversation: Conversation) -> Program | None:
        """Return what was learnt of this template under the variables of a conversation, None for some that are new.

        To learn costs more than to render once: a row's own variables are learnt under when they come again.
        """
        kwargs = conversation.template_kwargs
        key = repr(sorted(kwargs.items())) if kwargs else ""
        program = self._programs.get(key)
        if program is None:
            if kwargs and key not in self._met:
                if len(self._met) >= _MOST_MET:
                    self._met.clear()
                self._met.add(key)
                return None
            if len(self._programs) >= _MOST_PROGRAMS:
                del self._programs[next(iter(self._programs))]
            variables = {**self.variables, **(kwargs or {})}
            program = self._programs[key] = Program(self.source, variables, self.now, self.limits)
        return program

    def tracked_apart(self, conversation: Conversation, upto: int, *, generation_prompt: bool) -> Rendered:
        """Return what ``tracked`` returns, rendered by the template itself: nothing is replayed."""
        given = self._given_for(conversation)
        if given.written > _MOST_WRITTEN:
            msg = f"each of its turns must be rendered from the beginning: {given.written:,} characters so far"
            raise RowError("template-limit", msg, "divide the conversation into several rows")
        messages = given.messages[:upto]
        variables = self._variables(
            conversation, messages, given.tools.tracked, given.documents, prompted=generation_prompt
        )
        rendered = Rendered.of(concat(self._pieces(conversation, *self._tracking, variables)))
        given.written += len(rendered)
        return rendered

    def forget(self) -> None:
        """Let go of all remembered conversations and their renderings: they take as much memory again."""
        self._given = []

    def _given_for(self, conversation: Conversation) -> Given:
        if self._given and self._given[0].conversation is conversation:
            return self._given[0]
        known = next((given for given in self._given if given.conversation is conversation), None)
        given = known or Given(conversation, self._same_tools(conversation.tools), self._program(conversation))
        if not self._given or given is not self._given[0]:
            held = [given, *(other for other in self._given if other is not given)]
            self._given = held[:_REMEMBERED]
        return given

    def _same_tools(self, tools: Any) -> Tools:
        """Return tools as those that were met before, where they are the same: most rows have what others have."""
        try:
            written = orjson.dumps(tools)
        except TypeError:  # numbers of more than 64 bits, say
            return Tools(tools)
        known = self._tools.get(written)
        if known is None:
            if len(self._tools) >= _MOST_TOOLS:
                self._tools.clear()
            known = self._tools[written] = Tools(tools)
        return known

    def _variables(
        self, conversation: Conversation, messages: Any, tools: Any, documents: Any, *, prompted: bool
    ) -> dict[str, Any]:
        return {
            "messages": messages,
            "tools": tools,
            "documents": documents,
            "add_generation_prompt": prompted,
            **self.variables,
            **(conversation.template_kwargs or {}),
        }

    def _pieces(
        self,
        conversation: Conversation,
        environment: PlainEnvironment,
        template: jinja2.Template,
        variables: dict[str, Any],
    ) -> list[str]:
        """Return the texts that a template writes.

        A conversation for which it went beyond its limits once is not tried again.
        """
        if self._beyond is not None and self._beyond[0] is conversation:
            raise self._beyond[1]
        meter = environment.meter
        meter.reset()
        size = 0
        pieces: list[str] = []
        try:
            with self.limits.running():
                for piece in template.root_render_func(template.new_context(variables)):
                    pieces.append(piece)
                    size += len(piece)
                    if size > meter.limit:
                        meter.allow(size)
        except (Exception, Exceeded) as error:
            refused = refusal(error)
            if refused.code == "template-limit":
                self._beyond = conversation, refused
            raise refused from error
        return pieces


def refusal(error: BaseException) -> RowError:
    """Return the ``RowError`` for the exception that a template raised."""
    if isinstance(error, RowError):  # provenance-lost, from within a tracked string
        return error
    if isinstance(error, Exceeded | MemoryError | RecursionError):
        why = str(error) or "it takes more CPU time than template_seconds"
        if not isinstance(error, Exceeded):
            why = "it needs too much memory" if isinstance(error, MemoryError) else "it calls itself over and over"
        msg = f"the chat template goes beyond what it may take: {why}"
        return RowError("template-limit", msg, "see template_seconds and template_bytes, or use another template")
    if isinstance(error, jinja2.TemplateError):
        text = f"the chat template refuses the conversation: {error.message or error}"
    else:  # a template is a program, and may fail in any way
        text = f"the chat template fails: {type(error).__name__}: {error}"
    return RowError("template-error", text[:_LONGEST_MESSAGE])
