"""One conversation prepared under other settings than those that rejected it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from types import TracebackType
from typing import Self

from maskprep.conversation import Conversation
from maskprep.errors import MaskprepError, RowError
from maskprep.examples.adapt import adapt
from maskprep.examples.guard import internal_error
from maskprep.examples.preparer import Preparer
from maskprep.examples.remedies import Remedy, adaptations
from maskprep.policy import Part

_MOST_TRIES = 40
_THOUGHT = "Let me see."
_REASONING = ("reasoning_content", "reasoning", "thinking")


def changing(preparer: Preparer, conversation: Conversation) -> list[str]:
    """Return the adaptations, as they are typed, each of which alone would change a conversation."""
    messages = adapt(conversation, preparer.policy).messages
    policies = {str(remedy): remedy.policy(preparer.policy) for remedy in adaptations(preparer.policy)}
    return [name for name, policy in policies.items() if adapt(conversation, policy).messages != messages]


def why_unused(
    preparer: Preparer, conversation: Conversation, remedy: Remedy, *, with_calls: bool = False
) -> RowError | None:
    """Return why a conversation cannot be used under the policy of ``preparer`` with a remedy; None where it can.

    ``with_calls``: it counts as used only where the template writes the tool calls of its trained messages.
    """
    try:
        made = preparer.under(remedy.policy(preparer.policy)).prepare(remedy.conversation(conversation))
    except RowError as error:
        return error
    except MaskprepError:
        raise  # of no row: a fast tokenizer differs
    except Exception as error:  # noqa: BLE001 - what fails in any way is no remedy
        return internal_error(error)
    left_out = (each for each in made.findings if each.code == "content-dropped" and Part.TOOL_CALL in each.detail)
    lost = next(left_out, None) if with_calls else None
    return None if lost is None else RowError(lost.code, lost.detail)


class Trial:
    """The preparation of one conversation under other settings; nothing that is tried changes the preparer.

    Args:
        preparer: rejected it.
        conversation: as it was read.

    ``keys`` are the keys of the configuration that were tried.
    """

    def __init__(self, preparer: Preparer, conversation: Conversation) -> None:
        self._preparer, self._conversation = preparer, conversation
        self.policy = preparer.policy
        self.template = preparer.templates[conversation.tools is not None]
        self._replays = self.template.replays
        self._made = [adapt(conversation, preparer.policy).messages]
        self._met: set[Hashable] = {(0, ())}
        self._left = _MOST_TRIES
        self._keys: dict[str, None] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Leave the template as it was: an audit may have found that it must be rendered in the slow way."""
        self.template.replays = self._replays

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the configuration that were tried."""
        return tuple(self._keys)

    def fitting(self, remedies: Iterable[Remedy], most: int | None = None) -> tuple[Remedy, ...]:
        """Return those with which the conversation can be used, ``most`` of them at most.

        Those that would change nothing about it, or the same as others, are not tried.
        """
        found: list[Remedy] = []
        for remedy in remedies:
            if self._left <= 0 or len(found) == most:
                break
            if self._is_met(remedy):
                continue
            self._left -= 1
            self._keys.update(dict.fromkeys(key for key, _ in remedy.settings))
            if self._fits(remedy, self._conversation):
                found.append(remedy)
        return tuple(found)

    def fits_with_thoughts(self) -> bool:
        """Tell whether it could be used if each answer without reasoning had some."""
        messages = tuple(
            replace(message, fields={**message.fields, "reasoning_content": _THOUGHT})
            if message.role == "assistant" and not any(map(message.fields.get, _REASONING))
            else message
            for message in self._conversation.messages
        )
        changed = messages != self._conversation.messages
        return changed and self._fits(Remedy(()), replace(self._conversation, messages=messages))

    def _fits(self, remedy: Remedy, conversation: Conversation) -> bool:
        error = why_unused(self._preparer, conversation, remedy)
        if error is not None and error.code == "template-limit":
            self._left = 0  # each try would take as long
        return error is None

    def _is_met(self, remedy: Remedy) -> bool:
        """Tell whether the same was tried before: the same conversation, the same other settings."""
        messages = adapt(self._conversation, remedy.policy(self.policy)).messages
        if messages not in self._made:
            self._made.append(messages)
        others = tuple(setting for setting in remedy.settings if self._is_beside(setting))
        met = (self._made.index(messages), others)
        known = met in self._met
        self._met.add(met)
        return known

    def _is_beside(self, setting: tuple[str, str | bool | float]) -> bool:
        """Tell whether a setting does more than to change the conversation."""
        if setting == ("adapt.arguments", "object"):
            return any("tool_calls" in message.fields for message in self._conversation.messages)
        return not setting[0].startswith("adapt.")
