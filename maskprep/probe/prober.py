"""Small conversations of our own, run through a chat template to learn what it does.

Nothing is read off the template's text: what it does is seen in its renderings, and in whose text they hold.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.guard import guarded
from maskprep.policy import Mismatch, Part, Policy
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.rendered import Rendered
from maskprep.template.strings.origin import is_lost, message_of, part_of
from maskprep.template.turns.finder import TurnFinder, generation_prompt
from maskprep.template.turns.readable import readable
from maskprep.template.turns.turn import Turn


@dataclass(frozen=True, slots=True)
class Statement:
    """One fact about a template: a stable ``name``, its ``value`` in JSON types, and a sentence in plain words.

    ``notable``: the fact means that something is lost, or costs more.
    """

    name: str
    value: Any
    text: str
    notable: bool = False

    def facts(self) -> dict[str, Any]:
        """Return the statement as JSON types."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Sample:
    """A conversation to try: messages, tools, documents and template variables."""

    messages: tuple[Mapping[str, Any], ...]
    tools: tuple[Mapping[str, Any], ...] = ()
    documents: tuple[Mapping[str, Any], ...] = ()
    kwargs: tuple[tuple[str, Any], ...] = ()

    def given(self, **kwargs: Any) -> Sample:
        """Return this sample with ``variables`` as its template variables."""
        return replace(self, kwargs=tuple(kwargs.items()))


class Prober:
    """Renders samples, each once.

    Args:
        preparer: the tokenizer and the template; its policy does not matter.
        now: the time that ``strftime_now`` tells.
    """

    def __init__(self, preparer: Preparer, now: datetime) -> None:
        self._made, self.now = preparer, now
        self.loaded, self.stops = preparer.loaded, preparer.stops
        self._conversations: dict[str, Conversation] = {}
        self._rendered: dict[tuple[str, int, bool], Rendered | RowError] = {}
        self._turns: dict[tuple[str, int, Mismatch], Turn | RowError] = {}

    @cached_property
    def strict(self) -> Preparer:
        """A preparer that rejects turns that the prompt does not fit."""
        return self._made.under(Policy())

    @cached_property
    def lenient(self) -> Preparer:
        """A preparer that takes turns that the prompt does not fit as they are rendered."""
        return self._made.under(Policy(mismatch=Mismatch.TRAIN))

    def template(self, sample: Sample) -> ChatTemplate:
        """Return the template that a sample is rendered with: a tokenizer may have one of its own for tools."""
        return self._made.templates[bool(sample.tools)]

    def conversation(self, sample: Sample) -> Conversation:
        """Return the sample as a conversation: one object for one sample."""
        key = _key(sample)
        if key not in self._conversations:
            self._conversations[key] = Conversation(
                tuple(map(Message, sample.messages)),
                tools=[dict(tool) for tool in sample.tools] or None,
                documents=[dict(document) for document in sample.documents] or None,
                template_kwargs=dict(sample.kwargs),
            )
        return self._conversations[key]

    def render(self, sample: Sample, upto: int | None = None, *, prompt: bool = False) -> Rendered | RowError:
        """Return the rendering of the first ``upto`` messages (all unless given), or why they cannot be rendered."""
        count = len(sample.messages) if upto is None else upto
        key = (_key(sample), count, prompt)
        if key not in self._rendered:
            conversation = self.conversation(sample)
            template = self.template(sample)
            try:
                found: Rendered | RowError = template.tracked(conversation, count, generation_prompt=prompt)
            except RowError as error:
                found = _in_plain_words(template, conversation, count, error, prompt=prompt)
            self._rendered[key] = found
        return self._rendered[key]

    def fitted(self, sample: Sample) -> Sample:
        """Return the sample with the arguments of its tool calls in the form that the template reads best."""
        try:
            conversation, _ = readable(self.template(sample), self.conversation(sample))
        except RowError:
            return sample
        return replace(sample, messages=tuple(message.fields for message in conversation.messages))

    def turn(self, sample: Sample, message: int, mismatch: Mismatch = Mismatch.REJECT) -> Turn | RowError:
        """Return the proved turn of an assistant message, or why it cannot be proved."""
        key = (_key(sample), message, mismatch)
        if key not in self._turns:
            template = self.template(sample)
            try:
                conversation, whole = readable(template, self.conversation(sample))
                self._turns[key] = TurnFinder(template, self.stops, mismatch).of(conversation, whole).find(message)
            except RowError as error:
                self._turns[key] = error
        return self._turns[key]

    def turn_anyhow(self, sample: Sample, message: int) -> Turn | RowError:
        """Return the turn of an assistant message, where the prompt does not fit as rendered, or why there is none."""
        found = self.turn(sample, message)
        if isinstance(found, RowError) and found.code == "prompt-mismatch":
            return self.turn(sample, message, Mismatch.TRAIN)
        return found

    @cached_property
    def user_header(self) -> str:
        """The text that the template writes in front of each user message, the first and later ones alike."""
        asked = {"role": "user", "content": "Here?"}, {"role": "user", "content": "There?"}
        two = self.render(Sample((asked[0], {"role": "assistant", "content": "Over there."}, asked[1])))
        first, second = (None, None) if isinstance(two, RowError) else (two.extent(0), two.extent(2))
        if isinstance(two, RowError) or first is None or second is None:
            return ""
        between = two.text[two.end_of_others(2, second[0]) : second[0]]
        ended = self.stops.first(between, 0)
        between = between[ended[1] :].lstrip() if ended else between
        before, shared = two.text[: first[0]], 0
        while shared < min(len(before), len(between)) and before[-1 - shared] == between[-1 - shared]:
            shared += 1
        return before[len(before) - shared :]

    def generation_prompt(self, sample: Sample) -> str | None:
        """Return the text that asking for a generation prompt adds at the end, None where it changes other text."""
        plain, asked = self.render(sample), self.render(sample, prompt=True)
        if isinstance(plain, RowError) or isinstance(asked, RowError) or not asked.text.startswith(plain.text):
            return None
        return generation_prompt(self.template(sample), self.conversation(sample), len(sample.messages), asked.text)


