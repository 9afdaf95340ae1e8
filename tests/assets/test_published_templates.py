"""All published templates by shapes: the text is transformers' own, and each cell is the law's or rejected."""

from __future__ import annotations

import pytest

from assets.cells import check, sweep, template_paths

pytestmark = pytest.mark.assets

MOST_UNKNOWN = 24  # cells that marking cannot decide, of about 26,000


@pytest.fixture(scope="module")
def outcome(assets):
    return sweep(check, assets, templates=len(template_paths(assets)))


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
