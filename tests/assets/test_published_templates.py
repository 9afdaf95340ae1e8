"""All published templates by shapes: the text is transformers' own, and each cell is the law's or rejected."""

from __future__ import annotations

import multiprocessing
import os
from collections import Counter

import pytest

from assets.cells import check, template_paths

pytestmark = pytest.mark.assets

MOST_UNKNOWN = 24  # cells that marking cannot decide, of about 26,000


@pytest.fixture(scope="module")
def outcome(assets):
    paths = template_paths(assets)
    counts, differences = Counter(templates=len(paths)), []
    # Fresh processes: a forked one would inherit the threads of a tokenizer.
    with multiprocessing.get_context("spawn").Pool(os.cpu_count()) as pool:
        for counted, different in pool.imap(check, paths, chunksize=4):
            counts.update(counted)
            differences += different
    print()
    for name, count in sorted(counts.items()):
        print(f"{count:8,}  {name}")
    return counts, differences


def test_the_text_is_transformers_own(outcome):
    counts, differences = outcome
    assert counts["text identical"] == counts["rendered by transformers"] > 0
    assert not [difference for difference in differences if difference[0] == "text"]


def test_every_cell_is_the_laws_or_rejected_with_its_code(outcome):
    wrong = [(name, detail) for kind, name, detail in outcome[1] if kind == "differs"]
    assert not wrong, "\n".join(name for name, _ in wrong) + f"\n{wrong[0][1][:3000]}"


def test_few_cells_are_left_undecided(outcome):
    unknown = [(name, detail) for kind, name, detail in outcome[1] if kind == "unknown"]
    assert len(unknown) <= MOST_UNKNOWN, unknown
