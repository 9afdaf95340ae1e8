"""The verdict about a template: what it can train as it is, what stands in the way, and which settings mend that.

Plain chat, multi-turn, tools and reasoning are each tried on conversations of our own, as a user's rows would be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from maskprep.config import Config
from maskprep.conversation import Where
from maskprep.examples import Preparer
from maskprep.policy import History
from maskprep.probe.fields import DROPPED, REFUSED, RENDERED
from maskprep.probe.prober import Prober, Sample, Statement
from maskprep.probe.samples import (
    ANSWERED,
    ARGUMENTS,
    PLAIN,
    THOUGHT,
    THOUGHTS,
    THOUGHTS_TWICE,
    assistant,
    call,
    chat,
    result,
    user,
    with_tool,
)
from maskprep.recommend.choose import recommend
from maskprep.recommend.recommendation import Recommendation
from maskprep.recommend.sample import SampleRow
from maskprep.recommend.words import WHAT

_TURNS = 6
_SAMPLES: Mapping[str, tuple[Sample, ...]] = {
    "plain chat": (PLAIN,),
    "multi-turn": (chat(2), chat(_TURNS)),
    "tools": (ANSWERED, with_tool(*ANSWERED.messages, user(1), assistant(1))),
    "reasoning": (
        THOUGHT,
        THOUGHTS_TWICE,
        with_tool(user(), call(ARGUMENTS, reasoning_content=THOUGHTS[0]), result(), assistant()),
    ),
}


class Mark(StrEnum):
    """Whether all is well, something is to be known or set, or it cannot be done."""

    GOOD = "✓"
    HEED = "!"
    BAD = "✗"


@dataclass(frozen=True, slots=True)
class Capability:
    """What a template can train, whether it can, and what stands in the way. ``settings`` are what it takes."""

    name: str
    mark: Mark
    text: str
    settings: Mapping[str, Any]

    def facts(self) -> dict[str, Any]:
        """Return the verdict as JSON types."""
        return asdict(self)


def mark_of(statement: Statement) -> Mark:
    """Return the mark of a statement about a template."""
    if not statement.notable:
        return Mark.GOOD
    value = statement.value
    broken = isinstance(value, dict) and (value.get("fits") is False or value.get("trained") is False)
    return Mark.BAD if broken else Mark.HEED


def capabilities(config: Config, preparer: Preparer, prober: Prober, fields: Statement) -> tuple[Capability, ...]:
    """Return what the template can train, for each kind of conversation.

    Args:
        config: names tokenizer and template; settings for rows do not matter.
        preparer: the tokenizer and the template, under the policy of the defaults.
        prober: renders the conversations.
        fields: the statement about the fields that the template renders.
    """
    found = []
    for name, samples in _SAMPLES.items():
        advice = recommend(config, preparer, _rows(prober, samples))
        assert advice is not None
        unseen = fields.value["tools"]["kind"] if name == "tools" else RENDERED
        found.append(_capability(name, advice, unseen))
    return tuple(found)


def own_rows(prober: Prober, found: tuple[Capability, ...]) -> list[SampleRow]:
    """Return our conversations of all the kinds that the template can train, as rows to recommend settings for."""
    return [row for each in found if each.mark is not Mark.BAD for row in _rows(prober, _SAMPLES[each.name])]


def _rows(prober: Prober, samples: tuple[Sample, ...]) -> list[SampleRow]:
    conversations = (replace(prober.conversation(sample), template_kwargs=None) for sample in samples)
    return [SampleRow(Where("sample", number, 0), each) for number, each in enumerate(conversations, 1)]


def _capability(name: str, advice: Recommendation, unseen: str) -> Capability:
    needed = advice.settings.values
    lost = [part for part in advice.lost if part == name or WHAT[part] == name]
    if unseen in {DROPPED, REFUSED}:
        return Capability(name, Mark.BAD, "the template writes nothing of the tools that are offered", {})
    if lost:
        return Capability(name, Mark.BAD, f"the template writes nothing of {name}: the model never learns it", {})
    if advice.used < advice.rows:
        why = "; ".join(dict.fromkeys(each.why for each in advice.left))
        some = f"only some of it: {why}" if advice.used else f"cannot be trained: {why}"
        return Capability(name, Mark.HEED if advice.used else Mark.BAD, some, needed)
    told = [f"{key}: {str(value).lower()}" for key, value in needed.items()]
    price = advice.price(History.SPLIT)
    if advice.costs.by[History.SPLIT].sequences > advice.used:
        tree = f"; as trees {advice.price(History.TREE):.2f}" if advice.price(History.TREE) < price else ""
        text = f"earlier turns change once later ones follow: {price:.2f} times the tokens as history split{tree}"
        told.append(text)
    if not told:
        return Capability(name, Mark.GOOD, "as it is", {})
    return Capability(name, Mark.HEED, "; ".join(told), needed)
