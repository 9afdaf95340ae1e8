"""A conversation rendered: ``render(X)`` of the law, with or without the origin of each character."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Any

import jinja2
import jinja2.nodes

from maskprep.conversation import Conversation, Part
from maskprep.errors import RowError, UsageError
from maskprep.template.environment import PlainEnvironment, TrackingEnvironment
from maskprep.template.given import aliased, tracked_message
from maskprep.template.rendered import Rendered
from maskprep.template.source import source_of
from maskprep.template.values import track


class ChatTemplate:
    """One compiled chat template.

    Args:
        source: the template's text.
        variables: what every rendering is given: special tokens by name, ``template_kwargs``.
        now: the time that ``strftime_now`` tells.

    Raises:
        UsageError: the template does not compile.
    """

    def __init__(self, source: str, variables: Mapping[str, Any], now: datetime) -> None:
        """Compile the template; see the class."""
        self.source = source
        self.variables = dict(variables)
        self._now = now
        self._plain = self._compile(PlainEnvironment(now))
        self._tracked_for: Conversation | None = None
        self._messages: list[dict[str, Any]] = []
        self._tools: Any = None
        self._documents: Any = None

    def _compile(self, environment: PlainEnvironment) -> jinja2.Template:
        try:
            return environment.from_string(self.source)
        except jinja2.TemplateSyntaxError as error:
            line = self.source.split("\n")[error.lineno - 1 : error.lineno]
            shown = f": {line[0].strip()[:120]}" if line else ""
            msg = f"the chat template does not compile, line {error.lineno}{shown}: {error.message}"
            raise UsageError(msg, "transformers refuses it, too; mend it or choose another one") from error
        except (RecursionError, MemoryError, OverflowError, SyntaxError) as error:
            msg = f"the chat template does not compile: {type(error).__name__}: {error}"
            raise UsageError(msg) from error

    @cached_property
    def _tracking(self) -> jinja2.Template:
        return self._compile(TrackingEnvironment(self._now))

    @cached_property
    def _asks_for(self) -> frozenset[str]:
        # Every name that occurs: what the environment itself provides, such as the clock, does not count as undeclared.
        tree = self._plain.environment.parse(self.source)
        return frozenset(node.name for node in tree.find_all(jinja2.nodes.Name))

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
        return self._run(
            self._plain, conversation, messages, conversation.tools, conversation.documents, generation_prompt
        )

    def tracked(self, conversation: Conversation, upto: int, *, generation_prompt: bool) -> Rendered:
        """Return the same text with the origin of each character."""
        if self._tracked_for is not conversation:
            # A conversation is rendered many times in a row, and no template can change what it is given.
            self._tracked_for = conversation
            self._messages = [tracked_message(message, index) for index, message in enumerate(conversation.messages)]
            self._tools = _track(conversation.tools, Part.TOOLS)
            self._documents = _track(conversation.documents, Part.DOCUMENTS)
        given = self._messages[:upto], self._tools, self._documents
        return Rendered.of(self._run(self._tracking, conversation, *given, generation_prompt))

    def _run(  # noqa: PLR0913, PLR0917 - what a template is given
        self,
        template: jinja2.Template,
        conversation: Conversation,
        messages: list[dict[str, Any]],
        tools: Any,
        documents: Any,
        generation_prompt: bool,  # noqa: FBT001
    ) -> str:
        variables = {
            "messages": messages,
            "tools": tools,
            "documents": documents,
            "add_generation_prompt": generation_prompt,
            **self.variables,
            **(conversation.template_kwargs or {}),
        }
        try:
            return template.render(variables)
        except RowError:  # provenance-lost, from within a tracked string
            raise
        except jinja2.TemplateError as error:
            msg = f"the chat template refuses the conversation: {error.message or error}"
            raise RowError("template-error", msg) from error
        except Exception as error:  # a template is a program, and may fail in any way
            msg = f"the chat template fails: {type(error).__name__}: {error}"
            raise RowError("template-error", msg) from error


def _track(value: Any, part: Part) -> Any:
    """Track tools or documents; the list around them is the template's, as the list of messages is."""
    return None if value is None else [track(item, source_of(-1, part)) for item in value]