def prove(prober: Prober, conversation: Conversation) -> tuple[Preparer, Any]:
    """Prove the turns of a conversation; where the prompt does not fit, take them as they are rendered.

    Returns:
        The preparer that proved them, and what its ``finish`` takes.

    Raises:
        RowError: they cannot be proved in either way.
    """
    try:
        with guarded():
            return prober.strict, prober.strict.prove(conversation)
    except RowError as error:
        if error.code != "prompt-mismatch":
            raise
    with guarded():
        return prober.lenient, prober.lenient.prove(conversation)


def _in_plain_words(
    template: ChatTemplate, conversation: Conversation, count: int, error: RowError, *, prompt: bool
) -> RowError:
    """Return the error of the plain rendering, in whose words no tracked type is named; ``error`` where it has none."""
    try:
        template.plain(conversation, count, generation_prompt=prompt)
    except RowError as plain:
        return plain
    return error


def _key(sample: Sample) -> str:
    return json.dumps([sample.messages, sample.tools, sample.documents, sample.kwargs])


def own(rendered: Rendered, message: int, part: Part) -> str:
    """Return the text in ``rendered`` of one part of a message (-1: tools, documents), wherever it stands."""
    return "".join(
        rendered.text[start:stop]
        for start, stop, source in rendered.places()
        if source and message_of(source) == message and (part_of(source) is part or is_lost(source))
    )


def quoted(text: str, limit: int = 90) -> str:
    """Return a text in quotes, as JSON writes it, its middle left out where it is long."""
    shown = text if len(text) <= limit else f"{text[: limit * 2 // 3]}…{text[-limit // 3 :]}"
    return json.dumps(shown, ensure_ascii=False)
