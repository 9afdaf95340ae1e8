"""Settings that may mend a row that a chat template refuses, or does not fit: what can be tried, least harm first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations, product
from typing import Any

from maskprep.conversation import Conversation
from maskprep.policy import ADAPTATIONS, Control, Mismatch, Policy
from maskprep.template.chat_template import ChatTemplate
from maskprep.template.variables import free_variables

TRIED = (False, True)
"""The values that a variable of a template is tried with."""


@dataclass(frozen=True, slots=True)
class Remedy:
    """One or several settings: each a key of the configuration and its value."""

    settings: tuple[tuple[str, str | bool | float], ...]

    def __str__(self) -> str:
        """Return the settings as they are typed on the command line."""
        return " ".join(f"--set {key}={_typed(value)}" for key, value in self.settings)

    def __add__(self, other: Remedy) -> Remedy:
        """Return the settings of both."""
        return Remedy((*self.settings, *other.settings))

    def policy(self, policy: Policy) -> Policy:
        """Return the policy under these settings."""
        changed: dict[str, Any] = {
            key.removeprefix(_ADAPT): value for key, value in self.settings if key.startswith(_ADAPT)
        }
        given = dict(self.settings)
        return replace(
            policy,
            adaptations=replace(policy.adaptations, **changed),
            mismatch=Mismatch(str(given.get(_MISMATCH, policy.mismatch))),
            control=Control(str(given.get(_CONTROL, policy.control))),
        )

    @property
    def harm(self) -> int:
        """How far these settings lead away from the data and the template as they are; nothing is 0."""
        return sum(_HARM.get(key, _HARM.get(key.partition(".")[0], 0)) for key, _ in self.settings)

    @property
    def values(self) -> dict[str, str | bool | float]:
        """The settings by key, as JSON types."""
        return {key: value if isinstance(value, bool | float) else str(value) for key, value in self.settings}

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the configuration that these settings set."""
        return frozenset(key for key, _ in self.settings)

    def without(self, key: str) -> Remedy:
        """Return the settings but for one."""
        return Remedy(tuple(setting for setting in self.settings if setting[0] != key))

    @property
    def variables(self) -> dict[str, str | bool | float]:
        """The variables that these settings give to the template."""
        return {key.removeprefix(_KWARGS): value for key, value in self.settings if key.startswith(_KWARGS)}

    def conversation(self, conversation: Conversation) -> Conversation:
        """Return a conversation with the variables that these settings give to the template."""
        if not self.variables:
            return conversation
        return replace(conversation, template_kwargs={**(conversation.template_kwargs or {}), **self.variables})


def adaptations(policy: Policy) -> list[Remedy]:
    """Return every adaptation that ``policy`` does not have."""
    return [
        Remedy(((f"{_ADAPT}{name}", value),))
        for name, values in ADAPTATIONS.items()
        for value in values
        if getattr(policy.adaptations, name) != value
    ]


def variables(template: ChatTemplate, conversation: Conversation | None = None) -> list[Remedy]:
    """Return true and false for every variable that a user may set; a row's own variables are left alone."""
    own = (conversation.template_kwargs or {}) if conversation else {}
    names = [name for name in free_variables(template) if name not in own]
    return [Remedy(((f"{_KWARGS}{name}", value),)) for name, value in product(names, TRIED)]


def mismatches(policy: Policy) -> list[Remedy]:
    """Return the ways to train a turn that the prompt does not fit; none where one of them was chosen."""
    if policy.mismatch is not Mismatch.REJECT:
        return []
    return [Remedy(((_MISMATCH, str(way)),)) for way in (Mismatch.GRAFT, Mismatch.TRAIN)]


def escapes(policy: Policy) -> list[Remedy]:
    """Return the setting that keeps control tokens in data as plain text, none where something else was chosen."""
    return [Remedy(((_CONTROL, str(Control.ESCAPE)),))] if policy.control is Control.REJECT else []


def pairs(remedies: list[Remedy]) -> Iterator[Remedy]:
    """Yield every two of the remedies that set different keys, the first ones first."""
    for one, two in combinations(remedies, 2):
        if one.settings[0][0] != two.settings[0][0]:
            yield one + two


def _typed(value: str | bool | float) -> str:  # noqa: FBT001 - a value of the configuration
    return str(value).lower() if isinstance(value, bool) else str(value)


_ADAPT, _KWARGS, _MISMATCH, _CONTROL = "adapt.", "template_kwargs.", "prompt_mismatch", "control_tokens"
_HARM = {
    "template_kwargs": 1,
    "adapt": 4,
    "adapt.arguments": 2,
    "adapt.tool_call_ids": 2,
    "adapt.tool_results": 8,
    "adapt.first_assistant": 8,
    "control_tokens": 4,
    "prompt_mismatch": 40,
}
"""Variables, which servers take as well, before changes to the data, before a prompt that no template writes there."""
