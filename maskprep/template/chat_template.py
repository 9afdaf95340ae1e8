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
from maskprep.policy import Part
from maskprep.template.environment import PlainEnvironment, TrackingEnvironment
from maskprep.template.inputs import aliased, tracked_message
from maskprep.template.lookups import looked_up
from maskprep.template.prefix_reuse import Rendering
from maskprep.template.rendered import Rendered
from maskprep.template.sandbox.limits import Exceeded, Limits
from maskprep.template.strings.message_list import Messages
from maskprep.template.strings.origin import source_of
from maskprep.template.strings.printing import concat
from maskprep.template.strings.values import track

_FEW = 3  # messages that are rendered sooner than it is found out what can be taken over for them
_MOST_WRITTEN = 400_000_000  # characters for one conversation, where renderings take nothing over: some minutes
_LONGEST_MESSAGE = 2_000  # characters of what a template says when it refuses
_REMEMBERED = 5  # conversations: one, and the same in the few other forms that are tried


class ChatTemplate:
    """One compiled chat template.

    Args:
        source: the template's text.
        variables: what every rendering is given: special tokens by name, ``template_kwargs``.
        now: the time that ``strftime_now`` tells.
        limits: what one rendering may take.

    ``streams`` tells whether renderings of one conversation may take over from each other (``prefix_reuse.py``).

    Raises:
        UsageError: the template does not compile.
    """

    def __init__(self, source: str, variables: Mapping[str, Any], now: datetime, limits: Limits | None = None) -> None:
        self.source = source
        self.variables = dict(variables)
        self.streams = True
        self.limits = limits or Limits()
        self.now = now
        self._plain_environment = PlainEnvironment(now, self.limits)
        self._plain = self._compile(self._plain_environment)
        self._beyond: tuple[Conversation, RowError] | None = None
        self._given: list[Given] = []
        self._latest_tools: tuple[bytes, Any] | None = None

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
        return "".join(self._pieces(conversation, self._plain_environment, self._plain, variables, []))

    def tracked(self, conversation: Conversation, upto: int, *, generation_prompt: bool) -> Rendered:
        """Return the text of the first ``upto`` messages with the origin of each character.

        Once a conversation was rendered as a whole, the renderings of its beginnings take over what is proved to be the
        same, and are a ``Beginning`` of the whole where they can be. Those of a few messages are rendered anew.
        """
        given = self._given_for(conversation)
        whole = upto == len(given.messages) and not generation_prompt
        if whole and given.whole is not None:
            return given.whole.rendered
        if given.written > _MOST_WRITTEN:
            msg = f"each of its turns must be rendered from the beginning: {given.written:,} characters so far"
            raise RowError("template-limit", msg, "divide the conversation into several rows")
        if self.streams and (whole or upto > _FEW):
            run = Rendering(upto, given.earlier, prompted=generation_prompt)
            try:
                rendered = self._stream(conversation, given, run)
            except RowError as error:
                if error.code == "template-limit":
                    raise
                # The reference says it again, in its own words.
                return self.tracked_apart(conversation, upto, generation_prompt=generation_prompt)
            given.keep(run, whole=whole)
            return rendered
        return self.tracked_apart(conversation, upto, generation_prompt=generation_prompt)

    def tracked_apart(self, conversation: Conversation, upto: int, *, generation_prompt: bool) -> Rendered:
        """Return what ``tracked`` returns, rendered anew: nothing is taken over from any other rendering."""
        given = self._given_for(conversation)
        messages = given.messages[:upto]
        variables = self._variables(conversation, messages, given.tools, given.documents, prompted=generation_prompt)
        rendered = Rendered.of(concat(self._pieces(conversation, *self._tracking, variables, [])))
        given.written += len(rendered)
        return rendered

    def forget(self) -> None:
        """Let go of all remembered conversations and their renderings: they take as much memory again."""
        for given in self._given:
            given.forget()
        self._given = []

    def written(self, conversation: Conversation) -> int:
        """Return how many characters of a conversation were rendered with origins; those taken over do not count."""
        return self._given_for(conversation).written

    def _stream(self, conversation: Conversation, given: Given, run: Rendering) -> Rendered:
        environment, template = self._tracking
        messages = Messages(given.messages, run.size, run)
        variables = self._variables(conversation, messages, given.tools, given.documents, prompted=run.prompted)
        environment.run = run
        try:
            # The hooks count what was written before them.
            self._pieces(conversation, environment, template, variables, run.pieces)
            return run.finish()
        finally:
            environment.run = None

    def _given_for(self, conversation: Conversation) -> Given:
        known = next((given for given in self._given if given.conversation is conversation), None)
        given = known or self._new_given(conversation)
        if not self._given or given is not self._given[0]:
            held = [given, *(other for other in self._given if other is not given)]
            self._given = held[:_REMEMBERED]
            for other in held[_REMEMBERED:]:
                other.forget()
        return given

    def _new_given(self, conversation: Conversation) -> Given:
        return Given(conversation, self._tools_of(conversation))

    def _tools_of(self, conversation: Conversation) -> Any:
        """Return a conversation's tools with their origin; the last ones are kept, for most rows have the same."""
        try:
            written = orjson.dumps(conversation.tools)
        except TypeError:  # numbers of more than 64 bits, say
            return track_all(conversation.tools, Part.TOOLS)
        if self._latest_tools is None or self._latest_tools[0] != written:
            self._latest_tools = written, track_all(conversation.tools, Part.TOOLS)
        return self._latest_tools[1]

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
        pieces: list[str],
    ) -> list[str]:
        """Return ``pieces``, to which each text that a template writes is added.

        A conversation for which it went beyond its limits once is not tried again.
        """
        if self._beyond is not None and self._beyond[0] is conversation:
            raise self._beyond[1]
        meter = environment.meter
        meter.reset()
        size = 0
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


class Given:
    """What a template is given of one conversation, with origins, and the renderings to take over from."""

    def __init__(self, conversation: Conversation, tools: Any) -> None:
        # A conversation is rendered many times in a row, and no template can change what it is given.
        self.conversation = conversation
        self.messages = [tracked_message(message, index) for index, message in enumerate(conversation.messages)]
        self.tools = tools
        self.documents = track_all(conversation.documents, Part.DOCUMENTS)
        self.whole: Rendering | None = None
        self._latest: Rendering | None = None
        self.written = 0

    @property
    def earlier(self) -> list[Rendering]:
        """The renderings to take over from, the whole first; none before there is one."""
        return [] if self.whole is None else [self.whole, *([self._latest] if self._latest else [])]

    def keep(self, run: Rendering, *, whole: bool) -> None:
        """Keep a rendering, if there is anything to take over from it."""
        self.written += run.written
        if whole:
            self.whole = run
        elif run.loops:
            if self._latest is not None:
                self._latest.loops.clear()
            self._latest = run

    def forget(self) -> None:
        """Let go of the renderings: they and their loops hold each other, and wait for the collector of cycles else."""
        for run in self.earlier:
            run.loops.clear()


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


def track_all(value: Any, part: Part) -> Any:
    """Track tools or documents; the list around them is the template's, as the list of messages is."""
    return None if value is None else [track(item, source_of(-1, part)) for item in value]
