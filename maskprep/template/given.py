"""What a chat template is given of one conversation: plain, in the form that is replayed, and with origins."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

from maskprep.conversation import Conversation
from maskprep.policy import Part
from maskprep.template.inputs import aliased, tracked_message
from maskprep.template.learnt.program import Program, Written
from maskprep.template.learnt.runtime import Pairs
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import source_of
from maskprep.template.strings.values import track


class Tools:
    """The tools of a conversation: ``plain``, and with origins."""

    def __init__(self, plain: Any) -> None:
        self.plain = plain

    @cached_property
    def tracked(self) -> Any:
        """The tools with origins."""
        return track_all(self.plain, Part.TOOLS)


Render = Callable[..., Written | None]
"""``Program.render``."""


class Given:
    """What a template is given of one conversation, with origins, and its rendering as a ``whole``.

    ``program`` replays it, where there is one; ``written`` counts the characters that the template itself has written.
    """

    def __init__(self, conversation: Conversation, tools: Tools, program: Program | None) -> None:
        # A conversation is rendered many times in a row, and no template can change what it is given.
        self.conversation = conversation
        self.tools, self.program = tools, program
        self.whole: Rendered | None = None
        self.written = 0
        ranges = any(message.ranges for message in conversation.messages)
        self.replayable = conversation.documents is None and not ranges

    @cached_property
    def pairs(self) -> Pairs:
        """The messages, each with the source of its content."""
        return Pairs(
            [(aliased(message.fields), _FIRST + _STEP * i) for i, message in enumerate(self.conversation.messages)]
        )

    @cached_property
    def messages(self) -> list[dict[str, Any]]:
        """The messages with origins."""
        return [tracked_message(message, index) for index, message in enumerate(self.conversation.messages)]

    @cached_property
    def documents(self) -> Any:
        """The documents with origins."""
        return track_all(self.conversation.documents, Part.DOCUMENTS)


_FIRST = source_of(0, Part.CONTENT)
_STEP = source_of(1, Part.CONTENT) - _FIRST


def track_all(value: Any, part: Part) -> Any:
    """Track tools or documents; the list around them is the template's, as the list of messages is."""
    return None if value is None else [track(item, source_of(-1, part)) for item in value]
