"""All published templates by shapes: what is taken over from the whole rendering is what rendering it again gives."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from law.comparing import NOW
from law.shapes import SHAPES
from law.streams import LONG, compare_beginnings

from assets.cells import SHAPE_NAMES, sweep, tokenizer_for
from maskprep.errors import UsageError
from maskprep.formats import DEFAULT
from maskprep.template.chat_template import ChatTemplate

pytestmark = pytest.mark.assets


def check(path):
    text = Path(path).read_text(encoding="utf-8")
    loaded = tokenizer_for(text)
    counts, wrong = Counter(), []
    try:
        template = ChatTemplate(text, loaded.variables, NOW)
    except UsageError:
        return Counter({"templates that do not compile": 1}), []
    for name, row in {**{name: SHAPES[name] for name in SHAPE_NAMES}, **LONG}.items():
        counted, different = compare_beginnings(template, DEFAULT.parse(row))
        counts.update({f"{'long' if name in LONG else 'short'}: {what}": count for what, count in counted.items()})
        wrong += [(Path(path).name, name, *found) for found in different]
    counts["templates that stream all turns of a plain long conversation"] = int(_streams(template, LONG["talk"]))
    counts["templates that stream all turns of a long one with tools"] = int(_streams(template, LONG["calls"]))
    counts["templates"] = 1
    return counts, wrong


def _streams(template, row):
    counts, _ = compare_beginnings(template, DEFAULT.parse(row))
    return counts["turns"] > 0 and counts["turns"] == counts["turns taken over"]


def test_what_is_taken_over_is_what_rendering_again_gives(assets):
    counts, wrong = sweep(check, assets)
    assert not wrong, (len(wrong), wrong[0])
    assert counts["long: turns taken over"] > counts["long: turns"] / 2
