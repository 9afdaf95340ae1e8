"""All published templates: what a plan makes of a conversation is what rendering and proving it makes of it.

The texts are ordinary ones, and what the template itself has between quotes: it may look for just that.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from law.comparing import NOW
from law.shapes import TOOLS

from assets.cells import sweep, tokenizer_for
from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError, UsageError
from maskprep.examples import Preparer
from maskprep.policy import AuditMode, Control, History, Policy

pytestmark = pytest.mark.assets

QUOTED = re.compile(r"'((?:[^'\\]|\\.){1,40})'|\"((?:[^\"\\]|\\.){1,40})\"")
USUAL = (
    "Oslo, of course.",
    "one\n\ntwo\n",
    " blanks around ",
    "\nnew line",
    "<think>\nHm.\n</think>\n\nYes.",
    "x",
    "é世 \U0001f600",
)
TRIALS = 6  # conversations of each shape


def shapes(text):
    """Return conversations of the shapes that people have, with texts from ``text()``."""

    def user():
        return Message({"role": "user", "content": text()})

    def assistant(**more):
        return Message({"role": "assistant", "content": text(), **more})

    def call():
        function = {"name": "look", "arguments": {"place": text(), "days": 2}}
        return [{"type": "function", "id": "a1b2c3d4e", "function": function}]

    tool = Message({"role": "tool", "content": text(), "tool_call_id": "a1b2c3d4e", "name": "look"})
    yield Conversation((user(), assistant(), user(), assistant()))
    yield Conversation((Message({"role": "system", "content": text()}), user(), assistant(reasoning_content=text())))
    yield Conversation((user(), assistant(tool_calls=call()), tool, assistant()), tools=TOOLS)


def outcome(preparer, conversation):
    try:
        prepared = preparer.prepare(conversation)
    except RowError as error:
        return error.code, error.message
    sequences = [
        (made.labelled.input_ids.tolist(), made.labelled.labels.tolist(), made.labelled.spans, made.unfaithful)
        for made in prepared.sequences
    ]
    return sequences, prepared.findings


def watched(preparer):
    """Return a list that gets what the plans make of each conversation."""
    planned = []
    for planner in [proofs.planner for proofs in preparer.proofs.values()]:
        prove = planner.prove
        planner.prove = lambda conversation, prove=prove: planned.append(prove(conversation)) or planned[-1]
    return planned


def check(path):
    source = Path(path).read_text(encoding="utf-8")
    chance = random.Random(Path(path).name)
    loaded = tokenizer_for(source)
    literals = [(one or two).encode().decode("unicode_escape", "ignore") for one, two in QUOTED.findall(source)]
    literals = sorted({literal for literal in literals if literal.strip()})

    def text():
        own = chance.choice(literals) if literals else "literal"
        return chance.choice([chance.choice(USUAL), f"a{own}b", own, f"{own} c", f"d {own}"])

    counts, wrong = Counter(templates=1), []
    for history in (History.SPLIT, History.RENDERED):
        policy = Policy(history=history, control=Control.KEEP)
        try:
            one, two = (
                Preparer(loaded, now=NOW, policy=policy, template=source, audit=AuditMode.FIRST) for _ in range(2)
            )
        except UsageError:
            return Counter({"templates that do not compile": 1}), []
        planned = watched(one)
        for planner in [proofs.planner for proofs in two.proofs.values()]:
            planner.prove = lambda conversation: None
        for _ in range(TRIALS):
            for conversation in shapes(text):
                planned.clear()
                found, expected = outcome(one, conversation), outcome(two, conversation)
                by_plan = any(each is not None for each in planned)
                counts["by a plan" if by_plan else "not by a plan"] += 1
                counts["by a plan, and used"] += by_plan and isinstance(found[0], list)
                if found != expected:
                    wrong.append((Path(path).name, str(history), conversation, found, expected))
    return counts, wrong[:3]


def test_what_a_plan_gives_is_what_proving_gives(assets):
    counts, wrong = sweep(check, assets)
    assert not wrong, (len(wrong), wrong[0])
    assert counts["by a plan, and used"] > counts["templates"]
