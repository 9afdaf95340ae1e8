"""Whether maskprep and the law written naively agree on a conversation, in one of few words."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import NamedTuple

from law.reference import IGNORED, Reference, Refused, Unknown
from maskprep.dataset.trees import fault, unrolled, visible_until
from maskprep.errors import RowError
from maskprep.examples import Preparer
from maskprep.examples.trees import written
from maskprep.policy import Control, History, Policy

NOW = datetime(2026, 2, 3, 4, 5, 6, tzinfo=UTC)
HISTORIES = ("split", "mask", "rendered")


class FrozenClock:
    """What transformers takes for ``datetime``."""

    @staticmethod
    def now():
        return NOW


class Verdict(NamedTuple):
    """``kind`` is equal, rejected, lost, unknown, or differs; ``code`` says why a row is rejected."""

    kind: str
    code: str = ""
    detail: str = ""


def reference_of(loaded, template, conversation, variables=None):
    return Reference(
        tokenizer=loaded.tokenizer,
        template=template,
        messages=[dict(message.fields) for message in conversation.messages],
        stop_tokens=loaded.stop_tokens,
        special_tokens=loaded.special_tokens,
        added_tokens=loaded.added_tokens,
        tools=conversation.tools,
        variables={**(variables or {}), **(conversation.template_kwargs or {})},
        muted=frozenset(i for i, message in enumerate(conversation.messages) if not message.in_loss),
    )


def preparers(loaded, template, variables=None):
    """Return a preparer for each history. The law is stated for ``control_tokens: keep``."""
    policies = {history: Policy(history=History(history), control=Control.KEEP) for history in HISTORIES}
    return {
        history: Preparer(loaded, now=NOW, policy=policy, template=template, variables=dict(variables or {}))
        for history, policy in policies.items()
    }


def compare(preparer, history, conversation, reference):
    """Return the verdict on one conversation under one way of treating history."""
    prepared = None
    try:
        prepared = preparer.prepare(conversation)
        ours = [
            (made.sequence.text.text, made.labelled.input_ids.tolist(), made.labelled.labels.tolist())
            for made in prepared.sequences
        ]
    except RowError as error:
        ours = error
    try:
        theirs = [(one.text, one.ids, one.labels) for one in reference.sequences(history)]
    except (Refused, Unknown) as error:
        theirs = error
    if isinstance(ours, RowError) and ours.code == "provenance-lost":
        return Verdict("lost", ours.code, ours.message)
    if isinstance(theirs, Unknown):
        return Verdict("unknown", getattr(ours, "code", ""), str(theirs))
    if isinstance(ours, RowError) and isinstance(theirs, Refused):
        if ours.code == theirs.code:
            return Verdict("rejected", ours.code)
        return Verdict("differs", ours.code, f"maskprep: {ours.code}: {ours.message}; the law: {theirs}")
    if isinstance(ours, RowError):
        return Verdict(
            "differs", ours.code, f"maskprep rejects: {ours.code}: {ours.message}; the law: {_shown(theirs)}"
        )
    if isinstance(theirs, Refused):
        return Verdict("differs", "", f"the law refuses: {theirs}; maskprep: {_shown(ours)}")
    if ours == theirs:
        told = _tree_fault(prepared, theirs) if history == "split" else ""
        return Verdict("differs", "", told) if told else Verdict("equal")
    return Verdict("differs", "", f"maskprep: {_shown(ours)}; the law: {_shown(theirs)}")


def _tree_fault(prepared, sequences):
    """Tell what is wrong with trees of the law's sequences: each trained token once, in its own context."""
    trees = [made.labelled for made in written([prepared], History.TREE, None)[0].sequences]
    told = [
        fault(tree.input_ids, tree.labels, tree.positions, visible_until(tree.positions))
        for tree in trees
        if tree.positions is not None
    ]
    apart = [(each.input_ids.tolist(), each.labels.tolist()) for tree in trees for each in unrolled(tree)]
    if _contexts(apart) != _contexts([(ids, labels) for _, ids, labels in sequences]):
        told.append("the trees train other tokens, or in other contexts")
    return "; ".join(filter(None, told))


def _contexts(sequences):
    return Counter(
        tuple(ids[: at + 1]) for ids, labels in sequences for at, label in enumerate(labels) if label != IGNORED
    )


def _shown(sequences):
    return [
        (text, sum(label != IGNORED for label in labels), list(zip(ids, labels, strict=True)))
        for text, ids, labels in sequences
    ]
