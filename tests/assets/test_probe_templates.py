"""Every published template is probed without a fault; how many do what."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assets.cells import tokenizer_for
from maskprep.examples import Preparer
from maskprep.policy import Policy
from maskprep.probe.command import STATEMENTS, statements
from maskprep.probe.prober import Prober

pytestmark = pytest.mark.assets

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def probed(path):
    """Return the values of all statements about one template."""
    template = Path(path).read_text(encoding="utf-8")
    preparer = Preparer(tokenizer_for(template), now=NOW, policy=Policy(), template=template)
    return {one.name: one.value for one in statements(Prober(preparer, NOW))}


@pytest.fixture(scope="module")
def values(assets):
    paths = sorted(map(str, (assets / "templates").glob("*.jinja")))
    # Fresh processes: a forked one would inherit the threads of a tokenizer.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        return pool.map(probed, paths, chunksize=8)


def properties(value):
    """Yield what holds of one template, in words that can be counted."""
    for statement in ("roles", "fields", "order"):
        for name, found in value[statement].items():
            yield f"{statement}: {name}: {found['kind']}"
    yield f"generation prompt: {'there is one' if value['generation_prompt']['user'] else 'none'}"
    if value["inserted"]:
        yield f"text inserted before an answer: {bool(value['inserted']['before'])}"
    if value["stop"]:
        yield f"stop token: {'trained' if value['stop']['trained'] else 'none'}"
        earlier = value["stop"]["earlier_answer"]
        yield f"an earlier answer ends otherwise: {earlier not in (None, value['stop']['answer'])}"
    if value["opening"]:
        yield f"default system prompt: {bool(value['opening']['default_system'])}"
    yield f"a plain answer fits the prompt: {value['fit']['fits'] or value['fit']['code']}"
    for mend in value["fit"].get("mends", ()):
        yield f"mends a prompt that does not fit: {mend}"
    yield from (f"rewrites a chat {name}: {bool(change)}" for name, change in value["history"].items())
    yield from (f"reasoning in {name}: {kept}" for name, kept in value["reasoning"].items())
    yield f"arguments: object {value['arguments']['object']}, text {value['arguments']['text']}"
    yield from (f"trims {whose}: {how['white space'] or 'nothing'}" for whose, how in value["trims"].items())
    yield f"tells the time: {value['clock']['told']}"
    if value["beginning"]:
        yield f"writes the token that begins a text: {value['beginning']['template_writes']}"
    if value["marks"]:
        marks = value["marks"]
        differ = marks.get("marked_not_generated") or marks.get("generated_not_marked")
        compared = "differ from the law" if differ else "agree"
        yield f"generation marks: {compared if len(marks) > 1 else marks['marked']}"


def test_no_template_is_a_fault_of_ours(values):
    assert values
    assert all(len(value) == len(STATEMENTS) for value in values)
    counts = Counter(word for value in values for word in properties(value))
    print()
    for word, count in sorted(counts.items()):
        print(f"{count:5,}  {word}")
    # What other counts of the same templates have found, within what the choice of conversations leaves open.
    assert counts["text inserted before an answer: True"] >= 150
    assert counts["a plain answer fits the prompt: prompt-mismatch"] >= 110
    assert counts["generation marks: differ from the law"] >= 10
    assert counts["tells the time: True"] >= 30
    assert counts["rewrites a chat with reasoning: True"] >= 140
