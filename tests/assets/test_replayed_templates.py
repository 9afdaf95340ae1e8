"""All published templates: what is prepared from replays is what is prepared without, and all beginnings are right.

The texts are ordinary ones, and what the template itself has between quotes: it may look for just that.
"""

from __future__ import annotations

import random
import re
from collections import Counter
from pathlib import Path

import pytest
from law.comparing import NOW
from law.replays import LONG, compare_in_order, programs
from law.shapes import SHAPES, TOOLS

from assets.cells import SHAPE_NAMES, sweep, tokenizer_for
from maskprep.conversation import Conversation, Message
from maskprep.errors import RowError, UsageError
from maskprep.examples import Preparer
from maskprep.formats import DEFAULT
from maskprep.policy import AuditMode, Control, History, Policy
from maskprep.template.chat_template import ChatTemplate

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


def outcome(preparer, conversation, *, replays):
    for template in preparer.templates.values():
        template.replays = replays
    try:
        prepared = preparer.prepare(conversation)
    except RowError as error:
        return error.code, error.message
    sequences = [
        (made.labelled.input_ids.tolist(), made.labelled.labels.tolist(), made.labelled.spans, made.unfaithful)
        for made in prepared.sequences
    ]
    return sequences, prepared.findings


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
        for _ in range(TRIALS):
            for conversation in shapes(text):
                found, expected = outcome(one, conversation, replays=True), outcome(two, conversation, replays=False)
                counts["rows"] += 1
                counts["rows used"] += isinstance(found[0], list)
                if found != expected:
                    wrong.append((Path(path).name, str(history), conversation, found, expected))
        learnt = [program for template in one.templates.values() for program in programs(template)]
        counts["renderings replayed"] += sum(program.replayed for program in learnt)
        counts["renderings watched"] += sum(program.watched for program in learnt)
        wrong += [(Path(path).name, program.note) for program in learnt if "contradicts" in program.note]
    return counts, wrong[:3]


def test_what_replays_give_is_what_rendering_gives(assets):
    counts, wrong = sweep(check, assets)
    assert not wrong, (len(wrong), wrong[0])
    assert counts["renderings replayed"] > counts["renderings watched"]


def check_beginnings(path):
    text = Path(path).read_text(encoding="utf-8")
    loaded = tokenizer_for(text)
    try:
        template = ChatTemplate(text, loaded.variables, NOW)
    except UsageError:
        return Counter({"templates that do not compile": 1}), []
    rows = [DEFAULT.parse(row) for row in (*(SHAPES[name] for name in SHAPE_NAMES), *LONG.values())]
    counts, wrong = compare_in_order(template, rows)
    return counts, [(Path(path).name, found) for found in wrong]


def test_every_beginning_is_what_rendering_it_gives(assets):
    counts, wrong = sweep(check_beginnings, assets)
    assert not wrong, (len(wrong), wrong[0])
    assert counts["replayed"] > counts["renderings"] / 2
